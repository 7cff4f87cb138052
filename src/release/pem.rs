//! Reading the PEM of releases (RFC 7468): certificates and nothing else, in
//! the one form that is ever written, since Istio compares trust bundles by bytes.

use crate::error::{Error, Result};
use crate::text::unbase64;
use crate::x509::pem;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----\n";
const END: &str = "-----END CERTIFICATE-----\n";

/// The certificates of a PEM file, in order: at least one, no text around them,
/// 64 columns, one newline at the end. `file` is named in errors.
pub fn certificates(file: &str, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    let bad = |what: &str| Error::integrity("release.pem", format!("{file}: {what}"));
    let text = str::from_utf8(bytes).map_err(|_| bad("not text"))?;
    if text.contains("PRIVATE KEY") {
        return Err(Error::integrity("release.private-key", format!("{file}: holds a private key"))
            .next("treat that key as disclosed: a release never holds one"));
    }
    if text.is_empty() {
        return Err(bad("empty"));
    }
    if !text.ends_with('\n') {
        return Err(bad("does not end with a newline"));
    }
    text.split_inclusive(END).map(|block| certificate(block).ok_or_else(|| bad(NOT_CANONICAL))).collect()
}

/// A trust bundle: roots, none twice, in an order that Istio compares.
pub fn trust_bundle(file: &str, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    let bad = |what: &str| Error::integrity("release.pem", format!("{file}: {what}"));
    let all = certificates(file, bytes)?;
    if all.iter().enumerate().any(|(number, der)| all.iter().take(number).any(|before| before == der)) {
        return Err(bad("holds a certificate twice"));
    }
    Ok(all)
}

/// The only certificate of a PEM file.
pub fn single(file: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut all = certificates(file, bytes)?;
    match (all.pop(), all.len()) {
        (Some(only), 0) => Ok(only),
        (_, others) => Err(Error::integrity(
            "release.pem",
            format!("{file}: holds {} certificates, wanted exactly one", others + 1),
        )),
    }
}

const NOT_CANONICAL: &str =
    "something other than CERTIFICATE blocks of 64 columns, each closed by one newline";

/// The DER of one block, if writing it again gives the same bytes.
fn certificate(block: &str) -> Option<Vec<u8>> {
    let body = block.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let der = unbase64(&body.replace('\n', ""))?;
    (!der.is_empty() && pem::certificate(&der) == block).then_some(der)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let (a, b) = (vec![1; 47], vec![2; 48]);
        let text = pem::certificate(&a) + &pem::certificate(&b);
        assert_eq!(certificates("x", text.as_bytes()).unwrap(), [a.clone(), b]);
        assert_eq!(single("x", pem::certificate(&a).as_bytes()).unwrap(), a);
        assert_eq!(single("x", text.as_bytes()).unwrap_err().id, "release.pem");
    }

    #[test]
    fn any_other_form_is_refused() {
        let good = pem::certificate(&[7; 100]);
        let bad = [
            String::new(),
            "\n".into(),
            format!("{good}\n"),
            format!("\n{good}"),
            format!("a word\n{good}"),
            format!("{good}a word\n"),
            good.trim_end().into(),
            good.replace('\n', "\r\n"),
            good.replace("CERTIFICATE", "X509 CRL"),
            good.replace("BwcH", "Bw*H"),
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".into(),
        ];
        for text in bad {
            assert_eq!(certificates("x", text.as_bytes()).unwrap_err().id, "release.pem", "{text:?}");
        }
        assert_eq!(certificates("x", b"\xff\n").unwrap_err().id, "release.pem");
    }

    #[test]
    fn a_private_key_has_its_own_word() {
        let key = pem::encode("PRIVATE KEY", &[1]);
        assert_eq!(certificates("x", key.as_bytes()).unwrap_err().id, "release.private-key");
    }
}
