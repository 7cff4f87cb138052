//! Requests made by the tools that clusters use, at test time, and read.

use std::fs;
use std::path::Path;

use anchorite::finding::{Finding, Outcome};
use anchorite::intake::{Arrival, BasicConstraintsClaim, Request, find_private_key, read};
use tempfile::TempDir;
use x509_cert::ext::pkix::name::GeneralName;

use crate::support::run;

const NAME: &str = "O=Istio, L=east, CN=root";
/// The order in which GnuTLS and Go write the same attributes, whatever they are told.
const LOCALITY_FIRST: &str = "L=east, O=Istio, CN=root";
const CA: Option<BasicConstraintsClaim> = Some(BasicConstraintsClaim { ca: true, path_len: Some(0) });

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The one request in a file.
fn request(dir: &Path, file: &str) -> Request {
    let bytes = fs::read(dir.join(file)).unwrap();
    assert_eq!(find_private_key(&bytes), None, "{file}");
    match read(file, &bytes).as_slice() {
        [Arrival::Request(request)] => *request.clone(),
        other => panic!("{file}: {other:?}"),
    }
}

/// The one request in a file, with nothing against it and possession proved.
fn sound(dir: &Path, file: &str) -> Request {
    let request = request(dir, file);
    assert!(request.findings.iter().all(|f| f.outcome == Outcome::Pass), "{file}: {:?}", request.findings);
    assert!(request.findings.iter().any(|f| f.rule == "possession.signature"), "{file}");
    request
}

/// The finding that makes the one thing in a file unusable.
fn unusable(dir: &Path, file: &str) -> Finding {
    match read(file, &fs::read(dir.join(file)).unwrap()).as_slice() {
        [Arrival::Unusable { finding, .. }] => finding.clone(),
        other => panic!("{file}: {other:?}"),
    }
}

fn refusals(request: &Request) -> Vec<&'static str> {
    request.findings.iter().filter(|f| f.refuses()).map(|f| f.rule).collect()
}

fn signs_certificates(request: &Request) -> bool {
    request.claims.key_usage.is_some_and(|u| u.key_cert_sign() && u.crl_sign())
}

/// DNS names and URIs asked for.
fn names(request: &Request) -> Vec<String> {
    let names = request.claims.subject_alt_name.iter().flatten();
    names
        .map(|name| match name {
            GeneralName::DnsName(n) | GeneralName::UniformResourceIdentifier(n) => n.to_string(),
            other => panic!("{other:?}"),
        })
        .collect()
}

const OPENSSL_CONFIGURATION: &str = "\
[req]
prompt = no
distinguished_name = dn
req_extensions = ext
[dn]
O = Istio
L = east
CN = root
[ext]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
subjectAltName = DNS:a.example
[note]
challengePassword = hunter2
";

/// Makes `NAME.key`, then `NAME.csr` with it; options are separated by spaces.
fn openssl(dir: &Path, name: &str, key: &str, options: &str) {
    fs::write(dir.join("req.cnf"), OPENSSL_CONFIGURATION).unwrap();
    words(dir, "openssl", &format!("genpkey -out {name}.key {key}"));
    words(dir, "openssl", &format!("req -new -config req.cnf -key {name}.key -out {name}.csr {options}"));
}

fn words(dir: &Path, program: &str, arguments: &str) {
    run(dir, program, &arguments.split_whitespace().collect::<Vec<_>>());
}

const RSA: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
const ED25519: &str = "-algorithm ED25519";

fn ec(curve: &str) -> String {
    format!("-algorithm EC -pkeyopt ec_paramgen_curve:{curve}")
}

