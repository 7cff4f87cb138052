//! The subject: who the certificate would be for.

use super::Vectors;
use super::csr::*;

const TELETEX: u8 = 20;
const IA5: u8 = 22;
const UNIVERSAL: u8 = 28;
const BMP: u8 = 30;

const CHARACTERS: &[&str] = &["subject.characters"];
const ENCODING: &[&str] = &["subject.encoding"];
const LENGTH: &[&str] = &["subject.length"];
const ALLOWED: &[&str] = &["subject.allowed"];

pub fn vectors(all: &mut Vectors) {
    shapes(all);
    characters(all);
    strings(all);
    clusters(all);
    attributes(all);
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn shapes(all: &mut Vectors) {
    let empty = ["cluster.id", "subject.empty", "subject.required"];
    all.refused("subject empty", &empty[..], "at least one", |c| c.subject(seq(&[])));
    all.refused("subject an empty RDN", &["certificate.lint"], "empty RDN", |c| {
        let [o, l, cn] = c.names();
        c.subject(seq(&[&tlv(0x31, &[&o]), &tlv(0x31, &[&l]), &tlv(0x31, &[&cn]), &[0x31, 0]]))
    });
    all.refused("subject a SET", &["csr.der"], "DER", |c| c.subject(tlv(0x31, &[])));
    all.refused("subject a string", &["csr.der"], "DER", |c| c.subject(tlv(UTF8, &[b"CN=x"])));
    all.refused("subject with an attribute without value", &["csr.der"], "DER", |c| c.and(seq(&[&oid(CN)])));
    all.refused("subject with an attribute of two values", &["csr.der"], "DER", |c| {
        c.and(seq(&[&oid(CN), &tlv(UTF8, &[b"a"]), &tlv(UTF8, &[b"b"])]))
    });
    all.refused(
        "subject of a thousand RDNs",
        &["subject.allowed", "subject.length"],
        "1000 attributes",
        |c| {
            let [o, l, cn] = c.names();
            let units = (0..997).map(|n| ava("2.5.4.11", UTF8, format!("{n}").as_bytes()));
            c.subject(name(&[o, l, cn].into_iter().chain(units).collect::<Vec<_>>()))
        },
    );
    all.refused("subject of a thousand common names", LENGTH, "1002 attributes", |c| {
        let [o, l, cn] = c.names();
        c.subject(name(&[o, l].into_iter().chain(vec![cn; 1000]).collect::<Vec<_>>()))
    });
    all.refused("subject with an RDN out of order", &["csr.der"], "DER", |c| {
        let [o, l, cn] = c.names();
        c.subject(seq(&[&tlv(0x31, &[&l, &cn, &o])]))
    });
    all.narrowed("subject of one RDN", &[], "", |c| {
        let [o, l, cn] = c.names();
        let mut sorted = [o, l, cn];
        sorted.sort();
        c.subject(seq(&[&tlv(0x31, &[&sorted.concat()])]))
    });
    all.refused(
        "subject is the root's",
        &["cluster.id", "renewal.same-subject", "subject.fixed", "subject.issuer", "subject.required"],
        "name of a root that is trusted",
        |c| c.subject(name(&[ava(O, UTF8, b"Example"), ava(CN, UTF8, b"Example Root G1")])),
    );
    all.refused("subject of a rehearsal", &["subject.rehearsal"], "REHEARSAL", |c| {
        c.common_name(UTF8, b"REHEARSAL mesh")
    });
}

fn characters(all: &mut Vectors) {
    for (defect, value) in [
        ("NUL", "a\0b"),
        ("a newline", "a\nGRANT b.csr"),
        ("a carriage return", "a\rb"),
        ("an escape sequence", "a\u{1b}[2J\u{1b}[31mb"),
        ("a C1 control", "a\u{9b}2Jb"),
        ("DEL", "a\u{7f}b"),
        ("a bidirectional override", "a\u{202e}b"),
        ("a bidirectional isolate", "a\u{2066}b"),
        ("a zero-width space", "a\u{200b}b"),
        ("a zero-width joiner", "a\u{200d}b"),
        ("a byte-order mark", "\u{feff}a"),
        ("a soft hyphen", "a\u{ad}b"),
        ("a no-break space", "a\u{a0}b"),
        ("a line separator", "a\u{2028}b"),
        ("a tag", "a\u{e0041}b"),
        ("a private-use character", "a\u{e000}b"),
        ("blanks before", " a"),
        ("blanks behind", "a "),
        ("blanks alone", "  "),
        ("nothing", ""),
    ] {
        all.refused(&format!("common name with {defect}"), CHARACTERS, "CN", |c| {
            c.common_name(UTF8, value.as_bytes())
        });
    }
    // Seen for what they are: outside Latin letters each is shown by its number.
    all.narrowed("common name in Cyrillic", &[], "", |c| {
        let name = format!("\u{440}\u{430}\u{443} {}", c.cluster);
        c.common_name(UTF8, name.as_bytes())
    });
    all.narrowed("common name that looks like a path", &[], "", |c| {
        let name = format!("../../{}/$(reboot);`x`", c.cluster);
        c.common_name(UTF8, name.as_bytes())
    });
}

fn strings(all: &mut Vectors) {
    let lint = &["certificate.lint"];
    all.refused("common name of invalid UTF-8", ENCODING, "CN", |c| c.common_name(UTF8, b"a\xff\xfe"));
    all.refused("common name of overlong UTF-8", ENCODING, "CN", |c| c.common_name(UTF8, b"a\xc0\xaf"));
    all.refused("common name of surrogates in UTF-8", ENCODING, "CN", |c| {
        c.common_name(UTF8, b"\xed\xa0\x80")
    });
    all.refused("PrintableString with an at sign", ENCODING, "CN", |c| c.common_name(PRINTABLE, b"a@b"));
    all.refused("PrintableString with UTF-8", ENCODING, "CN", |c| {
        c.common_name(PRINTABLE, "\u{e9}".as_bytes())
    });
    all.refused("PrintableString with a control", ENCODING, "CN", |c| c.common_name(PRINTABLE, b"a\x1bb"));
    all.refused("IA5String with a byte of eight bits", ENCODING, "CN", |c| c.common_name(IA5, b"a\xe9"));
    all.refused("IA5String in a common name", lint, "lint.subject.string-type", |c| {
        c.common_name(IA5, b"mesh")
    });
    all.refused("TeletexString in ASCII", lint, "lint.subject.string-type", |c| {
        c.common_name(TELETEX, b"mesh")
    });
    all.refused("TeletexString in Latin-1", ENCODING, "CN", |c| c.common_name(TELETEX, b"caf\xe9"));
    all.refused("TeletexString with an escape sequence", CHARACTERS, "CN", |c| {
        c.common_name(TELETEX, b"a\x1b[2Jb")
    });
    all.refused("BMPString", lint, "lint.subject.string-type", |c| c.common_name(BMP, &utf16("mesh")));
    all.refused("BMPString of an odd length", ENCODING, "CN", |c| c.common_name(BMP, &utf16("mesh")[..7]));
    all.refused("BMPString with half a pair", ENCODING, "CN", |c| c.common_name(BMP, &[0xd8, 0]));
    all.refused("BMPString with an override", CHARACTERS, "CN", |c| c.common_name(BMP, &utf16("a\u{202e}b")));
    all.refused("UniversalString", &["csr.der"], "0x1c", |c| c.common_name(UNIVERSAL, &[0, 0, 0, b'a']));
    all.refused("common name a number", ENCODING, "CN", |c| c.common_name(2, &[42]));
    all.refused("common name octets", ENCODING, "CN", |c| c.common_name(4, b"mesh"));
    all.refused("common name a sequence", ENCODING, "CN", |c| c.common_name(0x30, &tlv(UTF8, &[b"mesh"])));
    all.refused("cluster as a number", &["cluster.id", "subject.encoding"], "not a string", |c| {
        c.locality(2, &[42])
    });
}

fn clusters(all: &mut Vectors) {
    let id = &["cluster.id"];
    for (defect, value) in [
        ("in capitals", "East"),
        ("with a dot", "a.b"),
        ("with an underscore", "a_b"),
        ("with a slash", "a/b"),
        ("that climbs", "../../etc"),
        ("beginning with a hyphen", "-a"),
        ("ending in a hyphen", "a-"),
        ("of 64 characters", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("in Cyrillic", "\u{435}ast"),
        ("with an accent", "\u{e9}st"),
    ] {
        all.refused(&format!("cluster {defect}"), id, "a-z, 0-9 and hyphens", |c| {
            c.locality(UTF8, value.as_bytes())
        });
    }
    for (defect, value) in
        [("empty", ""), ("blank", " "), ("with a newline", "a\nb"), ("that steers", "\u{1b}[2J")]
    {
        let rules = ["cluster.id", "subject.characters"];
        all.refused(&format!("cluster {defect}"), &rules, "a-z, 0-9 and hyphens", |c| {
            c.locality(UTF8, value.as_bytes())
        });
    }
    for reserved in ["journal", "con", "nul", "com1", "lpt9"] {
        all.refused(&format!("cluster called {reserved}"), &["cluster.reserved"], "FAT", |c| {
            c.locality(UTF8, reserved.as_bytes())
        });
    }
    all.refused("two clusters", id, "exactly one", |c| c.and(ava(L, UTF8, b"west")));
    all.refused("the same cluster twice", id, "exactly one", |c| {
        let l = c.names()[1].clone();
        c.and(l)
    });
    let none = ["cluster.id", "subject.required"];
    all.refused("no cluster", &none, "exactly one", |c| {
        let [o, _, cn] = c.names();
        c.subject(name(&[o, cn]))
    });
    all.refused("no common name", &["subject.required"], "CN", |c| {
        let [o, l, _] = c.names();
        c.subject(name(&[o, l]))
    });
    let bmp = &["certificate.lint"];
    all.refused("cluster as BMPString", bmp, "lint.subject.string-type", |c| {
        let id = utf16(&c.cluster);
        c.locality(BMP, &id)
    });
}

fn attributes(all: &mut Vectors) {
    all.refused("common name of 65 characters", LENGTH, "65 characters", |c| {
        c.common_name(UTF8, &[b'x'; 65])
    });
    all.refused("common name of 20000 characters", LENGTH, "20000 characters", |c| {
        c.common_name(UTF8, &[b'x'; 20_000])
    });
    all.narrowed("common name of 64 characters of two bytes", &[], "", |c| {
        let name = "\u{e9}".repeat(64 - c.cluster.len()) + &c.cluster;
        c.common_name(UTF8, name.as_bytes())
    });
    all.refused("another house", &["subject.fixed"], "O=Istio", |c| {
        let [_, l, cn] = c.names();
        c.subject(name(&[ava(O, UTF8, b"Mallory"), l, cn]))
    });
    all.refused("the house in small letters", &["subject.fixed"], "O=Istio", |c| {
        let [_, l, cn] = c.names();
        c.subject(name(&[ava(O, UTF8, b"istio"), l, cn]))
    });
    all.refused("two houses", &["subject.fixed"], "O=Istio", |c| c.and(ava(O, UTF8, b"Mallory")));
    for (what, oid, tag, value, more) in [
        ("a unit", "2.5.4.11", UTF8, "x", &[][..]),
        ("a country", "2.5.4.6", PRINTABLE, "CH", &[]),
        ("a country of three letters", "2.5.4.6", PRINTABLE, "CHE", &["subject.length"]),
        ("a mail address", "1.2.840.113549.1.9.1", IA5, "a@example.org", &[]),
        ("a domain", "0.9.2342.19200300.100.1.25", IA5, "example", &[]),
        ("a serial number", "2.5.4.5", PRINTABLE, "42", &[]),
        ("an unknown attribute", "1.2.3.4", UTF8, "x", &[]),
    ] {
        let rules = [ALLOWED, more].concat();
        all.refused(&format!("subject with {what}"), &rules, "O, L, CN", |c| {
            c.and(ava(oid, tag, value.as_bytes()))
        });
    }
}
