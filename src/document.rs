//! Documents in YAML (1.2) and JSON (RFC 8259), as people and `kubectl` write them: read
//! within bounds, each key once, so that no two readers see different values.
//!
//! Nothing of a document's values is in an error: it may be a Secret.

mod node;

use std::fmt;

use serde_json::Value;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Options, Spanned};

use crate::error::Error;
use crate::text::shown;
use node::Node;

/// Deeper than any object of Kubernetes.
pub const MAX_DEPTH: usize = 32;

/// How much is read.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The file's bytes.
    pub length: usize,
    /// Its objects.
    pub objects: usize,
    /// Mappings, sequences and scalars in one document.
    nodes: usize,
    /// The first two in words.
    said: [&'static str; 2],
}

/// As much as one file of a stick may hold: some hundred objects, and more than a fleet has clusters.
pub const STICK: Bounds = Bounds {
    length: 1 << 20,
    objects: 1000,
    nodes: 100_000,
    said: ["at most 1 MiB", "at most 1000 objects in a file"],
};
/// All Secrets of a large cluster, as `kubectl get secrets -A` prints them.
pub const CLUSTER: Bounds = Bounds {
    length: 16 << 20,
    objects: 10_000,
    nodes: 2_000_000,
    said: ["at most 16 MiB", "at most 10000 objects in a file"],
};

/// One document, or one item of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its place in the file, from 1; the items of a `List` are counted each.
    pub number: usize,
    /// The line that it begins in, or that its list begins in.
    pub line: u64,
    /// What it says.
    pub value: Value,
}

/// Why a file cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The rule: `document.encoding`, `document.syntax`, `document.duplicate-key` or `document.bounds`.
    pub id: &'static str,
    /// The document's number, from 1.
    pub number: usize,
    /// The line, where it is known.
    pub line: Option<u64>,
    /// What was found, fit for a terminal.
    pub found: String,
    /// What would have been read.
    pub wanted: &'static str,
    /// What to do.
    pub next: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "document {}", self.number)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}, where {} is wanted", self.found, self.wanted)
    }
}

impl Fault {
    /// As an error of the file's.
    pub fn error(&self, file: &str) -> Error {
        Error::usage(self.id, format!("{file}: {self}")).next(self.next)
    }

    fn syntax(number: usize, line: Option<u64>, found: impl Into<String>) -> Self {
        let (wanted, next) =
            ("one well-formed document after another", "write the file again from its source");
        Self { id: "document.syntax", number, line, found: found.into(), wanted, next }
    }

    fn twice(number: usize, line: Option<u64>, key: Option<&str>) -> Self {
        let key = key.map(|key| format!(" '{}'", shown(key))).unwrap_or_default();
        Self {
            id: "document.duplicate-key",
            number,
            line,
            found: format!("the key{key} for the second time in one mapping"),
            wanted: "each key once",
            next: "take out the one that is not meant",
        }
    }

    fn bounds(number: usize, line: Option<u64>, found: impl Into<String>, wanted: &'static str) -> Self {
        let next = "split the file, or have it written by the tool that it comes from";
        Self { id: "document.bounds", number, line, found: found.into(), wanted, next }
    }
}

/// Reads all documents of a file; the items of a `List`, as `kubectl get` writes it, and of a
/// bare list of objects each for itself. Empty documents are none.
///
/// # Errors
/// The first [`Fault`]; nothing of a file that has one is to be relied on.
pub fn read(bytes: &[u8]) -> Result<Vec<Document>, Fault> {
    read_within(bytes, &STICK)
}

