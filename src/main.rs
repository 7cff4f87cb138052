//! The `anchorite` command: a thin layer over the library that alone knows the
//! terminal, the clock and the process.

#[expect(clippy::disallowed_methods, reason = "the terminal, the clock, the process")]
mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
