//! Reading an intermediate's private key from the PEM forms it is kept in.

use std::fmt;

use rcgen::PublicKeyData as _;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::pair::Pair;
use crate::error::{Error, Result};
use crate::text::{base64, shown, unbase64};
use crate::x509::PublicKey;

/// How a private key is encoded, which its PEM label tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// `PRIVATE KEY`: PKCS#8 (RFC 5958)
    Pkcs8,
    /// `EC PRIVATE KEY`: SEC 1 (RFC 5915)
    Sec1,
    /// `RSA PRIVATE KEY`: PKCS#1 (RFC 8017 §A.1.2)
    Pkcs1,
}

impl KeyForm {
    /// The PEM label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Pkcs8 => "PRIVATE KEY",
            Self::Sec1 => "EC PRIVATE KEY",
            Self::Pkcs1 => "RSA PRIVATE KEY",
        }
    }

    /// What the DER really is: the element after the version tells.
    fn of_der(der: &[u8]) -> Option<Self> {
        let [0x30, length, rest @ ..] = der else { return None };
        let skip = if *length < 0x80 { 0 } else { usize::from(length - 0x80) };
        match rest.get(skip..)? {
            [0x02, 0x01, 0 | 1, 0x30, ..] => Some(Self::Pkcs8),
            [0x02, 0x01, 1, 0x04, ..] => Some(Self::Sec1),
            [0x02, 0x01, 0, 0x02, ..] => Some(Self::Pkcs1),
            _ => None,
        }
    }
}

/// A private key, checked against its public half; wiped when dropped.
pub struct PrivateKey {
    pair: Pair,
    form: KeyForm,
    der: Zeroizing<Vec<u8>>,
    public_key: PublicKey,
}

impl PrivateKey {
    /// Reads the only private key of a PEM file: PKCS#8, SEC 1 or PKCS#1, not
    /// encrypted. Text around it and an `EC PARAMETERS` block are passed over.
    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        let (label, body) = only_key_block(pem)?;
        let form = form_of_label(&label)?;
        let unreadable = |what: String| {
            Error::usage("key.unreadable", format!("the private key ({label}) {what}"))
                .next("look at it with: openssl pkey -in FILE -noout -check")
        };
        let der = Zeroizing::new(unbase64(&body).ok_or_else(|| unreadable("is not valid base64".into()))?);
        if KeyForm::of_der(&der) != Some(form) {
            return Err(unreadable("holds something other than its label says".into()));
        }
        let pair = Pair::from_der(&der).ok_or_else(|| {
            unreadable(
                "cannot be used: want RSA of 2048 to 8192 bits, P-256, P-384, P-521, Ed25519, ML-DSA-65 or ML-DSA-87"
                    .into(),
            )
        })?;
        let public_key = PublicKey::from_der(&pair.subject_public_key_info())?;
        Ok(Self { pair, form, der, public_key })
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// How it was encoded.
    pub fn form(&self) -> KeyForm {
        self.form
    }

    /// The key alone as PEM, in the form it came in, with one newline at the end.
    pub fn to_pem(&self) -> SecretString {
        encode(self.form, &self.der)
    }

    pub(super) fn pair(&self) -> &Pair {
        &self.pair
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({} {})", self.public_key.algorithm(), self.form.label())
    }
}

/// PEM of a private key. Unlike [`crate::x509::pem::encode`] it leaves no copy
/// behind: the buffer never grows.
pub(super) fn encode(form: KeyForm, der: &[u8]) -> SecretString {
    let label = form.label();
    let body = Zeroizing::new(base64(der));
    let mut out = String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 64);
    out.extend(["-----BEGIN ", label, "-----\n"]);
    let mut rest = body.as_str();
    while let Some((line, tail)) = rest.split_at_checked(rest.len().min(64)).filter(|(l, _)| !l.is_empty()) {
        out.extend([line, "\n"]);
        rest = tail;
    }
    out.extend(["-----END ", label, "-----\n"]);
    out.into()
}

