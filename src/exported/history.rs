//! An export answers what the rules ask of the past, as far as it knows it.

use std::collections::HashMap;
use std::hash::Hash;

use super::{Exported, Record, root_of};
use crate::error::Result;
use crate::policy::History;
use crate::x509::{Digest, Issued, Issuer, Serial};

/// Places in the record's list by what is asked for.
#[derive(Debug, Default)]
pub(super) struct Past {
    keys: HashMap<Digest, Vec<usize>>,
    subjects: HashMap<Vec<u8>, Vec<usize>>,
    clusters: HashMap<String, Vec<usize>>,
    companions: Vec<Issuer>,
}

impl Past {
    pub fn of(record: &Record) -> Result<Self> {
        let mut past = Self { companions: companions(record)?, ..Self::default() };
        for (at, issued) in record.issued.iter().enumerate() {
            past.keys.entry(issued.key).or_default().push(at);
            past.subjects.entry(issued.subject.canonical()).or_default().push(at);
            let cluster = issued.cluster.iter();
            cluster.for_each(|cluster| past.clusters.entry(cluster.clone()).or_default().push(at));
        }
        Ok(past)
    }
}

/// As the home has them: one that goes may be a root that could not be made here.
fn companions(record: &Record) -> Result<Vec<Issuer>> {
    let own = record.companions.iter().map(root_of);
    let others = record.course.rollover.iter().flat_map(|rollover| &rollover.others);
    own.chain(others.filter_map(|other| root_of(other).ok()).map(Ok)).collect()
}

impl Exported {
    fn list<K: Hash + Eq + ?Sized, Q>(&self, index: &HashMap<Q, Vec<usize>>, key: &K) -> Vec<Issued>
    where
        Q: Hash + Eq + std::borrow::Borrow<K>,
    {
        let places = index.get(key).into_iter().flatten();
        places.filter_map(|at| self.record.issued.get(*at)).cloned().collect()
    }
}

impl History for Exported {
    fn by_key(&self, key: &Digest) -> Result<Vec<Issued>> {
        Ok(self.list(&self.past.keys, key))
    }

    fn by_subject(&self, subject: &[u8]) -> Result<Vec<Issued>> {
        Ok(self.list(&self.past.subjects, subject))
    }

    fn by_cluster(&self, cluster: &str) -> Result<Vec<Issued>> {
        Ok(self.list(&self.past.clusters, cluster))
    }

    fn companions(&self) -> Result<Vec<Issuer>> {
        Ok(self.past.companions.clone())
    }

    fn forbids_signing(&self) -> Option<&'static str> {
        self.record.course.forbids_signing()
    }

    fn has_serial(&self, serial: &Serial) -> Result<bool> {
        Ok(self.record.issued.iter().any(|issued| issued.serial == *serial))
    }
}
