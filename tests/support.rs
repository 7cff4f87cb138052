//! What the tests share: running foreign tools and a folder for each test.

use std::path::{Path, PathBuf};
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

/// A program that `tests/run` has fetched, or its folder.
pub fn tool(place: &str) -> PathBuf {
    let tools = std::env::var("ANCHORITE_TOOLS")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools"), PathBuf::from);
    tools.join(place)
}
