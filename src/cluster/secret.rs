//! The Kubernetes Secret `cacerts` as YAML, written by hand so that the same
//! files always give the same bytes.

use base64ct::{Base64, Encoding as _};
use zeroize::Zeroizing;

const HEAD: &str = "apiVersion: v1\n\
kind: Secret\n\
metadata:\n  \
  name: cacerts\n  \
  namespace: istio-system\n\
type: Opaque\n\
data:\n";

/// The Secret with these entries, in the order given. Base64 needs no quotes,
/// nor do the file names of a bundle. The buffer never grows, so that no copy
/// of the key is left behind.
pub fn yaml(entries: &[(&str, &[u8])]) -> Zeroizing<Vec<u8>> {
    let length: usize = entries.iter().map(|(name, bytes)| name.len() + bytes.len() / 3 * 4 + 16).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(HEAD.len() + length));
    out.extend_from_slice(HEAD.as_bytes());
    for (name, bytes) in entries {
        let value = Zeroizing::new(Base64::encode_string(bytes));
        for part in ["  ", name, ": ", &value, "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn as_kubectl_takes_it() {
        let yaml = super::yaml(&[("ca-cert.pem", b"one"), ("ca-key.pem", b"")]);
        assert_eq!(
            str::from_utf8(&yaml).unwrap(),
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: cacerts\n  namespace: istio-system\n\
             type: Opaque\ndata:\n  ca-cert.pem: b25l\n  ca-key.pem: \n"
        );
    }
}
