//! The configuration of a CA home, `anchorite.toml`.

use der::{DecodePem as _, Encode as _};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use toml::Value;
use x509_cert::Certificate;

use super::document::{Ids, read};
use super::values::worded;
use crate::error::Result;
use crate::x509::{Digest, Seconds};

const IDS: Ids = Ids {
    parse: "config.parse",
    unknown_key: "config.unknown-key",
    missing_key: "config.missing-key",
    value: "config.value",
};

/// The configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Where the keys are.
    pub token: TokenConfig,
    /// What roots there may be.
    #[serde(default)]
    pub root: RootConfig,
    /// How ceremonies are held.
    #[serde(default)]
    pub ceremony: CeremonyConfig,
    /// How long the root's CRLs hold.
    #[serde(default)]
    pub crl: CrlConfig,
    /// How much of a stick is read.
    #[serde(default)]
    pub limits: Limits,
}

/// `[token]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TokenConfig {
    /// `pkcs11:…` (RFC 7512) or `piv:9c?serial=N`, never with a PIN in it.
    #[serde(deserialize_with = "token_uri")]
    pub uri: String,
    /// The PKCS#11 module's path.
    #[serde(default, deserialize_with = "some_text")]
    pub module: Option<String>,
    /// What the module is told when it starts.
    #[serde(default, deserialize_with = "printable")]
    pub module_args: Option<String>,
    /// SHA-256 of the module's file; another file is not loaded.
    pub module_sha256: Option<Digest>,
    /// The environment variable that may hold the PIN.
    #[serde(default, deserialize_with = "variable")]
    pub pin_env: Option<String>,
    /// How many people type a part of the PIN.
    #[serde(default = "one", deserialize_with = "parts")]
    pub pin_parts: u8,
    /// Whether the PIN is typed anew for each signature of the root's key.
    #[serde(default)]
    pub retype_pin: bool,
    /// How many signatures of a batch are made at a time, each in a session of its
    /// own; without it as many as the host has cores.
    #[serde(default, deserialize_with = "sessions")]
    pub sessions: Option<u8>,
    /// Whether the home's keys must be attested by their token's maker when they are made.
    #[serde(default)]
    pub require_attestation: bool,
    /// Whether a published flaw of the token's firmware, which touches a key, refuses it.
    #[serde(default)]
    pub require_unaffected_firmware: bool,
    /// Who may vouch for tokens beside Yubico: DER of roots or of issuers beneath them.
    #[serde(default, deserialize_with = "certificates")]
    pub attestation_roots: Vec<Vec<u8>>,
    /// Rules on a PKCS#11 token's keys that may stay unfulfilled, by their IDs.
    #[serde(default, deserialize_with = "acceptable")]
    pub accept: Vec<String>,
}

/// What `accept` may name: a copy of the key may exist, or it may do more than sign. A
/// key that cannot sign, or is another than the one on record, is never accepted.
const ACCEPTABLE: [&str; 10] = [
    "token.key.extractable",
    "token.key.sensitive",
    "token.key.private",
    "token.key.never-extractable",
    "token.key.always-sensitive",
    "token.key.local",
    "token.key.sign-recover",
    "token.key.decrypt",
    "token.key.unwrap",
    "token.key.derive",
];

/// `[root]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RootConfig {
    /// Whether a root may have an ML-DSA key, which few programs load as yet.
    pub post_quantum: bool,
}

/// `[ceremony]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CeremonyConfig {
    /// Whether `--yes` may answer confirmations.
    pub unattended: bool,
    /// Whether everything made here is marked REHEARSAL.
    pub rehearsal: bool,
}

/// `[crl]`: a CRL that ran out makes Envoy refuse every peer, so each has to hold until
/// the next one is in the clusters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CrlConfig {
    /// From thisUpdate to nextUpdate.
    #[serde(deserialize_with = "span")]
    pub validity: Seconds,
    /// From one ceremony to the next, at the latest.
    #[serde(deserialize_with = "span")]
    pub ceremony_interval: Seconds,
    /// From a ceremony until its CRL is in the last cluster.
    #[serde(deserialize_with = "span")]
    pub transport: Seconds,
    /// Whether a session that signs certificates signs the next CRL along, where one is due.
    pub along: bool,
}

impl Default for CrlConfig {
    fn default() -> Self {
        let days = |days| Seconds(Seconds::DAY.0 * days);
        Self { validity: days(425), ceremony_interval: days(365), transport: days(30), along: true }
    }
}

impl CrlConfig {
    /// How long a CRL is needed: until the next one is everywhere.
    pub fn needed(&self) -> Seconds {
        Seconds(self.ceremony_interval.0.saturating_add(self.transport.0))
    }
}

