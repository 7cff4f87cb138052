//! Documents that hold requests, and the signatures beside them.

use anchorite::document;
use anchorite::intake::{self, Object};
use anchorite::sshsig::{PublicKey, verify};

use super::csr::{arrived, decide_by};
use super::{fit, fit_error, world};

pub fn object(data: &[u8]) {
    match document::read(data) {
        Ok(documents) => {
            for (number, document) in (1..).zip(&documents) {
                assert_eq!(document.number, number);
                // What was read can be read from its own JSON, too.
                let json = document.value.to_string();
                if json.starts_with('{') {
                    assert!(document::read(json.as_bytes()).is_ok());
                }
            }
        }
        Err(fault) => fit_error(&fault.error("in/a.yaml")),
    }
    let mut arrivals = intake::read("in/a.yaml", data);
    intake::attribute(&mut arrivals, "in/a.yaml", data, b"message");
    let requests: Vec<_> = arrivals.into_iter().filter_map(arrived).collect();
    for object in requests.iter().filter_map(|request| request.object.as_ref()) {
        object.texts().for_each(|text| fit(text));
        let written = serde_json::to_string(object).unwrap();
        assert_eq!(serde_json::from_str::<Object>(&written).unwrap(), *object);
    }
    if !requests.is_empty() {
        decide_by(world::policies(), "istio", &requests);
    }
    signature(data);
}

fn signature(data: &[u8]) {
    assert!(verify(data, intake::NAMESPACE, b"message").is_err(), "nobody signed that");
    if let Some(key) = str::from_utf8(data).ok().and_then(PublicKey::parse) {
        assert_eq!(PublicKey::parse(&key.to_string()), Some(key.clone()));
        fit(&key.fingerprint());
    }
}
