//! The promises of [`Token`], tried for real on SoftHSM.
//!
//! A module belongs to its whole process and finds its tokens through the
//! environment, so the tests run in a second process, over tokens of their own.

mod keys;
mod objects;
mod tokens;

use std::path::{Path, PathBuf};
use std::process::Command;

use cryptoki::object::Attribute;
use secrecy::SecretString;

use super::*;
use crate::journal::KeyRole;
use crate::journal::testing::{key_permit, permit};

const PIN: &str = "rehearse";
/// One for each test that writes, for objects and login are seen by the whole process.
const TOKENS: [&str; 9] =
    ["keys", "plain rsa", "pins", "others", "twins", "data", "permits", "nobody", "judged"];

/// Set in the second process.
const INSIDE: &str = "ANCHORITE_TEST_INSIDE";

const PROMISES: [(&str, fn()); 16] = [
    ("each kind of key", keys::each_kind_of_key_is_generated_found_again_and_signs),
    ("plain RSA", keys::rsa_signs_without_the_hashing_mechanism_too),
    ("size out of range", keys::a_size_out_of_range_is_refused_before_generating),
    ("permits", keys::what_does_not_fit_the_permit_is_not_done),
    ("other objects", objects::other_objects_do_not_disturb),
    ("two keys of one id", objects::an_id_that_names_two_keys_names_none),
    ("unfit keys", objects::a_key_that_is_not_fit_is_told_as_it_is),
    ("keys judged", objects::a_key_is_judged_by_what_its_token_says),
    ("token judged", objects::a_token_is_judged_by_its_flags),
    ("data", objects::data_is_replaced_and_survives_a_crash_in_between),
    ("URIs", tokens::a_token_is_chosen_by_its_uri),
    ("several tokens", tokens::a_token_that_is_not_the_only_one_is_not_chosen),
    ("wrong PIN", tokens::a_wrong_pin_is_told_with_what_the_token_says),
    ("no login", tokens::without_login_there_is_randomness_but_no_private_key),
    ("digest of the module", tokens::the_module_is_compared_with_its_digest),
    ("threads", tokens::a_token_can_be_handed_to_another_thread),
];

#[test]
fn softhsm_keeps_every_promise() {
    if std::env::var_os(INSIDE).is_some() {
        for (name, promise) in PROMISES {
            eprintln!("promise: {name}");
            promise();
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pin"), PIN).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("softhsm/provision");
    for label in TOKENS {
        let output = Command::new(&script).arg(folder.path()).arg(label).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "token::pkcs11::softhsm::softhsm_keeps_every_promise"])
        .env(INSIDE, "1")
        .env("SOFTHSM2_CONF", folder.path().join("softhsm2.conf"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(said.matches("promise: ").count(), PROMISES.len(), "{said}");
}

fn module() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("softhsm/module");
    let output = Command::new(script).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().into()
}

fn open(uri: &str) -> Result<Pkcs11> {
    Pkcs11::open(&ModuleUse::of(module()), &Pkcs11Uri::parse(uri).unwrap())
}

fn pin(text: &str) -> SecretString {
    SecretString::from(text)
}

fn logged_in(label: &str) -> Pkcs11 {
    let mut token = open(&format!("pkcs11:token={}", label.replace(' ', "%20"))).unwrap();
    token.login(&pin(PIN)).unwrap();
    token
}

/// An object put on the token past all our rules.
fn foreign(token: &mut Pkcs11, template: &[Attribute]) -> ObjectHandle {
    token.writable().unwrap().create_object(template).unwrap()
}
