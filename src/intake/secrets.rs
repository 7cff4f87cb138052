//! Private keys where none belongs.

use super::sniff;
use crate::text::unbase64;

/// What the ends of PEM labels stand for; the first that fits counts.
const LABELS: [(&str, &str); 10] = [
    ("SSH2 ENCRYPTED PRIVATE KEY", "an SSH2 private key"),
    ("ENCRYPTED PRIVATE KEY", "an encrypted private key in PEM"),
    ("RSA PRIVATE KEY", "an RSA private key in PEM"),
    ("EC PRIVATE KEY", "an EC private key in PEM"),
    ("DSA PRIVATE KEY", "a DSA private key in PEM"),
    ("OPENSSH PRIVATE KEY", "an OpenSSH private key"),
    ("PGP PRIVATE KEY BLOCK", "an OpenPGP private key"),
    ("TSS2 PRIVATE KEY", "a TPM's wrapped private key in PEM"),
    ("PRIVATE KEY", "a private key in PEM"),
    ("PKCS12", "a PKCS#12 file, which can hold a private key"),
];

/// Marks that are whole in themselves.
const MARKS: [(&[u8], &str); 4] = [
    (b"PuTTY-User-Key-File-", "a PuTTY private key"),
    (b"openssh-key-v1\0", "an OpenSSH private key"),
    (b"b3BlbnNzaC1rZXktdjEA", "an OpenSSH private key"), // the same in base64
    (b"AGE-SECRET-KEY-", "an age secret key"),
];

/// Marks that count at the start of a file only.
const MAGIC: [(&[u8], &str); 2] = [
    (b"\xfe\xed\xfe\xed", "a Java keystore (JKS), which can hold a private key"),
    (b"\xce\xce\xce\xce", "a Java keystore (JCEKS), which can hold a private key"),
];

/// "-----BEGIN " in base64, as Kubernetes Secrets and kubeconfigs hold PEM.
const BASE64_OF_BEGIN: &[u8] = b"LS0tLS1CRUdJTi";
/// As many characters of base64 DER as it takes to see what it is: a DSA key's parameters come first.
const LONGEST_HEAD: usize = 1024;
/// No tool breaks lines of base64 shorter.
const SHORTEST_LINE: usize = 16;
/// Longer than any label; what follows a BEGIN further off is not its label.
const LONGEST_LABEL: usize = 64;

/// Says what private key these bytes hold, if any: in PEM wherever it stands (within
/// JSON or YAML, in base64, in UTF-16), in DER, in DER's base64 alone, in a key store.
/// Public keys, certificates and requests are none.
pub fn find_private_key(bytes: &[u8]) -> Option<&'static str> {
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(what);
    }
    let kind = sniff::kind(bytes);
    if kind.is_private() {
        return Some(kind.describe());
    }
    in_text(bytes).or_else(|| in_base64(bytes)).or_else(|| {
        // UTF-16 and UTF-32 of ASCII is ASCII with NULs.
        let ascii: Vec<u8> = bytes.iter().copied().filter(|b| *b != 0).collect();
        if ascii.len() == bytes.len() { None } else { in_text(&ascii).or_else(|| in_base64(&ascii)) }
    })
}

/// What to do so that the request travels without the key, where the tool that wrote both
/// into one file is known.
pub fn advice(bytes: &[u8]) -> Option<&'static str> {
    let member = |name: &[u8]| positions(bytes, name).next().is_some();
    let json = bytes.trim_ascii_start().starts_with(b"{");
    (json && member(b"\"csr\"") && member(b"\"key\"")).then_some(
        "this is cfssl's output, request and key in one: take a new key, keep the file in the cluster, and carry \
         the request alone, `jq -r .csr FILE > FILE.csr`",
    )
}

fn in_text(bytes: &[u8]) -> Option<&'static str> {
    let marked = MARKS.iter().find(|(mark, _)| positions(bytes, mark).next().is_some());
    marked.map(|(_, what)| *what).or_else(|| json_web_key(bytes)).or_else(|| {
        positions(bytes, b"BEGIN ").find_map(|at| {
            let (before, after) = bytes.split_at_checked(at)?;
            let dashed = before.ends_with(b"----") || before.ends_with(b"---- ");
            if dashed { of_label(after.strip_prefix(b"BEGIN ")?) } else { None }
        })
    })
}

/// RFC 7518 §6.2.2, §6.3.2: the member "d" is the private key.
fn json_web_key(bytes: &[u8]) -> Option<&'static str> {
    positions(bytes, b"\"kty\"").next()?;
    let member = |at: usize| bytes.get(at + 3..).is_some_and(|b| b.trim_ascii_start().starts_with(b":"));
    positions(bytes, b"\"d\"").any(member).then_some("a JSON Web Key with its private part")
}

