//! Who judges: each by its own code, all by the same files.

use std::fs;
use std::path::Path;
use std::process::Command;

use anchorite::x509::Time;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, CertificateRevocationListDer, InvalidSignature,
    SignatureVerificationAlgorithm, UnixTime, alg_id,
};
use webpki::{
    CertRevocationList, EndEntityCert, Error, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy, anchor_from_trusted_cert,
};

use crate::mesh::{Identity, Mesh, Trust};
use crate::pki::now;
use crate::support::run;

/// Accepted, or why not in the judge's words.
pub type Verdict = Result<(), String>;

/// `chain.pem`, leaf first, `bundle.pem` and `crl.pem`.
pub fn lay_out(dir: &Path, identity: &Identity, trust: &Trust) {
    fs::create_dir(dir).unwrap();
    for (name, text) in
        [("chain.pem", &identity.chain), ("bundle.pem", &trust.bundle), ("crl.pem", &trust.crl)]
    {
        fs::write(dir.join(name), text).unwrap();
    }
}

/// All certificates of the chain are looked up.
pub fn openssl(dir: &Path) -> Verdict {
    let arguments =
        ["-crl_check_all", "-CAfile", "bundle.pem", "-CRLfile", "crl.pem", "-untrusted", "chain.pem"];
    let said = Command::new("openssl")
        .arg("verify")
        .args(arguments)
        .arg("chain.pem")
        .current_dir(dir)
        .output()
        .unwrap();
    if said.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said.stderr).into_owned()) }
}

/// A client of a peer that shows this chain.
pub fn envoy(mesh: &mut Mesh, identity: &Identity, trust: &Trust) -> Verdict {
    mesh.identity("subject", identity);
    mesh.trust("judge", trust);
    mesh.connect("judge", "subject")
}

/// All folders in one run.
pub fn go(dir: &Path, folders: &[String]) -> Vec<Verdict> {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agree/main.go");
    let arguments: Vec<&str> =
        ["run", program].into_iter().chain(folders.iter().map(String::as_str)).collect();
    let said = String::from_utf8(run(dir, "go", &arguments).stdout).unwrap();
    let verdict = |line: &str| if line == "accepted" { Ok(()) } else { Err(line.to_string()) };
    said.lines().map(verdict).collect()
}

/// What ztunnel's `verify_cert_chain` asks of rustls-webpki: the whole chain is looked up, who has
/// no CRL passes, and a CRL that is out of date still counts.
pub fn ztunnel(identity: &Identity, trust: &Trust) -> Verdict {
    judge_as_ztunnel(identity, trust).map_err(|e| format!("{e:?}"))
}

fn judge_as_ztunnel(identity: &Identity, trust: &Trust) -> Result<(), Error> {
    let chain = certificates(&identity.chain);
    let roots = certificates(&trust.bundle);
    let anchors = roots.iter().map(anchor_from_trusted_cert).collect::<Result<Vec<_>, _>>()?;
    let lists = CertificateRevocationListDer::pem_slice_iter(trust.crl.as_bytes())
        .map(|der| OwnedCertRevocationList::from_der(&der.unwrap()).map(CertRevocationList::from))
        .collect::<Result<Vec<_>, _>>()?;
    let lists: Vec<_> = lists.iter().collect();
    // Without any there is nothing to look up.
    let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
        options
            .with_depth(RevocationCheckDepth::Chain)
            .with_status_policy(UnknownStatusPolicy::Allow)
            .with_expiration_policy(ExpirationPolicy::Ignore)
            .build()
    });
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(Time::unix(now())));
    EndEntityCert::try_from(&chain[0])?
        .verify_for_usage(&[&P256], &anchors, &chain[1..], at, KeyUsage::client_auth(), revocation, None)
        .map(drop)
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
}

/// ECDSA with P-256 and SHA-256 by aws-lc, as ztunnel has it. rustls-webpki's own is the same,
/// but asks for a feature that builds aws-lc anew.
#[derive(Debug)]
struct P256;

impl SignatureVerificationAlgorithm for P256 {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key);
        key.verify(message, signature).map_err(|_| InvalidSignature)
    }
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }
    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}
