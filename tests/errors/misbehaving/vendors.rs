//! What modules and tokens of one vendor or another do, within the standard or not.

use std::fs::File;
use std::process::Command;

use super::*;
use crate::appliance::PIN;

/// `token list` of all that the module shows.
fn listed(a: &Appliance) -> Ran {
    a.run(&["token", "list", "--module", &misbehaving_module()]).code(0)
}

/// Adds lines beneath `[token]` and puts them in force.
fn configure(a: &Appliance, uri: &str) {
    a.edit("home/anchorite.toml", "uri = \"pkcs11:token=ceremony\"", &format!("uri = {uri:?}"));
    a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
}

#[test]
fn what_a_module_prints_is_not_taken_for_a_result() {
    let a = with_requests(1);
    a.order("C_Initialize * noise\nC_Sign * noise");
    let ran = a.sign(&["--policy", "istio", "--json"]).code(0);
    assert!(ran.json().is_object(), "{}", ran.stdout);
    assert_eq!(ran.stderr.matches("slot 0 OK").count(), 2 * (1 + 4), "twice for each call: {}", ran.stderr);
    a.order("");
    verified(&a);
    settled(&a);
}

/// Some modules try for minutes to reach their device.
#[test]
fn a_module_that_does_not_start_is_started_once() {
    let a = with_requests(1);
    let before = a.calls().matches("begin C_Initialize").count();
    a.order("C_Initialize * fail 0x30");
    refused_without_trace(
        &a,
        || a.sign(&["--policy", "istio"]),
        (3, "token.device", &["does not start", "SOFTHSM2_CONF"]),
    );
    assert_eq!(a.calls().matches("begin C_Initialize").count(), before + 1);
}

/// What is wrong with the sticks comes first: the more so where the token cannot be asked.
#[test]
fn a_module_that_does_not_start_hides_nothing_on_the_sticks() {
    let a = with_requests(1);
    a.order("C_Initialize * fail 0x30");
    a.tool("openssl", &["genpkey", "-algorithm", "ED25519", "-out", "in/x.csr"]);
    refused_without_trace(&a, || a.sign(&["--policy", "istio"]), (1, "media.private-key", &["x.csr"]));
    std::fs::remove_dir_all(a.path("in")).unwrap();
    std::fs::create_dir(a.path("in")).unwrap();
    refused_without_trace(
        &a,
        || a.sign(&["--policy", "istio"]),
        (2, "media.empty", &["no certification request"]),
    );
    std::fs::remove_dir(a.path("out")).unwrap();
    a.sign(&["--policy", "istio"]).fails(2, "output.missing");
}

#[test]
fn a_process_that_a_module_leaves_behind_holds_nobody_up() {
    let a = with_requests(1);
    a.order("C_Login 1 fork");
    let file = |name: &str| File::create(a.path(name)).unwrap();
    let mut sign = a.command(env!("CARGO_BIN_EXE_anchorite"));
    sign.args(["sign", "--from", &a.arg("in"), "--to", &a.arg("out"), "--policy", "istio"]);
    sign.args(["--yes", "--pin-file", &a.arg("pin")]).stdout(file("stdout")).stderr(file("stderr"));
    assert!(sign.status().unwrap().success());
    a.order("");
    let child = String::from_utf8(std::fs::read(a.path("hsm/child")).unwrap()).unwrap();
    let lives = || PathBuf::from(format!("/proc/{child}")).exists();
    assert!(lives());
    // It has the home's lock open, and does not hold it.
    settled(&a);
    verified(&a);
    a.run(&["policy", "check"]).code(0);
    assert!(lives(), "it was there all the while");
    assert!(Command::new("kill").args(["-9", &child]).status().unwrap().success());
}