fn span<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<Seconds, D::Error> {
    worded(d, "a span of time: a whole number and s, m, h, d, w or y, e.g. 425d", |text| {
        Seconds::parse(text).filter(|span| span.0 > 0)
    })
}

/// `[limits]`: more than this on a stick is an error, not read in part.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// The largest file in bytes.
    #[serde(deserialize_with = "size")]
    pub file_size: u64,
    /// The most files.
    pub files: usize,
    /// The deepest folder, the stick's root being depth 0.
    pub depth: usize,
    /// All files together in bytes.
    #[serde(deserialize_with = "size")]
    pub total_size: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_size: 1 << 20, files: 2000, depth: 8, total_size: 64 << 20 }
    }
}

impl Config {
    /// Reads and checks the configuration.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        read(file, text, &IDS)
    }
}

/// A commented `anchorite.toml` for a new home, which [`Config::parse`] reads.
pub fn render_default(
    token_uri: &str,
    module: Option<&str>,
    module_args: Option<&str>,
    unattended: bool,
    rehearsal: bool,
) -> String {
    let quoted = |text: &str| Value::String(text.into()).to_string();
    let module = match module {
        Some(path) => format!("module = {}", quoted(path)),
        None => "# module = \"/usr/lib/softhsm/libsofthsm2.so\"".into(),
    };
    let module_args = match module_args {
        Some(text) => format!("module-args = {}", quoted(text)),
        None => "# module-args = \"configdir='sql:/srv/nss'\"".into(),
    };
    TEMPLATE
        .replace("@UNATTENDED@", &unattended.to_string())
        .replace("@REHEARSAL@", &rehearsal.to_string())
        .replace("@MODULE@", &module)
        .replace("@MODULE-ARGS@", &module_args)
        .replace("@URI@", &quoted(token_uri))
}

const TEMPLATE: &str = include_str!("anchorite.toml.in");

fn one() -> u8 {
    1
}

fn token_uri<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<String, D::Error> {
    let uri = String::deserialize(d)?;
    // The URI itself is not repeated here: it may hold the PIN.
    let mut names = uri.split([':', ';', '?', '&']).map(|attribute| attribute.split('=').next());
    if names.any(|name| matches!(name, Some("pin-value" | "pin-source"))) {
        return Err(D::Error::custom("found a PIN in the URI, want a URI without one; set pin-env instead"));
    }
    worded_text(&uri, "a token's URI: pkcs11:token=NAME (RFC 7512) or piv:9c?serial=N", |uri| {
        // A scheme is the same in any case (RFC 3986 §3.1).
        let scheme = uri.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        matches!(scheme.as_deref(), Some("pkcs11" | "piv")) && uri.bytes().all(|b| b.is_ascii_graphic())
    })
}

fn worded_text<E: serde::de::Error>(
    text: &str,
    wanted: &str,
    good: impl FnOnce(&str) -> bool,
) -> std::result::Result<String, E> {
    worded(serde::de::value::StrDeserializer::<E>::new(text), wanted, |t| good(t).then(|| t.into()))
}

fn some_text<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<Option<String>, D::Error> {
    let absolute = |path: &str| path.starts_with('/').then(|| path.to_owned());
    worded(d, "the absolute path of a PKCS#11 module", absolute).map(Some)
}

fn printable<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<Option<String>, D::Error> {
    let one_line = |text: &str| (!text.chars().any(char::is_control)).then(|| text.to_owned());
    worded(d, "what the module is told, on one line", one_line).map(Some)
}

fn acceptable<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<Vec<String>, D::Error> {
    let named = Vec::<String>::deserialize(d)?;
    match named.iter().find(|id| !ACCEPTABLE.contains(&id.as_str())) {
        None => Ok(named),
        Some(other) => {
            Err(D::Error::custom(format!("found {other:?}, want any of {}", ACCEPTABLE.join(", "))))
        }
    }
}

fn variable<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<Option<String>, D::Error> {
    let name = String::deserialize(d)?;
    let letters = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let start = name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    // What was found is not repeated: it may be the PIN itself.
    (letters && start).then_some(Some(name)).ok_or_else(|| {
        D::Error::custom("want the name of an environment variable (A-Z, 0-9, _), not the PIN itself")
    })
}

fn parts<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<u8, D::Error> {
    match u64::deserialize(d)? {
        n @ 1..=16 => Ok(n as u8),
        n => Err(D::Error::custom(format!("found {n}, want 1 to 16 people"))),
    }
}

/// One certificate in PEM each, so that what is trusted is pinned with the document.
fn certificates<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<Vec<Vec<u8>>, D::Error> {
    let der = |pem: &String| Certificate::from_pem(pem).and_then(|certificate| certificate.to_der());
    let texts = Vec::<String>::deserialize(d)?;
    texts
        .iter()
        .map(|pem| der(pem).map_err(|_| D::Error::custom("want one certificate in PEM in each string")))
        .collect()
}

