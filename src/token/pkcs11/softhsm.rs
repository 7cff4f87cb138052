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
const TOKENS: [&str; 8] = ["keys", "plain rsa", "pins", "others", "twins", "data", "permits", "nobody"];

#[test]
fn softhsm_keeps_every_promise() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pin"), PIN).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("softhsm/provision");
    for label in TOKENS {
        let output = Command::new(&script).arg(folder.path()).arg(label).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "token::pkcs11::softhsm::"])
        .env("SOFTHSM2_CONF", folder.path().join("softhsm2.conf"))
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!report.contains("running 0 tests"), "{report}");
}

fn module() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("softhsm/module");
    let output = Command::new(script).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().into()
}

fn open(uri: &str) -> Result<Pkcs11> {
    Pkcs11::open(&module(), None, &Pkcs11Uri::parse(uri).unwrap())
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
