//! Reading a TOML document so that every error names file, line, column,
//! field, what was found, what was wanted and what to do.

use std::ops::Deref;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use toml::de::DeTable;

use crate::error::{Error, Result};
use crate::text::shown;

/// The error IDs of one kind of document.
pub(super) struct Ids {
    /// Not TOML.
    pub parse: &'static str,
    /// A key that is not known.
    pub unknown_key: &'static str,
    /// A key that is missing.
    pub missing_key: &'static str,
    /// A value of the wrong type or out of its bounds.
    pub value: &'static str,
}

/// A value with the place that set it; without one it is the default.
#[derive(Debug, Clone)]
pub struct Setting<T> {
    value: T,
    offset: Option<usize>,
}

impl<T> Setting<T> {
    /// A default, set by no line of the document.
    pub(super) fn default(value: T) -> Self {
        Self { value, offset: None }
    }

    pub(super) fn offset(&self) -> Option<usize> {
        self.offset
    }
}

impl<T> Deref for Setting<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(d)?;
        Ok(Self { offset: Some(spanned.span().start), value: spanned.into_inner() })
    }
}

/// Where the lines of a document begin, to name the line of a [`Setting`].
#[derive(Debug, Clone, Default)]
pub(super) struct Lines {
    file: String,
    starts: Vec<usize>,
}

impl Lines {
    pub fn of(file: &str, text: &str) -> Self {
        let after_newline = text.bytes().zip(1..).filter(|(b, _)| *b == b'\n').map(|(_, next)| next);
        Self { file: shown(file), starts: std::iter::once(0).chain(after_newline).collect() }
    }

    /// `policies/istio.toml:12`, or `policies/istio.toml (default)`.
    pub fn source<T>(&self, setting: &Setting<T>) -> String {
        match setting.offset {
            Some(offset) => {
                format!("{}:{}", self.file, self.starts.partition_point(|start| *start <= offset))
            }
            None => format!("{} (default)", self.file),
        }
    }
}

/// Reads a document; the first error ends it.
pub(super) fn read<T: DeserializeOwned>(file: &str, text: &str, ids: &Ids) -> Result<T> {
    toml::from_str(text).map_err(|e| match DeTable::parse(text) {
        Ok(_) => explain(file, text, &e, ids),
        Err(e) => {
            let what = format!("{}: not TOML: {}", place(file, text, start(&e)), line_of(&e));
            let next = "correct the line; strings need quotes, and a table's name stands in brackets";
            Error::usage(ids.parse, what).next(next)
        }
    })
}

/// An error about a value at `offset` that was read but cannot stand.
pub(super) fn fault(
    file: &str,
    text: &str,
    offset: Option<usize>,
    id: &'static str,
    message: &str,
    next: &str,
) -> Error {
    Error::usage(id, format!("{}: {message}", place(file, text, offset.unwrap_or(0)))).next(next)
}

/// The known word nearest to a mistyped one, if any is near.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Two letters swapped are a distance of two, even in a short word.
    let close = word.chars().count().div_ceil(3);
    known
        .into_iter()
        .map(|k| (distance(word, k), k))
        .min_by_key(|(d, _)| *d)
        .filter(|(d, _)| *d <= close)
        .map(|(_, k)| k)
}

fn explain(file: &str, text: &str, error: &toml::de::Error, ids: &Ids) -> Error {
    let place = place(file, text, start(error));
    let message = error.message();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let name = quoted.next().unwrap_or_default();
    let known: Vec<&str> = quoted.collect();
    let suggestion = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("known here: {}", known.join(", ")),
    };
    let (name, parents) = (shown(name), shown(&keys(error)));
    let field = if parents.is_empty() { name.clone() } else { format!("{parents}.{name}") };
    if message.starts_with("unknown field") {
        Error::usage(ids.unknown_key, format!("{place}: {field}: unknown key")).next(suggestion)
    } else if message.starts_with("missing field") {
        Error::usage(ids.missing_key, format!("{place}: {field}: this key is missing"))
            .next(format!("add '{name} = …'"))
    } else {
        let next = if message.starts_with("unknown variant") {
            suggestion
        } else {
            "correct the value; the comments in a new home's documents explain every key".into()
        };
        Error::usage(ids.value, format!("{place}: {parents}: {}", line_of(error))).next(next)
    }
}