/// The same within other bounds.
///
/// # Errors
/// As [`read`].
pub fn read_within(bytes: &[u8], bounds: &Bounds) -> Result<Vec<Document>, Fault> {
    if bytes.len() > bounds.length {
        let found = format!("a file of {} bytes", bytes.len());
        let [wanted, _] = bounds.said;
        return Err(Fault::bounds(1, None, found, wanted));
    }
    let text = str::from_utf8(bytes).map_err(|_| Fault {
        id: "document.encoding",
        number: 1,
        line: None,
        found: "bytes that are no UTF-8".into(),
        wanted: "UTF-8",
        next: "save the file as UTF-8",
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents = if is_json(text) { json(text, bounds) } else { yaml(text, bounds) }?;
    numbered(documents, bounds)
}

/// Whether text is to be read as JSON: as `kubectl` decides it.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

fn json(text: &str, bounds: &Bounds) -> Result<Vec<(u64, Value)>, Fault> {
    let mut documents = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Node>();
    loop {
        let before = text.get(..stream.byte_offset()).unwrap_or(text);
        let blank = text.get(stream.byte_offset()..).map_or(0, |rest| rest.len() - rest.trim_start().len());
        let line = 1 + lines(before) + text.get(before.len()..before.len() + blank).map_or(0, lines);
        match stream.next() {
            None => return Ok(documents),
            Some(Ok(Node(Value::Null))) => {}
            Some(Ok(Node(value))) if !fits(&value, MAX_DEPTH) => {
                return Err(too_deep(documents.len() + 1, Some(line)));
            }
            Some(Ok(Node(value))) => documents.push((line, value)),
            Some(Err(e)) => return Err(of_json(documents.len() + 1, &e)),
        }
        if documents.len() > bounds.objects {
            return Err(too_many(line, bounds));
        }
    }
}

/// `serde_json`'s own bound on depth keeps this from going deeper than 128.
fn fits(value: &Value, depth: usize) -> bool {
    let inner = |value| fits(value, depth - 1);
    match value {
        Value::Array(values) => depth > 0 && values.iter().all(inner),
        Value::Object(values) => depth > 0 && values.values().all(inner),
        _ => true,
    }
}

fn lines(text: &str) -> u64 {
    text.bytes().map(|b| u64::from(b == b'\n')).sum()
}

fn of_json(number: usize, error: &serde_json::Error) -> Fault {
    of_parser(number, u64::try_from(error.line()).ok(), &error.to_string())
}

/// What a parser says, or [`Node`] through it.
fn of_parser(number: usize, line: Option<u64>, said: &str) -> Fault {
    if said.starts_with("recursion limit exceeded") {
        return too_deep(number, line);
    }
    if said.contains(node::TOO_WIDE) {
        return Fault::bounds(number, line, node::TOO_WIDE, "at most 1000");
    }
    match said.split_once(node::TWICE) {
        Some((_, rest)) => Fault::twice(number, line, rest.split_once('\'').map(|(key, _)| key)),
        None => Fault::syntax(number, line, shown(said)),
    }
}

fn too_deep(number: usize, line: Option<u64>) -> Fault {
    Fault::bounds(number, line, "more mappings and lists within each other", "at most 32")
}

fn too_many(line: u64, bounds: &Bounds) -> Fault {
    let [_, wanted] = bounds.said;
    Fault::bounds(bounds.objects + 1, Some(line), "one object more", wanted)
}

fn yaml(text: &str, bounds: &Bounds) -> Result<Vec<(u64, Value)>, Fault> {
    let mut documents = Vec::new();
    let mut reader = text.as_bytes();
    for document in serde_saphyr::read_with_options::<_, Spanned<Node>>(&mut reader, options(bounds)) {
        let document = document.map_err(|e| of_yaml(documents.len() + 1, &e))?;
        let line = document.referenced.line();
        documents.push((line, document.value.0));
        if documents.len() > bounds.objects {
            return Err(too_many(line, bounds));
        }
    }
    Ok(documents)
}

/// No alias is read, since what it stands for is somewhere else than where a person looks;
/// nor a merge key, nor a tag, nor `yes` for `true`: readers differ in what they make of them.
fn options(bounds: &Bounds) -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: Some(bounds.length),
            max_aliases: 0,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH + 1,
            max_nodes: bounds.nodes,
            max_total_scalar_bytes: bounds.length,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn of_yaml(number: usize, error: &serde_saphyr::Error) -> Fault {
    use serde_saphyr::Error as E;
    use serde_saphyr::budget::BudgetBreach as B;
    let line = error.location().map(|at| at.line()).filter(|line| *line > 0);
    match error {
        E::DuplicateMappingKey { key, .. } => Fault::twice(number, line, key.as_deref()),
        E::Budget { breach: B::Aliases { .. }, .. } | E::UnknownAnchor { .. } => {
            Fault::bounds(number, line, "an alias ('*')", "the value itself")
        }
        E::Budget { breach: B::Depth { .. }, .. } => too_deep(number, line),
        E::Budget { .. } => Fault::bounds(number, line, "more than a document may hold", "less"),
        E::MergeKeyNotAllowed { .. } => Fault::syntax(number, line, "a merge key ('<<')"),
        E::UnsupportedTag { .. } => Fault::syntax(number, line, "a tag ('!')"),
        E::Message { msg, .. } | E::ExternalMessage { msg, .. } => of_parser(number, line, msg),
        _ => Fault::syntax(number, line, "something that is no plain document"),
    }
}

/// Takes lists apart and counts.
fn numbered(documents: Vec<(u64, Value)>, bounds: &Bounds) -> Result<Vec<Document>, Fault> {
    let mut all = Vec::new();
    for (line, value) in documents {
        let items = match items(value) {
            Ok(items) => items,
            Err(value) => vec![value],
        };
        for value in items {
            all.push(Document { number: all.len() + 1, line, value });
        }
        if all.len() > bounds.objects {
            return Err(too_many(line, bounds));
        }
    }
    Ok(all)
}

/// The items of a Kubernetes list or of a bare list of objects, or the value as it was.
fn items(mut value: Value) -> Result<Vec<Value>, Value> {
    if let Value::Array(values) = &mut value
        && values.iter().all(Value::is_object)
    {
        return Ok(std::mem::take(values));
    }
    let list = value.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    match value.get_mut("items") {
        Some(Value::Array(items)) if list => Ok(std::mem::take(items)),
        _ => Err(value),
    }
}

#[cfg(test)]
mod tests;
