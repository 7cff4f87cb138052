//! The command line of `token`, and how one is logged into.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Pin;

/// The hardware
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite token list --home /srv/ca")]
pub struct Token {
    #[command(subcommand)]
    pub verb: TokenVerb,
}

#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// Show the tokens that are there and the objects on them
    #[command(
        after_help = "example:\n  anchorite token list --home /srv/ca\n  anchorite token list --module /usr/lib/softhsm/libsofthsm2.so"
    )]
    List {
        /// A PKCS#11 module instead of the home's
        #[arg(long, value_name = "PATH", conflicts_with = "piv")]
        module: Option<PathBuf>,
        /// What that module is told when it starts, where it wants to be told something
        #[arg(long, value_name = "TEXT", requires = "module")]
        module_args: Option<String>,
        /// The YubiKeys that are plugged in, and what is in their slots
        #[arg(long, conflicts_with = "login")]
        piv: bool,
        /// Log in, to see private objects as well
        #[arg(long)]
        login: bool,
        #[command(flatten)]
        pin: Login,
    },
    /// Judge the home's keys and their token, or any keys, by what the token says of them
    #[command(
        after_help = "example:\n  anchorite token check --home /srv/ca\n  anchorite token check 'pkcs11:token=ceremony;object=anchorite%20root' \\\n      --module /usr/lib/softhsm/libsofthsm2.so --strict\n\nNothing is signed: a private key that was replaced under its old public key shows at the next signature."
    )]
    Check(TokenCheck),
    Attest(TokenAttest),
}

/// Fetch what a YubiKey says of its keys, and verify it to Yubico or whom the home trusts
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite token attest --home /srv/ca\n  anchorite token attest --home /srv/ca 'piv:9c?serial=12345678'"
)]
pub struct TokenAttest {
    /// The slot to ask about instead of the home's two
    #[arg(value_name = "URI")]
    pub uri: Option<String>,
}

#[derive(Debug, Args)]
pub struct TokenCheck {
    /// Keys to judge instead of the home's: a token's, or those with this object or id
    #[arg(value_name = "URI")]
    pub uri: Option<String>,
    /// A PKCS#11 module instead of the home's
    #[arg(long, value_name = "PATH", requires = "uri")]
    pub module: Option<PathBuf>,
    /// What that module is told when it starts, where it wants to be told something
    #[arg(long, value_name = "TEXT", requires = "module")]
    pub module_args: Option<String>,
    /// Refuse what is otherwise only warned of
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub login: Login,
}

/// How the PIN is read when the terminal is not asked for it.
#[derive(Debug, Args, Default, Clone)]
pub struct Login {
    /// Read the PIN from a file (one trailing newline is not part of it)
    #[arg(long, value_name = "FILE", conflicts_with = "pin_fd")]
    pub pin_file: Option<PathBuf>,
    /// Read the PIN from an open file descriptor
    #[arg(long, value_name = "N")]
    pub pin_fd: Option<i32>,
    /// Spend the last try of the PIN, if it has come to that: a wrong PIN then locks the token
    #[arg(long)]
    pub spend_last_pin_try: bool,
    /// A YubiKey's management key, in hexadecimal, where it is neither the factory's nor under the PIN
    #[arg(long, value_name = "FILE")]
    pub mgm_key_file: Option<PathBuf>,
}

impl Login {
    /// For what it shares with verbs that go on with the journal.
    pub fn pin(&self) -> Pin {
        Pin { login: self.clone(), ..Pin::default() }
    }
}