#[test]
fn openssl_of_every_kind() {
    let dir = folder();
    let dir = dir.path();
    let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1";
    openssl(dir, "rsa2048", RSA, "-sha256");
    openssl(dir, "rsa3072", "-algorithm RSA -pkeyopt rsa_keygen_bits:3072", "-sha384");
    openssl(dir, "pss256", RSA, &format!("-sha256 {pss}"));
    openssl(dir, "pss512", RSA, &format!("-sha512 {pss}"));
    for curve in ["P-256", "P-384", "P-521"] {
        for hash in ["sha256", "sha384", "sha512"] {
            openssl(dir, &format!("{curve}-{hash}"), &ec(curve), &format!("-{hash}"));
        }
    }
    openssl(dir, "ed25519", ED25519, "");
    openssl(dir, "text", ED25519, "-text");
    openssl(dir, "der", RSA, "-outform DER");
    openssl(dir, "newhdr", ED25519, "-newhdr");
    let mut count = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        if !file.ends_with(".csr") {
            continue;
        }
        let request = sound(dir, &file);
        assert_eq!(request.subject.to_string(), NAME, "{file}");
        assert_eq!(request.claims.basic_constraints, CA, "{file}");
        assert!(signs_certificates(&request), "{file}");
        assert_eq!(request.claims.subject_key_id, Some(request.key.key_id_sha1()), "{file}");
        assert_eq!(names(&request), ["a.example"], "{file}");
        count += 1;
    }
    assert_eq!(count, 17);
}

#[test]
fn openssl_requests_with_a_fault_are_refused_by_name() {
    let dir = folder();
    let dir = dir.path();
    let salt = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20";
    for (name, key, options, rules) in [
        ("sha1", RSA, "-sha1", &["possession.algorithm"][..]),
        ("md5", RSA, "-md5", &["possession.algorithm"]),
        ("salt", RSA, salt, &["possession.algorithm"]),
        ("ecsha1", &ec("P-256"), "-sha1", &["possession.algorithm"]),
        ("small", "-algorithm RSA -pkeyopt rsa_keygen_bits:1024", "-sha256", &["key.rsa-modulus"]),
        (
            "tiny",
            "-algorithm RSA -pkeyopt rsa_keygen_bits:512",
            "",
            &["key.rsa-modulus", "possession.signature"],
        ),
        ("three", &format!("{RSA} -pkeyopt rsa_keygen_pubexp:3"), "", &["key.rsa-exponent"]),
    ] {
        openssl(dir, name, key, options);
        assert_eq!(refusals(&request(dir, &format!("{name}.csr"))), rules, "{name}");
    }
    let small = request(dir, "small.csr");
    assert!(small.findings.iter().any(|f| f.rule == "possession.signature" && f.outcome == Outcome::Pass));

    openssl(dir, "point", &ec("P-256"), "");
    words(dir, "openssl", "ec -in point.key -conv_form compressed -out c.key");
    words(dir, "openssl", "req -new -config req.cnf -key c.key -out c.csr");
    assert_eq!(refusals(&request(dir, "c.csr")), ["key.ec-point"]);
}

#[test]
fn openssl_keys_of_other_kinds_are_unusable() {
    let dir = folder();
    let dir = dir.path();
    openssl(dir, "explicit", &format!("{} -pkeyopt ec_param_enc:explicit", ec("P-256")), "");
    assert!(unusable(dir, "explicit.csr").found.contains("explicit parameters"));
    for (curve, name) in [
        ("secp224r1", "P-224"),
        ("secp256k1", "secp256k1"),
        ("brainpoolP256r1", "brainpoolP256r1"),
        ("brainpoolP384r1", "brainpoolP384r1"),
    ] {
        openssl(dir, curve, &ec(curve), "");
        let finding = unusable(dir, &format!("{curve}.csr"));
        assert_eq!((finding.rule, finding.found.as_str()), ("key.curve", name));
    }
    openssl(dir, "pss", "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048", "-sigopt rsa_pss_saltlen:-1");
    assert_eq!(unusable(dir, "pss.csr").rule, "key.unsupported");
    openssl(dir, "ed448", "-algorithm ED448", "");
    assert_eq!(unusable(dir, "ed448.csr").found, "Ed448");
    words(dir, "openssl", "dsaparam -genkey -noout -out dsa.key 1024");
    words(dir, "openssl", "req -new -config req.cnf -key dsa.key -out dsa.csr");
    assert_eq!(unusable(dir, "dsa.csr").found, "DSA");
}

