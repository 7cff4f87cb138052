//! The PIN: from the terminal, a file, a descriptor or a configured variable.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anchorite::media::durable;
use anchorite::policy::Config;
use anchorite::token::pin::normalise;
use anchorite::{Error, Result};
use secrecy::{SecretSlice, SecretString};
use zeroize::Zeroizing;

use super::args::{Login, Pin};
use super::terminal::Terminal;
use super::{output, shown_path};

/// No PIN is longer.
const MAXIMUM: usize = 1024;

/// Reads the PIN in the order: `--pin-file`, `--pin-fd`, the configured variable,
/// the terminal (in as many parts as the configuration wants).
pub fn read(args: &Pin, config: Option<&Config>, token: &str) -> Result<SecretString> {
    if let Some(path) = &args.login.pin_file {
        let pin = durable::read_secret(path, MAXIMUM)?;
        note_readers(path, "PIN");
        return normalise(pin);
    }
    if let Some(fd) = args.login.pin_fd {
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
    typed(config, token)
}

/// Reads the PIN from the terminal, in as many parts as the configuration wants.
pub fn typed(config: Option<&Config>, token: &str) -> Result<SecretString> {
    from_terminal(config.map_or(1, |config| config.token.pin_parts), token)
}

/// A PIN that is to be typed for each signature comes from nowhere else.
pub fn check_typed(args: &Login, config: &Config) -> Result<()> {
    match untyped(args, Some(config)).filter(|_| config.token.retype_pin) {
        None => Ok(()),
        Some(from) => Err(Error::refused(
            "pin.retype",
            format!("{from}: this home's configuration has the PIN typed for each signature (retype-pin)"),
        )
        .next("leave it out and type the PIN at the terminal, or at the token; or change anchorite.toml and pin it")),
    }
}

/// Where the PIN comes from when nobody types it: the option, or the variable's key in
/// the configuration.
pub fn untyped(args: &Login, config: Option<&Config>) -> Option<&'static str> {
    let variable = config.is_some_and(|config| config.token.pin_env.is_some());
    [(args.pin_file.is_some(), "--pin-file"), (args.pin_fd.is_some(), "--pin-fd"), (variable, "pin-env")]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
}

/// A PIN that others can read is no secret; whose machine it is may say that it is all right.
fn note_readers(path: &Path, what: &str) {
    let mode = path.metadata().map_or(0, |metadata| metadata.mode());
    if mode & 0o077 != 0 {
        let mode = mode & 0o777;
        output::note(&format!(
            "{} {}: others than its owner may read the {what} (mode {mode:o}); chmod 600",
            output::styled(output::WARN, "note:"),
            shown_path(path)
        ));
    }
}

/// A management key in hexadecimal, as `ykman` prints it.
pub fn management_key(path: &Path) -> Result<SecretSlice<u8>> {
    note_readers(path, "management key");
    let text = durable::read_secret(path, MAXIMUM)?;
    let digits = text.strip_suffix(b"\n").map(|rest| rest.strip_suffix(b"\r").unwrap_or(rest));
    let key: Option<Vec<u8>> = digits.unwrap_or(&text).chunks(2).map(hexadecimal).collect();
    key.filter(|key| [16, 24, 32].contains(&key.len())).map(SecretSlice::from).ok_or_else(|| {
        Error::usage("token.mgm-key-file", format!("{}: holds no management key", shown_path(path)))
            .next("write it as 32, 48 or 64 hexadecimal digits on one line")
    })
}

fn hexadecimal(pair: &[u8]) -> Option<u8> {
    let digit = |b: &u8| char::from(*b).to_digit(16);
    match pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    }
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