/// What a label that begins here stands for, up to its dashes.
fn of_label(after: &[u8]) -> Option<&'static str> {
    let label = after.get(..LONGEST_LABEL).unwrap_or(after);
    let label = label.windows(4).position(|w| w == b"----").and_then(|end| label.get(..end))?;
    let label = label.trim_ascii_end();
    LABELS.iter().find(|(known, _)| label.ends_with(known.as_bytes())).map(|(_, what)| *what)
}

/// Decodes each run of base64 that begins as PEM does, and looks inside it. Runs do
/// not overlap, so that each byte is decoded once.
fn in_base64(bytes: &[u8]) -> Option<&'static str> {
    let mut rest = bytes;
    while let Some(at) = positions(rest, BASE64_OF_BEGIN).next() {
        let from = rest.get(at..)?;
        let end = from.iter().position(|b| !is_base64(*b) && !b.is_ascii_whitespace()).unwrap_or(from.len());
        let (run, after) = from.split_at_checked(end)?;
        if let Some(what) = in_text(&decode(run)) {
            return Some(what);
        }
        rest = after;
    }
    bare(bytes)
}

/// DER in base64 without armour, at the beginning of any word.
fn bare(bytes: &[u8]) -> Option<&'static str> {
    let begins = |at: &usize| {
        let word = bytes.get(*at..*at + SHORTEST_LINE);
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        // A SEQUENCE's tag is an M.
        word.is_some_and(|w| w.starts_with(b"M") && w.iter().all(|b| is_base64(*b)))
            && !before.is_some_and(u8::is_ascii_alphanumeric)
    };
    (0..bytes.len()).filter(begins).find_map(|at| {
        let head = bytes.get(at..)?.iter().filter(|b| !b.is_ascii_whitespace());
        let head: Vec<u8> = head.copied().take_while(|b| is_base64(*b)).take(LONGEST_HEAD).collect();
        let kind = sniff::kind(&decode(head.get(..SHORTEST_LINE)?));
        let kind = if kind == sniff::Kind::Unknown { sniff::kind(&decode(&head)) } else { kind };
        kind.is_private().then(|| kind.describe())
    })
}

/// A digit of either alphabet (RFC 4648 §4, §5), in the first.
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        b'+' | b'/' => Some(byte),
        _ => byte.is_ascii_alphanumeric().then_some(byte),
    }
}

fn is_base64(byte: u8) -> bool {
    digit(byte).is_some()
}

/// As much as decodes: what follows the base64 (the next word of a YAML file) is no reason to give up.
fn decode(run: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = run.iter().copied().filter_map(digit).collect();
    digits.chunks_exact(4).filter_map(|quad| unbase64(str::from_utf8(quad).ok()?)).flatten().collect()
}

