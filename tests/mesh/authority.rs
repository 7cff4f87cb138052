//! Certificate authorities beneath a root, their CRLs and their workloads' certificates,
//! all made by OpenSSL: nothing here is a judge's own work.

use std::fs;
use std::path::Path;

use anchorite::x509::Time;
use tempfile::TempDir;

use crate::pki::now;
use crate::support::run;

pub const DAY: i64 = 24 * 60 * 60;

const CONFIG: &str = "
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[intermediate]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[cross]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[no-crl-sign]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ca]
default_ca = this
[this]
database = index.txt
default_md = sha256
";

/// A CA: `ca.pem` and `ca.key` in a folder, and the chain that workloads send.
pub struct Authority {
    dir: TempDir,
    /// Its certificate, PEM.
    pub certificate: String,
    /// Its certificate first, the root last: Istio's cert-chain.pem.
    pub chain: String,
}

/// What a proxy shows: a chain, leaf first, and its key, PEM.
#[derive(Clone, PartialEq)]
pub struct Identity {
    pub chain: String,
    pub key: String,
}

/// A CRL to be made: when it is in force, what it holds and what it says of its issuer.
#[derive(Clone)]
pub struct Crl {
    /// With 0 there is none, and without extensions it is one of version 1.
    pub number: u32,
    /// Serial numbers, hexadecimal.
    pub revoked: Vec<String>,
    /// Seconds from now.
    pub from: i64,
    pub until: i64,
    /// Extensions beside the number.
    pub extensions: &'static str,
}

const AUTHORITY_KEY_ID: &str = "authorityKeyIdentifier = keyid:always";

impl Default for Crl {
    fn default() -> Self {
        Self { number: 1, revoked: Vec::new(), from: -3600, until: 90 * DAY, extensions: AUTHORITY_KEY_ID }
    }
}

impl Crl {
    pub fn revoking(revoked: &[&str]) -> Self {
        Self { number: 2, revoked: revoked.iter().map(|s| (*s).to_string()).collect(), ..Self::default() }
    }
}

impl Authority {
    pub fn root(name: &str) -> Self {
        let dir = folder();
        key(dir.path(), "ca");
        let subject = format!("/O=Example/CN={name}");
        words(
            dir.path(),
            "req -new -x509 -config cnf -extensions root -days 3650 -key ca.key -out ca.pem -subj",
            &[&subject],
        );
        let certificate = read(dir.path(), "ca.pem");
        Self { dir, chain: certificate.clone(), certificate }
    }

    /// One that somebody else has certified: certificate, key and chain, PEM.
    pub fn existing(certificate: &str, key: &str, chain: &str) -> Self {
        let dir = folder();
        fs::write(dir.path().join("ca.pem"), certificate).unwrap();
        fs::write(dir.path().join("ca.key"), key).unwrap();
        Self { dir, chain: chain.into(), certificate: certificate.into() }
    }

    /// An intermediate beneath this one.
    pub fn intermediate(&self, name: &str) -> Self {
        self.intermediate_of("intermediate", name)
    }

    /// One with these extensions.
    pub fn intermediate_of(&self, extensions: &str, name: &str) -> Self {
        let dir = folder();
        key(dir.path(), "ca");
        let subject = format!("/O=Istio/OU={name}/CN=Istio CA");
        words(dir.path(), "req -new -config cnf -key ca.key -out ca.csr -subj", &[&subject]);
        let certificate = self.certify(dir.path(), extensions);
        fs::write(dir.path().join("ca.pem"), &certificate).unwrap();
        Self { dir, chain: format!("{certificate}{}", self.chain), certificate }
    }

    /// A certificate for another root's name and key.
    pub fn cross(&self, other: &Self) -> String {
        words(other.dir.path(), "x509 -x509toreq -in ca.pem -signkey ca.key -out ca.csr", &[]);
        self.certify(other.dir.path(), "cross")
    }

    /// A certificate for `ca.csr` in a folder.
    fn certify(&self, dir: &Path, extensions: &str) -> String {
        let (above, its_key) = (self.dir.path().join("ca.pem"), self.dir.path().join("ca.key"));
        words(
            dir,
            &format!("x509 -req -in ca.csr -days 90 -extfile cnf -extensions {extensions} -CA"),
            &[above.to_str().unwrap(), "-CAkey", its_key.to_str().unwrap()],
        )
    }

