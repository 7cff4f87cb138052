//! A policy file, `policies/<name>.toml`: what a kind of intermediate may have.

use std::collections::BTreeMap;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc4519, rfc5280};
use serde::Deserialize;

use super::constraint::{DnsSuffix, Subtree, UriPrefix};
use super::document::{Ids, Lines, Setting, fault, read};
use super::values::{
    AttributeType, Consumer, HttpUrl, KeyKind, Mode, Permission, PolicyOid, PreSigned, Purpose, SenderMode,
    Span, Usage,
};
use crate::error::{Error, Result};
use crate::text::{is_dns_label, shown};
use crate::x509::{KeyAlgorithm, Seconds, SignatureAlgorithm};

const IDS: Ids = Ids {
    parse: "policy.parse",
    unknown_key: "policy.unknown-key",
    missing_key: "policy.missing-key",
    value: "policy.value",
};

/// A profile. What is not written has the strict default: no wish granted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    #[serde(skip)]
    name: String,
    #[serde(skip)]
    lines: Lines,
    /// pathLenConstraint, granted exactly.
    pub path_length: Setting<u8>,
    /// How long.
    pub validity: Validity,
    /// Which subject keys.
    #[serde(default)]
    pub key: Key,
    /// Which algorithms the issuer may sign with.
    #[serde(default)]
    pub signature: Signature,
    /// Which names.
    #[serde(default)]
    pub subject: Subject,
    /// keyUsage beyond keyCertSign and cRLSign.
    #[serde(default)]
    pub key_usage: KeyUsageBounds,
    /// Extensions that the policy itself puts in.
    #[serde(default)]
    pub extensions: Extensions,
    /// Which alternative names may be granted.
    #[serde(default)]
    pub subject_alt_name: SubjectAltNames,
    /// How a request comes.
    #[serde(default)]
    pub request: Arriving,
    /// What becomes of wishes.
    #[serde(default)]
    pub claims: ClaimModes,
    /// What may follow an earlier certificate.
    #[serde(default)]
    pub renewal: Renewal,
    /// Which CRL comes with a request.
    #[serde(default)]
    pub crl: Crl,
    /// What the release holds.
    #[serde(default)]
    pub release: Release,
}

/// `[validity]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Validity {
    /// Counted from now, where the request asks for nothing.
    pub default: Setting<Span>,
    /// The longest that may be asked for.
    pub maximum: Setting<Span>,
    /// The shortest that is worth signing.
    #[serde(default = "day")]
    pub minimum: Setting<Span>,
    /// How far before now notBefore lies, for clocks that run behind.
    #[serde(default = "five_minutes")]
    pub backdate: Setting<Span>,
}

fn day() -> Setting<Span> {
    Setting::default(Span(Seconds::DAY))
}

fn five_minutes() -> Setting<Span> {
    Setting::default(Span(Seconds(300)))
}

/// A section whose keys all have defaults.
macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$key_doc:meta])* $key:ident: $type:ty = $default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $name { $($(#[$key_doc])* pub $key: Setting<$type>,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: Setting::default($default),)* }
            }
        }
    };
}

section! {
    /// `[key]`
    Key {
        /// The kinds of key accepted.
        algorithms: Vec<KeyKind> = vec![KeyKind::P256, KeyKind::P384, KeyKind::Rsa],
        /// The shortest RSA modulus in bits.
        rsa_minimum: u32 = 2048,
        /// The longest.
        rsa_maximum: u32 = 4096,
    }
}

section! {
    /// `[signature]`
    Signature {
        /// What the issuer may sign with.
        algorithms: Vec<SignatureAlgorithm> = vec![
            SignatureAlgorithm::EcdsaSha256,
            SignatureAlgorithm::EcdsaSha384,
            SignatureAlgorithm::RsaSha256,
            SignatureAlgorithm::RsaSha384,
        ],
    }
}

section! {
    /// `[key-usage]`
    KeyUsageBounds {
        /// Granted where asked for, never otherwise.
        if_asked: Vec<Usage> = vec![],
    }
}

section! {
    /// `[extensions]`
    Extensions {
        /// extKeyUsage (RFC 5280 §4.2.1.12); none by default.
        extended_key_usage: Vec<Purpose> = vec![],
        /// nameConstraints, permittedSubtrees (§4.2.1.10).
        permitted_names: Vec<Subtree> = vec![],
        /// nameConstraints, excludedSubtrees.
        excluded_names: Vec<Subtree> = vec![],
        /// certificatePolicies (§4.2.1.4).
        certificate_policies: Vec<PolicyOid> = vec![],
        /// cRLDistributionPoints (§4.2.1.13).
        crl_distribution_points: Vec<HttpUrl> = vec![],
        /// authorityInfoAccess, caIssuers (§4.2.2.1).
        ca_issuers: Vec<HttpUrl> = vec![],
    }
}

