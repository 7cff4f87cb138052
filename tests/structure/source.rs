//! Rust source as text: comments, strings and test code blanked out, every byte in its place.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A source file outside the tests.
pub struct Source {
    /// Its path beneath `src/`.
    pub path: String,
    /// As it stands.
    pub text: String,
    /// Without comments and test code.
    pub strings: String,
    /// Without strings as well.
    pub code: String,
}

impl Source {
    /// Its top-level module: the house.
    pub fn house(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// How deep its module lies: 1 for a house itself.
    pub fn depth(&self) -> usize {
        self.path.trim_end_matches("/mod.rs").split('/').count()
    }

    /// Whether one of the prefixes (`media/`, `journal/file.rs`) is this file's.
    pub fn within(&self, prefixes: &[&str]) -> bool {
        prefixes.iter().any(|prefix| self.path.starts_with(prefix))
    }

    /// `path:line` of a byte.
    pub fn place(&self, at: usize) -> String {
        format!("src/{}:{}", self.path, self.text[..at].matches('\n').count() + 1)
    }

    /// Where a word stands in the code, not as part of a longer one.
    pub fn finds(&self, word: &str) -> Vec<usize> {
        let inside = |c: char| c.is_alphanumeric() || c == '_';
        let whole = |at: usize| {
            let begins = !word.starts_with(inside) || !self.code[..at].ends_with(inside);
            let ends = !word.ends_with(inside) || !self.code[at + word.len()..].starts_with(inside);
            begins && ends
        };
        self.code.match_indices(word).map(|(at, _)| at).filter(|at| whole(*at)).collect()
    }
}

/// Every source file that is part of the library or the binary.
pub fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(read);
    &SOURCES
}

fn read() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut test_only = BTreeSet::new();
    let mut sources = Vec::new();
    for path in rust_files(&src) {
        let text = std::fs::read_to_string(&path).unwrap();
        let (mut code, mut strings) = (blank(&text, true), blank(&text, false));
        for range in test_items(&code) {
            if let Some(name) = module_declared(&code[range.clone()]) {
                test_only.insert(module_folder(&path).join(name));
            }
            for text in [&mut code, &mut strings] {
                let gone = blanked(&text[range.clone()]);
                text.replace_range(range.clone(), &gone);
            }
        }
        let path = path.strip_prefix(&src).unwrap().to_str().unwrap().to_string();
        sources.push(Source { path, text, strings, code });
    }
    let tests = |source: &Source| {
        test_only.iter().any(|module| src.join(&source.path).with_extension("").starts_with(module))
    };
    sources.retain(|source| !tests(source));
    assert!(sources.len() > 100, "only {} files were found", sources.len());
    sources
}

/// Every `.rs` file beneath a folder.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The modules that a crate's root file leads to, by `mod name;`.
pub fn reachable(root: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::from([root.to_path_buf()]);
    let code = blank(&std::fs::read_to_string(root).unwrap(), true);
    for item in code.split(';') {
        let Some(name) = item.rsplit('\n').next().and_then(|line| line.trim().rsplit_once("mod ")) else {
            continue;
        };
        let folder = module_folder(root);
        let file = folder.join(format!("{}.rs", name.1.trim()));
        let module = if file.exists() { file } else { folder.join(name.1.trim()).join("mod.rs") };
        if module.exists() {
            found.extend(reachable(&module));
        }
    }
    found
}

/// The folder that holds a file's child modules.
fn module_folder(file: &Path) -> PathBuf {
    match file.file_name().unwrap().to_str().unwrap() {
        "mod.rs" | "lib.rs" | "main.rs" => file.parent().unwrap().to_path_buf(),
        _ => file.with_extension(""),
    }
}

fn module_declared(item: &str) -> Option<&str> {
    let (before, name) = item.trim_end().strip_suffix(';')?.rsplit_once("mod ")?;
    (!before.contains("use ")).then(|| name.trim())
}

/// The items that stand under `#[cfg(test)]`, up to their closing brace or semicolon.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items = Vec::new();
    for (start, _) in code.match_indices("#[cfg(test)]") {
        let mut depth = 0;
        let end = code[start..].char_indices().find(|(_, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0 && matches!(c, '}' | ';')
        });
        items.push(start..start + end.map_or(code.len() - start, |(at, _)| at + 1));
    }
    items
}

fn blanked(text: &str) -> String {
    text.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect()
}

/// Blanks comments, and strings and character literals too where wanted.
fn blank(text: &str, strings: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let after_word = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let (length, gone) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), true)
        } else if rest.starts_with("/*") {
            (rest.find("*/").map_or(rest.len(), |at| at + 2), true)
        } else if let Some(length) = string(rest, after_word).or_else(|| character(rest)) {
            (length, strings)
        } else {
            // On to whatever may begin one of these.
            let first = rest.chars().next().unwrap().len_utf8();
            let next = rest[first..].find(['/', '"', '\'', 'b', 'c', 'r']);
            (next.map_or(rest.len(), |next| first + next), false)
        };
        let (piece, after) = rest.split_at(length);
        if gone {
            out.push_str(&blanked(piece))
        } else {
            out.push_str(piece)
        }
        rest = after;
    }
    out
}

/// The length of a string literal that begins here, raw or not.
fn string(text: &str, after_word: bool) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|p| {
        let rest = text.strip_prefix(p);
        rest.is_some_and(|r| r.trim_start_matches('#').starts_with('"')) && (p.is_empty() || !after_word)
    })?;
    let rest = &text[prefix.len()..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    if prefix.ends_with('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        let body = hashes + 1;
        return Some(prefix.len() + body + rest[body..].find(&end)? + end.len());
    }
    if hashes > 0 {
        return None;
    }
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    })?;
    Some(prefix.len() + end.0 + 1)
}

/// The length of a character literal that begins here; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('\'')?;
    if rest.starts_with('\\') {
        return rest[2..].find('\'').map(|at| at + 4);
    }
    let first = rest.chars().next()?;
    rest[first.len_utf8()..].starts_with('\'').then(|| first.len_utf8() + 2)
}

#[test]
fn comments_strings_and_tests_are_blanked_in_place() {
    let text = "a /* { */ b // \"x\ns(\"//}\\\"\", r#\"\"}\"#, '{', '\\'', b'\"') 'a x\n\
                #[cfg(test)]\nmod t {\n fn f() { \"}\" }\n}\nend\n#[cfg(test)]\nmod other;\nlast";
    let code = blank(text, true);
    assert_eq!(code.len(), text.len());
    assert!(!code.contains(['"', '}']) || code.matches('}').count() == 2, "{code}");
    let items = test_items(&code);
    assert_eq!(items.len(), 2);
    assert!(text[items[0].clone()].ends_with("}\n}") && text[items[1].clone()].ends_with("mod other;"));
    assert_eq!(module_declared(&code[items[1].clone()]), Some("other"));
    assert_eq!(module_declared(&code[items[0].clone()]), None);
    assert!(code.contains("'a x") && blank(text, false).contains("\"//}"));
}
