//! Modules, tokens, PINs and keys.

use super::super::token::{id_of, token_tool};
use super::Scene::{Bare, Home, Root};
use super::Seen::Id;
use super::{Row, Run, by, here, sign};
use crate::appliance::{Appliance, module};

fn init(a: &Appliance, token: &str, module: &str) -> Run {
    Run::of(&["init", &a.arg("new"), "--token", token, "--module", module, "--unattended"])
}

/// `sign` with another PIN file.
fn pin(a: &Appliance, text: &str) -> Run {
    a.write("other", text);
    let (from, to, pin) = (a.arg("in"), a.arg("out"), a.arg("other"));
    Run::of(&["sign", "--policy", "istio", "--from", &from, "--to", &to, "--yes", "--pin-file", &pin])
}

/// No token at all.
fn without(a: &Appliance) {
    std::fs::remove_dir_all(a.path("hsm/tokens")).unwrap();
    std::fs::create_dir(a.path("hsm/tokens")).unwrap();
}

const SHOWS: &str = "`anchorite token list --module PATH` shows what is there";

pub fn rows() -> Vec<Row> {
    vec![
        here(
            "no token",
            Root,
            |a| {
                without(a);
                sign(a)
            },
            3,
            "token.absent",
            "no initialised tokens",
        )
        .told("the token is not plugged in, not initialised, or has another label", SHOWS),
        here(
            "another token",
            Root,
            |a| {
                without(a);
                a.init_token("other");
                sign(a)
            },
            3,
            "token.absent",
            "token=other",
        ),
        here(
            "two tokens of one label",
            Root,
            |a| {
                a.init_token("ceremony");
                sign(a)
            },
            3,
            "token.ambiguous",
            "several tokens match",
        ),
        here(
            "the token initialised anew",
            Root,
            |a| {
                without(a);
                a.init_token("ceremony");
                sign(a)
            },
            3,
            "token.no-such-key",
            "anchorite root",
        )
        .told("this token does not hold the root's key", "the right one; a restored backup must keep CKA_ID"),
        by(
            "errors/token.rs::a_key_that_is_gone_or_another_stops_before_anything_is_on_record",
            "another key in the root's place",
            4,
            Id("token.key-mismatch"),
        )
        .told(
            "the token's key is not the one of the root certificate",
            "stop; find out what was done to the token",
        ),
        here(
            "two keys of one label and ID",
            Root,
            |a| {
                let id = id_of(a, "anchorite root");
                let generate =
                    ["--keypairgen", "--key-type", "EC:prime256v1", "--id", &id, "--label", "anchorite root"];
                token_tool(a, &generate);
                sign(a)
            },
            3,
            "token.key-ambiguous",
            "CKA_ID",
        )
        .told(
            "several keys have the root's CKA_ID",
            "find out which is ours (`token list`); remove or renumber the other",
        ),
        here(
            "no module",
            Bare,
            |a| init(a, "pkcs11:token=ceremony", "/none.so"),
            3,
            "token.module-missing",
            "/none.so",
        )
        .also(&["token.module-invalid"])
        .told(
            "the PKCS#11 module is not there, or is no module",
            "the vendor's `.so`, of this machine's kind",
        ),
        here(
            "a module that is none",
            Bare,
            |a| init(a, "pkcs11:token=ceremony", &a.arg("pin")),
            3,
            "token.module-invalid",
            "cannot be loaded",
        ),
        here(
            "no module named",
            Bare,
            |a| Run::of(&["init", &a.arg("new"), "--token", "pkcs11:token=x"]),
            2,
            "token.no-module",
            "--module",
        ),
        here("no URI", Bare, |a| init(a, "ceremony", &module()), 2, "token.uri", "pkcs11:"),
        here(
            "a PIN in the URI",
            Bare,
            |a| init(a, "pkcs11:token=x?pin-value=1", &module()),
            2,
            "token.pin-in-uri",
            "PIN",
        ),
        here(
            "a YubiKey with a PKCS#11 module",
            Bare,
            |a| init(a, "piv:9c?serial=1", &module()),
            2,
            "token.module-unused",
            "leave --module out",
        ),
        here(
            "a management key for a PKCS#11 token",
            Root,
            |a| {
                a.write("key", "00".repeat(24));
                let (from, to, pin, key) = (a.arg("in"), a.arg("out"), a.arg("pin"), a.arg("key"));
                Run::of(&["sign", "--policy", "istio", "--from", &from, "--to", &to, "--yes", "--pin-file", &pin])
                    .and(&["--mgm-key-file", &key])
            },
            2,
            "token.mgm-key-unused",
            "--mgm-key-file",
        ),
        here(
            "the same without a home",
            Bare,
            |a| Run::of(&["token", "list", "--module", &module(), "--mgm-key-file", &a.arg("key")]),
            2,
            "token.mgm-key-unused",
            "--mgm-key-file",
        ),
        here(
            "a touch wanted of a PKCS#11 token",
            Home,
            |_| Run::of(&["root", "create", "--subject", "CN=x", "--key", "p256", "--ttl", "1y", "--yes", "--touch-policy", "always"]),
            2,
            "token.policy-unused",
            "--touch-policy",
        ),
        here("a wrong PIN", Root, |a| pin(a, "1357-wrong\n"), 3, "token.pin-incorrect", "wrong PIN")
            .told("wrong PIN; the message says what the token tells of tries left", "do not guess"),
        here("no PIN", Root, |a| pin(a, "\n"), 3, "token.pin-unfit", "it is empty"),
        by(
            "errors/retype.rs::a_pin_that_nobody_types_is_refused_where_the_root_signs",
            "a PIN file where the PIN is to be typed",
            1,
            Id("pin.retype"),
        )
        .told("the configuration has the PIN typed anew for each signature", "leave `--pin-file` out"),
        by(
            "errors/misbehaving/pins.rs::the_last_try_is_not_spent_where_nobody_can_be_asked",
            "the last try of the PIN",
            3,
            Id("token.pin-final-try"),
        )
        .told(
            "one try of the PIN is left, and nobody said that it may be spent; none was",
            "make sure of the PIN; type it at the terminal, or give `--spend-last-pin-try`",
        ),
        by(
            "errors/misbehaving/pins.rs::a_failed_login_is_named_and_leaves_no_trace",
            "a PIN locked by the token",
            3,
            Id("token.pin-locked"),
        )
        .told(
            "the token locked the PIN after too many tries",
            "its security officer unlocks it, by the vendor's tool",
        ),
        by(
            "errors/misbehaving/vendors.rs::a_module_that_does_not_start_is_started_once",
            "a device, or its module, that fails",
            3,
            Id("token.device"),
        )
        .told(
            "the device does not answer, or its module does not start; where a session had begun, the journal knows",
            "look at cable, reader, device, the module's own configuration and its environment (`SOFTHSM2_CONF`); run it again",
        ),
        by(
            "errors/misbehaving/removed.rs::a_token_that_is_taken_out_in_the_middle_of_a_hundred",
            "a token pulled out",
            3,
            Id("token.removed"),
        )
        .also(&["token.object-gone"])
        .told(
            "the token, or the key in it, went away; what was begun is on record",
            "plug it in, see `anchorite token list`; run it again, it shows what is open",
        ),
        by(
            "piv/slots.rs::a_host_without_a_reader_and_one_without_pcscd_are_told_apart",
            "a YubiKey without pcscd, or none at all",
            3,
            Id("token.pcscd"),
        )
        .also(&["token.no-reader"])
        .told(
            "pcscd does not run; or it runs and knows no reader, which a YubiKey is itself",
            "`systemctl start pcscd`; plug the YubiKey in, its CCID interface enabled",
        ),
        by(
            "piv/slots.rs::a_slot_in_use_is_never_overwritten",
            "a slot that holds something",
            3,
            Id("token.slot-in-use"),
        )
        .told("the YubiKey's slot holds a key or a certificate already", "name another slot, or delete what nobody needs"),
        by(
            "piv/slots.rs::one_that_is_not_touched_signs_nothing_and_can_be_touched_later",
            "a YubiKey that nobody touched",
            3,
            Id("token.touch"),
        )
        .told("the YubiKey was not touched within 15 seconds", "run it again and touch it when it blinks"),
        by(
            "errors/misbehaving/vendors.rs::a_module_that_was_changed_is_not_loaded",
            "a module of another digest",
            3,
            Id("token.module-hash"),
        )
        .told("the module's file is not the one that `module-sha256` names", "find out who changed it; pin the new digest if the update was meant"),
        by(
            "errors/misbehaving/signatures.rs::a_wrong_signature_at_the_first_the_middle_and_the_last_of_a_batch",
            "a token that signs something else",
            4,
            Id("token.wrong-signature"),
        )
        .told("the token signed something else", "stop; the signature is on record as rejected"),
        here(
            "a PIN file that is not there",
            Root,
            |a| {
                let run = pin(a, "");
                std::fs::remove_file(a.path("other")).unwrap();
                run
            },
            2,
            "file.missing",
            "/other",
        ),
        here(
            "a PIN in a variable that is not set",
            Root,
            |a| {
                a.edit("home/anchorite.toml", "[token]", "[token]\npin-env = \"CA_PIN\"");
                a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
                let (from, to) = (a.arg("in"), a.arg("out"));
                Run::of(&["sign", "--policy", "istio", "--from", &from, "--to", &to, "--yes"])
            },
            2,
            "pin.variable",
            "CA_PIN",
        ),
        here(
            "a PIN from a descriptor that is closed",
            Root,
            |a| {
                let (from, to) = (a.arg("in"), a.arg("out"));
                Run::of(&[
                    "sign", "--policy", "istio", "--from", &from, "--to", &to, "--yes", "--pin-fd", "9",
                ])
            },
            2,
            "pin.descriptor",
            "9",
        ),
    ]
}
