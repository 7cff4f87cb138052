//! What counts as a PIN, wherever it came from.

use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Makes a PIN of the bytes that were typed or read. One trailing newline
/// (`\n` or `\r\n`) is not part of it. The bytes are wiped, whatever becomes of them.
pub fn normalise(bytes: Zeroizing<Vec<u8>>) -> Result<SecretString> {
    let line = bytes.strip_suffix(b"\n").map(|rest| rest.strip_suffix(b"\r").unwrap_or(rest));
    let pin = std::str::from_utf8(line.unwrap_or(&bytes)).map_err(|_| unfit("it is not UTF-8"))?;
    if pin.is_empty() {
        return Err(unfit("it is empty"));
    }
    // Each of these comes from a file that is not what it looks like, and would cost a try.
    if pin.starts_with('\u{feff}') {
        return Err(unfit("it begins with a byte order mark"));
    }
    if pin.contains(['\n', '\r']) {
        return Err(unfit("it has more than one line"));
    }
    if pin.contains('\0') {
        return Err(unfit("it contains a NUL"));
    }
    Ok(SecretString::from(pin))
}

fn unfit(why: &str) -> Error {
    Error::token("token.pin-unfit", format!("the PIN cannot be one: {why}"))
        .next("give the PIN alone, on one line; the token was not asked")
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn one_trailing_newline_is_not_part_of_it() {
        for (bytes, pin) in [
            (&b"1234"[..], "1234"),
            (b"1234\n", "1234"),
            (b"1234\r\n", "1234"),
            (b" 12 34 ", " 12 34 "),
            ("p\u{e4}ss".as_bytes(), "p\u{e4}ss"),
        ] {
            assert_eq!(normalise(bytes.to_vec().into()).unwrap().expose_secret(), pin);
        }
    }

    #[test]
    fn what_cannot_be_a_pin_is_refused_without_showing_it() {
        for (bytes, why) in [
            (&b""[..], "empty"),
            (b"\n", "empty"),
            (b"\r\n", "empty"),
            (b"12\x0034", "NUL"),
            (b"1234\n\n", "line"),
            (b"1234\nnote\n", "line"),
            (b"1234\r", "line"),
            (b"\xef\xbb\xbf1234\n", "byte order mark"),
            (b"12\xff34", "UTF-8"),
        ] {
            let error = normalise(bytes.to_vec().into()).unwrap_err();
            assert_eq!(error.id, "token.pin-unfit");
            assert!(error.message.contains(why) && !error.message.contains("12"), "{error}");
        }
    }
}