section! {
    /// `[subject-alt-name]`
    SubjectAltNames {
        /// dNSName at or beneath these.
        dns_suffixes: Vec<DnsSuffix> = vec![],
        /// uniformResourceIdentifier beginning with these.
        uri_prefixes: Vec<UriPrefix> = vec![],
    }
}

section! {
    /// `[claims]`: what becomes of a wish beyond what is granted.
    ClaimModes {
        /// The profile's TTL against the one asked for.
        validity: Mode = Mode::Refuse,
        /// basicConstraints
        basic_constraints: Mode = Mode::Refuse,
        /// keyUsage
        key_usage: Mode = Mode::Refuse,
        /// extKeyUsage
        extended_key_usage: Mode = Mode::Refuse,
        /// The usages that an object around the request lists.
        usages: Mode = Mode::Refuse,
        /// subjectAltName
        subject_alt_name: Mode = Mode::Refuse,
        /// subjectKeyIdentifier
        subject_key_identifier: Mode = Mode::Refuse,
        /// Any other extension that is not critical.
        other_extensions: Mode = Mode::Refuse,
        /// Any other attribute of the request.
        other_attributes: Mode = Mode::Refuse,
    }
}

section! {
    /// `[request]`
    Arriving {
        /// What becomes of a request that no registered sender signed.
        sender: SenderMode = SenderMode::Tolerate,
    }
}

section! {
    /// `[renewal]`
    Renewal {
        /// Another certificate for a key that has one under the same subject.
        same_key: Permission = Permission::Refuse,
        /// A new key under a subject that has one.
        same_subject: Permission = Permission::Refuse,
        /// The least time between two certificates of one cluster.
        spacing: Span = Span(Seconds(0)),
    }
}

section! {
    /// `[crl]`
    Crl {
        /// What becomes of a request without one.
        pre_signed: PreSigned = PreSigned::Warn,
    }
}

section! {
    /// `[release]`
    Release {
        /// Who takes the bundle.
        consumer: Consumer = Consumer::Pem,
    }
}

impl Key {
    /// Whether it accepts a key of this kind and length.
    pub fn takes(&self, algorithm: KeyAlgorithm) -> bool {
        let listed = KeyKind::of(algorithm).is_some_and(|kind| self.algorithms.contains(&kind));
        let bounds = *self.rsa_minimum..=*self.rsa_maximum;
        listed && !matches!(algorithm, KeyAlgorithm::Rsa(bits) if !bounds.contains(&bits))
    }
}

/// `[subject]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Subject {
    /// Attributes that must be there.
    pub required: Setting<Vec<AttributeType>>,
    /// Attributes that may be there.
    pub allowed: Setting<Vec<AttributeType>>,
    /// The attribute that holds the cluster id.
    pub cluster_id: Setting<AttributeType>,
    /// Attributes with the only value they may have.
    pub fixed: BTreeMap<AttributeType, Setting<String>>,
    /// Characters a value may have, below the bounds of RFC 5280 appendix A.
    pub max_length: BTreeMap<AttributeType, Setting<usize>>,
}

impl Default for Subject {
    fn default() -> Self {
        let types = |oids: &[ObjectIdentifier]| oids.iter().copied().map(AttributeType).collect();
        let usual = [rfc4519::C, rfc4519::ST, rfc4519::L, rfc4519::O, rfc4519::OU, rfc4519::CN];
        Self {
            required: Setting::default(types(&[rfc4519::L, rfc4519::CN])),
            allowed: Setting::default(types(&usual)),
            cluster_id: Setting::default(AttributeType(rfc4519::L)),
            fixed: BTreeMap::new(),
            max_length: BTreeMap::new(),
        }
    }
}

