//! Finding the token and getting in.

use super::*;

pub(super) fn a_token_is_chosen_by_its_uri() {
    let all = list(&ModuleUse::of(module())).unwrap();
    let mut labels: Vec<&str> = all.iter().map(|info| info.label.as_str()).collect();
    labels.sort_unstable();
    let mut wanted = TOKENS;
    wanted.sort_unstable();
    assert_eq!(labels, wanted);

    for info in &all {
        assert_eq!(open(&info.uri).unwrap().info(), info);
        assert_eq!((info.manufacturer.as_str(), info.model.as_str()), ("SoftHSM project", "SoftHSM v2"));
        let by_serial = open(&format!("pkcs11:serial={};model=SoftHSM%20v2", info.serial)).unwrap();
        assert_eq!(by_serial.info().label, info.label);
    }
}

pub(super) fn a_token_that_is_not_the_only_one_is_not_chosen() {
    let error = open("pkcs11:token=nowhere;object=x").unwrap_err();
    assert_eq!(error.id, "token.absent");
    assert!(error.message.contains("`pkcs11:token=nowhere`"), "{error}");
    assert!(error.message.contains("pkcs11:token=keys;serial="), "{error}");

    assert_eq!(open("pkcs11:").unwrap_err().id, "token.ambiguous");
    let error = open("pkcs11:model=SoftHSM%20v2").unwrap_err();
    assert_eq!(error.id, "token.ambiguous");
    assert!(error.next.contains("serial="), "{}", error.next);

    // SoftHSM always shows one blank slot more
    assert_eq!(open("pkcs11:token=").unwrap_err().id, "token.uninitialised");
    assert_eq!(open("pkcs11:token=keys;serial=0").unwrap_err().id, "token.absent");
}

pub(super) fn a_wrong_pin_is_told_with_what_the_token_says() {
    let mut token = open("pkcs11:token=pins").unwrap();
    assert_eq!(token.info().pin_state, "");
    assert!(!token.pin_at_token());

    let error = token.login(&pin("abc")).unwrap_err();
    assert_eq!(error.id, "token.pin-length");
    assert_eq!(token.login(&pin(&"x".repeat(256))).unwrap_err().id, "token.pin-length");
    assert_eq!(open("pkcs11:token=pins").unwrap().info().pin_state, "", "no try was spent");

    let error = token.login(&pin("rehearsf")).unwrap_err();
    assert_eq!(error.id, "token.pin-incorrect");
    assert!(error.message.contains("at least once"), "{error}");
    assert!(!error.message.contains("rehears"), "{error}");
    assert_eq!(token.info().pin_state, "low");

    token.login(&pin(PIN)).unwrap();
    token.login(&pin(PIN)).unwrap();
    assert_eq!(open("pkcs11:token=pins").unwrap().info().pin_state, "");
}

pub(super) fn without_login_there_is_randomness_but_no_private_key() {
    let mut token = open("pkcs11:token=nobody").unwrap();
    let (first, second) = (token.random(32).unwrap().unwrap(), token.random(32).unwrap().unwrap());
    assert_eq!(first.len(), 32);
    assert_ne!(first, second);
    let permit = key_permit(KeyRole::Root, KeyAlgorithm::P256, "without login", b"without login");
    assert_eq!(token.generate(permit).unwrap_err().id, "token.not-logged-in");
}

pub(super) fn the_module_is_compared_with_its_digest() {
    let digest = Digest::of(&std::fs::read(module()).unwrap());
    let uri = Pkcs11Uri::parse("pkcs11:token=pins").unwrap();
    let open = |digest| Pkcs11::open(&ModuleUse { sha256: Some(digest), ..ModuleUse::of(module()) }, &uri);
    assert!(open(digest).is_ok());
    let error = open(Digest::of(b"another")).unwrap_err();
    assert_eq!(error.id, "token.module-hash");
    let other = ModuleUse { sha256: Some(Digest::of(b"another")), ..ModuleUse::of(module()) };
    assert_eq!(list(&other).unwrap_err(), error);
    assert!(error.message.contains(&digest.to_string()), "{error}");
}

pub(super) fn a_token_can_be_handed_to_another_thread() {
    let token = open("pkcs11:token=pins").unwrap();
    std::thread::spawn(move || token.info().label.clone()).join().unwrap();
}
