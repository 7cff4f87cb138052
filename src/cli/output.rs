//! Results to stdout, everything else to stderr; colours only where wanted.

use std::fs::File;
use std::io::Write as _;
use std::sync::OnceLock;

use anchorite::{Error, Result};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

/// Good news.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Bad news.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something to look at.
pub const WARN: Style = AnsiColor::Yellow.on_default();

/// Text in a style; the stream strips it where colours are not wanted (NO_COLOR, a pipe).
pub fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// The stdout that we were given.
static STDOUT: OnceLock<File> = OnceLock::new();

/// Keeps stdout for results. A PKCS#11 module is in this process and may print on
/// descriptor 1, which is stderr from here on.
pub fn keep_stdout() -> Result<()> {
    let failed = |e: rustix::io::Errno| {
        let e = std::io::Error::from(e);
        Error::usage("output.stdout", format!("stdout cannot be kept for the results ({e})"))
            .next("look at how the command's output is redirected")
    };
    let ours = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).map_err(failed)?;
    let _ = STDOUT.set(ours.into());
    rustix::stdio::dup2_stdout(rustix::stdio::stderr()).map_err(failed)
}

fn print(text: &str) -> Result<()> {
    let Some(mut stdout) = STDOUT.get() else {
        return written(anstream::stdout().lock().write_all(text.as_bytes()));
    };
    let plain = anstream::AutoStream::choice(stdout) == anstream::ColorChoice::Never;
    let text = if plain { anstream::adapter::strip_str(text).to_string() } else { text.to_owned() };
    written(stdout.write_all(text.as_bytes()))
}

/// A result, for people.
pub fn text(text: &str) -> Result<()> {
    print(text)
}

/// A result, for machines: one JSON document and a newline.
pub fn json(value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::usage("output.json", format!("the result cannot be written as JSON ({e})")))?;
    text.push('\n');
    print(&ascii(&text))
}

/// The same JSON in ASCII: beyond it JSON has only the characters of strings,
/// some of which steer a terminal.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\n' | ' '..='~' => out.push(c),
            _ => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    out
}

/// Something said on the way.
pub fn note(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// An error with its next step.
pub fn error(error: &Error, json: bool) {
    if json {
        let value = serde_json::json!({"error": {
            "id": error.id, "message": error.message, "next": error.next, "exit": error.kind.exit_code(),
        }});
        note(&ascii(&value.to_string()));
        return;
    }
    note(&format!("{} {error}", styled(BAD, "error:")));
    if !error.next.is_empty() {
        note(&format!("  next: {}", error.next));
    }
}

/// A reader that went away (`| head`) is no error.
fn written(result: std::io::Result<()>) -> Result<()> {
    match result {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::usage("output.stdout", format!("the result cannot be written to stdout ({e})"))
                .next("what was asked for is done; only its report is lost: `anchorite audit verify` prints the journal's head for the sheet"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::ascii;

    #[test]
    fn json_stays_the_same_json_and_steers_nothing() {
        let value = serde_json::json!({"a": "\u{9b}\u{202e}\u{7f}\u{1b}é\u{1f600}\\"});
        let text = ascii(&value.to_string());
        assert!(text.bytes().all(|b| b.is_ascii_graphic()), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