fn positions<'a>(bytes: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes.windows(mark.len()).enumerate().filter(move |(_, w)| *w == mark).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::sample;
    use crate::text::unhex;
    use crate::x509::pem;

    fn base64(text: &str) -> String {
        crate::text::base64(text.as_bytes())
    }

    fn unpadded(bytes: &[u8]) -> String {
        crate::text::base64(bytes).trim_end_matches('=').into()
    }

    #[test]
    fn pem_labels_are_named_wherever_they_stand() {
        for (label, what) in LABELS {
            let text = pem::encode(label, &[7; 90]);
            assert_eq!(find_private_key(text.as_bytes()), Some(what), "{label}");
            let json = format!("{{\"key\":{:?}}}", text);
            assert_eq!(find_private_key(json.as_bytes()), Some(what), "{label} in JSON");
            let yaml = format!("data:\n  ca-key.pem: |\n    {}", text.replace('\n', "\n    "));
            assert_eq!(find_private_key(yaml.as_bytes()), Some(what), "{label} in YAML");
            let secret = format!("data:\n  a: Zm9v\n  tls.key: {}\n  z: Zm9v\n", base64(&text));
            assert_eq!(find_private_key(secret.as_bytes()), Some(what), "{label} in a Secret");
            for order in [u16::to_le_bytes, u16::to_be_bytes] {
                let utf16: Vec<u8> = text.encode_utf16().flat_map(order).collect();
                assert_eq!(find_private_key(&utf16), Some(what), "{label} in UTF-16");
            }
            let damaged = format!("-----BEGIN {label}-----\nAAAA");
            assert_eq!(find_private_key(damaged.as_bytes()), Some(what), "{label} cut off");
        }
        assert_eq!(
            find_private_key(b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n"),
            Some("an SSH2 private key")
        );
        assert!(find_private_key(b"-----BEGIN ANY VENDOR'S PRIVATE KEY-----").is_some());
    }

    #[test]
    fn a_key_behind_a_certificate_in_one_secret_is_found() {
        let both = pem::encode("CERTIFICATE", &[7; 500]) + &pem::encode("PRIVATE KEY", &[7; 90]);
        let folded: Vec<String> =
            base64(&both).as_bytes().chunks(76).map(|l| String::from_utf8_lossy(l).into_owned()).collect();
        let yaml = format!("tls.pem: >-\n  {}\nmore: words\n", folded.join("\n  "));
        assert_eq!(find_private_key(yaml.as_bytes()), Some("a private key in PEM"));
        let two = format!("a: {}\nb: {}\n", base64(&pem::encode("CERTIFICATE", &[7; 50])), base64(&both));
        assert_eq!(find_private_key(two.as_bytes()), Some("a private key in PEM"));
    }

    #[test]
    fn other_formats_are_named() {
        let cases: [(&[u8], &str); 7] = [
            (b"PuTTY-User-Key-File-3: ssh-ed25519\r\n", "a PuTTY private key"),
            (b"openssh-key-v1\0\0\0\0\x04none", "an OpenSSH private key"),
            (b"# created: 2026\nAGE-SECRET-KEY-1QQQ\n", "an age secret key"),
            (b"\xfe\xed\xfe\xed\0\0\0\x02", "a Java keystore (JKS), which can hold a private key"),
            (b"\xce\xce\xce\xce\0\0\0\x02", "a Java keystore (JCEKS), which can hold a private key"),
            (b"\x30\x80\x02\x01\x03\x30\x80", "a PKCS#12 file, which can hold a private key"),
            (b"{\"kty\": \"EC\", \"d\" : \"AA\"}", "a JSON Web Key with its private part"),
        ];
        for (bytes, what) in cases {
            assert_eq!(find_private_key(bytes), Some(what));
        }
        let pkcs8 = unhex("302e020100300506032b657004220420").unwrap();
        assert_eq!(find_private_key(&pkcs8), Some("a PKCS#8 private key in DER"));
    }

    #[test]
    fn base64_without_armour_is_no_hiding_place() {
        let pkcs8 = unhex("302e020100300506032b657004220420").unwrap();
        let text = unpadded(&[&pkcs8[..], &[0xfb; 32]].concat());
        let url = text.replace('+', "-").replace('/', "_");
        for dress in [
            text.clone(),
            format!("ca.key={text}"),
            format!("- {text}"),
            format!("some words\r\n{}\r\n{}", &text[..20], &text[20..]),
            format!("{{\"key\":\"{url}\"}}"),
        ] {
            assert_eq!(find_private_key(dress.as_bytes()), Some("a PKCS#8 private key in DER"), "{dress}");
        }
        // A key whose head is long: DSA's parameters come before it.
        let parameters = sample::tlv(0x30, &[&sample::tlv(2, &[&[0x55; 256]]), &[2, 1, 5]]);
        let dsa = sample::algorithm("1.2.840.10040.4.1", &parameters);
        let dsa = sample::tlv(0x30, &[&[2, 1, 0], &dsa, &sample::tlv(4, &[&[7; 20]])]);
        assert!(find_private_key(unpadded(&dsa).as_bytes()).is_some());
        for public in [sample::ed25519(&[]), sample::p256(), sample::ed25519_spki(&[7; 32])] {
            assert_eq!(find_private_key(unpadded(&public).as_bytes()), None);
        }
        assert_eq!(find_private_key("MMMM ".repeat(5000).as_bytes()), None);
        assert_eq!(find_private_key(b"{\"kty\":\"EC\",\"x\":\"d\"}"), None);
    }

    #[test]
    fn public_things_are_none() {
        for label in
            ["CERTIFICATE", "CERTIFICATE REQUEST", "PUBLIC KEY", "RSA PUBLIC KEY", "X509 CRL", "PGP MESSAGE"]
        {
            let text = pem::encode(label, &[7; 90]);
            assert_eq!(find_private_key(text.as_bytes()), None, "{label}");
            assert_eq!(find_private_key(base64(&text).as_bytes()), None, "{label} in base64");
        }
        for text in ["", "the PRIVATE KEY stays at home", "BEGIN PRIVATE KEY", "-----END PRIVATE KEY-----"] {
            assert_eq!(find_private_key(text.as_bytes()), None, "{text}");
        }
        let spki = unhex("302a300506032b6570032100").unwrap();
        assert_eq!(find_private_key(&spki), None);
        assert_eq!(find_private_key(&sample::ed25519(&[])), None);
    }
}
