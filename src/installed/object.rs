//! Secrets and ConfigMaps, taken out of what `kubectl get` prints.

use serde_json::{Map, Value};
use zeroize::{Zeroize as _, Zeroizing};

use super::Entries;
use super::form::{CACERTS, LINKERD_ISSUER};
use crate::document;
use crate::error::{Error, Result};
use crate::text::{shown, unbase64};

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Files.
    Folder,
    /// A Secret of Kubernetes.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

/// What somebody loads.
#[derive(Debug)]
pub struct Object {
    /// What it is called, fit for a terminal.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Where it is, where that is said.
    pub(super) namespace: Option<String>,
    /// What it holds.
    pub entries: Entries,
    /// Keys whose base64 cannot be read.
    pub(super) unreadable: Vec<String>,
}

impl Object {
    /// Files of a folder.
    pub fn folder(name: impl Into<String>, entries: Entries) -> Self {
        Self { name: name.into(), kind: Kind::Folder, namespace: None, entries, unreadable: Vec::new() }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name) || self.unreadable.iter().any(|key| key == name)
    }

    /// A Secret's or a ConfigMap's name without its namespace.
    pub(super) fn short_name(&self) -> &str {
        match self.kind {
            Kind::Folder => "",
            _ => self.name.rsplit(['/', ' ']).next().unwrap_or_default(),
        }
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.short_name() == name
    }

    /// Whether its name alone tells who loads it.
    pub(super) fn is_fixed(&self) -> bool {
        self.kind == Kind::Secret && [CACERTS, LINKERD_ISSUER].iter().any(|name| self.is_named(name))
    }
}

/// The Secrets and ConfigMaps of a file, one or many, in YAML or JSON; anything else in it
/// is passed over. What the parser copied of a value meanwhile is not wiped, its result is.
pub fn objects(file: &str, bytes: &[u8]) -> Result<Vec<Object>> {
    let documents = document::read_within(bytes, &document::CLUSTER).map_err(|fault| fault.error(file))?;
    let named = |document: document::Document| {
        let number = document.number;
        object(document.value).map(|found| found.ok_or_else(|| nameless(file, number)))
    };
    documents.into_iter().filter_map(named).collect()
}

fn nameless(file: &str, number: usize) -> Error {
    Error::usage(
        "installed.nameless",
        format!(
            "{file}: document {number}: metadata.name is no text, where a Secret or a ConfigMap has its name"
        ),
    )
    .next("print it with `kubectl get`: its consumer finds it by its name")
}

/// Nothing where it is something else, and nothing in that where it has no name.
fn object(mut value: Value) -> Option<Option<Object>> {
    let text = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_str).map(shown);
    let kind = match value.get("kind").and_then(Value::as_str) {
        Some("Secret") => Some((Kind::Secret, "Secret")),
        Some("ConfigMap") => Some((Kind::ConfigMap, "ConfigMap")),
        _ => None,
    };
    let object = kind.map(|(kind, word)| {
        let name = text(&value, "/metadata/name").filter(|name| !name.is_empty())?;
        let namespace = text(&value, "/metadata/namespace");
        let space = namespace.as_ref().map(|space| format!("{space}/"));
        let name = format!("{word} {}{name}", space.unwrap_or_default());
        let mut object = Object::folder(name, Entries::new());
        object.kind = kind;
        object.namespace = namespace;
        let map = |name: &str| value.get(name).and_then(Value::as_object);
        match kind {
            Kind::Secret => {
                map("data").into_iter().for_each(|data| decode(data, &mut object));
                map("stringData").into_iter().for_each(|data| plain(data, &mut object));
            }
            _ => {
                map("data").into_iter().for_each(|data| plain(data, &mut object));
                map("binaryData").into_iter().for_each(|data| decode(data, &mut object));
            }
        }
        Some(object)
    });
    wipe(&mut value);
    object
}

fn decode(data: &Map<String, Value>, object: &mut Object) {
    for (key, value) in data {
        let text = if value.is_null() { "" } else { value.as_str().unwrap_or("*") };
        // It never grows, so that no copy is left behind.
        let mut base64 = Zeroizing::new(String::with_capacity(text.len()));
        base64.extend(text.chars().filter(|c| !c.is_whitespace()));
        match unbase64(&base64) {
            Some(bytes) => drop(object.entries.insert(key.clone(), Zeroizing::new(bytes))),
            None => object.unreadable.push(shown(key)),
        }
    }
}

fn plain(data: &Map<String, Value>, object: &mut Object) {
    for (key, value) in data {
        let bytes = value.as_str().unwrap_or_default().as_bytes().to_vec();
        object.entries.insert(key.clone(), Zeroizing::new(bytes));
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(values) => values.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