#[test]
fn a_pin_is_typed_at_the_token_once_or_for_each_signature() {
    const PAD: &str = "C_GetTokenInfo * flags 0x100";
    const EACH: &str = "C_GetAttributeValue * attribute 0x202 1";
    let a = with_requests(2);
    a.write("hsm/pad", PIN);
    let sign = |orders: &str| {
        a.order(orders);
        let (from, to) = (a.arg("in"), a.arg("out"));
        let ran = a.run(&["sign", "--from", &from, "--to", &to, "--policy", "istio", "--yes"]);
        a.order("");
        (ran, a.calls().matches("begin C_Login ").count())
    };
    let count = |ran: &Ran| ran.stderr.matches("enter the PIN at the token").count();
    let (once, logins) = sign(PAD);
    let once = once.code(0);
    assert_eq!(count(&once), 1, "{}", once.stderr);
    std::fs::remove_dir_all(a.path("in")).unwrap();
    std::fs::create_dir(a.path("in")).unwrap();
    a.request("west");
    let (each, all) = sign(&format!("{PAD}\n{EACH}"));
    let each = each.code(0);
    // The certificate, a seal, the release, the last seal.
    assert_eq!(count(&each), 1 + 4, "{}", each.stderr);
    assert_eq!(all - logins, 1 + 4);
    std::fs::remove_file(a.path("hsm/pad")).unwrap();
    settled(&a);
}

#[test]
fn a_label_may_be_padded_with_anything_and_be_no_utf8() {
    let a = with_requests(1);
    // "ceremony" and NULs; and another token's: "Zürich" in Latin-1.
    a.order("C_GetTokenInfo * label 0x63 0x65 0x72 0x65 0x6d 0x6f 0x6e 0x79");
    a.sign(&SIGN).code(0);
    a.order("C_GetTokenInfo * label 0x5a 0xfc 0x72 0x69 0x63 0x68");
    refused(a.sign(&SIGN), (3, "token.absent", &["Z%EF%BF%BDrich"]));
    let uri = listed(&a).stdout.lines().next().unwrap().to_string();
    configure(&a, &uri);
    a.run(&["token", "list"]).code(0);
    settled(&a);
}

#[test]
fn two_tokens_that_say_the_same_are_told_apart_by_their_slots() {
    let a = with_requests(1);
    a.init_token("ceremony");
    a.order("C_GetTokenInfo * serial 0x30");
    let listed = listed(&a).stdout;
    let tokens: Vec<&str> = listed.lines().filter(|line| line.starts_with("pkcs11:")).collect();
    assert!(tokens.len() == 2 && tokens.iter().all(|uri| uri.contains(";slot-id=")), "{listed}");
    assert_ne!(tokens[0], tokens[1]);
    refused(a.sign(&SIGN), (3, "token.ambiguous", &["several tokens match"]));
    let with_keys = listed.split("pkcs11:").find(|token| token.contains("anchorite root")).unwrap();
    a.order("");
    let uri = format!("pkcs11:{}", with_keys.lines().next().unwrap());
    let slot = uri.split("slot-id=").nth(1).unwrap().split(';').next().unwrap();
    configure(&a, &format!("pkcs11:token=ceremony;slot-id={slot}"));
    a.order("C_GetTokenInfo * serial 0x30");
    a.sign(&SIGN).code(0);
    a.order("");
    settled(&a);
}

#[test]
fn a_slot_that_fails_keeps_nobody_from_the_others() {
    let a = with_requests(0);
    a.init_token("other");
    let all = listed(&a).stdout.matches("pkcs11:").count();
    assert_eq!(all, 2);
    let mut seen = Vec::new();
    // SoftHSM's third slot waits for a token that is to be initialised.
    for nth in 1..=3 {
        a.order(&format!("C_GetTokenInfo {nth} fail 0x30"));
        seen.push(listed(&a).stdout.matches("pkcs11:").count());
    }
    a.order("");
    seen.sort_unstable();
    assert_eq!(seen, [1, 1, 2], "each is left out alone");
    a.request("east");
    a.sign(&SIGN).code(0);
}

