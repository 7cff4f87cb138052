//! Modules, tokens, PINs and keys that are not what they should be.

use super::{refused, refused_without_trace};
use crate::appliance::{Appliance, PIN, Ran, module};

const SIGN: [&str; 2] = ["--policy", "istio"];

fn ready() -> Appliance {
    let a = Appliance::with_root("p256");
    a.request("east");
    a
}

fn sign_with(a: &Appliance, more: &[&str]) -> Ran {
    let (from, to) = (a.arg("in"), a.arg("out"));
    let mut args = vec!["sign", "--from", &from, "--to", &to, "--yes", "--policy", "istio"];
    args.extend(more);
    a.run(&args)
}

/// `pkcs11-tool`, logged in.
pub fn token_tool(a: &Appliance, args: &[&str]) {
    let out = a
        .command("pkcs11-tool")
        .args(["--module", &module(), "--token-label", "ceremony", "--login", "--pin", PIN])
        .args(args)
        .output()
        .unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
}

/// CKA_ID of the key with this label.
pub fn id_of(a: &Appliance, label: &str) -> String {
    let listed = a.run(&["token", "list", "--json"]).code(0).json();
    let objects = listed["tokens"][0]["objects"].as_array().unwrap().clone();
    let key = objects.iter().find(|o| o["label"] == label).expect("a key with this label");
    key["id"].as_str().unwrap().to_string()
}

#[test]
fn a_module_must_be_one_and_no_home_is_made_around_another() {
    let a = Appliance::bare();
    a.write("module.so", "not a module\n");
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let libc = maps.split_whitespace().find(|word| word.contains("/libc.so.6")).unwrap();
    for (module, id, words) in [
        (a.arg("none.so").as_str(), "token.module-missing", "none.so: No such file"),
        (a.arg("module.so").as_str(), "token.module-invalid", "module.so: it cannot be loaded"),
        (a.arg("hsm").as_str(), "token.module-invalid", "hsm: not a regular file"),
        (libc, "token.module-invalid", "C_GetFunctionList"),
    ] {
        let home = a.arg("home");
        let init = || {
            a.run(&["init", &home, "--token", "pkcs11:token=ceremony", "--module", module, "--unattended"])
        };
        refused_without_trace(&a, init, (3, id, &[words]));
        assert!(!a.path("home").exists());
    }
}

#[test]
fn a_module_that_went_bad_later_is_named() {
    let a = ready();
    let own = a.arg("module.so");
    std::fs::copy(module(), &own).unwrap();
    a.edit("home/anchorite.toml", &module(), &own);
    a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
    std::fs::remove_file(&own).unwrap();
    refused_without_trace(
        &a,
        || a.sign(&SIGN),
        (3, "token.module-missing", &["module.so: No such file", "anchorite.toml"]),
    );
    a.write("module.so", "#!/bin/sh\n");
    refused_without_trace(
        &a,
        || a.sign(&SIGN),
        (3, "token.module-invalid", &["module.so: it cannot be loaded"]),
    );
}

#[test]
fn a_token_that_is_not_there_is_named_and_so_are_those_that_are() {
    let a = ready();
    std::fs::rename(a.path("hsm/tokens"), a.path("hsm/away")).unwrap();
    std::fs::create_dir(a.path("hsm/tokens")).unwrap();
    refused_without_trace(
        &a,
        || a.sign(&SIGN),
        (3, "token.absent", &["`pkcs11:token=ceremony`", "no initialised tokens"]),
    );
    a.init_token("other");
    refused_without_trace(
        &a,
        || a.sign(&SIGN),
        (3, "token.absent", &["`pkcs11:token=ceremony`", "token=other;serial="]),
    );
    a.init_token("ceremony");
    a.init_token("ceremony");
    refused_without_trace(
        &a,
        || a.sign(&SIGN),
        (3, "token.ambiguous", &["several tokens match `pkcs11:token=ceremony`"]),
    );
}

#[test]
fn a_wrong_pin_costs_a_try_and_nothing_else() {
    let a = ready();
    a.write("wrong", "1357-wrong\n");
    let before = a.journal();
    let wrong = || sign_with(&a, &["--pin-file", &a.arg("wrong")]);
    refused_without_trace(
        &a,
        wrong,
        (3, "token.pin-incorrect", &["token `ceremony`", "wrong PIN; the token says"]),
    );
    // SoftHSM keeps count by a flag: the second time the token warns before and after.
    let again = refused_without_trace(&a, wrong, (3, "token.pin-incorrect", &["a wrong PIN was entered"]));
    assert!(again.stderr.contains("note: the token says of its PIN: low"), "{}", again.stderr);
    assert_eq!(a.journal(), before);
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
    a.sign(&SIGN).code(0);
}

