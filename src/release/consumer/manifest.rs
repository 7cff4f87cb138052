//! Manifests as YAML, written by hand so that the same certificates always give the same bytes.

use super::{Part, Parts};
use crate::error::{Error, Result};
use crate::text::{base64, is_dns_label, is_dns_subdomain, shown};

/// A Secret, but for the key and CRLs.
#[derive(Debug)]
pub struct Secret {
    /// Its manifest's file.
    pub file: &'static str,
    /// The namespace that it stands in, unless somebody says otherwise.
    pub namespace: &'static str,
    /// Its name, likewise.
    pub name: &'static str,
    /// Which other names it may have.
    pub naming: Naming,
    /// Its type.
    pub kind: &'static str,
    /// What it holds, sorted by name.
    pub entries: &'static [(&'static str, Part)],
    /// Under which name it holds the key, where it does.
    pub key: Option<&'static str>,
}

/// Which names a Secret may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// Its consumer looks for this one, in this namespace.
    Fixed,
    /// Its consumer looks for this one, wherever it is itself.
    Named,
    /// Any with a dot in it.
    Dotted,
    /// Any.
    Free,
}

impl Secret {
    /// Everything above the data, of a Secret of this namespace and name. They come from
    /// outside: without quotes `1234`, `null`, `on` or `2026-11-22` would be no string.
    pub fn head(&self, namespace: &str, name: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: \"{name}\"\n  namespace: \"{namespace}\"\ntype: {}\ndata:\n",
            self.kind
        )
    }

    /// Refuses a place where its consumer would not find it.
    pub fn check_place(&self, namespace: &str, name: &str) -> Result<()> {
        let bad = |what: String, next: &str| {
            Err(Error::usage("assemble.secret", format!("{}/{}: {what}", shown(namespace), shown(name)))
                .next(next))
        };
        if !is_dns_label(namespace) || !is_dns_subdomain(name) {
            return bad(
                "is no namespace and name of a Secret".into(),
                "write NAMESPACE/NAME, in lower-case letters, digits, hyphens and, in the name, dots",
            );
        }
        match self.naming {
            Naming::Fixed if (namespace, name) != (self.namespace, self.name) => {
                bad(format!("its consumer looks for {}/{}", self.namespace, self.name), "leave --secret out")
            }
            Naming::Named if name != self.name => bad(
                format!("its consumer looks for a Secret called {}", self.name),
                "give that name; the namespace may be another",
            ),
            Naming::Dotted if !name.contains('.') => {
                bad("its consumer wants a dot in the name".into(), "name it NAME.NAMESPACE")
            }
            _ => Ok(()),
        }
    }

    /// A merge patch that sets the certificates and leaves the key alone.
    pub(super) fn patch(&self, parts: &Parts) -> String {
        let line =
            |(name, part): &(&str, Part)| format!("  {name}: {}\n", base64(parts.get(*part).as_bytes()));
        format!("data:\n{}", self.entries.iter().map(line).collect::<String>())
    }
}

/// The ConfigMap that Linkerd's proxies take their roots from.
pub(super) fn trust_roots(parts: &Parts) -> String {
    let lines: String = parts.get(Part::Roots).lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: linkerd-identity-trust-roots\n  namespace: linkerd\n\
         data:\n  ca-bundle.crt: |\n{lines}"
    )
}
