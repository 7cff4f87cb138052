//! Version, strict DER, and the PEM around it.

use super::Vectors;
use super::csr::*;

const DER: &[&str] = &["csr.der"];
const PEM: &[&str] = &["csr.pem"];
const LABEL: &str = "CERTIFICATE REQUEST";

pub fn vectors(all: &mut Vectors) {
    version(all);
    encoding(all);
    ber(all);
    armour(all);
}

/// A request whose version is this element.
fn versioned(mut csr: Csr, version: &[u8]) -> Vec<u8> {
    csr.version = version.to_vec();
    csr.der()
}

fn version(all: &mut Vectors) {
    all.refused("version 2", DER, "DER", |c| versioned(c, &[2, 1, 1]));
    all.refused("version 3", DER, "DER", |c| versioned(c, &[2, 1, 2]));
    all.refused("version negative", DER, "DER", |c| versioned(c, &[2, 1, 0xff]));
    all.refused("version missing", DER, "DER", |c| versioned(c, &[]));
    all.refused("version empty", DER, "DER", |c| versioned(c, &[2, 0]));
    all.refused("version not minimal", DER, "DER", |c| versioned(c, &[2, 2, 0, 0]));
    all.refused("version as text", DER, "DER", |c| versioned(c, &[UTF8, 1, b'0']));
    all.refused("version twice", DER, "DER", |c| versioned(c, &[2, 1, 0, 2, 1, 0]));
}

fn encoding(all: &mut Vectors) {
    all.refused("a byte behind it", DER, "DER", |c| [c.der(), vec![0]].concat());
    all.refused("a newline behind it", DER, "DER", |c| [c.der(), b"\n".to_vec()].concat());
    all.refused("another request behind it", DER, "DER", |c| [c.der(), c.der()].concat());
    all.refused("a byte behind its signature", DER, "DER", |c| seq(&[inside(&c.der()), NULL]));
    all.refused("a field behind its attributes", DER, "DER", |c| {
        let info = seq(&[inside(&c.info()), NULL]);
        c.signing(&info)
    });
    all.refused("cut off", DER, "DER", |c| c.der()[..200].to_vec());
    all.refused("cut off within its first element", DER, "DER", |c| c.der()[..20].to_vec());
    all.refused("a length beyond its end", DER, "DER", |c| {
        [&[0x30, 0x83, 1, 0, 0][..], inside(&c.der())].concat()
    });
    all.refused("a length of 4 GiB", DER, "DER", |c| {
        [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], inside(&c.der())].concat()
    });
    all.refused("no signature", DER, "DER", |c| seq(&[&c.info(), &c.algorithm]));
    all.refused("no signature algorithm", DER, "DER", |c| seq(&[&c.info(), &bits(&c.key.sign(&c.info()))]));
    all.refused("no attributes field", DER, "DER", |mut c| {
        c.attributes = Vec::new();
        c.der()
    });
    all.refused("attributes in another field", DER, "DER", |mut c| {
        c.attributes = vec![0xa1, 0];
        c.der()
    });
    all.refused("attributes field primitive", DER, "DER", |mut c| {
        c.attributes = vec![0x80, 0];
        c.der()
    });
    all.refused("attributes out of order", DER, "DER", |mut c| {
        let [b, a] = ["1.2.3.5", "1.2.3.4"].map(|oid| attribute(oid, NULL));
        c.attributes = tlv(0xa0, &[&b, &a]);
        c.der()
    });
    all.refused("a public key out of nothing", DER, "DER", |c| c.spki(seq(&[])));
    all.refused("a thousand nested sequences", DER, "DER", |mut c| {
        let nested = (0..1000).fold(Vec::new(), |inner, _| seq(&[&inner]));
        c.attributes = tlv(0xa0, &[&nested]);
        c.der()
    });
    all.refused("70000 bytes of ballast", &["csr.size"], "more than 65536", |c| {
        c.attributes(&[attribute("1.2.3.4", &tlv(4, &[&[0; 70_000]]))])
    });
}

/// Indefinite length, with its end mark.
fn indefinite(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, 0x80][..], content, &[0, 0]].concat()
}

/// A length in more bytes than it takes.
fn long(der: &[u8]) -> Vec<u8> {
    let content = inside(der);
    [&[der[0], 0x84, 0, 0, (content.len() >> 8) as u8, content.len() as u8][..], content].concat()
}

