//! What is typed or pasted: PKCS#11 URIs, subjects, spans, times, serials, digests.

use anchorite::policy::{Config, render_default};
use anchorite::text::{hex, is_dns_label, is_shown, shown, shown_bytes, unhex};
use anchorite::token::uri::Pkcs11Uri;
use anchorite::x509::{Digest, KeyAlgorithm, Name, Seconds, Serial, Time};

use super::{fit, good};

pub fn arguments(data: &[u8]) {
    fit(&shown_bytes(data));
    assert_eq!(unhex(&hex(data)).as_deref(), Some(data));
    let Ok(text) = str::from_utf8(data) else { return };
    assert!(is_shown(&shown(text)));
    uri(text);
    name(text);
    if let Some(span) = Seconds::parse(text) {
        assert_eq!(Seconds::parse(&span.to_string()), Some(span));
        assert!(Time::from_unix(0) + span >= Time::from_unix(0));
    }
    if let Some(time) = Time::parse(text) {
        assert_eq!(Time::parse(&time.to_string()), Some(time));
        assert_eq!(time.date().len(), 10);
        time.to_x509().unwrap();
    }
    if let Some(serial) = Serial::parse(text) {
        assert_eq!(Serial::parse(&serial.to_string()), Some(serial.clone()));
        assert!((1..=20).contains(&serial.as_bytes().len()));
    }
    if let Some(digest) = Digest::parse(text) {
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        fit(&digest.words());
    }
    if let Some(kind) = KeyAlgorithm::parse(text) {
        assert_eq!(KeyAlgorithm::parse(&kind.to_string()), Some(kind));
    }
    if is_dns_label(text) {
        assert!(text.len() < 64 && is_shown(text));
    }
}

fn uri(text: &str) {
    if let Some(uri) = good(Pkcs11Uri::parse(text)) {
        let canonical = uri.to_string();
        fit(&canonical);
        assert_eq!(Pkcs11Uri::parse(&canonical), Ok(uri));
        // A home's configuration is written with it, and read back.
        let document = render_default(&canonical, Some("/module.so"), None, false, true);
        let config = Config::parse("anchorite.toml", &document).unwrap();
        assert_eq!(config.token.uri, canonical);
    }
}

fn name(text: &str) {
    if let Some(name) = good(Name::parse(text)) {
        fit(&name.to_string());
        assert_eq!(Name::from_der(name.as_der()).as_ref(), Ok(&name));
        assert!(!name.is_empty() && !name.canonical().is_empty());
        if let Some(other) = good(name.with_common_name("Root journal")) {
            assert_eq!(other.common_name(), Some("Root journal"));
        }
    }
}