#[test]
fn a_token_that_is_write_protected_signs_and_makes_no_keys() {
    const PROTECTED: &str = "C_GetTokenInfo * flags 0x2\nC_OpenSession 2- fail 0xe2";
    let a = with_home();
    a.order(PROTECTED);
    refused(a.make_root(), (3, "token.write-protected", &["C_OpenSession: CKR_TOKEN_WRITE_PROTECTED"]));
    a.order("");
    a.make_root().code(0);
    a.request("east");
    let before = a.made("C_CreateObject");
    a.sign_while(PROTECTED).code(0);
    assert_eq!(a.made("C_CreateObject"), before, "the head is not kept");
    settled(&a);
    // The head that the token has is an older one, which is no matter.
    let b = crate::faults::copy(&a);
    std::fs::remove_file(b.path("in/east.csr")).unwrap();
    b.request("west");
    b.sign(&SIGN).code(0);
    settled(&b);
}

#[test]
fn a_module_without_a_function_is_used_as_far_as_it_goes() {
    let a = with_home();
    // CKR_FUNCTION_NOT_SUPPORTED, CKR_RANDOM_NO_RNG
    a.order("C_GenerateRandom * fail 0x54\nC_CreateObject * fail 0x54");
    a.make_root().code(0);
    a.request("east");
    a.sign(&SIGN).code(0);
    a.order("C_GenerateRandom * fail 0x121");
    a.request("west");
    std::fs::remove_file(a.path("in/east.csr")).unwrap();
    a.sign(&SIGN).code(0);
    a.order("");
    settled(&a);
}

#[test]
fn newer_codes_have_names_and_a_meaning() {
    let of = with_requests(1);
    for (code, id, name) in [
        ("0x203", "token.not-permitted", "C_SignInit: CKR_KEY_EXHAUSTED"),
        ("0x201", "token.sessions", "C_SignInit: CKR_TOKEN_RESOURCE_EXCEEDED"),
        ("0x7", "token.failed", "C_SignInit: CKR_ARGUMENTS_BAD"),
        ("0x80000001", "token.vendor", "C_SignInit: 0x80000001"),
    ] {
        let a = crate::faults::copy(&of);
        let ran = a.sign_while(&format!("C_SignInit 1 fail {code}"));
        refused(ran, (3, id, &[name]));
        accounted_for(&a);
        a.sign(&SIGN).code(0);
        settled(&a);
    }
}

#[test]
fn a_module_that_was_changed_is_not_loaded() {
    let a = with_requests(1);
    let own = a.arg("module.so");
    std::fs::copy(misbehaving_module(), &own).unwrap();
    let digest = |path: &str| anchorite::x509::Digest::of(&std::fs::read(path).unwrap());
    let pinned = format!("module = {own:?}\nmodule-sha256 = \"{}\"", digest(&own));
    a.edit("home/anchorite.toml", &format!("module = {:?}", misbehaving_module()), &pinned);
    a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
    a.sign(&SIGN).code(0);
    let calls = a.calls();
    // One byte more, which the loader would not mind.
    let changed = [std::fs::read(&own).unwrap(), vec![0]].concat();
    std::fs::remove_file(&own).unwrap();
    std::fs::write(&own, changed).unwrap();
    let (found, wanted) = (digest(&own).to_string(), digest(&misbehaving_module()).to_string());
    for verb in [&["token", "list"][..], &["token", "check", "--pin-file", &a.arg("pin")]] {
        let words = ["module.so", &found, &wanted, "who changed the module"];
        refused_without_trace(&a, || a.run(verb), (3, "token.module-hash", &words));
    }
    std::fs::remove_file(a.path("in/c000.csr")).unwrap();
    a.request("west");
    refused_without_trace(&a, || a.sign(&SIGN), (3, "token.module-hash", &["module.so"]));
    assert_eq!(a.calls(), calls, "nothing of it ran");
}

#[test]
fn a_token_that_tells_another_serial_number_is_another_token() {
    let a = with_requests(1);
    let uri = listed(&a).stdout.lines().next().unwrap().to_string();
    assert!(uri.contains(";serial="), "{uri}");
    configure(&a, &uri);
    a.sign(&SIGN).code(0);
    a.order("C_GetTokenInfo * serial 0x30");
    std::fs::remove_file(a.path("in/c000.csr")).unwrap();
    a.request("west");
    refused_without_trace(&a, || a.sign(&SIGN), (3, "token.absent", &[&uri, "serial=0"]));
    a.order("");
    a.sign(&SIGN).code(0);
    settled(&a);
}
