//! The point of these folders: another implementation than the builder's.

use std::path::Path;

/// The fixtures alone may build with the builder.
const EXEMPT: &str = "fixtures.rs";

#[test]
fn neither_lint_nor_verify_touches_the_builders_family() {
    let mut files = Vec::new();
    for folder in ["src/lint", "src/verify"] {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    }
    assert!(files.len() > 15, "found only {files:?}");
    for (path, text) in files {
        for family in ["x509_cert", "der", "spki", "cms", "const_oid", "sha1", "sha2"] {
            assert!(!uses(&text, family), "{path} uses {family}");
        }
    }
}

#[test]
fn an_import_is_noticed() {
    for text in ["use der::Decode;", "x = der::Any::null()", "use x509_cert::{Version}", "fn f(a: &spki::X)"]
    {
        assert!(["der", "x509_cert", "spki"].iter().any(|family| uses(text, family)), "{text}");
    }
    for text in
        ["use x509_parser::der_parser::oid;", "super::cms::verify", "crate::verify::cms::X", "order::X"]
    {
        assert!(!["der", "x509_cert", "cms"].iter().any(|family| uses(text, family)), "{text}");
    }
}

fn collect(folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if !path.ends_with(EXEMPT) && !path.ends_with(Path::new(file!()).file_name().unwrap()) {
            files.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Whether a path in `text` begins with this crate.
fn uses(text: &str, family: &str) -> bool {
    text.match_indices(&format!("{family}::"))
        .any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
}
