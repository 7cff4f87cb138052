//! All policies of a home and its register, read and checked against each other.

use std::collections::BTreeMap;

use super::document::nearest;
use super::profile::Profile;
use super::register::{Cluster, Register};
use super::rules;
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::text::shown;
use crate::x509::KeyAlgorithm;

/// The policies in force.
#[derive(Debug, Clone, Default)]
pub struct PolicySet {
    profiles: BTreeMap<String, Profile>,
    register: Register,
}

impl PolicySet {
    /// Reads the policy files (path and text) and the register (path and text),
    /// and checks that what the register names exists.
    pub fn parse<F: AsRef<str>, T: AsRef<str>>(
        policies: impl IntoIterator<Item = (F, T)>,
        register: (&str, &str),
    ) -> Result<Self> {
        let mut profiles = BTreeMap::new();
        for (file, text) in policies {
            let profile = Profile::parse(file.as_ref(), text.as_ref())?;
            let name = profile.name().to_owned();
            if profiles.insert(name.clone(), profile).is_some() {
                let file = shown(file.as_ref());
                return Err(Error::usage("policy.name", format!("{file}: a second policy named '{name}'"))
                    .next("keep one of the two files"));
            }
        }
        let register = Register::parse(register.0, register.1)?;
        register.check_policies(&profiles)?;
        Ok(Self { profiles, register })
    }

    /// The policies by name.
    pub fn profiles(&self) -> &BTreeMap<String, Profile> {
        &self.profiles
    }

    /// Refuses the name of a policy that is not there: a slip of the operator's, not
    /// a request's fault.
    pub fn check_named(&self, name: Option<&str>) -> Result<()> {
        let Some(name) = name.filter(|name| !self.profiles.contains_key(*name)) else { return Ok(()) };
        let known = || self.profiles.keys().map(String::as_str);
        let next = match nearest(name, known()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("there are: {}", known().collect::<Vec<_>>().join(", ")),
        };
        Err(Error::usage("policy.no-such", format!("--policy {}: there is no such policy", shown(name)))
            .next(next))
    }

    /// The fleet register.
    pub fn register(&self) -> &Register {
        &self.register
    }

    /// The registered clusters whose consumer does not take one of these roots' keys (rule
    /// `issuer.consumer`), each with its consumer.
    pub fn unfit_for(&self, roots: &[KeyAlgorithm]) -> Vec<String> {
        let unfit = |(id, cluster): (&String, &Cluster)| {
            let consumer = *self.profiles.get(&*cluster.policy)?.release.consumer;
            let takes = roots.iter().all(|kind| consumer.terms().takes_root(*kind));
            (!takes).then(|| format!("{id} ({consumer})"))
        };
        self.register.clusters().iter().filter_map(unfit).collect()
    }

    /// What stands in a policy and is allowed, but should be known: `policy
    /// check` shows it, and so does every decision under that policy.
    pub fn warnings(&self) -> Vec<Finding> {
        self.profiles.values().flat_map(rules::warnings).collect()
    }
}