#[test]
fn a_challenge_password_is_a_warning() {
    let dir = folder();
    let dir = dir.path();
    openssl(dir, "a", ED25519, "");
    let configuration = OPENSSL_CONFIGURATION.replace("[req]", "[req]\nattributes = note");
    fs::write(dir.join("req.cnf"), configuration).unwrap();
    words(dir, "openssl", "req -new -config req.cnf -key a.key -out a.csr");
    let request = request(dir, "a.csr");
    let open: Vec<_> = request.findings.iter().filter(|f| f.outcome != Outcome::Pass).collect();
    let [warning] = open.as_slice() else { panic!("{open:?}") };
    assert_eq!((warning.rule, warning.outcome), ("csr.challenge-password", Outcome::Warning));
    assert_eq!(request.claims.basic_constraints, CA);
}

#[test]
fn what_else_openssl_writes_is_named() {
    let dir = folder();
    let dir = dir.path();
    openssl(dir, "a", ED25519, "");
    words(dir, "openssl", "req -x509 -config req.cnf -key a.key -out a.pem");
    words(dir, "openssl", "x509 -in a.pem -outform DER -out a.der");
    words(dir, "openssl", "crl2pkcs7 -nocrl -certfile a.pem -outform DER -out a.p7b");
    words(dir, "openssl", "pkey -in a.key -pubout -outform DER -out pub.der");
    fs::write(dir.join("index"), "").unwrap();
    fs::write(dir.join("ca.cnf"), "[ca]\ndefault_ca = c\n[c]\ndatabase = index\ndefault_md = null\n")
        .unwrap();
    words(dir, "openssl", "ca -gencrl -config ca.cnf -cert a.pem -keyfile a.key -crldays 1 -out crl.pem");
    words(dir, "openssl", "crl -in crl.pem -outform DER -out crl.der");
    for (file, what) in [
        ("a.pem", "a certificate"),
        ("a.der", "a certificate"),
        ("a.p7b", "a PKCS#7 or CMS message"),
        ("pub.der", "a bare public key"),
    ] {
        let finding = unusable(dir, file);
        assert_eq!((finding.rule, finding.found.as_str()), ("csr.kind", what), "{file}");
        assert_eq!(find_private_key(&fs::read(dir.join(file)).unwrap()), None, "{file}");
    }
    for file in ["crl.pem", "crl.der"] {
        let bytes = fs::read(dir.join(file)).unwrap();
        assert!(matches!(read(file, &bytes).as_slice(), [Arrival::Crl(_)]), "{file}");
        assert_eq!(find_private_key(&bytes), None, "{file}");
    }
}

