//! The fields of an object, each of the type that its API gives it.

use serde_json::{Map, Value};

use super::{Object, ObjectKind, Usage, approval, duration};
use crate::finding::{Finding, Outcome};
use crate::text::{is_dns_label, is_dns_subdomain, is_shown, shown};

/// Kubernetes refuses shorter ones (certificates.k8s.io/v1).
const SHORTEST: u64 = 600;
/// As much of a value as a message shows.
const SHOWN: usize = 64;

/// What an object says.
pub struct Fields<'a> {
    /// `spec.request`
    pub request: &'a str,
    pub object: Object,
    /// Whether it is approved.
    pub approval: Finding,
}

pub type Result<T> = std::result::Result<T, Box<Finding>>;

impl<'a> Fields<'a> {
    pub fn of(value: &'a Value, kind: ObjectKind) -> Result<Self> {
        let root = Table::of("", Some(value))?;
        let (metadata, spec) = (root.table("metadata")?, root.table("spec")?);
        let known: &[&str] = match kind {
            ObjectKind::CertificateRequest => &["request", "isCA", "duration", "usages", "issuerRef"],
            ObjectKind::CertificateSigningRequest => {
                &["request", "signerName", "expirationSeconds", "usages"]
            }
        };
        spec.only(known, &["username", "uid", "groups", "extra"])?;
        let name = metadata.text("name")?.ok_or_else(|| no_name(&metadata))?;
        let mut object = Object {
            kind,
            namespace: None,
            name: metadata.name("name", name)?,
            issuer: None,
            signer: None,
            is_ca: None,
            duration: None,
            usages: spec.usages()?,
            request: None,
            ready: None,
        };
        match kind {
            ObjectKind::CertificateRequest => {
                let namespace = metadata.text("namespace")?;
                object.namespace = namespace.map(|n| metadata.label("namespace", n)).transpose()?;
                object.issuer = Some(issuer(&spec.table("issuerRef")?)?);
                // Not written, it is false (cert-manager.io/v1).
                object.is_ca = Some(spec.truth("isCA")?.unwrap_or(false));
                object.duration = spec.duration()?;
            }
            ObjectKind::CertificateSigningRequest => {
                if metadata.get("namespace").is_some_and(|value| !value.is_null()) {
                    return Err(metadata.wrong("namespace", "none: these objects are in no namespace"));
                }
                if object.usages.is_empty() {
                    return Err(
                        spec.wrong("usages", "a list of one or more, without which Kubernetes takes none")
                    );
                }
                let signer = spec.text("signerName")?.ok_or_else(|| spec.missing("signerName"))?;
                object.signer = Some(spec.word("signerName", signer)?);
                object.duration = spec.seconds("expirationSeconds")?;
            }
        }
        let request = spec.text("request")?.ok_or_else(|| spec.missing("request"))?;
        let (approval, ready) = approval::judge(&root, &object)?;
        object.ready = ready;
        Ok(Self { request, approval, object })
    }
}

/// `KIND.GROUP/NAME`, with what cert-manager takes where it is not written.
fn issuer(reference: &Table<'_>) -> Result<String> {
    reference.only(&["name", "kind", "group"], &[])?;
    let name = reference.text("name")?.ok_or_else(|| reference.missing("name"))?;
    let kind = reference.text("kind")?.filter(|kind| !kind.is_empty()).unwrap_or("Issuer");
    let group = reference.text("group")?.filter(|group| !group.is_empty()).unwrap_or("cert-manager.io");
    let (name, kind, group) =
        (reference.name("name", name)?, reference.kind("kind", kind)?, reference.name("group", group)?);
    Ok(format!("{kind}.{group}/{name}"))
}

/// A mapping and where it stands.
pub struct Table<'a> {
    path: String,
    fields: Option<&'a Map<String, Value>>,
}

impl<'a> Table<'a> {
    pub fn of(path: &str, value: Option<&'a Value>) -> Result<Self> {
        match value {
            Some(Value::Object(fields)) => Ok(Self { path: path.into(), fields: Some(fields) }),
            value => Err(Box::new(wrong(path, &found(value), "a mapping", "export the object again"))),
        }
    }

