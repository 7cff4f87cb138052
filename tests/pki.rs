//! A root, its journal certificate and intermediates, made by OpenSSL; and a
//! release on top of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anchorite::error::{Error, Result};
use anchorite::release::{
    ClusterFolder, Consumer, CrlFacts, Crls, Judge, LaidOut, Member, Object, Origin, ReleaseInput, Verifier,
    cms, prepare,
};
use anchorite::x509::{Digest, Time};
use tempfile::TempDir;

use crate::support::run;

/// What stands in DESIGN and README: the check without anchorite.
pub const CMS_VERIFY: &str = "cms -verify -inform DER -in SHA256SUMS.p7s -content SHA256SUMS -binary -purpose any -nointern -certfile journal-cert.pem -CAfile root-cert.pem";

const CONFIG: &str = "
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[journal]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, 1.3.6.1.5.5.7.3.36
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[intermediate]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
";

/// The folder with `NAME.key` and `NAME.pem` for each certificate made.
pub struct Pki {
    pub dir: TempDir,
}

impl Pki {
    /// A root with this common name, and a journal certificate beneath it.
    pub fn new(root: &str) -> Self {
        let pki = Self { dir: tempfile::tempdir().unwrap() };
        fs::write(pki.path().join("openssl.cnf"), CONFIG).unwrap();
        pki.key("root");
        let subject = format!("/O=Example/CN={root}");
        pki.openssl("req -new -x509 -config openssl.cnf -extensions root -days 7300 -key root.key -out root.pem -subj", &[&subject]);
        pki.issue("journal", "journal", "root", "/O=Example/CN=Example Journal");
        pki
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Runs OpenSSL with words split at spaces, and more that are not.
    pub fn openssl(&self, words: &str, more: &[&str]) -> Vec<u8> {
        let arguments: Vec<&str> = words.split(' ').chain(more.iter().copied()).collect();
        run(self.path(), "openssl", &arguments).stdout
    }

    fn key(&self, name: &str) {
        self.openssl(&format!("ecparam -name prime256v1 -genkey -noout -out {name}.key"), &[]);
    }

    /// A key and a certificate of this kind for it.
    pub fn issue(&self, name: &str, kind: &str, issuer: &str, subject: &str) {
        self.key(name);
        self.openssl(
            &format!("req -new -config openssl.cnf -key {name}.key -out {name}.csr -subj"),
            &[subject],
        );
        self.sign(name, kind, issuer);
    }

    /// A certificate of this kind for `NAME.csr`.
    pub fn sign(&self, name: &str, kind: &str, issuer: &str) {
        let serial = Digest::of(name.as_bytes()).to_string();
        self.openssl(
            &format!(
                "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -days 60 -extfile openssl.cnf -extensions {kind} -out {name}.pem -set_serial 0x{}",
                &serial[..30]
            ),
            &[],
        );
    }

    pub fn der(&self, name: &str) -> Vec<u8> {
        self.openssl(&format!("x509 -in {name}.pem -outform DER"), &[])
    }

    pub fn root_sha256(&self) -> Digest {
        Digest::of(&self.der("root"))
    }

    /// A signed release for these clusters, each with a certificate of that name.
    pub fn release(&self, name: &str, clusters: &[&str]) -> BTreeMap<String, Vec<u8>> {
        self.lay_out(name, clusters, &[], &Crls::default(), &|_| ())
    }

    /// The same, with other roots in its trust bundle.
    pub fn release_beside(
        &self,
        name: &str,
        clusters: &[&str],
        companions: &[Vec<u8>],
    ) -> BTreeMap<String, Vec<u8>> {
        self.lay_out(name, clusters, companions, &Crls::default(), &|_| ())
    }

    /// The same, with CRLs.
    pub fn release_with(&self, name: &str, clusters: &[&str], crls: &Crls) -> BTreeMap<String, Vec<u8>> {
        self.lay_out(name, clusters, &[], crls, &|_| ())
    }

    /// The same for one cluster, by its name, of any consumer.
    pub fn release_for(
        &self,
        name: &str,
        cluster: &str,
        consumer: Consumer,
        object: Option<&Object>,
        companions: &[Vec<u8>],
    ) -> BTreeMap<String, Vec<u8>> {
        let change = |member: &mut Member| {
            member.consumer = consumer;
            member.object = object.cloned();
        };
        self.lay_out(name, &[cluster], companions, &Crls::default(), &change)
    }

    /// An empty CRL of somebody's, DER.
    pub fn crl(&self, issuer: &str, number: u32) -> Vec<u8> {
        let config = "[ca]\ndefault_ca = this\n[this]\ndatabase = index.txt\ncrlnumber = number\n\
                      default_md = sha256\ncrl_extensions = crl\n[crl]\n\
                      authorityKeyIdentifier = keyid:always\n";
        for (file, text) in
            [("crl.cnf", config.into()), ("index.txt", String::new()), ("number", format!("{number:04X}\n"))]
        {
            fs::write(self.path().join(file), text).unwrap();
        }
        self.openssl(&format!("ca -gencrl -config crl.cnf -cert {issuer}.pem -keyfile {issuer}.key -crldays 400 -out crl.pem"), &[]);
        self.openssl("crl -in crl.pem -outform DER", &[])
    }

    fn lay_out(
        &self,
        name: &str,
        clusters: &[&str],
        companions: &[Vec<u8>],
        crls: &Crls,
        change: &dyn Fn(&mut Member),
    ) -> BTreeMap<String, Vec<u8>> {
        let (release, folders) = self.laid_out(name, clusters, companions, crls, change);
        release.top.into_iter().chain(folders.into_iter().flat_map(ClusterFolder::into_files)).collect()
    }

    /// A signed release as it is before its clusters' folders are written.
    pub fn laid_out(
        &self,
        name: &str,
        clusters: &[&str],
        companions: &[Vec<u8>],
        crls: &Crls,
        change: &dyn Fn(&mut Member),
    ) -> (LaidOut, Vec<ClusterFolder>) {
        let (root, journal) = (self.der("root"), self.der("journal"));
        let certificates: Vec<_> = clusters.iter().map(|cluster| self.der(cluster)).collect();
        let members = clusters.iter().zip(&certificates).map(|(cluster, certificate)| {
            let mut member = Member {
                cluster: (*cluster).into(),
                consumer: Consumer::Istio,
                certificate,
                policy: "istio".into(),
                request: Digest::of(cluster.as_bytes()),
                object: None,
            };
            change(&mut member);
            member
        });
        let origin = Origin {
            name: name.into(),
            rehearsal: name.contains("REHEARSAL"),
            plan: Digest::of(b"plan"),
            root: root.clone(),
            trusted: std::iter::once(root.clone()).chain(companions.iter().cloned()).collect(),
        };
        let folders: Vec<_> = members.map(|member| origin.lay_out(&member).unwrap()).collect();
        let created = Time::parse("2026-11-22T10:00:00Z").unwrap();
        let input = ReleaseInput {
            origin: &origin,
            created,
            journal_certificate: &journal,
            journal: vec![("000001.jsonl".into(), b"{}\n".to_vec())],
            crls,
            cross: None,
            stage: None,
            repeats: None,
        };
        let prepared = prepare(input, folders.iter().map(|folder| folder.laid.clone()).collect()).unwrap();
        let attributes = cms::attributes(prepared.sums(), &origin.plan, &origin.plan, created).unwrap();
        fs::write(self.path().join("attributes"), &attributes).unwrap();
        let signature = self.openssl("dgst -sha256 -sign journal.key attributes", &[]);
        let p7s = cms::assemble(&attributes, &signature, &journal).unwrap();
        (prepared.finish(p7s), folders)
    }
}

pub fn now() -> Time {
    Time::from_unix(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
}

/// Writes files beneath a folder.
pub fn write_all<'a>(dir: &Path, files: impl IntoIterator<Item = (&'a String, &'a Vec<u8>)>) {
    for (path, bytes) in files {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// One cluster's folder of a release.
pub fn cluster_folder(release: &BTreeMap<String, Vec<u8>>, cluster: &str) -> BTreeMap<String, Vec<u8>> {
    let inside = |path: &str| Some(path.strip_prefix(cluster)?.strip_prefix('/')?.to_string());
    release.iter().filter_map(|(path, bytes)| Some((inside(path)?, bytes.clone()))).collect()
}

/// Finds everything in order, so that a test sees the other checks alone.
pub struct Lenient;

impl Judge for Lenient {
    fn path(&self, _: &[&[u8]], _: &[u8], _: Time) -> Result<()> {
        Ok(())
    }
    fn journal_certificate(&self, _: &[u8], _: &[u8]) -> Result<()> {
        Ok(())
    }
    fn signature(&self, _: &[u8], _: &[u8], _: &[u8], _: &[u8]) -> Result<()> {
        Ok(())
    }
    fn crl(&self, crl: &[u8], _: &[u8]) -> Result<CrlFacts> {
        Verifier.crl_facts(crl)
    }
    fn crl_facts(&self, crl: &[u8]) -> Result<CrlFacts> {
        Verifier.crl_facts(crl)
    }
}

/// Leaves every judgement to OpenSSL.
pub struct OpenSsl;

impl Judge for OpenSsl {
    fn path(&self, chain: &[&[u8]], root: &[u8], at: Time) -> Result<()> {
        let [leaf] = chain else { return Err(Error::integrity("test.path", "wanted one certificate")) };
        let time = at.unix().to_string();
        judge(
            &format!("verify -x509_strict -attime {time} -CAfile root-cert.pem leaf.pem"),
            &[("root-cert.pem", &pem(root)), ("leaf.pem", &pem(leaf))],
        )
    }
    fn journal_certificate(&self, certificate: &[u8], root: &[u8]) -> Result<()> {
        judge(
            "verify -x509_strict -CAfile root-cert.pem leaf.pem",
            &[("root-cert.pem", &pem(root)), ("leaf.pem", &pem(certificate))],
        )
    }
    fn signature(&self, p7s: &[u8], content: &[u8], signer: &[u8], root: &[u8]) -> Result<()> {
        let files = [
            ("SHA256SUMS.p7s", p7s),
            ("SHA256SUMS", content),
            ("journal-cert.pem", &pem(signer)),
            ("root-cert.pem", &pem(root)),
        ];
        judge(CMS_VERIFY, &files)
    }
    fn crl(&self, crl: &[u8], issuer: &[u8]) -> Result<CrlFacts> {
        let files =
            [("crl.pem", &anchorite::x509::pem::crl(crl).into_bytes()[..]), ("issuer.pem", &pem(issuer))];
        // OpenSSL tells of a CRL that does not verify, and ends with success.
        let verified = judge("crl -in crl.pem -noout -verify -CAfile issuer.pem", &files);
        verified.and_then(|()| Verifier.crl(crl, issuer))
    }
    fn crl_facts(&self, crl: &[u8]) -> Result<CrlFacts> {
        Verifier.crl_facts(crl)
    }
}

fn pem(der: &[u8]) -> Vec<u8> {
    anchorite::x509::pem::certificate(der).into_bytes()
}

fn judge(words: &str, files: &[(&str, &[u8])]) -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    if succeeds(dir.path(), words) { Ok(()) } else { Err(Error::integrity("test.openssl", words)) }
}

/// Whether OpenSSL, run with these words in that folder, succeeds.
pub fn succeeds(dir: &Path, words: &str) -> bool {
    let output = Command::new("openssl").args(words.split(' ')).current_dir(dir).output().unwrap();
    output.status.success()
}