#[test]
fn private_keys_of_every_tool_are_found() {
    let dir = folder();
    let dir = dir.path();
    openssl(dir, "rsa", RSA, "");
    openssl(dir, "ec", &ec("P-256"), "");
    openssl(dir, "ed", ED25519, "");
    words(dir, "openssl", "rsa -in rsa.key -traditional -outform DER -out pkcs1.der");
    words(dir, "openssl", "rsa -in rsa.key -traditional -out pkcs1.key");
    words(dir, "openssl", "ec -in ec.key -outform DER -out sec1.der");
    for name in ["rsa", "ec", "ed"] {
        words(dir, "openssl", &format!("pkcs8 -topk8 -nocrypt -in {name}.key -outform DER -out {name}.der"));
    }
    words(dir, "openssl", "pkcs8 -topk8 -passout pass:secret -in ec.key -out enc.key");
    words(dir, "openssl", "pkcs8 -topk8 -passout pass:secret -in ec.key -outform DER -out enc.der");
    words(dir, "openssl", "req -x509 -config req.cnf -key ec.key -out ec.pem");
    words(dir, "openssl", "pkcs12 -export -in ec.pem -inkey ec.key -passout pass:secret -out ec.p12");
    for store in ["JKS", "JCEKS", "PKCS12"] {
        let store = format!("-storetype {store} -keystore {store} -storepass secret");
        words(
            dir,
            "keytool",
            &format!("-genkeypair -keyalg EC -dname CN=a -alias a -keypass secret {store}"),
        );
    }
    run(dir, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "ssh"]);
    for (file, what) in [
        ("rsa.key", "a private key in PEM"),
        ("pkcs1.key", "an RSA private key in PEM"),
        ("pkcs1.der", "an RSA or DSA private key in DER"),
        ("sec1.der", "an EC private key in DER (SEC 1)"),
        ("rsa.der", "a PKCS#8 private key in DER"),
        ("ec.der", "a PKCS#8 private key in DER"),
        ("ed.der", "a PKCS#8 private key in DER"),
        ("enc.key", "an encrypted private key in PEM"),
        ("enc.der", "an encrypted PKCS#8 private key in DER"),
        ("ec.p12", "a PKCS#12 file, which can hold a private key"),
        ("JKS", "a Java keystore (JKS), which can hold a private key"),
        ("JCEKS", "a Java keystore (JCEKS), which can hold a private key"),
        ("PKCS12", "a PKCS#12 file, which can hold a private key"),
        ("ssh", "an OpenSSH private key"),
    ] {
        assert_eq!(find_private_key(&fs::read(dir.join(file)).unwrap()), Some(what), "{file}");
    }
    for file in ["ec.pem", "ssh.pub", "rsa.csr"] {
        assert_eq!(find_private_key(&fs::read(dir.join(file)).unwrap()), None, "{file}");
    }
}

#[test]
fn gnutls_certtool() {
    let dir = folder();
    let dir = dir.path();
    let template = "organization = Istio\nlocality = east\ncn = root\nca\npath_len = 0\ncert_signing_key\n\
                    crl_signing_key\ndns_name = a.example\nhonor_crq_extensions\n";
    fs::write(dir.join("template"), template).unwrap();
    for (name, key, options) in [
        ("rsa", "rsa --bits 2048", "--hash SHA256"),
        ("p256", "ecdsa --curve secp256r1", ""),
        ("p384", "ecdsa --curve secp384r1", "--hash SHA512"),
        ("p521", "ecdsa --curve secp521r1", ""),
        ("ed25519", "ed25519", ""),
        ("der", "ed25519", "--outder"),
        ("text", "ed25519", "--text"),
    ] {
        words(dir, "certtool", &format!("--generate-privkey --outfile {name}.key --key-type {key}"));
        let files = format!("--load-privkey {name}.key --template template --outfile {name}.csr");
        words(dir, "certtool", &format!("--generate-request {files} {options}"));
        let request = sound(dir, &format!("{name}.csr"));
        assert_eq!(request.subject.to_string(), LOCALITY_FIRST, "{name}");
        assert_eq!(request.claims.basic_constraints, CA, "{name}");
        assert!(signs_certificates(&request), "{name}");
        assert_eq!(names(&request), ["a.example"], "{name}");
    }
}

