//! CRLs for tests: made by the builder, then bent field by field.

use rcgen::{KeyPair, SigningKey as _};

use crate::lint::CertificateKind::Root;
use crate::lint::asn1::{children, members, write};
use crate::lint::fixtures::{assemble, key, public, tbs, time};
use crate::x509::{CrlSpec, Issuer, Reason, Revocation, Serial, Tbs, Time};

/// A root and its key.
pub(crate) fn root() -> (KeyPair, Issuer) {
    let key = key();
    let tbs = tbs(Root, "O=Example,CN=Example Root", &public(&key), None);
    let der = tbs.assemble(&key.sign(tbs.as_der()).unwrap()).unwrap();
    let issuer = Issuer::from_der(&der).unwrap();
    (key, issuer)
}

/// So many entries, with and without reason and invalidity date.
pub(crate) fn entries(count: u32) -> Vec<Revocation> {
    let reasons =
        [Reason::Unspecified, Reason::KeyCompromise, Reason::Superseded, Reason::PrivilegeWithdrawn];
    let entry = |n: u32| Revocation {
        serial: Serial::from_bytes(&[&[0x81; 12][..], &n.to_be_bytes()].concat()).unwrap(),
        date: Time::from_unix(1_800_000_000 + u64::from(n)),
        reason: reasons[n as usize % reasons.len()],
        invalidity_date: (n % 3 == 1).then_some(Time::from_unix(1_700_000_000)),
    };
    (0..count).map(entry).collect()
}

/// A sound CRL of this issuer.
pub(crate) fn crl(issuer: &Issuer, entries: Vec<Revocation>) -> Tbs {
    CrlSpec {
        signature: issuer.signature,
        issuer: issuer.subject.clone(),
        key_id: issuer.key_id.clone(),
        this_update: time("2030-01-01T00:00:00Z"),
        next_update: time("2031-01-01T00:00:00Z"),
        number: 7,
        entries,
    }
    .to_tbs()
    .unwrap()
}

/// Contents of the OID, the BOOLEAN where one is encoded, and the value.
pub(crate) type RawExtension = (Vec<u8>, Option<bool>, Vec<u8>);

/// A TBSCertList with each field's DER open to change.
#[derive(Clone)]
pub(crate) struct RawCrl {
    pub version: Vec<u8>,
    pub signature: Vec<u8>,
    pub issuer: Vec<u8>,
    pub this_update: Vec<u8>,
    pub next_update: Vec<u8>,
    pub entries: Option<Vec<RawEntry>>,
    pub extensions: Vec<RawExtension>,
    pub tail: Vec<u8>,
}

/// One of its entries.
#[derive(Clone)]
pub(crate) struct RawEntry {
    pub serial: Vec<u8>,
    pub date: Vec<u8>,
    pub extensions: Option<Vec<RawExtension>>,
}

impl RawCrl {
    /// Takes bytes that have entries apart.
    pub fn of(tbs: &[u8]) -> Self {
        let fields = members(tbs, 0x30).unwrap();
        let field = |n: usize| fields[n].raw.to_vec();
        let entry = |der: &[u8]| {
            let parts = members(der, 0x30).unwrap();
            let extensions = parts.get(2).map(|list| split(list.content));
            RawEntry { serial: parts[0].raw.to_vec(), date: parts[1].raw.to_vec(), extensions }
        };
        Self {
            version: field(0),
            signature: field(1),
            issuer: field(2),
            this_update: field(3),
            next_update: field(4),
            entries: Some(children(fields[5].content).unwrap().iter().map(|e| entry(e.raw)).collect()),
            extensions: split(children(fields[6].content).unwrap()[0].content),
            tail: Vec::new(),
        }
    }

    /// Puts them together again.
    pub fn der(&self) -> Vec<u8> {
        let entry = |entry: &RawEntry| {
            let extensions = entry.extensions.as_deref().map(join).unwrap_or_default();
            write(0x30, &[entry.serial.as_slice(), &entry.date, &extensions].concat())
        };
        let entries =
            self.entries.as_ref().map(|list| write(0x30, &list.iter().flat_map(entry).collect::<Vec<u8>>()));
        let fields = [
            self.version.as_slice(),
            &self.signature,
            &self.issuer,
            &self.this_update,
            &self.next_update,
            &entries.unwrap_or_default(),
            &write(0xa0, &join(&self.extensions)),
            &self.tail,
        ];
        write(0x30, &fields.concat())
    }

    /// Signs it with a P-256 key.
    pub fn sign(&self, signer: &KeyPair) -> Vec<u8> {
        assemble(&self.der(), &self.signature, &signer.sign(&self.der()).unwrap())
    }
}

fn split(list: &[u8]) -> Vec<RawExtension> {
    let extension = |der: &[u8]| {
        let parts = members(der, 0x30).unwrap();
        let critical = (parts.len() == 3).then(|| parts[1].content != [0]);
        (parts[0].content.to_vec(), critical, parts.last().unwrap().content.to_vec())
    };
    children(list).unwrap().iter().map(|e| extension(e.raw)).collect()
}

fn join(list: &[RawExtension]) -> Vec<u8> {
    let extension = |(oid, critical, value): &RawExtension| {
        let critical = critical.map_or(Vec::new(), |c| write(0x01, &[if c { 0xff } else { 0 }]));
        write(0x30, &[write(0x06, oid), critical, write(0x04, value)].concat())
    };
    write(0x30, &list.iter().flat_map(extension).collect::<Vec<u8>>())
}
