//! Key pairs that fail, lie, or are there twice.

use super::*;
use crate::appliance::PIN;
use crate::faults::copy;

/// `pkcs11-tool` on the real token, logged in.
fn token_tool(a: &Appliance, args: &[&str]) {
    let mut tool = a.command("pkcs11-tool");
    tool.args(["--module", &appliance::module(), "--token-label", "ceremony", "--login", "--pin", PIN]);
    let out = tool.args(args).output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
}

/// CKA_ID of the private keys with this label.
fn ids(a: &Appliance, label: &str) -> Vec<String> {
    let listed = a.run(&["token", "list", "--login", "--pin-file", &a.arg("pin"), "--json"]).code(0).json();
    let objects = listed["tokens"][0]["objects"].as_array().unwrap().clone();
    let keys = objects.iter().filter(|o| o["label"] == label && o["class"] == "private key");
    keys.map(|o| o["id"].as_str().unwrap().to_string()).collect()
}

/// `root create` while this is ordered fails so; nothing is broken, and there is no root.
#[track_caller]
fn no_root_while(a: &Appliance, orders: &str, wanted: super::super::Wanted<'_>) {
    a.order(orders);
    refused(a.make_root(), wanted);
    a.order("");
    state(a);
    accounted_for(a);
    assert!(!a.path("home/root.pem").exists(), "{orders}");
}

/// The same command again, with a token that behaves.
#[track_caller]
fn root_is_made(a: &Appliance, pairs: usize) {
    a.make_root().code(0);
    for label in ["anchorite root", "anchorite root journal"] {
        assert_eq!(ids(a, label).len(), 1, "{label}");
    }
    assert_eq!(a.made("C_GenerateKeyPair"), pairs, "key pairs made");
    settled(a);
}

#[test]
fn a_pair_that_fails_before_or_after_it_is_made_is_taken_up() {
    let of = with_home();
    for nth in [1, 2] {
        for (how, id, pairs) in [
            ("fail 0x30", "token.device", 2),
            ("fail 0x31", "token.full", 2),
            ("fail 0x32", "token.removed", 2),
            // It was made, and says that it was not: the same pair is found again.
            ("lose 0x30", "token.device", 2),
            ("lose-gone", "token.removed", 2),
        ] {
            let a = copy(&of);
            no_root_while(&a, &format!("C_GenerateKeyPair {nth} {how}"), (3, id, &["C_GenerateKeyPair"]));
            root_is_made(&a, pairs);
        }
        let a = copy(&of);
        a.order(&format!("C_GenerateKeyPair {nth} lose-abort"));
        assert_eq!(a.make_root().code, -1);
        a.order("");
        root_is_made(&a, 2);
    }
}

#[test]
fn a_key_that_tells_of_weak_protection_is_not_taken_until_it_is_deleted() {
    let of = with_home();
    for (lie, word) in [
        ("attribute 0x162 1", "CKA_EXTRACTABLE is true, wanted false"),
        ("attribute 0x103 0", "CKA_SENSITIVE is false, wanted true"),
        ("attribute 0x164 0", "CKA_NEVER_EXTRACTABLE is false"),
        ("attribute 0x165 0", "CKA_ALWAYS_SENSITIVE is false"),
        ("attribute 0x163 0", "CKA_LOCAL is false"),
        ("attribute 0x105 1", "CKA_DECRYPT is true"),
        ("untold 0x162", "CKA_EXTRACTABLE is not told"),
        ("untold 0x102", "CKA_ID was not kept"),
    ] {
        let a = copy(&of);
        let words = ["the new key `anchorite root` with CKA_ID", word, "delete this key"];
        no_root_while(&a, &format!("C_GetAttributeValue * {lie}"), (3, "token.key-unfit", &words));
        assert_eq!(a.made("C_Sign"), 0, "{lie}: nothing is signed with it");
        // As the message says.
        let id = ids(&a, "anchorite root").remove(0);
        ["privkey", "pubkey"]
            .iter()
            .for_each(|kind| token_tool(&a, &["--delete-object", "--type", kind, "--id", &id]));
        root_is_made(&a, 3);
    }
}

#[test]
fn a_public_key_that_is_not_the_private_ones_is_found_by_the_first_signature() {
    let of = with_home();
    for nth in [1, 2] {
        let a = copy(&of);
        a.order(&format!("C_GenerateKeyPair {nth} mismatch"));
        refused(
            a.make_root(),
            (4, "token.wrong-signature", &["on record as rejected", "the token is broken"]),
        );
        a.order("");
        assert_eq!(record(&a).rejected, 1);
        assert_eq!(state(&a), "open");
        accounted_for(&a);
        // The wrong key is on record: no token can help this home any more.
        refused(a.make_root(), (4, "token.wrong-signature", &[]));
        accounted_for(&a);
    }
}

