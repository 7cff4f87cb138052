//! One suite, many tokens: each row of the table keeps every promise through the real
//! binary, and README's table is the same one.

mod kryoptic;
mod promises;
mod pulled;
mod readme;
mod refused;
mod rig;
mod rsa;
mod tokens;
mod tries;

use rig::Rig;

/// For the tests of other promises.
pub fn yubikey() -> Rig {
    tokens::yubikey(&TABLE[1], "p256")
}

/// A token, and what is shown of it.
pub struct Row {
    /// What keeps the keys.
    pub token: &'static str,
    /// How it is reached.
    pub through: &'static str,
    /// The kinds of root.
    pub kinds: &'static [&'static str],
    /// Whether keys are made in it, or were there and are taken over.
    pub makes_keys: bool,
    /// Whether the root's key wants the PIN for each signature.
    pub pin_each_time: bool,
    /// Whether it keeps the journal's newest head.
    pub keeps_head: bool,
    /// What the configuration has to accept for a root.
    pub accept: &'static [&'static str],
    /// A fresh one, ready for a root of a kind.
    pub rig: fn(&Row, &str) -> Rig,
}

pub const TABLE: [Row; 7] = [
    Row {
        token: "SoftHSM 2.6",
        through: "its own module",
        kinds: &["p256", "p384", "ed25519", "rsa3072"],
        makes_keys: true,
        pin_each_time: false,
        keeps_head: true,
        accept: &[],
        rig: tokens::softhsm,
    },
    Row {
        token: "YubiKey (virtual)",
        through: "`piv:`, pcscd",
        kinds: &["p256", "p384", "ed25519", "rsa3072"],
        makes_keys: true,
        pin_each_time: true,
        keeps_head: true,
        accept: &[],
        rig: tokens::yubikey,
    },
    Row {
        token: "YubiKey (virtual)",
        through: "OpenSC's module",
        kinds: &["p256", "p384", "rsa3072"],
        makes_keys: false,
        pin_each_time: true,
        keeps_head: false,
        accept: &[],
        rig: tokens::opensc,
    },
    Row {
        token: "YubiKey (virtual)",
        through: "ykcs11",
        kinds: &["p256", "p384"],
        makes_keys: false,
        pin_each_time: true,
        keeps_head: false,
        accept: &[],
        rig: tokens::ykcs11,
    },
    Row {
        token: "NSS softokn 3.87",
        through: "its own module",
        kinds: &["p256", "p384", "rsa3072"],
        makes_keys: true,
        pin_each_time: false,
        keeps_head: false,
        accept: &["token.key.local"],
        rig: tokens::nss,
    },
    Row {
        token: "TPM 2.0 (swtpm)",
        through: "tpm2-pkcs11",
        kinds: &["p256"],
        makes_keys: true,
        pin_each_time: false,
        keeps_head: true,
        accept: &["token.key.decrypt"],
        rig: tokens::tpm,
    },
    Row {
        token: "kryoptic 1.5 (`KRYOPTIC=1`)",
        through: "its own module",
        kinds: &["p256", "p384", "ed25519", "rsa3072", "ml-dsa-65", "ml-dsa-87"],
        makes_keys: true,
        pin_each_time: false,
        keeps_head: true,
        accept: &[],
        rig: kryoptic::kryoptic,
    },
];

/// A test for each row, so that they run beside each other and are named when they fail.
macro_rules! rows {
    ($($(#[$attribute:meta])* $name:ident($index:literal);)*) => {
        $(#[test]
        $(#[$attribute])*
        fn $name() {
            promises::kept(&TABLE[$index]);
        })*

        #[test]
        fn every_row_is_tried() {
            assert_eq!([$($index),*].to_vec(), (0..TABLE.len()).collect::<Vec<usize>>());
        }
    };
}

rows! {
    softhsm_keeps_every_promise(0);
    a_yubikey_keeps_every_promise(1);
    a_yubikey_through_opensc_keeps_every_promise(2);
    a_yubikey_through_ykcs11_keeps_every_promise(3);
    nss_keeps_every_promise(4);
    a_tpm_keeps_every_promise(5);
    #[ignore = "KRYOPTIC=1 tests/run builds kryoptic, in minutes, and tries it"]
    kryoptic_keeps_every_promise(6);
}
