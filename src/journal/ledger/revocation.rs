//! What is revoked, which CRL says so, and which certificates are still alive.

use std::collections::{HashMap, HashSet};

use super::{CrlRecord, IntentRecord, Ledger};
use crate::error::Result;
use crate::journal::past::{Kind, key};
use crate::journal::{ClusterCrl, KeyRole, RevokedCertificate};
use crate::x509::{CrlSpec, Digest, Issued, Issuer, OwnCrl, Revocation, Serial, Status, Tbs, Time};

/// Certificates that end in one week lie in lists of this many at most: a list is read
/// and written as a whole.
const A_LIST: u64 = 64;
const WEEK: u64 = 7 * 86_400;

/// The week of a time, counted from the epoch.
pub(super) fn week(time: Time) -> u64 {
    time.unix() / WEEK
}

/// Where the nth certificate that ends in a week is listed.
pub(super) fn list(week: u64, nth: u64) -> Digest {
    key(Kind::Week, &[week.to_be_bytes(), (nth / A_LIST).to_be_bytes()].concat())
}

impl Ledger {
    /// The root's CRL that was signed last.
    pub fn crl(&self) -> Option<&CrlRecord> {
        self.crl.as_ref()
    }

    /// The number that the next CRL has: one that a crash may have left behind is not used again.
    pub fn next_crl_number(&self) -> u64 {
        self.crl_number.saturating_add(1)
    }

    /// Revocations that no signed CRL lists yet, in order.
    pub fn unlisted(&self) -> &[Revocation] {
        &self.unlisted
    }

    /// Whether a certificate is on record as revoked just so.
    pub fn is_revoked_so(&self, entry: &Revocation) -> bool {
        self.by_serial(&entry.serial).is_ok_and(|c| c.is_some_and(|c| c.revoked.as_ref() == Some(entry)))
    }

    /// Of the last CRL's entries those that the next one no longer has: their
    /// certificates had ended before it was signed, so they have stood on one CRL since
    /// (RFC 5280 §3.3). By today's clock, too: that of the last CRL may have run ahead.
    pub fn outlived(&self, now: Time) -> Result<Vec<Serial>> {
        let Some(last) = &self.crl else { return Ok(Vec::new()) };
        let before = last.this_update.min(now);
        let from = self.crl_before.unwrap_or(Time::from_unix(0)).min(before);
        let mut outlived = Vec::new();
        for week in self.revoked.range(week(from)..=week(before)).map(|(week, _)| *week) {
            let ended = self.ending_in(week)?.into_iter();
            outlived.extend(ended.filter(|c| c.revoked.is_some() && c.not_after < before).map(|c| c.serial));
        }
        Ok(outlived)
    }

    /// Revocations of certificates that have not ended. Asked where the clock was ever set
    /// back: a CRL of before may have let one go.
    pub fn still_revoked(&self, now: Time) -> Result<Vec<Revocation>> {
        let mut all = Vec::new();
        for week in self.revoked.range(week(now)..).map(|(week, _)| *week) {
            let ending = self.ending_in(week)?.into_iter().filter(|c| c.not_after >= now);
            all.extend(ending.filter_map(|c| c.revoked));
        }
        Ok(all)
    }

    /// Whether the clock was ever set back.
    pub fn clock_corrected(&self) -> bool {
        self.corrected
    }

    /// The clusters' certificates that were released and have not ended by then, the
    /// one that ends first at the head.
    pub fn alive(&self, at: Time) -> Result<Vec<Issued>> {
        let mut alive = self.unended(at)?;
        alive.retain(|c| c.status == Status::Released);
        alive.sort_by(|a, b| (a.not_after, &a.cluster, &a.serial).cmp(&(b.not_after, &b.cluster, &b.serial)));
        Ok(alive)
    }

    /// The clusters' certificates that have not ended by then, however far they came.
    pub fn unended(&self, at: Time) -> Result<Vec<Issued>> {
        let mut unended = Vec::new();
        for week in self.weeks.range(week(at)..).map(|(week, _)| *week) {
            unended.extend(self.ending_in(week)?.into_iter().filter(|c| c.not_after >= at));
        }
        Ok(unended)
    }

    /// At most how many are alive.
    pub fn alive_count(&self, at: Time) -> u64 {
        self.weeks.range(week(at)..).map(|(_, count)| count).sum()
    }