    /// A workload of this name, as istiod would issue it.
    pub fn workload(&self, name: &str) -> Identity {
        let dir = self.dir.path();
        key(dir, name);
        let extensions = format!(
            "subjectAltName = critical, URI:{}\nextendedKeyUsage = serverAuth, clientAuth\n\
             keyUsage = critical, digitalSignature, keyEncipherment\nbasicConstraints = critical, CA:FALSE\n\
             authorityKeyIdentifier = keyid\n",
            spiffe(name)
        );
        fs::write(dir.join("leaf.cnf"), extensions).unwrap();
        // An empty subject, as Istio's workloads have.
        words(dir, &format!("req -new -config cnf -key {name}.key -out {name}.csr -subj /"), &[]);
        words(
            dir,
            &format!(
                "x509 -req -in {name}.csr -days 1 -extfile leaf.cnf -CA ca.pem -CAkey ca.key -out {name}.pem"
            ),
            &[],
        );
        Identity {
            chain: format!("{}{}", read(dir, &format!("{name}.pem")), self.chain),
            key: read(dir, &format!("{name}.key")),
        }
    }

    /// Signs a CRL, PEM.
    pub fn crl(&self, wanted: &Crl) -> String {
        let dir = self.dir.path();
        let index = wanted.revoked.iter().map(|serial| {
            format!("R\t{}\t{},keyCompromise\t{serial}\tunknown\t/CN=x\n", stamp(365 * DAY), stamp(-600))
        });
        fs::write(dir.join("index.txt"), index.collect::<String>()).unwrap();
        fs::write(dir.join("number"), format!("{:04X}\n", wanted.number)).unwrap();
        let number = if wanted.number > 0 { "crlnumber = number\n" } else { "" };
        let extended = match wanted.extensions {
            "" => String::new(),
            extensions => format!("crl_extensions = crl\n[crl]\n{extensions}\n"),
        };
        fs::write(dir.join("crl.cnf"), format!("{CONFIG}{number}{extended}")).unwrap();
        words(
            dir,
            "ca -gencrl -config crl.cnf -cert ca.pem -keyfile ca.key -out crl.pem -crl_lastupdate",
            &[&stamp(wanted.from), "-crl_nextupdate", &stamp(wanted.until)],
        );
        read(dir, "crl.pem")
    }

    pub fn serial(&self) -> String {
        serial(&self.certificate)
    }
}

impl Identity {
    pub fn serial(&self) -> String {
        serial(&self.chain)
    }
}

/// The identity in a workload's certificate.
pub fn spiffe(name: &str) -> String {
    format!("spiffe://cluster.local/ns/mesh/sa/{name}")
}

fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("cnf"), CONFIG).unwrap();
    dir
}

fn key(dir: &Path, name: &str) {
    words(dir, &format!("ecparam -name prime256v1 -genkey -noout -out {name}.key"), &[]);
}

/// Of the first certificate.
fn serial(pem: &str) -> String {
    let dir = folder();
    fs::write(dir.path().join("first.pem"), pem).unwrap();
    let said = words(dir.path(), "x509 -noout -serial -in first.pem", &[]);
    said.trim().strip_prefix("serial=").unwrap().to_string()
}

/// Runs OpenSSL with words split at spaces, and more that are not.
fn words(dir: &Path, words: &str, more: &[&str]) -> String {
    let arguments: Vec<&str> = words.split(' ').chain(more.iter().copied()).collect();
    String::from_utf8(run(dir, "openssl", &arguments).stdout).unwrap()
}

fn read(dir: &Path, file: &str) -> String {
    fs::read_to_string(dir.join(file)).unwrap()
}

/// Seconds from now, as UTCTime is written.
fn stamp(seconds: i64) -> String {
    let time = Time::from_unix(now().unix().checked_add_signed(seconds).unwrap()).to_string();
    time[2..].replace(['-', ':', 'T'], "")
}
