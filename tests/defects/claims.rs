//! What the request asks for: attributes and extensions.

use super::Vectors;
use super::csr::*;
use anchorite::text::unhex;

const ATTRIBUTE: &[&str] = &["csr.attribute"];
const REQUEST: &[&str] = &["csr.extension-request"];
const EXTENSION: &[&str] = &["csr.extension"];

const BASIC: &str = "2.5.29.19";
const USAGE: &str = "2.5.29.15";
const PURPOSES: &str = "2.5.29.37";
const NAMES: &str = "2.5.29.17";
const KEY_ID: &str = "2.5.29.14";
const CHALLENGE: &str = "1.2.840.113549.1.9.7";

pub fn vectors(all: &mut Vectors) {
    attributes(all);
    lists(all);
    basic_constraints(all);
    usages(all);
    names(all);
    others(all);
}

fn attributes(all: &mut Vectors) {
    let other = &["claim.other-attributes"];
    all.narrowed("an unknown attribute", other, "1.2.3.4", |c| c.attributes(&[attribute("1.2.3.4", NULL)]));
    all.narrowed("Microsoft's operating system version", other, "1.3.6.1.4.1.311.13.2.3", |c| {
        c.attributes(&[attribute("1.3.6.1.4.1.311.13.2.3", &tlv(IA5, &[b"10.0.17763.2"]))])
    });
    all.narrowed("Microsoft's enrolment service", other, "1.3.6.1.4.1.311.13.2.2", |c| {
        c.attributes(&[attribute("1.3.6.1.4.1.311.13.2.2", &seq(&[&[2, 1, 1]]))])
    });
    all.narrowed("Microsoft's client information", other, "1.3.6.1.4.1.311.21.20", |c| {
        c.attributes(&[attribute("1.3.6.1.4.1.311.21.20", &seq(&[&[2, 1, 5]]))])
    });
    all.narrowed("an unstructured name", &[], "", |c| {
        c.attributes(&[attribute("1.2.840.113549.1.9.2", &tlv(UTF8, &[b"a note"]))])
    });
    all.narrowed("a challenge password", &["csr.challenge-password"], "not used here", |c| {
        c.attributes(&[attribute(CHALLENGE, &tlv(UTF8, &[b"hunter2"]))])
    });
    all.refused("an attribute twice", ATTRIBUTE, "1.2.3.4", |c| {
        c.attributes(&[attribute("1.2.3.4", NULL), attribute("1.2.3.4", &[1, 1, 0])])
    });
    all.refused("an attribute without a value", ATTRIBUTE, "has no value", |c| {
        c.attributes(&[attribute("1.2.3.4", &[])])
    });
    all.narrowed("an attribute of two values", other, "1.2.3.4", |c| {
        c.attributes(&[attribute("1.2.3.4", &[&[1, 1, 0][..], NULL].concat())])
    });
    all.refused("an attribute's values out of order", &["csr.der"], "DER", |c| {
        c.attributes(&[attribute("1.2.3.4", &[NULL, &[1, 1, 0]].concat())])
    });
    all.refused("an attribute without a set", &["csr.der"], "DER", |c| {
        c.attributes(&[seq(&[&oid("1.2.3.4")])])
    });
    all.refused("an attribute with a field more", &["csr.der"], "DER", |c| {
        c.attributes(&[seq(&[&oid("1.2.3.4"), &[0x31, 2, 5, 0], NULL])])
    });
    all.refused("a thousand attributes alike", ATTRIBUTE, "stands twice", |c| {
        c.attributes(&vec![attribute("1.2.3.4", NULL); 1000])
    });
}

const IA5: u8 = 22;

