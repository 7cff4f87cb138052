//! What the tests share: running foreign tools and a folder for each test.

use std::path::Path;
use std::process::{Command, Output};

/// Runs a foreign tool in `dir` and demands success.
#[allow(dead_code)]
pub fn run(dir: &Path, program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(dir)
        .output()
        .unwrap_or_else(|e| panic!("{program} cannot be run ({e}): tests/run installs it"));
    assert!(
        output.status.success(),
        "{program} {arguments:?} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
