//! The fleet register, `clusters.toml`: who may have what.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::document::{Ids, Lines, Setting, fault, nearest, read};
use super::profile::Profile;
use super::values::{NamePattern, is_reserved, worded};
use crate::error::Result;
use crate::intake::is_kind;
use crate::sshsig::PublicKey;
use crate::text::{is_dns_label, is_dns_subdomain, shown};
use crate::x509::Name;

const IDS: Ids = Ids {
    parse: "register.parse",
    unknown_key: "register.unknown-key",
    missing_key: "register.missing-key",
    value: "register.value",
};

/// The register: cluster id to what the cluster may have.
#[derive(Debug, Clone, Default)]
pub struct Register {
    file: String,
    text: String,
    lines: Lines,
    clusters: BTreeMap<String, Cluster>,
}

/// One cluster's entry.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cluster {
    /// The name of its policy.
    pub policy: Setting<String>,
    /// The exact subject it must ask for, if the register fixes one.
    pub subject: Option<Setting<RegisteredSubject>>,
    /// The namespace of the object that its requests come in.
    pub namespace: Option<Setting<String>>,
    /// That object's name, or its beginning.
    pub name: Option<Setting<NamePattern>>,
    /// The issuer that the object asks.
    pub issuer: Option<Setting<IssuerReference>>,
    /// The signer that the object asks.
    pub signer_name: Option<Setting<String>>,
    /// Whose SSH keys sign its requests; one of them must.
    #[serde(default, deserialize_with = "some_keys")]
    pub sender: Option<Setting<Vec<PublicKey>>>,
}

impl Cluster {
    /// Fields, with what is wanted there, whose values no object can have.
    fn never(&self) -> impl Iterator<Item = (&'static str, &'static str, &Setting<String>)> {
        let namespace = self.namespace.iter().filter(|name| !is_dns_label(name));
        let signer = self.signer_name.iter().filter(|signer| {
            let parts = signer.split_once('/');
            !parts.is_some_and(|(domain, path)| {
                is_dns_subdomain(domain) && !path.is_empty() && !path.contains(['/', '*'])
            })
        });
        let namespace = namespace.map(|name| ("namespace", "a namespace's name, without *", name));
        namespace.chain(signer.map(|signer| ("signer-name", "DOMAIN/NAME, without *", signer)))
    }
}

/// A list that names nobody would let nobody send.
fn some_keys<'de, D: Deserializer<'de>>(
    d: D,
) -> std::result::Result<Option<Setting<Vec<PublicKey>>>, D::Error> {
    let keys = Setting::<Vec<PublicKey>>::deserialize(d)?;
    if keys.is_empty() {
        return Err(D::Error::custom("found no key, want one or more, each as a line of OpenSSH's"));
    }
    Ok(Some(keys))
}

/// An issuer as the register and the objects have it: `KIND.GROUP/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerReference {
    kind: String,
    group: String,
    name: String,
}

impl IssuerReference {
    /// Of no two issuers is the text the same: there is no dot in a kind, no slash in a group.
    pub fn parse(text: &str) -> Option<Self> {
        let (of, name) = text.split_once('/')?;
        let (kind, group) = of.split_once('.')?;
        let whole = is_kind(kind) && is_dns_subdomain(group) && is_dns_subdomain(name);
        whole.then(|| Self { kind: kind.into(), group: group.into(), name: name.into() })
    }
}

impl fmt::Display for IssuerReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}/{}", self.kind, self.group, self.name)
    }
}

impl<'de> Deserialize<'de> for IssuerReference {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        worded(d, "KIND.GROUP/NAME, e.g. \"ClusterIssuer.cert-manager.io/root\"", Self::parse)
    }
}

/// A subject as the register writes it: `O=Istio,L=east,CN=…`.
#[derive(Debug, Clone)]
pub struct RegisteredSubject(Name);

impl RegisteredSubject {
    /// Whether a subject has these attributes, in this order and no others. The
    /// string types do not matter, since the requester's tool chooses them.
    pub fn matches(&self, subject: &Name) -> bool {
        self.0.attributes() == subject.attributes()
    }
}

