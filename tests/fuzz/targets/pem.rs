//! PEM, as requests come in, as releases hold it, and as private keys give themselves away.

use anchorite::intake::{self, find_private_key};
use anchorite::release::pem as strict;
use anchorite::x509::pem as write;

use super::csr::arrived;
use super::{fit_error, good};

pub fn pem(data: &[u8]) {
    for arrival in intake::read("in/a.pem", data) {
        arrived(arrival);
    }
    armoured(data);
    if let Some(certificates) = good(strict::certificates("a.pem", data)) {
        let again: String = certificates.iter().map(|der| write::certificate(der)).collect();
        assert_eq!(again.as_bytes(), data, "one form");
        assert_eq!(find_private_key(data), None, "a release's PEM is no private key");
        assert_eq!(strict::single("a.pem", data).is_ok(), certificates.len() == 1);
    }
    find(data);
}

/// What is read is the same, in PEM and without.
fn armoured(data: &[u8]) {
    if data.is_empty() {
        return;
    }
    let text = write::encode("CERTIFICATE REQUEST", data);
    let within = intake::read("a", text.as_bytes());
    let crlf = intake::read("a", format!("\u{feff}note\r\n{}", text.replace('\n', "\r\n")).as_bytes());
    assert_eq!(format!("{within:?}"), format!("{crlf:?}"));
    let bare = intake::read("a", data);
    if let [intake::Arrival::Request(request)] = bare.as_slice()
        && request.der == data
    {
        assert_eq!(format!("{bare:?}"), format!("{within:?}"));
    }
}

/// A private key is found whatever it says and whatever stands around it.
fn find(data: &[u8]) {
    let key = write::encode("PRIVATE KEY", data);
    assert!(find_private_key(key.as_bytes()).is_some());
    assert!(find_private_key(&[b"note: ", key.as_bytes(), b" and so on"].concat()).is_some());
    if let Some(what) = find_private_key(data) {
        assert!(!what.is_empty());
        let _ = strict::certificates("a.pem", data).inspect_err(fit_error);
    }
}