#[test]
fn nss_certutil() {
    let dir = folder();
    let dir = dir.path();
    run(dir, "certutil", &["-N", "-d", "sql:.", "--empty-password"]);
    fs::write(dir.join("noise"), [7; 64]).unwrap();
    // Asked for on standard input: a CA, path length 0, critical.
    let certutil = |options: &str| {
        let fixed = "printf 'y\\n0\\ny\\n' | certutil -R -d sql:. -z noise -s CN=root,L=east,O=Istio";
        run(dir, "sh", &["-c", &format!("{fixed} {options}")]);
    };
    let claims = "-2 --keyUsage certSigning,crlSigning,critical -8 a.example";
    for (file, options) in [
        ("rsa.pem", "-k rsa -g 2048 -a"),
        ("rsa.der", "-k rsa -g 2048 -Z SHA512"),
        ("p256.pem", "-k ec -q nistp256 -a"),
        ("p384.der", "-k ec -q nistp384 -Z SHA384"),
        ("p521.pem", "-k ec -q nistp521 -a -Z SHA512"),
    ] {
        certutil(&format!("{options} {claims} -o {file}"));
        let request = sound(dir, file);
        assert_eq!(request.subject.to_string(), NAME, "{file}");
        assert_eq!(request.claims.basic_constraints, CA, "{file}");
        assert!(signs_certificates(&request), "{file}");
        assert_eq!(names(&request), ["a.example"], "{file}");
    }
    certutil("-k ec -q nistp256 -a -o plain.pem");
    assert_eq!(sound(dir, "plain.pem").claims.basic_constraints, None);
    certutil("-k rsa -g 2048 --pss -o pss.der");
    assert_eq!(unusable(dir, "pss.der").rule, "key.unsupported");
}

#[test]
fn java_keytool() {
    let dir = folder();
    let dir = dir.path();
    for (name, key, algorithm) in [
        ("rsa", "RSA -keysize 2048", ""),
        ("pss", "RSA -keysize 2048", "-sigalg RSASSA-PSS"),
        ("p256", "EC -groupname secp256r1", "-sigalg SHA256withECDSA"),
        ("p384", "EC -groupname secp384r1", ""),
        ("p521", "EC -groupname secp521r1", ""),
        ("ed25519", "Ed25519", ""),
    ] {
        let store = format!("-keystore store -storepass secret -alias {name}");
        let key = format!("-genkeypair {store} -dname CN=root,L=east,O=Istio -keyalg {key}");
        words(dir, "keytool", &key);
        let extensions =
            "-ext BC:critical=ca:true,pathlen:0 -ext KU=keyCertSign,cRLSign -ext SAN=dns:a.example";
        words(dir, "keytool", &format!("-certreq {store} -file {name}.csr {extensions} {algorithm}"));
        let request = sound(dir, &format!("{name}.csr"));
        assert_eq!(request.subject.to_string(), NAME, "{name}");
        assert_eq!(request.claims.basic_constraints, CA, "{name}");
        assert!(signs_certificates(&request), "{name}");
        assert_eq!(names(&request), ["a.example"], "{name}");
        assert_eq!(request.claims.subject_key_id, Some(request.key.key_id_sha1()), "{name}");
    }
}

#[test]
fn go() {
    let dir = folder();
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/generators/main.go");
    run(dir.path(), "go", &["run", program]);
    for name in ["rsa2048", "p256", "p384", "p521", "ed25519"] {
        let request = sound(dir.path(), &format!("{name}.pem"));
        assert_eq!(request.subject.to_string(), LOCALITY_FIRST, "{name}");
        assert_eq!(request.claims.basic_constraints, CA, "{name}");
        let wanted = ["a.example", "spiffe://cluster.local/ns/istio-system/sa/citadel"];
        assert_eq!(names(&request), wanted, "{name}");
    }
}

#[test]
fn easy_rsa() {
    let dir = folder();
    let dir = dir.path();
    let easyrsa = |arguments: &[&str]| {
        run(dir, "/usr/share/easy-rsa/easyrsa", &[&["--batch"], arguments].concat());
    };
    easyrsa(&["init-pki"]);
    easyrsa(&["--req-cn=root", "gen-req", "rsa", "nopass"]);
    easyrsa(&["--req-cn=root", "--use-algo=ec", "--curve=secp384r1", "gen-req", "ec", "nopass"]);
    for name in ["rsa", "ec"] {
        let request = sound(dir, &format!("pki/reqs/{name}.req"));
        assert_eq!(request.subject.to_string(), "CN=root", "{name}");
        assert_eq!(request.claims.basic_constraints, None, "{name}");
    }
}
