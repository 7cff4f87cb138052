//! Strict DER (X.690 §10, §11).

use der::{Decode, Encode};

/// Decodes bytes that must be the one encoding of their value, with nothing behind it.
pub fn decode<T>(bytes: &[u8]) -> Result<T, String>
where
    T: for<'a> Decode<'a, Error = der::Error> + Encode,
{
    let value = T::from_der(bytes).map_err(|e| e.to_string())?;
    match value.to_der() {
        Ok(again) if again == bytes => Ok(value),
        _ => Err("it is BER, not DER: its value has another encoding".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::decode;
    use x509_cert::ext::pkix::BasicConstraints;

    #[test]
    fn only_the_one_encoding_passes() {
        assert!(decode::<BasicConstraints>(b"\x30\x03\x01\x01\xff").unwrap().ca);
        assert!(!decode::<BasicConstraints>(b"\x30\x00").unwrap().ca);
        for bad in [
            &b"\x30\x03\x01\x01\x00"[..], // a default, encoded
            b"\x30\x03\x01\x01\x01",      // TRUE that is not 0xff
            b"\x30\x81\x03\x01\x01\xff",  // long length
            b"\x30\x03\x01\x01\xff\x00",  // trailing byte
            b"\x30\x80\x01\x01\xff\x00\x00",
            b"\x30\x03\x01\x01",
        ] {
            assert!(decode::<BasicConstraints>(bad).is_err(), "{bad:x?}");
        }
    }
}