/// Each is a request to every lenient reader; signed over the bytes as they stand.
fn ber(all: &mut Vectors) {
    let named = "it is BER, not DER";
    all.refused("BER indefinite length outside", DER, named, |c| indefinite(0x30, inside(&c.der())));
    all.refused("BER indefinite length inside", DER, named, |c| {
        let info = indefinite(0x30, inside(&c.info()));
        c.signing(&info)
    });
    all.refused("BER indefinite length everywhere", DER, named, |c| {
        let info = indefinite(0x30, inside(&c.info()));
        indefinite(0x30, inside(&c.signing(&info)))
    });
    all.refused("BER indefinite length in PEM", DER, named, |c| {
        pem(LABEL, &indefinite(0x30, inside(&c.der()))).into_bytes()
    });
    all.refused("BER long length outside", DER, named, |c| long(&c.der()));
    all.refused("BER long length of a short element", DER, named, |mut c| {
        c.version = vec![2, 0x81, 1, 0];
        c.der()
    });
    all.refused("BER constructed bit string", DER, named, |c| {
        let signature = c.key.sign(&c.info());
        seq(&[&c.info(), &c.algorithm, &tlv(0x23, &[&bits(&signature)])])
    });
    all.refused("BER constructed string in the subject", DER, named, |c| {
        let [o, l, _] = c.names();
        let value = tlv(0x2c, &[&tlv(UTF8, &[b"me"]), &tlv(UTF8, &[b"sh"])]);
        let cn = seq(&[&oid(CN), &value]);
        c.subject(name(&[o, l, cn]))
    });
    all.refused("BER tag in two bytes", DER, named, |mut c| {
        c.version = vec![0x1f, 2, 1, 0];
        c.der()
    });
    let request = &["csr.extension-request"];
    all.refused("BER TRUE as 01", request, named, |c| {
        let ext = seq(&[&oid("2.5.29.19"), &[1, 1, 1], &tlv(4, &[&[0x30, 0]])]);
        c.extensions(&[ext])
    });
    all.refused("BER with a default encoded", request, named, |c| {
        let ext = seq(&[&oid("2.5.29.19"), &[1, 1, 0], &tlv(4, &[&[0x30, 0]])]);
        c.extensions(&[ext])
    });
}

fn armour(all: &mut Vectors) {
    let good = |c: &Csr| pem(LABEL, &c.der());
    all.refused("PEM labelled as a certificate", &["csr.kind"], "a certificate", |c| {
        pem("CERTIFICATE", &c.der()).into_bytes()
    });
    all.refused("PEM with a label of another's", &["csr.kind"], "'REQUEST'", |c| {
        pem("REQUEST", &c.der()).into()
    });
    all.refused("PEM with a label that steers", &["csr.kind"], "\\u{1b}", |c| {
        pem("\u{1b}[2J", &c.der()).into()
    });
    all.refused("PEM with another END line", PEM, "its END line says 'CERTIFICATE", |c| {
        good(&c).replace("END CERTIFICATE REQUEST", "END CERTIFICATE").into()
    });
    all.refused("PEM without an END line", PEM, "the END line is missing", |c| {
        good(&c).split("-----END").next().unwrap().into()
    });
    all.refused("PEM without its last dashes", PEM, "its END line says", |c| {
        good(&c).trim_end_matches("-\n").into()
    });
    all.refused("PEM on one line", PEM, "does not stand alone", |c| good(&c).replace('\n', "").into());
    all.refused("PEM of damaged base64", PEM, "base64 is damaged", |c| {
        good(&c).replacen("\nM", "\n*", 1).into()
    });
    all.refused("PEM with a letter lost", PEM, "base64 is damaged", |c| {
        good(&c).replacen("\nM", "\n", 1).into()
    });
    all.refused("PEM with padding inside", PEM, "base64 is damaged", |c| {
        good(&c).replacen("\nM", "\nM=", 1).into()
    });
    all.refused("PEM in base64 for addresses", PEM, "base64 is damaged", |c| {
        // Enough characters that one is a plus or a slash.
        let der = c.attributes(&[attribute("1.2.3.4", &tlv(4, &[&[0xff; 30]]))]);
        pem(LABEL, &der).replace('/', "_").into()
    });
    all.refused("PEM around nothing", PEM, "it is empty", |_| pem(LABEL, &[]).into());
    all.refused("PEM around noise", DER, "DER", |_| pem(LABEL, &[0; 40]).into());
    all.refused("PEM with headers", PEM, "headers", |c| {
        good(&c).replacen("REQUEST-----\n", "REQUEST-----\nProc-Type: 4,ENCRYPTED\n\n", 1).into()
    });
    all.refused("PEM in UTF-16", &["csr.encoding"], "UTF-16", |c| {
        format!("\u{feff}{}", good(&c)).encode_utf16().flat_map(u16::to_le_bytes).collect()
    });
    all.refused("PEM a thousand and one times", &["csr.count"], "1000", |_| {
        "-----BEGIN CERTIFICATE REQUEST-----\n".repeat(1001).into()
    });
    all.narrowed("PEM within a letter", &[], "", |c| {
        format!("Dear root,\r\n\r\n{}\r\nRegards\r\n", good(&c).replace('\n', "\r\n")).into()
    });
    all.narrowed("PEM of Netscape's label", &[], "", |c| pem("NEW CERTIFICATE REQUEST", &c.der()).into());
    all.narrowed("DER", &[], "", |c| c.der());
}
