//! Which intent may follow what: by which key, for which plan, of which key's certificate.

use super::{Event, KeyRecord, Ledger, Purpose, RootDecision};
use crate::journal::KeyRole;
use crate::x509::certificate::Facts;
use crate::x509::{Digest, KeyAlgorithm, PublicKey, SignatureAlgorithm};

type Verdict = Result<(), String>;

impl Ledger {
    /// A key is made as it was decided: the root's after its decision, the
    /// journal's, of the one kind that seals, after the root's.
    pub(super) fn may_make(&self, role: KeyRole, algorithm: KeyAlgorithm, label: &str) -> Verdict {
        let fits = match (role, &self.root_decision) {
            (KeyRole::Root, Some(RootDecision { algorithm: decided, label: l, .. })) => {
                *decided == algorithm.to_string() && l == label
            }
            (KeyRole::Root, None) => false,
            (KeyRole::Journal, _) => {
                algorithm == KeyAlgorithm::P256 && self.public_key(KeyRole::Root).is_some()
            }
        };
        if fits { Ok(()) } else { Err("asks for another key than was decided".into()) }
    }

    /// An intent names the key and the algorithm of its purpose, belongs to a
    /// plan being performed if it must, and comes after what it rests on.
    pub(super) fn may_intend(&self, event: &Event) -> Verdict {
        let Event::Intent { purpose, role, algorithm, plan, request, cluster, policy, crl, .. } = event
        else {
            return Ok(());
        };
        let key = self.public_key(*role).ok_or("asks for a signature by a key that does not exist")?;
        let wanted = match purpose {
            Purpose::Release | Purpose::Seal => KeyRole::Journal,
            Purpose::RootCertificate
            | Purpose::JournalCertificate
            | Purpose::Intermediate
            | Purpose::Crl
            | Purpose::CrossCertificate => KeyRole::Root,
        };
        if *role != wanted || SignatureAlgorithm::of_issuer(key.algorithm()) != Some(*algorithm) {
            return Err(format!("asks for {purpose:?} by the wrong key or algorithm"));
        }
        let answers = [request.is_some(), cluster.is_some(), policy.is_some()];
        if answers.iter().any(|there| *there != (*purpose == Purpose::Intermediate)) {
            return Err("an intermediate answers a request, and nothing else does".into());
        }
        if crl.is_some() && *purpose != Purpose::Intermediate {
            return Err("has a cluster's CRL for something else than its certificate".into());
        }
        self.planned(*purpose, *plan)?;
        let rests_on: &[Purpose] = match purpose {
            Purpose::RootCertificate => &[],
            Purpose::JournalCertificate => &[Purpose::RootCertificate],
            // Nothing is signed that could not be sealed and released.
            _ => &[Purpose::RootCertificate, Purpose::JournalCertificate],
        };
        // The first of each, which stands before all that rests on it: the newest is looked
        // for behind every intent of a session.
        match rests_on.iter().find(|p| self.own_certificates(**p).next().is_none()) {
            Some(missing) => Err(format!("asks for {purpose:?} before there is a {missing:?}")),
            None => Ok(()),
        }
    }

    fn planned(&self, purpose: Purpose, plan: Option<Digest>) -> Verdict {
        let planned = purpose.is_granted() || purpose == Purpose::Release;
        let Some(plan) = plan else {
            return if planned { Err(format!("{purpose:?} belongs to no plan")) } else { Ok(()) };
        };
        match self.plans.get(&plan) {
            _ if !planned => Err(format!("{purpose:?} belongs to a plan")),
            Some(0) if purpose.is_granted() => Err(format!("is one more than plan {plan} grants")),
            Some(_) => Ok(()),
            None => Err(format!("belongs to plan {plan}, which is not being performed")),
        }
    }

    /// The home's own certificates are for the keys on record, and after the first
    /// one each only renews it: a seal counts for as much as the certificate that
    /// ties its key to the root.
    pub(super) fn may_certify(&self, purpose: Purpose, facts: &Facts) -> Verdict {
        let role = match purpose {
            Purpose::RootCertificate => KeyRole::Root,
            Purpose::JournalCertificate => KeyRole::Journal,
            _ => return Ok(()),
        };
        // From its bytes: the index may have the certificate by now.
        let before = self.own_certificate(purpose).map(|own| Facts::from_tbs(&own.message)).transpose();
        let before = before.map_err(|e| e.message)?;
        if before.is_some_and(|b| b.subject != facts.subject || b.not_after >= facts.not_after) {
            return Err(format!("asks for a second {purpose:?} that does not renew the first"));
        }
        if self.public_key(role).map(PublicKey::digest) != Some(facts.key) {
            return Err(format!("asks for a {purpose:?} of another key than the one on record"));
        }
        Ok(())
    }

    fn public_key(&self, role: KeyRole) -> Option<&PublicKey> {
        self.key(role).and_then(|KeyRecord { public_key, .. }| public_key.as_ref())
    }
}