    /// At most how many of these have no CRL of their own that is known.
    pub fn lacking_count(&self, at: Time) -> u64 {
        self.lacking.range(week(at)..).map(|(_, count)| count).sum()
    }

    /// Of these as many as asked for, of those whose own CRL is not known; and how many there are.
    pub fn without_crl(&self, at: Time, most: usize) -> Result<(Vec<Issued>, u64)> {
        let mut found = Vec::new();
        let from = week(at);
        let weeks = self.lacking.range(from..).map(|(week, _)| *week);
        let lacks = |c: &Issued| c.status == Status::Released && c.not_after >= at && c.crl.is_none();
        // As many at a time as are still wanted: there may be a great many, of which the first
        // few are enough.
        for list in weeks.flat_map(|week| self.lists(week)) {
            let serials = self.members(&[list])?;
            let mut rest = serials.as_slice();
            while found.len() < most && !rest.is_empty() {
                let (some, others) = rest.split_at(rest.len().min(most - found.len()));
                found.extend(self.these(some)?.into_iter().filter(lacks));
                rest = others;
            }
            if found.len() >= most {
                break;
            }
        }
        // Some of this very week's may have ended: then none is said to be left.
        let all = if found.len() < most { found.len() as u64 } else { self.lacking_count(at) };
        found.truncate(most);
        Ok((found, all))
    }

    fn ending_in(&self, week: u64) -> Result<Vec<Issued>> {
        self.groups(&self.lists(week).collect::<Vec<_>>())
    }

    /// The lists of what ends in a week.
    fn lists(&self, week: u64) -> impl Iterator<Item = Digest> + use<> {
        let count = self.weeks.get(&week).copied().unwrap_or(0);
        (0..count).step_by(A_LIST as usize).map(move |nth| list(week, nth))
    }

    /// Each once, and only what the root has signed for others.
    pub(super) fn revoke(
        &mut self,
        plan: &Digest,
        certificates: &[RevokedCertificate],
    ) -> std::result::Result<(), String> {
        self.belongs_to(plan)?;
        self.recording = Some(*plan);
        for RevokedCertificate { entry, .. } in certificates {
            let issued = self.by_serial(&entry.serial).map_err(|e| e.message)?;
            let issued = issued.ok_or_else(|| format!("revokes {}, which is not on record", entry.serial))?;
            if issued.revoked.is_some() {
                return Err(format!("revokes {} a second time", entry.serial));
            }
            if self.is_own(&issued) {
                return Err(format!("revokes {}, which is the home's own", entry.serial));
            }
            *self.revoked.entry(week(issued.not_after)).or_default() += 1;
            self.unlisted.push(entry.clone());
            self.revoked_unsealed.push(entry.serial.clone());
            self.recent
                .certificates
                .insert(entry.serial.clone(), Issued { revoked: Some(entry.clone()), ..issued });
        }
        Ok(())
    }

    /// Revocations that neither a seal nor a CRL vouches for: anyone who can write the
    /// file can add such a line.
    pub fn revoked_unsealed(&self) -> &[Serial] {
        &self.revoked_unsealed
    }

    pub(super) fn unrevoke(&mut self, certificates: &[Serial]) -> std::result::Result<(), String> {
        let unsealed: HashSet<Serial> = self.revoked_unsealed.drain(..).collect();
        let back: HashSet<&Serial> = certificates.iter().collect();
        self.forget_recorded();
        self.unlisted.retain(|entry| !back.contains(&entry.serial));
        self.revoked_unsealed = unsealed.iter().filter(|serial| !back.contains(serial)).cloned().collect();
        self.revoked_unsealed.sort();
        for serial in certificates {
            let issued = self.by_serial(serial).map_err(|e| e.message)?;
            let issued = issued.filter(|_| unsealed.contains(serial));
            let issued =
                issued.ok_or_else(|| format!("takes back the revocation of {serial}, which stands"))?;
            let week = week(issued.not_after);
            if let Some(count) = self.revoked.get_mut(&week) {
                *count = count.saturating_sub(1);
            }
            self.revoked.retain(|_, count| *count > 0);
            self.recent.certificates.insert(serial.clone(), Issued { revoked: None, ..issued });
        }
        Ok(())
    }

