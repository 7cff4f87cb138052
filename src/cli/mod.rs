//! One file per verb; rendering; exit codes.

mod adopt;
mod args;
mod assemble;
mod attest;
mod audit;
mod check;
mod companion;
mod crl;
mod folder;
mod generate;
mod init;
mod inspect;
mod installed;
mod intake;
mod output;
mod perform;
mod pin;
mod plan;
mod policy;
mod precheck;
mod process;
mod renew;
mod request;
mod revoke;
mod rollover;
mod root;
mod sign;
mod status;
mod terminal;
mod token;
mod tries;
mod unlock;
mod verify;
mod wish;

use std::process::ExitCode;

use anchorite::{Error, Result};
use clap::Parser as _;

use args::{Cli, Verb};

/// Runs one verb and turns its result into an exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version go to stdout and are no error.
            if !e.use_stderr() {
                let _ = e.print();
                return ExitCode::SUCCESS;
            }
            let error = usage(&e);
            output::error(&error, process::asks_for_json());
            return ExitCode::from(error.kind.exit_code());
        }
    };
    let json = cli.globals.json;
    match process::harden().and_then(|()| output::keep_stdout()).and_then(|()| run(cli)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::error(&error, json);
            ExitCode::from(error.kind.exit_code())
        }
    }
}

/// What the parser of the command line says, in our form; it repeats arguments, and
/// a shell's `*` makes the stick's file names arguments.
fn usage(error: &clap::Error) -> Error {
    let text = error.to_string();
    let told = text.strip_prefix("error: ").unwrap_or(&text);
    let told = told.split("\n\nFor more information").next().unwrap_or(told);
    let lines: Vec<String> = told.trim_end().lines().map(anchorite::text::shown).collect();
    Error::usage("command-line.usage", lines.join("\n"))
        .next("`--help` after the command shows how it is used, with an example")
}

fn run(cli: Cli) -> Result<u8> {
    let globals = &cli.globals;
    match cli.verb {
        Verb::Init(a) => init::run(globals, &a),
        Verb::Root(a) => root::run(globals, &a),
        Verb::Inspect(a) => inspect::run(globals, &a),
        Verb::Sign(a) => sign::run(globals, &a),
        Verb::Plan(a) => plan::run(globals, &a),
        Verb::Perform(a) => perform::run(globals, &a),
        Verb::Revoke(a) => revoke::run(globals, &a),
        Verb::Crl(a) => crl::run(globals, &a),
        Verb::Status(a) => status::run(globals, &a),
        Verb::Audit(a) => audit::run(globals, &a),
        Verb::Verify(a) => verify::run(globals, &a).map_err(away),
        Verb::Policy(a) => policy::run(globals, &a),
        Verb::Precheck(a) => precheck::run(globals, &a),
        Verb::Request(a) => request::run(globals, &a),
        Verb::Assemble(a) => assemble::run(globals, &a).map_err(away),
        Verb::Token(a) => token::run(globals, &a),
        Verb::Completions(a) => generate::completions(&a),
        Verb::Manual(a) => generate::manual(globals, &a),
    }
}

/// There is no ceremony to be stopped where a release is checked or loaded.
pub(crate) fn away(error: Error) -> Error {
    match error.next.starts_with("stop the ceremony") {
        true => error.next("do not load it: ask who holds the root"),
        false => error,
    }
}

/// A path as a shell takes it, for lines that are copied from the screen.
pub(crate) fn quoted(path: &std::path::Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    // No option.
    let begins = if bytes.starts_with(b"-") { "./" } else { "" };
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/._-+:@%,=".contains(b);
    match str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && bytes.iter().all(plain) => format!("{begins}{text}"),
        Ok(text) if anchorite::text::is_shown(text) => {
            format!("'{begins}{}'", text.replace('\'', "'\\''"))
        }
        _ => {
            let escaped = bytes.iter().map(|b| match b {
                b'\\' | b'\'' => format!("\\{}", char::from(*b)),
                b' '..=b'~' => char::from(*b).into(),
                _ => format!("\\x{b:02x}"),
            });
            format!("$'{begins}{}'", escaped.collect::<String>())
        }
    }
}

/// A path given by the operator, fit for a message.
pub(crate) fn shown_path(path: &std::path::Path) -> String {
    anchorite::text::shown_bytes(path.as_os_str().as_encoded_bytes())
}

/// HEX of the command line: a SHA-256 in any case, with or without colons.
pub(crate) fn parse_digest(text: &str) -> std::result::Result<anchorite::x509::Digest, String> {
    anchorite::x509::Digest::parse(text).ok_or_else(|| "want 64 hexadecimal digits, colons allowed".into())
}
