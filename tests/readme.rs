//! The README is true: its blocks are run, and what it shows is seen.

use std::process::Command;

use crate::appliance::ran;

const BINARY: &str = env!("CARGO_BIN_EXE_anchorite");

fn readme() -> String {
    std::fs::read_to_string("README.md").unwrap()
}

/// The bodies of all blocks fenced with exactly this word.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    readme().split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_string()).collect()
}

#[test]
fn the_main_job_runs_word_for_word() {
    let dir = tempfile::tempdir().unwrap();
    let bin = std::path::Path::new(BINARY).parent().unwrap();
    let script = format!("set -eu\n{}", blocks("sh").concat().replace("demo/", "\"$DEMO\"/"));
    assert!(script.contains("anchorite sign"), "the README lost its main job");
    let out = Command::new("sh")
        .args(["-c", &script])
        .env("DEMO", dir.path())
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
        .env_remove("ANCHORITE_HOME")
        .output()
        .unwrap();
    let ran = ran(out).code(0);
    assert!(
        ran.stdout.contains("CMS Verification successful")
            || ran.stderr.contains("CMS Verification successful")
    );
    assert!(dir.path().join("cacerts/cacerts.yaml").exists());
}

#[test]
fn a_rehearsal_shows_what_the_first_screen_promises() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("anchorite-rehearsal");
    let out = Command::new("ceremony/rehearse").arg(&folder).env("ANCHORITE", BINARY).output().unwrap();
    let ran = ran(out).code(0);
    let seen = format!("{}{}", ran.stdout, ran.stderr);
    for line in blocks("text").first().unwrap().lines() {
        // Folder, date and counts are the run's own.
        let start = line.split("/tmp/").next().unwrap().split(':').next().unwrap();
        assert!(seen.contains(start), "the README shows '{line}', the rehearsal does not:\n{seen}");
    }
}

/// Each claim of the assurance table names tests that are there.
#[test]
fn every_claim_has_its_test() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let section = readme.split("\n## Assurance\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let named: Vec<&str> = section.split('`').filter(|word| word.contains(".rs::")).collect();
    assert!(named.len() > 20, "{named:?}");
    for test in named {
        let (file, name) = test.split_once("::").unwrap();
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let source = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert!(source.contains(&format!("fn {name}(")), "{file} has no test {name}");
    }
}
