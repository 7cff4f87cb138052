//! A Kubernetes Secret that holds a key as YAML, written by hand so that the same
//! files always give the same bytes and no copy of the key is left behind.

use zeroize::Zeroizing;

use crate::text::base64;

/// The Secret of this head with these entries, in the order given. Base64 needs no quotes,
/// nor do the names of a consumer's files. The buffer never grows, so that no copy
/// of the key is left behind.
pub fn yaml(head: &str, entries: &[(&str, &[u8])]) -> Zeroizing<Vec<u8>> {
    let length: usize = entries.iter().map(|(name, bytes)| name.len() + bytes.len() / 3 * 4 + 16).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(head.len() + length));
    out.extend_from_slice(head.as_bytes());
    for (name, bytes) in entries {
        let value = Zeroizing::new(base64(bytes));
        for part in ["  ", name, ": ", &value, "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_buffer_never_grows() {
        let yaml = super::yaml("data:\n", &[("ca-cert.pem", b"one"), ("ca-key.pem", b"")]);
        assert_eq!(str::from_utf8(&yaml).unwrap(), "data:\n  ca-cert.pem: b25l\n  ca-key.pem: \n");
        for length in 0..100 {
            let entry = vec![b'x'; length];
            let yaml = super::yaml("", &[("tls.key", &entry[..])]);
            assert!(yaml.capacity() < yaml.len() + 16 + 4, "{length}");
        }
    }
}