fn sessions<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<Option<u8>, D::Error> {
    match u64::deserialize(d)? {
        n @ 1..=64 => Ok(Some(n as u8)),
        n => Err(D::Error::custom(format!("found {n}, want 1 to 64 sessions"))),
    }
}

/// `1MiB` and the like.
fn size<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<u64, D::Error> {
    worded(d, "a size such as \"512KiB\" or \"1MiB\"", |text| {
        let (number, unit) = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)]
            .into_iter()
            .find_map(|(unit, bytes)| text.strip_suffix(unit).map(|number| (number, bytes)))?;
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| number.parse::<u64>().ok()?.checked_mul(unit))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rendered_reads_back() {
        let uri = "pkcs11:token=a%22b";
        let config = Config::parse(
            "anchorite.toml",
            &render_default(uri, Some("/opt/\"x\\.so"), Some("a='b'"), true, false),
        )
        .unwrap();
        assert_eq!((config.token.uri.as_str(), config.token.module.as_deref()), (uri, Some("/opt/\"x\\.so")));
        assert_eq!(config.token.module_args.as_deref(), Some("a='b'"));
        assert_eq!((config.ceremony.unattended, config.ceremony.rehearsal), (true, false));
        assert_eq!((config.limits, config.token.pin_parts), (Limits::default(), 1));
        let bare =
            Config::parse("anchorite.toml", &render_default("piv:9c?serial=1", None, None, false, true))
                .unwrap();
        assert_eq!((bare.token.module, bare.ceremony.rehearsal), (None, true));
    }

    #[test]
    fn every_value_is_bounded() {
        let id_of = |text: &str| Config::parse("anchorite.toml", text).unwrap_err();
        for bad in [
            "[token]\nuri = \"softhsm\"",
            "[token]\nuri = \"pkcs11:token=x\"\nmodule = \"x.so\"",
            "[token]\nuri = \"pkcs11:token=x\"\nmodule-sha256 = \"00\"",
            "[token]\nuri = \"pkcs11:token=x\"\npin-env = \"1234\"",
            "[token]\nuri = \"pkcs11:token=x\"\npin-parts = 0",
            "[token]\nuri = \"pkcs11:token=x\"\nsessions = 0",
            "[token]\nuri = \"pkcs11:token=x\"\nmodule-args = \"a\\nb\"",
            "[token]\nuri = \"pkcs11:token=x\"\naccept = [\"token.key.sign\"]",
            "[token]\nuri = \"pkcs11:token=x\"\naccept = [\"token.key.*\"]",
            "[token]\nuri = \"piv:\"\nattestation-roots = [\"root.pem\"]",
            "[token]\nuri = \"piv:\"\nrequire-attestation = \"yes\"",
            "[token]\nuri = \"pkcs11:token=x\"\n[limits]\nfile-size = \"1MB\"",
            "[token]\nuri = \"pkcs11:token=x\"\n[ceremony]\nunattended = \"yes\"",
            "[token]\nuri = \"pkcs11:token=x\"\n[root]\npost-quantum = \"ml-dsa-65\"",
        ] {
            assert_eq!(id_of(bad).id, "config.value", "{bad}");
        }
        assert_eq!(id_of("[token]").id, "config.missing-key");
        assert_eq!(id_of("token").id, "config.parse");
        let e = id_of("[token]\nuri = \"pkcs11:token=x\"\npin_env = \"PIN\"");
        assert_eq!((e.id, e.next.as_str()), ("config.unknown-key", "did you mean 'pin-env'?"));
        assert!(e.message.starts_with("anchorite.toml:3:1: token.pin_env: "), "{}", e.message);
    }

    #[test]
    fn a_token_may_have_a_name_that_speaks_of_pins() {
        let uri = "pkcs11:token=pin-source;object=old%20pin-value";
        let config = Config::parse("a", &render_default(uri, None, None, false, false)).unwrap();
        assert_eq!(config.token.uri, uri);
    }

    #[test]
    fn a_pin_in_the_document_is_refused_and_not_repeated() {
        for text in [
            "uri = \"pkcs11:token=x?pin-value=4711\"",
            "uri = \"pkcs11:pin-source=4711\"",
            "uri = \"pkcs11:a&pin-value=4711\"",
            "uri = \"piv:9c?serial=1\"\npin-env = \"4711\"",
        ] {
            let e = Config::parse("a", &format!("[token]\n{text}")).unwrap_err();
            assert!(e.id == "config.value" && !e.to_string().contains("4711"), "{e}");
        }
    }
}
