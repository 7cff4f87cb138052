//! The PIN: from the terminal, a file, a descriptor or a configured variable.

use std::io::Read as _;

use anchorite::media::durable;
use anchorite::policy::Config;
use anchorite::token::pin::normalise;
use anchorite::{Error, Result};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::args::Pin;
use super::terminal::Terminal;

/// No PIN is longer.
const MAXIMUM: usize = 1024;

/// Reads the PIN in the order: `--pin-file`, `--pin-fd`, the configured variable,
/// the terminal (in as many parts as the configuration wants).
pub fn read(args: &Pin, config: Option<&Config>, token: &str) -> Result<SecretString> {
    if let Some(path) = &args.pin_file {
        return normalise(durable::read_secret(path, MAXIMUM)?);
    }
    if let Some(fd) = args.pin_fd {
        return from_descriptor(fd);
    }
    if let Some(variable) = config.and_then(|config| config.token.pin_env.as_ref()) {
        return match std::env::var_os(variable) {
            Some(pin) => normalise(pin.into_encoded_bytes().into()),
            None => Err(Error::usage(
                "pin.variable",
                format!("anchorite.toml: pin-env names {variable}, which is not set"),
            )
            .next("set it, or give --pin-file or --pin-fd")),
        };
    }
    from_terminal(config.map_or(1, |config| config.token.pin_parts), token)
}

fn from_terminal(parts: u8, token: &str) -> Result<SecretString> {
    let mut terminal = Terminal::open()?;
    let mut pin = Zeroizing::new(Vec::with_capacity(MAXIMUM * usize::from(parts)));
    for part in 1..=parts {
        let which = if parts > 1 { format!(", part {part} of {parts}") } else { String::new() };
        pin.extend_from_slice(&terminal.secret(&format!("PIN of {token}{which}: "))?);
    }
    normalise(pin)
}

/// Opened through /proc, so that no descriptor number has to be trusted (and no
/// unsafe code is needed) to be one of ours.
fn from_descriptor(fd: i32) -> Result<SecretString> {
    let unreadable = |e: std::io::Error| {
        Error::usage("pin.descriptor", format!("--pin-fd {fd}: cannot be read ({e})"))
            .next("open it in the shell, e.g. --pin-fd 3 3< FILE")
    };
    let file = std::fs::File::open(format!("/proc/self/fd/{fd}")).map_err(unreadable)?;
    let mut pin = Zeroizing::new(Vec::with_capacity(MAXIMUM + 64));
    file.take(MAXIMUM as u64 + 1).read_to_end(&mut pin).map_err(unreadable)?;
    if pin.len() > MAXIMUM {
        return Err(Error::usage(
            "pin.descriptor",
            format!("--pin-fd {fd}: longer than any PIN ({MAXIMUM} bytes)"),
        ));
    }
    normalise(pin)
}