fn form_of_label(label: &str) -> Result<KeyForm> {
    if label == "ENCRYPTED PRIVATE KEY" {
        return Err(encrypted());
    }
    [KeyForm::Pkcs8, KeyForm::Sec1, KeyForm::Pkcs1].into_iter().find(|f| f.label() == label).ok_or_else(
        || {
            Error::usage("key.form", format!("a private key of the form '{}' cannot be used", shown(label)))
                .next("convert it: openssl pkcs8 -topk8 -nocrypt -in FILE -out NEW")
        },
    )
}

fn encrypted() -> Error {
    Error::usage("key.encrypted", "the private key is encrypted; its consumer could not read it either")
        .next("decrypt it on the cluster's side: openssl pkey -in FILE -out NEW")
}

/// Label and base64 of the one block whose label ends in `PRIVATE KEY`.
fn only_key_block(pem: &[u8]) -> Result<(String, Zeroizing<String>)> {
    let none = |what: &str| {
        Error::usage("key.none", format!("no PEM private key found: {what}"))
            .next("give the file that holds the key, in PEM")
    };
    let text = str::from_utf8(pem).map_err(|_| none("not text"))?;
    let mut blocks = text.split("-----BEGIN ").skip(1).filter_map(|b| b.split_once("-----"));
    let mut keys = blocks.by_ref().filter(|(label, _)| label.ends_with("PRIVATE KEY"));
    let (label, rest) = keys.next().ok_or_else(|| none("the file has no such block"))?;
    if keys.next().is_some() {
        return Err(Error::usage("key.several", "the file holds several private keys, wanted one")
            .next("put the intermediate's key alone in a file"));
    }
    let end = format!("-----END {label}-----");
    let (body, _) = rest.split_once(&end).ok_or_else(|| none("its block does not end"))?;
    if body.contains("ENCRYPTED") {
        return Err(encrypted());
    }
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    base64.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    Ok((label.into(), base64))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::cluster::make_key;
    use crate::x509::KeyAlgorithm;

    fn pem() -> String {
        make_key(KeyAlgorithm::P256).unwrap().expose_secret().into()
    }

    #[test]
    fn what_stands_around_the_key_does_not_matter() {
        let plain = pem();
        let key = PrivateKey::from_pem(plain.as_bytes()).unwrap();
        assert_eq!(key.form(), KeyForm::Pkcs8);
        assert_eq!(key.to_pem().expose_secret(), plain);
        let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
        for dressed in [
            format!("{parameters}{plain}"),
            format!("\u{feff}my key\r\n{}", plain.replace('\n', "\r\n")),
            format!("{plain}{}", crate::x509::pem::certificate(b"x")),
        ] {
            assert_eq!(PrivateKey::from_pem(dressed.as_bytes()).unwrap().to_pem().expose_secret(), plain);
        }
    }

    #[test]
    fn each_defect_has_its_word() {
        let plain = pem();
        let cases = [
            ("", "key.none"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n", "key.none"),
            (&crate::x509::pem::certificate(b"x"), "key.none"),
            (&plain.repeat(2), "key.several"),
            (&plain.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "key.encrypted"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
                "key.encrypted",
            ),
            (&plain.replace("PRIVATE KEY", "OPENSSH PRIVATE KEY"), "key.form"),
            (&plain.replace("PRIVATE KEY", "EC PRIVATE KEY"), "key.unreadable"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "key.unreadable"),
            ("-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----\n", "key.unreadable"),
            ("-----BEGIN PRIVATE KEY-----\nMAYCAQAwAAQA\n-----END PRIVATE KEY-----\n", "key.unreadable"),
        ];
        for (pem, id) in cases {
            assert_eq!(PrivateKey::from_pem(pem.as_bytes()).unwrap_err().id, id, "{id}");
        }
        assert_eq!(PrivateKey::from_pem(b"\xff\xfe").unwrap_err().id, "key.none");
    }

    #[test]
    fn a_key_never_shows() {
        let key = PrivateKey::from_pem(pem().as_bytes()).unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(p256 PRIVATE KEY)");
    }
}