/// The dotted path of the table or value that the error is about, which toml
/// says only where it does not quote the document.
fn keys(error: &toml::de::Error) -> String {
    let mut error = error.clone();
    error.set_input(None);
    let text = error.to_string();
    let path = text.strip_prefix(error.message()).and_then(|rest| rest.strip_prefix("\nin `"));
    path.and_then(|path| path.strip_suffix("`\n")).unwrap_or_default().into()
}

fn start(error: &toml::de::Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

fn line_of(error: &toml::de::Error) -> String {
    let message = error.message().replace('\n', ", ");
    let told = match message.rsplit_once(", expected ") {
        Some((what, "u8")) => format!("{what}, wanted a whole number from 0 to 255"),
        Some((what, "u16" | "u32" | "u64" | "usize")) => format!("{what}, wanted a whole number from 0 on"),
        _ => message,
    };
    shown(&told)
}

/// `file:line:column`, both counted from one.
fn place(file: &str, text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{}:{line}:{column}", shown(file))
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((y, left_up), up) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            next.push((left_up + usize::from(x != *y)).min(up + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    #[allow(dead_code)]
    struct Sample {
        path_length: Setting<u8>,
        nested: Option<Nested>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    #[allow(dead_code)]
    struct Nested {
        names: Vec<u8>,
    }

    const IDS: Ids =
        Ids { parse: "t.parse", unknown_key: "t.unknown", missing_key: "t.missing", value: "t.value" };

    fn error(text: &str) -> Error {
        read::<Sample>("a.toml", text, &IDS).unwrap_err()
    }

    #[test]
    fn each_error_names_place_field_and_next_step() {
        let e = error("path-length = 1\n  path-lenght = 2\n");
        assert_eq!((e.id, e.next.as_str()), ("t.unknown", "did you mean 'path-length'?"));
        assert!(e.message.starts_with("a.toml:2:3: path-lenght: unknown key"), "{}", e.message);

        let e = error("path-length = 1\nwhatever = 2\n");
        assert_eq!(e.next, "known here: path-length, nested");

        let e = error("# first\npath-length = \"é\"\n");
        assert_eq!(e.id, "t.value");
        assert!(e.message.starts_with("a.toml:2:15: path-length: invalid type"), "{}", e.message);

        let e = error("path-length = 1\n[nested]\nnames = [1, 300]\n");
        assert!(e.message.starts_with("a.toml:3:13: nested.names: "), "{}", e.message);

        assert!(e.message.ends_with("wanted a whole number from 0 to 255"), "{}", e.message);

        let e = error("[nested]\nnames = []\n");
        assert_eq!((e.id, e.next.as_str()), ("t.missing", "add 'path-length = …'"));

        let e = error("path-length = 1\npath-length 2");
        assert_eq!(e.id, "t.parse");
        assert!(e.message.starts_with("a.toml:2:"), "{}", e.message);
    }

    #[test]
    fn keys_from_outside_are_shown_escaped() {
        let e = error("path-length = 1\n\"\\u001b[31m\" = 2\n");
        assert!(e.message.contains("\\u{1b}[31m"), "{}", e.message);
        assert!(!e.message.contains('\u{1b}'));
    }

    #[test]
    fn a_setting_knows_its_line() {
        let text = "\n\npath-length = 3";
        let sample: Sample = read("a.toml", text, &IDS).unwrap();
        let lines = Lines::of("a.toml", text);
        assert_eq!((*sample.path_length, lines.source(&sample.path_length).as_str()), (3, "a.toml:3"));
        assert_eq!(lines.source(&Setting::default(1)), "a.toml (default)");
    }

    #[test]
    fn only_near_words_are_suggested() {
        assert_eq!(nearest("path_length", ["path-length", "key"]), Some("path-length"));
        assert_eq!(nearest("zzz", ["path-length", "key"]), None);
    }
}