impl Profile {
    /// Reads and checks a policy file; its name is the file's stem.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let base = file.rsplit('/').next().unwrap_or(file);
        let name = base.strip_suffix(".toml").unwrap_or(base);
        if !is_dns_label(name) {
            return Err(Error::usage(
                "policy.name",
                format!(
                    "{}: found the policy name '{}', want a-z, 0-9 and hyphens",
                    shown(file),
                    shown(name)
                ),
            )
            .next("rename the file"));
        }
        let mut profile: Self = read(file, text, &IDS)?;
        profile.name = name.into();
        profile.lines = Lines::of(file, text);
        profile.check(file, text)?;
        Ok(profile)
    }

    /// The file's stem, as `--policy` and the register say it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// File and line that set a value: `policies/istio.toml:12`.
    pub fn source<T>(&self, setting: &Setting<T>) -> String {
        self.lines.source(setting)
    }

    fn check(&self, file: &str, text: &str) -> Result<()> {
        let fail = |offset: Option<usize>, message: String, next: &str| {
            Err(fault(file, text, offset, IDS.value, &message, next))
        };
        self.check_validity(file, text)?;
        let (consumer, length) = (*self.release.consumer, &self.path_length);
        let least = consumer.terms().path_length;
        if **length < least {
            let message = format!(
                "path-length: found {}, want {least} or more: the consumer {consumer} makes CAs below it",
                **length
            );
            return fail(length.offset(), message, "raise it, or name another consumer");
        }
        let Key { algorithms, rsa_minimum, rsa_maximum } = &self.key;
        if algorithms.is_empty() {
            return fail(
                algorithms.offset(),
                "key.algorithms: found none, want at least one".into(),
                "name one",
            );
        }
        if let Some(only) = consumer.terms().key
            && let Some(other) = algorithms.iter().find(|kind| KeyKind::of(only) != Some(**kind))
        {
            let message = format!(
                "key.algorithms: found {}, want {only} alone: the consumer {consumer} takes no other key",
                other.name()
            );
            let offset = algorithms.offset().or(self.release.consumer.offset());
            return fail(offset, message, "list that one alone, or name another consumer");
        }
        if !(2048..=16_384).contains(&**rsa_minimum) {
            let message = format!("key.rsa-minimum: found {}, want 2048 to 16384", **rsa_minimum);
            return fail(rsa_minimum.offset(), message, "RSA below 2048 bits is refused everywhere");
        }
        if **rsa_maximum < **rsa_minimum || **rsa_maximum > 16_384 {
            let message =
                format!("key.rsa-maximum: found {}, want {} to 16384", **rsa_maximum, **rsa_minimum);
            return fail(rsa_maximum.offset(), message, "raise it, or lower rsa-minimum");
        }
        if self.signature.algorithms.is_empty() {
            let offset = self.signature.algorithms.offset();
            return fail(offset, "signature.algorithms: found none, want at least one".into(), "name one");
        }
        self.check_subject(file, text)
    }

    fn check_validity(&self, file: &str, text: &str) -> Result<()> {
        let Validity { default, maximum, minimum, backdate } = &self.validity;
        if **default > **maximum {
            let message = format!(
                "validity.default: found {}, want at most validity.maximum, {}",
                **default, **maximum
            );
            let next = "lower default or raise maximum";
            return Err(fault(file, text, default.offset(), "policy.default-above-maximum", &message, next));
        }
        if minimum.0 == Seconds(0) || **minimum > **default {
            let message = format!(
                "validity.minimum: found {}, want more than 0s and at most validity.default, {}",
                **minimum, **default
            );
            let offset = minimum.offset().or(default.offset());
            return Err(fault(file, text, offset, IDS.value, &message, "lower minimum or raise default"));
        }
        if backdate.0 > Seconds::DAY {
            let message = format!("validity.backdate: found {}, want at most 1d (24h)", **backdate);
            let next = "5m covers clocks that run a little behind";
            return Err(fault(file, text, backdate.offset(), IDS.value, &message, next));
        }
        Ok(())
    }

    fn check_subject(&self, file: &str, text: &str) -> Result<()> {
        let Subject { required, allowed, cluster_id, fixed, max_length } = &self.subject;
        let fail = |offset: Option<usize>, message: String, next: &str| {
            Err(fault(file, text, offset, IDS.value, &message, next))
        };
        if let Some(attribute) = required.iter().find(|a| !allowed.contains(a)) {
            let message = format!("subject.required: found {attribute}, which subject.allowed lacks");
            return fail(required.offset().or(allowed.offset()), message, "allow what is required");
        }
        if !allowed.contains(cluster_id) {
            let message = format!("subject.cluster-id: found {}, which subject.allowed lacks", **cluster_id);
            return fail(
                cluster_id.offset().or(allowed.offset()),
                message,
                "allow the cluster id's attribute",
            );
        }
        for (attribute, value) in fixed {
            if !allowed.contains(attribute) || attribute == &**cluster_id || value.is_empty() {
                let message = format!(
                    "subject.fixed.{attribute}: found \"{}\", want a value for an allowed attribute other than the cluster id's, {}",
                    shown(value),
                    **cluster_id
                );
                return fail(value.offset(), message, "correct the attribute or its value");
            }
        }
        for (attribute, length) in max_length {
            let bound = upper_bound(attribute.0);
            if !(1..=bound).contains(&**length) {
                let message =
                    format!("subject.max-length.{attribute}: found {}, want 1 to {bound}", **length);
                return fail(length.offset(), message, "RFC 5280 appendix A sets the bound");
            }
        }
        Ok(())
    }
}

/// The longest value of an attribute in characters (RFC 5280 appendix A.1;
/// 256 where it sets none).
pub(super) fn upper_bound(attribute: ObjectIdentifier) -> usize {
    match attribute {
        rfc4519::C => 2,
        rfc4519::DC => 63,
        rfc4519::CN | rfc4519::O | rfc4519::OU | rfc4519::SERIAL_NUMBER | rfc4519::TITLE => 64,
        rfc4519::L | rfc4519::ST => 128,
        _ => 256,
    }
}

/// An extended key usage that breaks one side of mutual TLS by its absence.
pub(super) fn lacks_half_of_tls(purposes: &[Purpose]) -> bool {
    let has = |oid| purposes.contains(&Purpose(oid));
    has(rfc5280::ID_KP_SERVER_AUTH) != has(rfc5280::ID_KP_CLIENT_AUTH)
}