#[test]
fn two_keys_of_one_id_are_not_chosen_between() {
    let a = with_requests(1);
    for label in ["anchorite root", "anchorite root journal"] {
        let kept = copy(&a);
        let id = ids(&kept, label).remove(0);
        token_tool(
            &kept,
            &["--keypairgen", "--key-type", "EC:prime256v1", "--id", &id, "--label", "another"],
        );
        let words = ["token `ceremony`", "2 private keys have CKA_ID", &id, "another CKA_ID"];
        refused_without_trace(&kept, || kept.sign(&SIGN), (3, "token.key-ambiguous", &words));
        let check = kept.run(&["token", "check", "--pin-file", &kept.arg("pin")]).code(1);
        assert!(check.stdout.contains("refuse  token.key-ambiguous"), "{}", check.stdout);
        assert_eq!(state(&kept), "ok");
    }
}

#[test]
fn two_public_keys_of_one_id_are_not_chosen_between() {
    let a = with_requests(1);
    let id = ids(&a, "anchorite root").remove(0);
    // A pair whose private half goes again: only the stray public key stays.
    token_tool(&a, &["--keypairgen", "--key-type", "EC:prime256v1", "--id", "77", "--label", "stray"]);
    token_tool(&a, &["--delete-object", "--type", "privkey", "--id", "77"]);
    token_tool(&a, &["--set-id", &id, "--type", "pubkey", "--id", "77"]);
    let words = ["2 different public keys have CKA_ID", &id];
    refused_without_trace(&a, || a.sign(&SIGN), (3, "token.key-ambiguous", &words));
}

#[test]
fn another_key_of_the_same_label_is_never_mistaken() {
    let a = with_requests(1);
    for label in ["anchorite root", "anchorite root journal"] {
        token_tool(&a, &["--keypairgen", "--key-type", "EC:prime256v1", "--id", "99", "--label", label]);
        assert_eq!(ids(&a, label).len(), 2);
        token_tool(&a, &["--delete-object", "--type", "pubkey", "--id", "99"]);
    }
    // The CKA_ID on record decides, not the label.
    a.sign(&SIGN).code(0);
    verified(&a);
    settled(&a);
}

#[test]
fn a_label_that_is_taken_is_not_taken_twice() {
    for label in ["anchorite root", "anchorite root journal"] {
        let a = with_home();
        token_tool(&a, &["--keypairgen", "--key-type", "EC:prime256v1", "--id", "99", "--label", label]);
        let wanted = (2, "root.label-in-use", &[label, "token=ceremony", "--label"][..]);
        refused_without_trace(&a, || a.make_root(), wanted);
        assert_eq!(a.made("C_GenerateKeyPair"), 0);
    }
}

#[test]
fn tokens_that_cannot_be_told_apart_are_named_with_their_serials() {
    let a = with_requests(1);
    a.init_token("ceremony");
    let wanted = (3, "token.ambiguous", &["several tokens match `pkcs11:token=ceremony`", "serial="][..]);
    let ran = refused_without_trace(&a, || a.sign(&SIGN), wanted);
    let listed = a.run(&["token", "list", "--module", &misbehaving_module(), "--json"]).code(0).json();
    let tokens = listed["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 2);
    for token in tokens {
        let serial = token["serial"].as_str().unwrap();
        assert!(ran.stderr.contains(&format!("serial={serial}")), "{serial} in:\n{}", ran.stderr);
    }
    // With the serial of the root's token the home finds it again.
    let serial =
        tokens.iter().find(|t| !t["objects"].as_array().unwrap().is_empty()).unwrap()["serial"].as_str();
    let uri = format!("pkcs11:token=ceremony;serial={}", serial.unwrap());
    a.edit("home/anchorite.toml", "pkcs11:token=ceremony", &uri);
    a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
    a.sign(&SIGN).code(0);
    settled(&a);
}

#[test]
fn a_token_without_a_label_yet_is_called_uninitialised() {
    let a = with_requests(1);
    // SoftHSM shows one blank token behind the initialised ones; it has no label to ask for.
    a.edit("home/anchorite.toml", "pkcs11:token=ceremony", "pkcs11:slot-id=1");
    let pin = ["policy", "pin", "--yes", "--pin-file", &a.arg("pin")];
    let words = ["`pkcs11:slot-id=1` is not initialised", "initialise it with its own tool"];
    refused_without_trace(&a, || a.run(&pin), (3, "token.uninitialised", &words));
}
