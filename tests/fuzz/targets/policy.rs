//! The documents of a home: a policy, the register, the configuration.

use std::sync::LazyLock;

use anchorite::intake::Request;
use anchorite::policy::{Config, DEFAULT_REGISTER, PolicySet, Register, SHIPPED};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;
use der::asn1::{Any, BitString, Ia5String, OctetString, SetOfVec};
use der::{Decode as _, Encode as _};
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::attr::Attribute;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::request::{CertReq, CertReqInfo, Version};

use anchorite::x509::certificate::extension;
use anchorite::x509::{Name, SignatureAlgorithm};

use super::csr::decide_by;
use super::world::Key;
use super::{fit, fit_finding, good};

pub fn policy(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let alone = [("policies/fuzz.toml", text)];
    if let Some(set) = good(PolicySet::parse(alone, ("clusters.toml", DEFAULT_REGISTER))) {
        set.warnings().iter().for_each(fit_finding);
        let profile = &set.profiles()["fuzz"];
        fit(&profile.source(&profile.path_length));
        decide_by(&set, "fuzz", &REQUESTS);
    }
    if let Some(register) = good(Register::parse("clusters.toml", text)) {
        for (id, cluster) in register.clusters() {
            fit(id);
            fit(&register.source(&cluster.policy));
        }
        if let Some(set) = good(PolicySet::parse(SHIPPED.iter().copied(), ("clusters.toml", text))) {
            decide_by(&set, "istio", &REQUESTS);
        }
    }
    if let Some(config) = good(Config::parse("anchorite.toml", text)) {
        fit(&config.token.uri);
        assert!((1..=16).contains(&config.token.pin_parts));
    }
}

/// A request that asks for nothing, and one that asks for everything.
static REQUESTS: LazyLock<Vec<Request>> = LazyLock::new(|| {
    let all = [ask("O=Istio,L=east,CN=root", 3, false), ask("O=Istio,L=west,CN=root", 4, true)];
    all.iter().flat_map(|der| super::request(der)).collect()
});

/// A request, made here because it must not change from one run to the next in what it asks.
pub fn ask(subject: &str, key: u8, everything: bool) -> Vec<u8> {
    let key = Key::number(key);
    let info = CertReqInfo {
        version: Version::V1,
        subject: x509_cert::name::Name::from_der(Name::parse(subject).unwrap().as_der()).unwrap(),
        public_key: SubjectPublicKeyInfoOwned::from_der(key.public().as_der()).unwrap(),
        attributes: SetOfVec::try_from(if everything { vec![wishes(&key)] } else { vec![] }).unwrap(),
    };
    let signature = key.sign(&info.to_der().unwrap());
    let csr = CertReq {
        info,
        algorithm: SignatureAlgorithm::EcdsaSha256.identifier(),
        signature: BitString::from_bytes(&signature).unwrap(),
    };
    csr.to_der().unwrap()
}

fn wishes(key: &Key) -> Attribute {
    let usage = KeyUsages::KeyCertSign | KeyUsages::DigitalSignature | KeyUsages::NonRepudiation;
    let names = vec![
        GeneralName::DnsName(Ia5String::new("istiod.istio-system.svc").unwrap()),
        GeneralName::UniformResourceIdentifier(Ia5String::new("spiffe://cluster.local/ns/a").unwrap()),
    ];
    let key_id = OctetString::new(key.public().key_id_sha1()).unwrap();
    let basic = BasicConstraints { ca: true, path_len_constraint: Some(0) };
    let purposes = vec![rfc5280::ID_KP_SERVER_AUTH, rfc5280::ID_KP_CLIENT_AUTH];
    let extensions = vec![
        extension(rfc5280::ID_CE_BASIC_CONSTRAINTS, true, &basic).unwrap(),
        extension(rfc5280::ID_CE_KEY_USAGE, true, &KeyUsage(usage)).unwrap(),
        extension(rfc5280::ID_CE_EXT_KEY_USAGE, false, &purposes).unwrap(),
        extension(rfc5280::ID_CE_SUBJECT_ALT_NAME, false, &names).unwrap(),
        extension(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, false, &SubjectKeyIdentifier(key_id)).unwrap(),
        extension(rfc5280::ID_CE_POLICY_MAPPINGS, false, &Any::null()).unwrap(),
    ];
    let request = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
    Attribute {
        oid: request,
        values: SetOfVec::try_from(vec![Any::encode_from(&extensions).unwrap()]).unwrap(),
    }
}
