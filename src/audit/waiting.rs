//! The clusters' certificates: nearly all that a journal holds. They are verified on all
//! cores while the lines after them are read, and told of in the order of their lines.

use std::sync::Arc;

use super::listed::cluster_crl;
use super::signed::wrong_signature;
use crate::cores::{Cores, InOrder};
use crate::error::Result;
use crate::journal::{ClusterCrl, KeyRole};
use crate::verify::Beneath;
use crate::x509::{Issuer, Serial, Tbs};

/// How many are handed to one core at a time: what the root above them takes is little
/// beside them. (In tests a few: so that a few certificates are handed over many times.)
const TOGETHER: usize = if cfg!(any(test, fuzzing)) { 3 } else { 64 };

/// Looks at a certificate (DER) that holds, on any of the cores.
pub type Look<'a, T> = &'a (dyn Fn(&Serial, &[u8]) -> T + Sync);

/// One on record, and what is verified with it.
pub(super) struct Certificate {
    /// The line of its signature.
    pub line: u64,
    pub tbs: Tbs,
    pub signature: Vec<u8>,
    /// The CRL that its cluster signed beforehand.
    pub crl: Option<ClusterCrl>,
}

/// What became of one.
pub(super) struct Judged<T> {
    pub line: u64,
    /// Its serial number, and what was seen in it.
    pub verdict: Result<(Serial, T)>,
    pub crl: Option<ClusterCrl>,
}

/// Those that were read and not told of yet.
pub(super) struct Waiting<'s, 'w, T> {
    look: Look<'w, T>,
    /// The root above all that was not handed over yet.
    root: Option<Arc<Issuer>>,
    read: Vec<Certificate>,
    handed_over: InOrder<'s, 'w, Vec<Judged<T>>>,
}

impl<'s, 'w, T: Send + 'w> Waiting<'s, 'w, T> {
    pub fn new(cores: Cores<'s, 'w>, look: Look<'w, T>) -> Self {
        Self { look, root: None, read: Vec::new(), handed_over: InOrder::new(cores) }
    }

    /// Takes one in that is beneath this root. Gives back what is known by now, where
    /// enough is under way.
    pub fn push(&mut self, root: &Arc<Issuer>, certificate: Certificate) -> Vec<Judged<T>> {
        if self.root.as_ref().is_none_or(|before| !Arc::ptr_eq(before, root)) {
            self.hand_over();
            self.root = Some(root.clone());
        }
        self.read.push(certificate);
        if self.read.len() >= TOGETHER {
            self.hand_over();
        }
        if self.handed_over.is_full() { self.handed_over.take().unwrap_or_default() } else { Vec::new() }
    }

    /// What was handed over first; `None` where nothing is left to tell of.
    pub fn next(&mut self) -> Option<Vec<Judged<T>>> {
        self.hand_over();
        self.handed_over.take()
    }

    fn hand_over(&mut self) {
        let read = std::mem::take(&mut self.read);
        if let Some(root) = self.root.clone().filter(|_| !read.is_empty()) {
            let look = self.look;
            self.handed_over.put(move || judge(&root, read, look));
        }
    }
}

fn judge<T>(root: &Issuer, read: Vec<Certificate>, look: Look<'_, T>) -> Vec<Judged<T>> {
    let beneath = Beneath::new(root);
    let verdict = |it: &Certificate| {
        let der = it.tbs.assemble(&it.signature)?;
        let beneath = beneath.as_ref().map_err(Clone::clone)?;
        let serial = beneath.verify(&it.tbs, &der).map_err(|e| match e.id {
            "verify.signature" => wrong_signature(KeyRole::Root),
            _ => e,
        })?;
        it.crl.as_ref().map_or(Ok(()), |crl| cluster_crl(&der, crl))?;
        let seen = look(&serial, &der);
        Ok((serial, seen))
    };
    let judged = |it: Certificate| Judged { verdict: verdict(&it), line: it.line, crl: it.crl };
    read.into_iter().map(judged).collect()
}

#[cfg(test)]
mod tests;
