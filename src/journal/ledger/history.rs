//! Every certificate, plan and seal there ever was: the recent ones in memory, the
//! older ones in the index beneath.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde::de::DeserializeOwned;

use super::{Ledger, PlanState};
use crate::error::{Error, Result};
use crate::journal::Head;
use crate::journal::past::{Kind, Past, key};
use crate::x509::{Digest, Issued, Serial, Status};

/// What was added or changed above the index.
#[derive(Debug, Clone, Default)]
pub(in crate::journal) struct Recent {
    /// Each as it stands now; an older one is here once its status changed.
    pub certificates: HashMap<Serial, Issued>,
    /// By key, subject and cluster ([`key`]), in order of issue.
    pub groups: HashMap<Digest, Vec<Serial>>,
    /// Plans that were released.
    pub finished: HashSet<Digest>,
    /// The heads that seals left behind.
    pub heads: Vec<Head>,
}

impl Recent {
    /// `list`: where it is found by the week in which it ends.
    pub(super) fn add(&mut self, issued: Issued, list: Option<Digest>) {
        for group in groups_of(&issued).chain(list) {
            // Of one, in nearly all.
            let serials = self.groups.entry(group).or_insert_with(|| Vec::with_capacity(1));
            serials.push(issued.serial.clone());
        }
        self.certificates.insert(issued.serial.clone(), issued);
    }

    pub(super) fn remove(&mut self, serial: &Serial) {
        if self.certificates.remove(serial).is_some() {
            self.groups.values_mut().for_each(|serials| serials.retain(|s| s != serial));
        }
    }
}

/// Under which keys a certificate is found, besides its serial.
fn groups_of(issued: &Issued) -> impl Iterator<Item = Digest> {
    let own = [key(Kind::Key, &issued.key.0), key(Kind::Subject, &issued.subject.canonical())];
    let cluster = issued.cluster.as_ref().map(|cluster| key(Kind::Cluster, cluster.as_bytes()));
    own.into_iter().chain(cluster)
}

impl Ledger {
    /// The certificate with this serial.
    pub fn by_serial(&self, serial: &Serial) -> Result<Option<Issued>> {
        Ok(self.known(serial)?.map(Cow::into_owned))
    }

    /// The same, without a copy of what is in memory.
    pub(super) fn known(&self, serial: &Serial) -> Result<Option<Cow<'_, Issued>>> {
        match self.recent.certificates.get(serial) {
            Some(issued) => Ok(Some(Cow::Borrowed(issued))),
            None => Ok(self.recall(key(Kind::Serial, serial.as_bytes()))?.map(Cow::Owned)),
        }
    }

    /// Certificates for a key.
    pub fn by_key(&self, of: &Digest) -> Result<Vec<Issued>> {
        self.group(key(Kind::Key, &of.0))
    }

    /// Certificates under a subject (its canonical form).
    pub fn by_subject(&self, subject: &[u8]) -> Result<Vec<Issued>> {
        self.group(key(Kind::Subject, subject))
    }

    /// Certificates for a cluster.
    pub fn by_cluster(&self, cluster: &str) -> Result<Vec<Issued>> {
        self.group(key(Kind::Cluster, cluster.as_bytes()))
    }

    /// How far a plan came; `None` if it was never begun.
    pub fn plan(&self, digest: &Digest) -> Result<Option<PlanState>> {
        if self.plans.contains_key(digest) {
            return Ok(Some(PlanState::Begun));
        }
        let finished = self.recent.finished.contains(digest)
            || self.recall(key(Kind::Plan, &digest.0))?.unwrap_or(false);
        Ok(finished.then_some(PlanState::Finished))
    }

    /// How many lines the journal had when a seal left this head behind.
    pub(in crate::journal) fn sealed_at(&self, head: &Digest) -> Result<Option<u64>> {
        self.recall(key(Kind::Head, &head.0))
    }

    /// What the index beneath does not hold yet.
    pub(in crate::journal) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Puts an index beneath that holds everything up to now.
    pub fn stand_on(&mut self, past: std::sync::Arc<dyn Past>) {
        self.recent = Recent::default();
        self.past = Some(past);
    }

    /// Every certificate above the index, by serial.
    #[cfg(test)]
    pub(in crate::journal) fn certificates(&self) -> Vec<Issued> {
        let mut all: Vec<Issued> = self.recent.certificates.values().cloned().collect();
        all.sort_by(|a, b| a.serial.cmp(&b.serial));
        all
    }

    pub(super) fn group(&self, key: Digest) -> Result<Vec<Issued>> {
        self.groups(&[key])
    }

    /// The certificates of several groups, in their order.
    pub(super) fn groups(&self, keys: &[Digest]) -> Result<Vec<Issued>> {
        self.these(&self.members(keys)?)
    }

    /// The serials of several groups, in their order.
    pub(super) fn members(&self, keys: &[Digest]) -> Result<Vec<Serial>> {
        let mut older = self.recall_all::<Vec<Serial>>(keys)?;
        let mut serials = Vec::new();
        for key in keys {
            serials.extend(older.remove(key).into_iter().flatten());
            serials.extend(self.recent.groups.get(key).into_iter().flatten().cloned());
        }
        Ok(serials)
    }

    /// The certificates with these serials, as far as there are.
    pub(super) fn these(&self, serials: &[Serial]) -> Result<Vec<Issued>> {
        let of_serial = |serial: &Serial| key(Kind::Serial, serial.as_bytes());
        let beneath = serials.iter().filter(|serial| !self.recent.certificates.contains_key(serial));
        let older: HashMap<Digest, Issued> = self.recall_all(&beneath.map(of_serial).collect::<Vec<_>>())?;
        let certificate = |serial: &Serial| {
            self.recent.certificates.get(serial).or_else(|| older.get(&of_serial(serial))).cloned()
        };
        Ok(serials.iter().filter_map(certificate).collect())
    }

    pub(super) fn set_status(&mut self, serial: Option<&Serial>, status: Status) -> Result<()> {
        let Some(serial) = serial else { return Ok(()) };
        if let Some(issued) = self.recent.certificates.get_mut(serial) {
            issued.status = status;
        } else if let Some(issued) = self.by_serial(serial)? {
            self.recent.certificates.insert(serial.clone(), Issued { status, ..issued });
        }
        Ok(())
    }

    fn recall<T: DeserializeOwned>(&self, key: Digest) -> Result<Option<T>> {
        let Some(past) = &self.past else { return Ok(None) };
        past.get(&key)?.map(|value| read(&key, &value)).transpose()
    }

    fn recall_all<T: DeserializeOwned>(&self, keys: &[Digest]) -> Result<HashMap<Digest, T>> {
        let Some(past) = &self.past else { return Ok(HashMap::new()) };
        let found = past.get_all(keys)?.into_iter();
        found.map(|(key, value)| Ok((key, read(&key, &value)?))).collect()
    }
}

fn read<T: DeserializeOwned>(key: &Digest, value: &str) -> Result<T> {
    serde_json::from_str(value).map_err(|e| {
        Error::integrity("journal.index", format!("state/index: the entry {key} cannot be read ({e})"))
    })
}
