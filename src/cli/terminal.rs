//! Questions to the operator. Always on the terminal itself, never on stdin or
//! stdout, so that neither a pipe nor a redirection can answer or hide them.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};

use anchorite::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use super::process;

/// Longer answers are nobody's.
const ANSWER_MAXIMUM: usize = 1024;
/// What ^\ types where it does not kill.
const QUIT: u8 = 0x1c;

/// The controlling terminal.
pub struct Terminal(File);

impl Terminal {
    /// Opens it.
    pub fn open() -> Result<Self> {
        OpenOptions::new().read(true).write(true).open("/dev/tty").map(Self).map_err(|e| {
            Error::usage("terminal.missing", format!("there is no terminal to ask on ({e})"))
                .next("run it in a terminal, or, in a home made with --unattended, give --yes and --pin-file")
        })
    }

    /// Shows text.
    pub fn show(&mut self, text: &str) -> Result<()> {
        self.0.write_all(text.as_bytes()).and_then(|()| self.0.flush()).map_err(|_| closed())
    }

    /// Asks for the exact word `yes`.
    pub fn confirm(&mut self, question: &str) -> Result<bool> {
        let _hold = process::hold();
        // What was typed before the question could be read answers another one.
        tcflush(&self.0, QueueSelector::IFlush).map_err(|_| closed())?;
        self.show(&format!("{question} Type yes to go on, anything else to stop: "))?;
        Ok(self.line()?.as_slice() == b"yes")
    }

    /// Asks for something that must not be seen.
    pub fn secret(&mut self, prompt: &str) -> Result<Zeroizing<Vec<u8>>> {
        let _hold = process::hold();
        let tty = self.0.try_clone().map_err(no_silence)?;
        // First silence, then the prompt: whoever types at once must not be seen either.
        let silent = Silent::on(&tty)?;
        self.show(prompt)?;
        let line = self.line();
        drop(silent);
        let shown = self.show("\n");
        // Why there is no line weighs more than a newline that nobody sees.
        let line = line?;
        shown?;
        match line.contains(&QUIT) {
            true => Err(Error::interrupted()),
            false => Ok(line),
        }
    }

    /// One line without its newline. Watches for signals while it waits.
    fn line(&mut self) -> Result<Zeroizing<Vec<u8>>> {
        let mut line = Zeroizing::new(Vec::with_capacity(ANSWER_MAXIMUM));
        loop {
            if process::interrupted() {
                let _ = self.show("\n");
                return Err(Error::interrupted());
            }
            let tick = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut fds, Some(&tick)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => continue,
                Ok(_) => {}
                Err(_) => return Err(closed()),
            }
            let mut byte = [0];
            match self.0.read(&mut byte) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return Err(closed()),
                Ok(_) if byte == *b"\n" => return Ok(line),
                Ok(_) if line.len() == ANSWER_MAXIMUM => {
                    return Err(Error::usage("terminal.too-long", "the answer is too long")
                        .next("run it again and answer in one line"));
                }
                Ok(_) => line.extend_from_slice(&byte),
            }
        }
    }
}

/// Whoever closes the terminal interrupts.
fn closed() -> Error {
    Error::interrupted().at("the terminal was closed")
}

fn no_silence(e: impl std::fmt::Display) -> Error {
    Error::usage("terminal.echo", format!("the terminal's echo cannot be switched off ({e})"))
        .next("give the PIN by --pin-file or --pin-fd")
}

/// No echo while it lives.
struct Silent<'a> {
    tty: &'a File,
    before: Termios,
}

impl Silent<'_> {
    fn on(tty: &File) -> Result<Silent<'_>> {
        let before = tcgetattr(tty).map_err(no_silence)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        // ^\ would kill the process and leave the terminal silent. It comes as a byte instead.
        silent.special_codes[SpecialCodeIndex::VQUIT] = 0;
        tcsetattr(tty, OptionalActions::Flush, &silent).map_err(no_silence)?;
        Ok(Silent { tty, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.tty, OptionalActions::Flush, &self.before);
    }
}