fn lists(all: &mut Vectors) {
    let ca = || extension(BASIC, true, &[0x30, 3, 1, 1, 0xff]);
    let leaf = || extension(BASIC, true, &[0x30, 0]);
    all.refused("two extension requests", &["csr.attribute", "csr.extension-request"], "stands twice", |c| {
        c.attributes(&[extension_request(&[ca()]), extension_request(&[leaf()])])
    });
    all.refused("an extension request of two lists", REQUEST, "there are 2", |c| {
        let [a, b] = [leaf(), ca()].map(|e| seq(&[&e]));
        c.attributes(&[attribute(EXTENSION_REQUEST, &[a, b].concat())])
    });
    all.refused("an extension request of Microsoft's beside it", REQUEST, "there are 2", |c| {
        c.attributes(&[extension_request(&[ca()]), attribute("1.3.6.1.4.1.311.2.1.14", &seq(&[&leaf()]))])
    });
    all.refused("an extension request without a value", ATTRIBUTE, "no value", |c| {
        c.attributes(&[attribute(EXTENSION_REQUEST, &[])])
    });
    all.refused("an extension request that is no list", REQUEST, "cannot be relied on", |c| {
        c.attributes(&[attribute(EXTENSION_REQUEST, NULL)])
    });
    all.narrowed("an extension request of nothing", &[], "", |c| c.extensions(&[]));
    all.refused("an extension without a value", REQUEST, "cannot be relied on", |c| {
        c.extensions(&[seq(&[&oid(BASIC)])])
    });
    all.refused("an extension whose value is no octet string", REQUEST, "cannot be relied on", |c| {
        c.extensions(&[seq(&[&oid(BASIC), &[0x30, 0]])])
    });
    all.refused("an extension with a field more", REQUEST, "cannot be relied on", |c| {
        c.extensions(&[seq(&[&oid(BASIC), &[4, 2, 0x30, 0], NULL])])
    });
    all.refused("an extension twice", &["csr.extension-twice"], "basicConstraints is asked for twice", |c| {
        c.extensions(&[leaf(), ca()])
    });
    all.refused("an extension twice, alike", &["csr.extension-twice"], "asked for twice", |c| {
        c.extensions(&[ca(), ca()])
    });
    all.refused("an unknown extension twice", &["csr.extension-twice"], "1.2.3.4", |c| {
        c.extensions(&[extension("1.2.3.4", false, NULL), extension("1.2.3.4", false, NULL)])
    });
    all.refused("a thousand extensions alike", &["csr.extension-twice"], "asked for twice", |c| {
        c.extensions(&vec![extension("1.2.3.4", false, NULL); 1000])
    });
}

fn basic_constraints(all: &mut Vectors) {
    let name = "basicConstraints";
    for (defect, value) in [
        ("DEFAULT FALSE written", "3003010100"),
        ("TRUE as 01", "3003010101"),
        ("negative path length", "30060101ff0201ff"),
        ("padded path length", "30070101ff02020000"),
        ("path length of 300", "30070101ff0202012c"),
        ("the two in the wrong order", "30060201000101ff"),
        ("a byte behind it", "30030101ff00"),
        ("a field more", "30080101ff0201000500"),
        ("indefinite length", "30800101ff0000"),
        ("no value", ""),
        ("text", "0c024341"),
    ] {
        all.refused(&format!("{name} with {defect}"), EXTENSION, name, |c| {
            c.asking(BASIC, &unhex(value).unwrap())
        });
    }
    let narrowed = &["claim.basic-constraints"];
    for (defect, value, word) in [
        ("CA FALSE", "3000", "CA:FALSE"),
        ("path length without CA", "3003020100", "CA:FALSE"),
        ("no path length", "30030101ff", "CA:TRUE without pathlen"),
        ("path length 7", "30060101ff020107", "pathlen:7"),
    ] {
        all.narrowed(&format!("{name} with {defect}"), narrowed, word, |c| {
            c.asking(BASIC, &unhex(value).unwrap())
        });
    }
    all.narrowed("basicConstraints as granted", &[], "", |c| {
        c.asking(BASIC, &unhex("30060101ff020100").unwrap())
    });
}

fn usages(all: &mut Vectors) {
    for (defect, value) in [
        ("no bits", "030100"),
        ("no bits in a byte", "03020700"),
        ("zero bits behind", "03020006"),
        ("a zero byte behind", "0303000600"),
        ("unused bits set", "03020107"),
        ("eight unused bits", "03020806"),
        ("no value", ""),
        ("a byte behind it", "0302010600"),
        ("a bit that is not known", "0303060640"),
        ("a number", "020106"),
    ] {
        all.refused(&format!("keyUsage with {defect}"), EXTENSION, "keyUsage", |c| {
            c.asking(USAGE, &unhex(value).unwrap())
        });
    }
    let narrowed = &["claim.key-usage"];
    all.narrowed("keyUsage with all bits", narrowed, "encipherOnly", |c| {
        c.asking(USAGE, &unhex("030307ff80").unwrap())
    });
    all.narrowed("keyUsage of a leaf", narrowed, "keyEncipherment", |c| {
        c.asking(USAGE, &unhex("030205a0").unwrap())
    });
    for (defect, value) in [
        ("nothing in it", "3000"),
        ("no value", ""),
        ("text in it", "30030c0161"),
        ("a byte behind it", "300a06082b0601050507030100"),
    ] {
        all.refused(&format!("extKeyUsage with {defect}"), EXTENSION, "extKeyUsage", |c| {
            c.asking(PURPOSES, &unhex(value).unwrap())
        });
    }
    let purposes = &["claim.extended-key-usage"];
    for (defect, oid_, word) in [
        ("serverAuth", "1.3.6.1.5.5.7.3.1", "serverAuth"),
        ("any purpose", "2.5.29.37.0", "2.5.29.37.0"),
        ("the journal's purpose", "1.3.6.1.5.5.7.3.36", "1.3.6.1.5.5.7.3.36"),
        ("an unknown purpose", "1.2.3.4", "1.2.3.4"),
    ] {
        all.narrowed(&format!("extKeyUsage of {defect}"), purposes, word, |c| {
            c.asking(PURPOSES, &seq(&[&oid(oid_)]))
        });
    }
}

