//! Text from outside, made fit for a terminal, a file name or the journal.

use std::fmt::Write as _;

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};

/// Shows foreign text: printable ASCII and Latin letters pass, everything else
/// (control characters, ANSI sequences, bidirectional overrides, look-alike
/// scripts) and the backslash itself come out as `\u{…}` or `\\`.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            ' '..='~' | '\u{c0}'..='\u{24f}' => out.push(c),
            _ => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
        }
    }
    out
}

/// Whether this is a DNS label in lower case (RFC 1123 §2.1).
pub fn is_dns_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether these are DNS labels with dots between, as Kubernetes names its objects (RFC 1123 §2.1).
pub fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns_label)
}

/// As [`shown`], for bytes that may not be UTF-8; stray bytes come out as `\xNN`.
pub fn shown_bytes(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(&shown(chunk.valid()));
        for b in chunk.invalid() {
            let _ = write!(out, "\\x{b:02x}");
        }
    }
    out
}

/// As [`shown`], for a path.
pub fn shown_path(path: &std::path::Path) -> String {
    shown_bytes(path.as_os_str().as_encoded_bytes())
}

/// Whether text from a document is what [`shown`] lets pass: nothing in it steers
/// a terminal or begins a line of its own.
pub fn is_shown(text: &str) -> bool {
    text.chars().all(|c| matches!(c, ' '..='~' | '\u{c0}'..='\u{24f}'))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Reads hexadecimal in any case, with or without colons or spaces.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|b| !matches!(b, b':' | b' ')).collect();
    HEXLOWER_PERMISSIVE.decode(&digits).ok()
}

/// As [`hex`], of a digest: a long journal holds a great many.
pub fn hex_digest<'b>(bytes: &[u8; 32], buffer: &'b mut [u8; 64]) -> &'b str {
    HEXLOWER.encode_mut_str(bytes, buffer)
}

/// As [`unhex`], of a digest without colons.
pub fn unhex_digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let whole = text.len() == 64 && HEXLOWER_PERMISSIVE.decode_mut(text.as_bytes(), &mut digest).is_ok();
    whole.then_some(digest)
}

/// Base64 (RFC 4648 §4).
pub fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Reads base64 in its one form: padded, no spare bits, nothing between.
pub fn unbase64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_labels() {
        for good in ["a", "east-1", "0", &"a".repeat(63)] {
            assert!(is_dns_label(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a_b", "A", "a.b", "é", "..", &"a".repeat(64)] {
            assert!(!is_dns_label(bad), "{bad}");
        }
    }

    #[test]
    fn nothing_that_steers_a_terminal_passes() {
        assert_eq!(shown("a\u{1b}[31mb\n\u{202e}c"), "a\\u{1b}[31mb\\u{a}\\u{202e}c");
        assert_eq!(shown_bytes(b"ok\xff\xc3\xa9"), "ok\\xff\u{e9}");
        assert_eq!(shown("\\u{41}"), "\\\\u{41}");
    }

    #[test]
    fn what_is_shown_is_one_line_that_steers_nothing() {
        for text in ["", "east/req.csr#2", "caf\u{e9} \\u{1b}", &shown("\u{1b}\n\u{202e}\\")] {
            assert!(is_shown(text), "{text:?}");
        }
        for text in ["a\nb", "\t", "\u{1b}[2J", "\u{7f}", "\u{9b}", "\u{202e}", "\u{430}"] {
            assert!(!is_shown(text), "{text:?}");
        }
    }

    #[test]
    fn hexadecimal_in_any_dress() {
        assert_eq!(unhex("0A:ff 01"), Some(vec![10, 255, 1]));
        assert_eq!(unhex("abc"), None);
        assert_eq!(unhex("zz"), None);
        assert_eq!(hex(&[10, 255]), "0aff");
    }
}
