//! What is refused of tokens that take part otherwise.

use super::{TABLE, tokens};
use crate::appliance::Appliance;
use crate::errors::token::{id_of, token_tool};

#[test]
fn a_module_that_wants_to_be_told_something_says_so() {
    let rig = tokens::nss(&TABLE[4], "p256");
    let module = rig.module.clone().unwrap();
    rig.anchorite(&["token", "list", "--module", &module]).fails(3, "token.module-args");
    let wrong = ["token", "list", "--module", &module, "--module-args", "configdir='sql:/nowhere'"];
    assert_ne!(rig.anchorite(&wrong).code, 0);
}

#[test]
fn a_journals_key_is_another_p256_key_than_the_roots() {
    let a = Appliance::with_home();
    a.make_old_root();
    for (label, id, kind) in [("p384", "0303", "EC:secp384r1"), ("journal", "0404", "EC:prime256v1")] {
        token_tool(&a, &["--keypairgen", "--key-type", kind, "--id", id, "--label", label]);
    }
    let adopt = |journal: &str| {
        a.adopt("old", "pkcs11:object=old%20root", &["--accept-weak-key", "--journal-key", journal])
    };
    let before = a.journal();
    for (journal, words) in [("old%20root", "the root's own key"), ("p384", "is p384, wanted p256")] {
        let ran = adopt(&format!("pkcs11:object={journal}")).fails(2, "adopt.journal-key");
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    adopt("pkcs11:object=none").fails(3, "token.no-such-key");
    assert_eq!(a.journal(), before);
    let ran = adopt("pkcs11:object=journal").code(0);
    assert!(
        ran.stderr.contains("the P-256 key that is there beside it, key 'journal', CKA_ID 0404"),
        "{}",
        ran.stderr
    );
    assert!(a.journal().contains("\"journal_key\":\"0404\""));
    assert_eq!(id_of(&a, "journal"), "0404");
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
}