fn names(all: &mut Vectors) {
    let name = |tag: u8, value: &[u8]| seq(&[&tlv(tag, &[value])]);
    let refused: [(&str, Vec<u8>); 8] = [
        ("nothing in it", seq(&[])),
        ("no value", Vec::new()),
        ("a DNS name of eight bits", name(0x82, b"\xff")),
        ("a URI of eight bits", name(0x86, b"spiffe://\xff")),
        ("a mail address of eight bits", name(0x81, b"\xff")),
        ("a form that is not known", name(0x89, b"x")),
        ("a byte behind it", [name(0x82, b"a"), vec![0]].concat()),
        ("an address book's name", seq(&[&tlv(0xa3, &[&seq(&[])])])),
    ];
    for (defect, value) in refused {
        all.refused(&format!("subjectAltName with {defect}"), EXTENSION, "subjectAltName", |c| {
            c.asking(NAMES, &value)
        });
    }
    let directory = super::csr::name(&[ava(CN, UTF8, b"x")]);
    let other = [oid("1.2.3.4"), tlv(0xa0, &[&tlv(UTF8, &[b"x"])])].concat();
    let narrowed: [(&str, Vec<u8>, &str); 14] = [
        ("a DNS name", name(0x82, b"istiod.istio-system.svc"), "DNS:istiod"),
        ("every host", name(0x82, b"*"), "DNS:*"),
        ("an empty DNS name", name(0x82, b""), "DNS:"),
        ("a DNS name that steers", name(0x82, b"a\x1b[2J\nb"), "\\u{1b}[2J\\u{a}b"),
        ("a DNS name cut by NUL", name(0x82, b"good\0.evil"), "good\\u{0}"),
        ("a SPIFFE identity", name(0x86, b"spiffe://cluster.local/x"), "URI:spiffe"),
        ("a URI of nothing", name(0x86, b""), "URI:"),
        ("a mail address", name(0x81, b"a@example.org"), "email:"),
        ("an IP address", name(0x87, &[10, 0, 0, 1]), "IP:0a000001"),
        ("an IP address of five bytes", name(0x87, &[10, 0, 0, 1, 2]), "IP:0a00000102"),
        ("an object identifier", name(0x88, &[0x2a, 3]), "RID:1.2.3"),
        ("a directory's name", seq(&[&tlv(0xa4, &[&directory])]), "a directoryName"),
        ("another name", seq(&[&tlv(0xa0, &[&other])]), "an otherName"),
        ("five hundred names", seq(&[&tlv(0x82, &[b"a.example"]).repeat(500)]), "DNS:a.example"),
    ];
    for (defect, value, word) in narrowed {
        all.narrowed(&format!("subjectAltName of {defect}"), &["claim.subject-alt-name"], word, |c| {
            c.asking(NAMES, &value)
        });
    }
}

fn others(all: &mut Vectors) {
    all.refused("subjectKeyIdentifier with no value", EXTENSION, "subjectKeyIdentifier", |c| {
        c.asking(KEY_ID, &[])
    });
    all.refused("subjectKeyIdentifier with a byte behind it", EXTENSION, "subjectKeyIdentifier", |c| {
        c.asking(KEY_ID, &[4, 1, 0, 0])
    });
    let key_id = &["claim.subject-key-identifier"];
    all.narrowed("subjectKeyIdentifier of another key", key_id, "0707", |c| {
        c.asking(KEY_ID, &tlv(4, &[&[7; 20]]))
    });
    all.narrowed("subjectKeyIdentifier of nothing", key_id, "asked for", |c| c.asking(KEY_ID, &[4, 0]));
    all.narrowed("subjectKeyIdentifier of ten thousand bytes", key_id, "0707", |c| {
        c.asking(KEY_ID, &tlv(4, &[&[7; 10_000]]))
    });
    let other = &["claim.other-extensions"];
    let constraints = unhex("3010a00e300c820a6578616d706c652e6f7267").unwrap();
    for (defect, oid, value) in [
        ("name constraints", "2.5.29.30", &constraints[..]),
        ("an authority key identifier", "2.5.29.35", &[0x30, 0]),
        ("policies", "2.5.29.32", &[0x30, 6, 0x30, 4, 6, 2, 0x2a, 3]),
        ("a distribution point", "2.5.29.31", &[0x30, 0]),
        ("Netscape's type", "2.16.840.1.113730.1.1", &[3, 2, 0, 1]),
        ("Microsoft's template", "1.3.6.1.4.1.311.20.2", &[30, 4, 0, b'C', 0, b'A']),
        ("an unknown extension", "1.2.3.4", &[]),
    ] {
        all.narrowed(&format!("asking for {defect}"), other, oid, |c| c.asking(oid, value));
        all.refused(&format!("asking for {defect} as critical"), &["extension.critical"], oid, |c| {
            c.extensions(&[extension(oid, true, value)])
        });
    }
}