    /// Whether a certificate is the root's or its journal's.
    pub fn is_own(&self, issued: &Issued) -> bool {
        let own = [KeyRole::Root, KeyRole::Journal]
            .into_iter()
            .filter_map(|role| self.key(role)?.public_key.as_ref());
        own.map(|key| key.digest()).any(|digest| digest == issued.key)
    }

    /// A CRL has the next number, and lists whatever was revoked since the one before. A
    /// number further on, which anyone can add as a line, would use up those between.
    pub(super) fn may_list(&mut self, message: &[u8]) -> std::result::Result<(), String> {
        let spec = CrlSpec::from_tbs(message).map_err(|e| e.message)?;
        let next = self.crl_number.checked_add(1);
        if next != Some(spec.number) {
            return Err(format!("asks for CRL {}, after {}", spec.number, self.crl_number));
        }
        let listed: HashMap<&Serial, &Revocation> = match self.unlisted.is_empty() {
            true => HashMap::new(),
            false => spec.entries.iter().map(|entry| (&entry.serial, entry)).collect(),
        };
        if let Some(missing) = self.unlisted.iter().find(|entry| listed.get(&entry.serial) != Some(entry)) {
            return Err(format!("asks for CRL {}, which leaves out {}", spec.number, missing.serial));
        }
        self.crl_number = spec.number;
        Ok(())
    }

    /// A CRL that is signed counts, whether it is released or not: the next one goes on from it.
    pub(super) fn crl_signed(&mut self, record: &IntentRecord) -> Result<()> {
        let spec = CrlSpec::from_tbs(&record.message)?;
        let signature = record.signature.as_deref().unwrap_or_default();
        let der = Tbs::recorded(record.message.clone(), record.algorithm).assemble(signature)?;
        self.unlisted.clear();
        self.revoked_unsealed.clear();
        self.crl_before = self.crl.as_ref().map(|last| last.this_update);
        self.crl = Some(CrlRecord::of(&spec, &der));
        Ok(())
    }

    /// A later CRL of an intermediate's, for one that is on record.
    pub(super) fn cluster_crl(
        &mut self,
        plan: &Digest,
        certificate: &[u8],
        crl: &ClusterCrl,
    ) -> std::result::Result<(), String> {
        if !self.plans.contains_key(plan) {
            return Err(format!("has a cluster's CRL of plan {plan}, which is not being performed"));
        }
        self.follows(certificate, crl)
    }

    /// A cluster's CRL is of an intermediate's key and follows the one before.
    pub(super) fn follows(
        &mut self,
        certificate: &[u8],
        crl: &ClusterCrl,
    ) -> std::result::Result<(), String> {
        let Issuer { serial, public_key, .. } = Issuer::from_der(certificate).map_err(|e| e.message)?;
        let issued = self.by_serial(&serial).map_err(|e| e.message)?;
        let issued = issued
            .filter(|c| c.cluster.is_some() && c.key == public_key.digest())
            .ok_or_else(|| format!("has a CRL of {serial}, which is no intermediate on record"))?;
        if issued.crl.as_ref().is_some_and(|before| before.number >= crl.number) {
            return Err(format!("has CRL {} of {serial}, which does not follow the one before", crl.number));
        }
        if issued.crl.is_none() && issued.status == Status::Released {
            self.count_lacking(issued.not_after, false);
        }
        self.recent.certificates.insert(serial, Issued { crl: Some(own_crl(crl)), ..issued });
        Ok(())
    }

    /// A certificate was released: without its own CRL the fleet's set is not complete.
    pub(super) fn is_out(&mut self, serial: Option<&Serial>) -> Result<()> {
        let issued = serial.map(|serial| self.known(serial)).transpose()?.flatten();
        let lacking = issued.filter(|c| c.cluster.is_some() && c.crl.is_none()).map(|c| c.not_after);
        if let Some(end) = lacking {
            self.count_lacking(end, true);
        }
        Ok(())
    }

    fn count_lacking(&mut self, end: Time, more: bool) {
        let week = week(end);
        let count = self.lacking.entry(week).or_default();
        *count = if more { count.saturating_add(1) } else { count.saturating_sub(1) };
        if *count == 0 {
            self.lacking.remove(&week);
        }
    }
}

/// What is kept of it.
pub(super) fn own_crl(crl: &ClusterCrl) -> OwnCrl {
    OwnCrl { digest: Digest::of(&crl.der.0), number: crl.number, next_update: crl.next_update }
}

#[cfg(test)]
mod tests;