impl fmt::Display for RegisteredSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for RegisteredSubject {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        Name::parse(&String::deserialize(d)?).map(Self).map_err(|e| D::Error::custom(e.message))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    clusters: BTreeMap<String, Setting<Cluster>>,
}

impl Register {
    /// Reads and checks the register by itself.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let document: Document = read(file, text, &IDS)?;
        let mut subjects: Vec<(&str, &RegisteredSubject)> = Vec::new();
        for (id, cluster) in &document.clusters {
            if !is_dns_label(id) {
                let message = format!(
                    "clusters.{}: want a DNS label as cluster id: a-z, 0-9 and hyphens, at most 63 (RFC 1123 §2.1)",
                    shown(id)
                );
                let next = "rename the cluster; it names a folder and part of host names";
                return Err(fault(file, text, cluster.offset(), "register.cluster-id", &message, next));
            }
            if is_reserved(id) {
                let message = format!("clusters.{id}: a release or FAT keeps this name for itself");
                let next = "rename the cluster; it names a folder on the stick";
                return Err(fault(file, text, cluster.offset(), "register.cluster-id", &message, next));
            }
            if let Some((field, wanted, fixed)) = cluster.never().next() {
                let message = format!("clusters.{id}.{field}: found \"{}\", want {wanted}", shown(fixed));
                let next = "no object has such a value: nothing of the cluster could be granted";
                return Err(fault(file, text, fixed.offset(), "register.value", &message, next));
            }
            let Some(subject) = &cluster.subject else { continue };
            if let Some((other, _)) = subjects.iter().find(|(_, s)| s.matches(&subject.0)) {
                let message =
                    format!("clusters.{id}.subject: found {}, which clusters.{other} has too", **subject);
                let next = "give each cluster a subject of its own";
                return Err(fault(
                    file,
                    text,
                    subject.offset(),
                    "register.duplicate-subject",
                    &message,
                    next,
                ));
            }
            subjects.push((id, subject));
        }
        let clusters =
            document.clusters.iter().map(|(id, cluster)| (id.clone(), (**cluster).clone())).collect();
        Ok(Self { file: file.into(), text: text.into(), lines: Lines::of(file, text), clusters })
    }

    /// Every registered cluster by its id.
    pub fn clusters(&self) -> &BTreeMap<String, Cluster> {
        &self.clusters
    }

    /// File and line that set a value: `clusters.toml:12`.
    pub fn source<T>(&self, setting: &Setting<T>) -> String {
        self.lines.source(setting)
    }

    /// Checks the register against the policies there are: each one named
    /// exists, and a registered subject carries its cluster's id where that
    /// policy looks for it.
    pub fn check_policies(&self, profiles: &BTreeMap<String, Profile>) -> Result<()> {
        for (id, cluster) in &self.clusters {
            let Some(profile) = profiles.get(&**cluster.policy) else {
                let known = || profiles.keys().map(String::as_str);
                let next = match nearest(&cluster.policy, known()) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => format!("there are: {}", known().collect::<Vec<_>>().join(", ")),
                };
                let message = format!(
                    "clusters.{id}.policy: found \"{}\", want the name of a file in policies/",
                    shown(&cluster.policy)
                );
                return Err(self.fault(&cluster.policy, "register.unknown-policy", &message, &next));
            };
            let Some(subject) = &cluster.subject else { continue };
            let attribute = *profile.subject.cluster_id;
            let mut values = subject.0.values(attribute.0);
            if values.next() != Some(Some(id)) || values.next().is_some() {
                let message =
                    format!("clusters.{id}.subject: found {}, want one {attribute}={id} in it", **subject);
                let next = format!("the policy {} takes the cluster id from {attribute}", profile.name());
                return Err(self.fault(subject, "register.subject-cluster", &message, &next));
            }
        }
        Ok(())
    }

    fn fault<T>(&self, at: &Setting<T>, id: &'static str, message: &str, next: &str) -> crate::Error {
        fault(&self.file, &self.text, at.offset(), id, message, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::shipped::{DEFAULT_REGISTER, SHIPPED};

    fn profiles() -> BTreeMap<String, Profile> {
        let parse = |(file, text): &(&str, &str)| Profile::parse(file, text).unwrap();
        SHIPPED.iter().map(parse).map(|p| (p.name().to_owned(), p)).collect()
    }

    fn id_of(text: &str) -> &'static str {
        let register = Register::parse("clusters.toml", text);
        register.and_then(|r| r.check_policies(&profiles())).unwrap_err().id
    }

    #[test]
    fn a_full_entry_reads() {
        let text = "[clusters.east]\npolicy = \"istio\"\nsubject = \"O=Istio,L=east,CN=root\"\n";
        let register = Register::parse("clusters.toml", text).unwrap();
        register.check_policies(&profiles()).unwrap();
        let east = &register.clusters()["east"];
        assert_eq!(register.source(&east.policy), "clusters.toml:2");
        assert!(east.subject.as_ref().unwrap().matches(&Name::parse("O=Istio,L=east,CN=root").unwrap()));
        assert!(!east.subject.as_ref().unwrap().matches(&Name::parse("L=east,O=Istio,CN=root").unwrap()));
    }

    #[test]
    fn the_default_register_is_empty() {
        assert!(Register::parse("clusters.toml", DEFAULT_REGISTER).unwrap().clusters().is_empty());
    }

    #[test]
    fn faults_have_their_names() {
        assert_eq!(id_of("[clusters.east"), "register.parse");
        assert_eq!(id_of("[clusters.east]\npolicy = \"istio\"\nowner = 1"), "register.unknown-key");
        assert_eq!(id_of("[clusters.east]\n"), "register.missing-key");
        assert_eq!(id_of("[clusters.east_1]\npolicy = \"istio\""), "register.cluster-id");
        assert_eq!(id_of("[clusters.aux]\npolicy = \"istio\""), "register.cluster-id");
        assert_eq!(id_of("[clusters.east]\npolicy = \"istoi\""), "register.unknown-policy");
        assert_eq!(id_of("[clusters.east]\npolicy = \"istio\"\nsubject = \"L\""), "register.value");
        assert_eq!(
            id_of("[clusters.east]\npolicy = \"istio\"\nrequester = \"east\""),
            "register.unknown-key"
        );
        for line in [
            "sender = []",
            "sender = [\"ssh-dss AAAA\"]",
            "sender = \"ssh-ed25519 AAAA\"",
            "name = \"a*b\"",
            "name = \"*\"",
            "namespace = \"*\"",
            "namespace = \"a.b\"",
            "signer-name = \"root\"",
            "signer-name = \"example.org/*\"",
            "name = \"-a\"",
            "name = \"a..b*\"",
            "issuer = \"Issuer/root\"",
            "issuer = \"Issuer.cert-manager.io\"",
            "issuer = \"Issuer.A/root\"",
            "issuer = \"Issuer.cert-manager.io/a/b\"",
            "issuer = \"Issuer x.cert-manager.io/a\"",
        ] {
            assert_eq!(
                id_of(&format!("[clusters.east]\npolicy = \"istio\"\n{line}")),
                "register.value",
                "{line}"
            );
        }
        assert_eq!(
            id_of("[clusters.e]\npolicy = \"istio\"\nsubject = \"L=w,CN=x\""),
            "register.subject-cluster"
        );
        let twice = "[clusters.a]\npolicy = \"istio\"\nsubject = \"L=a,CN=x\"\n[clusters.b]\npolicy = \"istio\"\nsubject = \"L=a,CN=x\"";
        assert_eq!(id_of(twice), "register.duplicate-subject");
    }

    #[test]
    fn errors_point_at_the_line() {
        let e = Register::parse("clusters.toml", "\n[clusters.a]\npolicy = 1\n").unwrap_err();
        assert!(e.message.starts_with("clusters.toml:3:10: clusters.a.policy: "), "{}", e.message);
    }
}