#[test]
fn what_cannot_be_the_pin_never_reaches_the_token() {
    let a = ready();
    a.write("latin1", b"2468-\xe4\xf6\xfc\n");
    a.write("empty", "");
    a.write("newline", "\n");
    a.write("short", "12\n");
    a.write("huge", "1".repeat(2000));
    for (file, code, id, word) in [
        ("none", 2, "file.missing", "none: No such file"),
        ("hsm", 2, "file.not-regular", "hsm: not a regular file"),
        ("huge", 2, "file.too-large", "at most 1024"),
        ("empty", 3, "token.pin-unfit", "it is empty"),
        ("newline", 3, "token.pin-unfit", "it is empty"),
        ("latin1", 3, "token.pin-unfit", "not UTF-8"),
        ("short", 3, "token.pin-length", "4 to 255 bytes"),
    ] {
        let with = || sign_with(&a, &["--pin-file", &a.arg(file)]);
        let ran = refused_without_trace(&a, with, (code, id, &[word]));
        assert!(!ran.stderr.contains("2468-"), "a PIN is never shown");
    }
    a.write("two-newlines", format!("{PIN}\n\n"));
    a.write("two-lines", format!("{PIN}\nthe ceremony's PIN\n"));
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    a.write("bom", format!("\u{feff}{PIN}\n"));
    for (file, word) in [("two-newlines", "one line"), ("two-lines", "one line"), ("bom", "byte order mark")]
    {
        std::fs::set_permissions(a.path(file), mode(0o644)).unwrap();
        let with = || sign_with(&a, &["--pin-file", &a.arg(file)]);
        let ran = refused_without_trace(&a, with, (3, "token.pin-unfit", &[word]));
        assert!(ran.stderr.contains("(mode 644); chmod 600"), "{}", ran.stderr);
        assert!(!ran.stderr.contains(PIN), "a PIN is never shown");
    }
    let says_nothing = a.run(&["token", "list", "--json"]).code(0).json();
    assert_eq!(says_nothing["tokens"][0]["pin_state"], "", "no try was spent");
    // One newline, of whichever kind, is not part of the PIN.
    a.write("crlf", format!("{PIN}\r\n"));
    std::fs::set_permissions(a.path("crlf"), mode(0o600)).unwrap();
    let ran = sign_with(&a, &["--pin-file", &a.arg("crlf")]).code(0);
    assert!(!ran.stderr.contains("chmod 600"), "{}", ran.stderr);
}

#[test]
fn a_pin_comes_from_a_descriptor_or_a_variable_too() {
    let a = ready();
    let sign = |redirection: &str, variable: Option<&str>| {
        let mut command = a.command("sh");
        command
            .arg("-c")
            .arg(format!("exec \"$@\" {redirection}"))
            .arg("sh")
            .arg(env!("CARGO_BIN_EXE_anchorite"));
        command.args(["sign", "--from", &a.arg("in"), "--to", &a.arg("out"), "--yes", "--policy", "istio"]);
        if !redirection.is_empty() {
            command.args(["--pin-fd", "7"]);
        }
        command.env_remove("CA_PIN").envs(variable.map(|pin| ("CA_PIN", pin)));
        crate::appliance::ran(command.output().unwrap())
    };
    refused_without_trace(&a, || sign("7<&-", None), (2, "pin.descriptor", &["--pin-fd 7: cannot be read"]));
    sign(&format!("7<'{}'", a.arg("pin")), None).code(0);

    a.edit("home/anchorite.toml", "[token]\n", "[token]\npin-env = \"CA_PIN\"\n");
    a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
    a.request("west");
    std::fs::remove_file(a.path("in/east.csr")).unwrap();
    refused_without_trace(
        &a,
        || sign("", None),
        (2, "pin.variable", &["anchorite.toml", "CA_PIN", "not set"]),
    );
    refused_without_trace(&a, || sign("", Some("")), (3, "token.pin-unfit", &["empty"]));
    sign("", Some(PIN)).code(0);
}

#[test]
fn a_key_that_is_gone_or_another_stops_before_anything_is_on_record() {
    let a = ready();
    a.keep();
    for label in ["anchorite root", "anchorite root journal"] {
        a.put_back();
        let id = id_of(&a, label);
        for kind in ["privkey", "pubkey"] {
            token_tool(&a, &["--delete-object", "--type", kind, "--id", &id]);
        }
        refused_without_trace(
            &a,
            || a.sign(&SIGN),
            (3, "token.no-such-key", &[label, &id, "token=ceremony"]),
        );
        // Another key with the same label and id: not the one that the root certificate is for.
        token_tool(&a, &["--keypairgen", "--key-type", "EC:prime256v1", "--id", &id, "--label", label]);
        refused_without_trace(&a, || a.sign(&SIGN), (4, "token.key-mismatch", &[label, "CKA_ID"]));
        assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
    }
}

#[test]
fn a_token_initialised_anew_is_not_the_one_of_the_root() {
    let a = ready();
    std::fs::remove_dir_all(a.path("hsm/tokens")).unwrap();
    std::fs::create_dir(a.path("hsm/tokens")).unwrap();
    a.init_token("ceremony");
    refused_without_trace(
        &a,
        || a.sign(&SIGN),
        (3, "token.no-such-key", &["holds no private key", "anchorite root"]),
    );
}

#[test]
fn an_older_copy_of_the_home_is_noticed_by_the_token() {
    let a = ready();
    crate::appliance::copy(&a.path("home"), &a.path("older"));
    a.sign(&SIGN).code(0);
    std::fs::remove_dir_all(a.path("home")).unwrap();
    crate::appliance::copy(&a.path("older"), &a.path("home"));
    a.empty_out();
    refused_without_trace(
        &a,
        || a.sign(&SIGN),
        (4, "journal.behind", &["the token knows", "cut short or replaced"]),
    );
}

#[test]
fn a_uri_must_be_one_and_hold_no_pin() {
    let a = Appliance::bare();
    let home = a.arg("home");
    for (uri, id) in [
        ("ceremony", "token.uri"),
        ("pkcs11:token=ceremony?pin-value=2468", "token.pin-in-uri"),
        ("pkcs11:token=ceremony?pin-source=file:/pin", "token.pin-in-uri"),
        ("pkcs11:token=%zz", "token.uri"),
    ] {
        let ran = refused(a.run(&["init", &home, "--token", uri, "--module", &module()]), (2, id, &[]));
        assert!(!ran.stderr.contains("2468"), "{}", ran.stderr);
        assert!(!a.path("home").exists());
    }
    refused(
        a.run(&["init", &home, "--token", "pkcs11:token=none"]),
        (2, "token.no-module", &["None was named", "--module"]),
    );
}