    /// One that is not there and may be left out.
    pub fn empty(path: &str) -> Self {
        Self { path: path.into(), fields: None }
    }

    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields?.get(name)
    }

    fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.into() } else { format!("{}.{name}", self.path) }
    }

    pub fn table(&self, name: &str) -> Result<Self> {
        Self::of(&self.path(name), self.get(name))
    }

    pub fn wrong(&self, name: &str, wanted: &str) -> Box<Finding> {
        Box::new(wrong(
            &self.path(name),
            &found(self.get(name)),
            wanted,
            "correct it where the object was made",
        ))
    }

    pub fn missing(&self, name: &str) -> Box<Finding> {
        Box::new(wrong(&self.path(name), "nothing", "a value", "export the object again"))
    }

    /// Wishes in fields that are not known could not be judged.
    fn only(&self, known: &[&str], beside: &[&str]) -> Result<()> {
        let unknown = self.fields.into_iter().flat_map(Map::keys);
        let mut unknown = unknown.filter(|key| ![known, beside].concat().contains(&key.as_str()));
        match unknown.next() {
            None => Ok(()),
            Some(key) => Err(Box::new(wrong(
                &self.path(&shown(key)),
                "a field that is not known",
                &format!("one of {}", known.join(", ")),
                "correct its spelling, or take it out",
            ))),
        }
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    fn truth(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(*truth)),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    /// A name as Kubernetes gives them (RFC 1123): nothing in it steers a shell or a path.
    fn name(&self, field: &str, text: &str) -> Result<String> {
        if is_dns_subdomain(text) {
            return Ok(text.into());
        }
        Err(self
            .wrong(field, "a name of a-z, 0-9, hyphens and dots, at most 253, 63 between dots (RFC 1123)"))
    }

    fn label(&self, field: &str, text: &str) -> Result<String> {
        let wanted = "a name of a-z, 0-9 and hyphens, at most 63 (RFC 1123)";
        if is_dns_label(text) { Ok(text.into()) } else { Err(self.wrong(field, wanted)) }
    }

    /// A kind as Kubernetes names them: without the dot that ends it in `KIND.GROUP/NAME`.
    fn kind(&self, field: &str, text: &str) -> Result<String> {
        if is_kind(text) { Ok(text.into()) } else { Err(self.wrong(field, "letters and digits, at most 63")) }
    }

    /// One word of what stands in signers' names.
    fn word(&self, field: &str, text: &str) -> Result<String> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'/' | b':');
        if (1..=571).contains(&text.len()) && text.bytes().all(fits) {
            return Ok(text.into());
        }
        Err(self.wrong(field, "letters, digits and . - _ / :, at most 571"))
    }

    fn usages(&self) -> Result<Vec<Usage>> {
        let list = match self.get("usages") {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(self.wrong("usages", "a list")),
        };
        let mut usages: Vec<Usage> = Vec::new();
        for (at, value) in list.iter().enumerate() {
            let Some(usage) = value.as_str().and_then(Usage::parse) else {
                let wanted = format!("one of {}", Usage::names().collect::<Vec<_>>().join(", "));
                let field = format!("{}[{at}]", self.path("usages"));
                return Err(Box::new(wrong(&field, &found(Some(value)), &wanted, "correct it and ask anew")));
            };
            // Twice the same asks for nothing more.
            if !usages.contains(&usage) {
                usages.push(usage);
            }
        }
        Ok(usages)
    }

    fn duration(&self) -> Result<Option<u64>> {
        let Some(text) = self.text("duration")? else { return Ok(None) };
        let wanted = "a duration in whole seconds as Go writes it: 1440h, 2160h0m0s";
        duration::seconds(text).map(Some).ok_or_else(|| self.wrong("duration", wanted))
    }

    fn seconds(&self, name: &str) -> Result<Option<u64>> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().filter(|n| (SHORTEST..=i32::MAX as u64).contains(n)) {
                Some(seconds) => Ok(Some(seconds)),
                None => Err(self.wrong(name, "a whole number of seconds from 600 to 2147483647")),
            },
        }
    }
}

/// A kind as Kubernetes names them.
pub fn is_kind(text: &str) -> bool {
    (1..=63).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// What a value is, in words; of strings as much as fits in a line.
pub fn found(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "nothing".into(),
        Some(Value::Array(_)) => "a list".into(),
        Some(Value::Object(_)) => "a mapping".into(),
        Some(Value::String(text)) => {
            let short: String = text.chars().take(SHOWN).collect();
            format!("\"{}\"", if is_shown(&short) { short } else { shown(&short) })
        }
        Some(other) => other.to_string(),
    }
}

fn no_name(metadata: &Table<'_>) -> Box<Finding> {
    let next = "export it from the cluster, `kubectl get KIND NAME -o yaml`: the answer goes to the object by its name";
    Box::new(wrong(&metadata.path("name"), "nothing", "the object's name", next))
}

/// Rule `object.field`: every field that is read is there, known and of its type.
pub fn wrong(field: &str, found: &str, wanted: &str, next: &str) -> Finding {
    let field = if field.is_empty() { "the document" } else { field };
    let message = format!("{field}: found {found}, want {wanted}; {next}");
    Finding::new("object.field", Outcome::Refused, "", message, found, wanted)
}
