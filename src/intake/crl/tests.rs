//! Each rule accepts a sound CRL and refuses its defect, and no other rule refuses with
//! it; what none refuses is what the verifier of releases takes.

use rcgen::{KeyPair, PublicKeyData as _};

use super::*;
use crate::intake::{self, Request};
use crate::lint::asn1::write;
use crate::lint::crl::fixtures::RawCrl;
use crate::verify::read_crl;
use crate::x509::{
    CrlSpec, Digest, Issuer, PublicKey, Reason, Revocation, Seconds, Serial, SignatureAlgorithm, pem,
};

type Bend<'a, T> = &'a dyn Fn(&mut T);

fn now() -> Time {
    Time::parse("2026-11-22T10:00:00Z").unwrap()
}

fn subject() -> Name {
    Name::parse("O=Istio,L=east,CN=east-1").unwrap()
}

fn received(der: &[u8]) -> ReceivedCrl {
    match intake::read("east.crl", der).remove(0) {
        Arrival::Crl(crl) => *crl,
        other => panic!("{other:?}"),
    }
}

/// The rules that refuse, by a certificate of 60 days for `key`.
fn refusing(der: &[u8], key: &PublicKey) -> Vec<&'static str> {
    let (subject, key_id) = (subject(), key.key_id());
    let not_after = now() + Seconds(60 * 86_400);
    let of = CrlOf { subject: &subject, public_key: key, key_id: &key_id, not_after, now: now() };
    let findings = judge_crl(&received(der), &of);
    assert_eq!(findings.iter().map(|f| f.rule).collect::<Vec<_>>(), CRL_RULES.map(|r| r.id));
    let refusing: Vec<_> = findings.iter().filter(|f| f.refuses()).collect();
    for finding in &refusing {
        assert!(finding.message.contains("east.crl") && finding.message.contains("--crl-for"), "{finding:?}");
        assert!(!finding.found.is_empty() && !finding.wanted.is_empty(), "{finding:?}");
    }
    refusing.iter().map(|f| f.rule).collect()
}

fn refused(spec: &CrlSpec) -> Vec<&'static str> {
    refusing(&sample::signed(spec), &sample::public_key())
}

#[test]
fn what_request_makes_is_sound_and_the_verifier_takes_it() {
    for pair in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA256,
        &rcgen::PKCS_ML_DSA_65,
    ]
    .map(|kind| KeyPair::generate_for(kind).unwrap())
    {
        let public_key = PublicKey::from_der(&pair.subject_public_key_info()).unwrap();
        let signature = SignatureAlgorithm::of_issuer(public_key.algorithm()).unwrap();
        let spec = CrlSpec { signature, key_id: public_key.key_id(), ..sample::spec(&subject(), now()) };
        let tbs = spec.to_tbs().unwrap();
        let der = tbs.assemble(&rcgen::SigningKey::sign(&pair, tbs.as_der()).unwrap()).unwrap();
        assert_eq!(refusing(&der, &public_key), [""; 0], "{signature:?}");
        let crl = received(&der);
        assert_eq!((crl.number, crl.key_id), (Some(1), Some(public_key.key_id())));
        assert_eq!((crl.this_update, crl.next_update), (spec.this_update, Some(spec.next_update)));
        let issuer = Issuer {
            der: Vec::new(),
            subject: subject(),
            serial: Serial::from_bytes(&[1]).unwrap(),
            key_id: public_key.key_id(),
            not_before: now(),
            not_after: now(),
            path_len: Some(0),
            crl_sign: true,
            signature,
            public_key,
        };
        assert_eq!(read_crl(&der, &issuer).unwrap().number, 1, "{signature:?}");
    }
}

#[test]
fn each_rule_refuses_its_defect_alone() {
    let revoked = Revocation {
        serial: Serial::from_bytes(&[9]).unwrap(),
        date: now(),
        reason: Reason::KeyCompromise,
        invalidity_date: None,
    };
    let defects: [(&str, Bend<'_, CrlSpec>); 11] = [
        ("crl.issuer", &|s| s.issuer = Name::parse("O=Istio,L=east,CN=east-2").unwrap()),
        ("crl.authority-key-id", &|s| s.key_id = vec![7; 20]),
        ("crl.authority-key-id", &|s| s.key_id = sample::public_key().key_id_sha1()),
        ("crl.entries", &|s| s.entries = vec![revoked.clone()]),
        ("crl.number", &|s| s.number = 1 << 63),
        ("crl.number", &|s| s.number = u64::MAX),
        ("crl.this-update", &|s| s.this_update = now() + Seconds(301)),
        ("crl.next-update", &|s| s.next_update = now() + Seconds(60 * 86_400 - 1)),
        ("crl.next-update", &|s| s.next_update = now().earlier(Seconds(60))),
        ("crl.signature", &|s| s.signature = SignatureAlgorithm::EcdsaSha384),
        ("crl.signature", &|s| s.signature = SignatureAlgorithm::RsaSha256),
    ];
    for (n, (rule, defect)) in defects.into_iter().enumerate() {
        let mut spec = sample::spec(&subject(), now());
        defect(&mut spec);
        assert_eq!(refused(&spec), [rule], "defect {n}");
    }
    // At the very bounds it is sound.
    let mut spec = sample::spec(&subject(), now());
    spec.number = (1 << 63) - 1;
    spec.this_update = now() + Seconds(300);
    spec.next_update = now() + Seconds(60 * 86_400);
    assert_eq!(refused(&spec), [""; 0]);
}

#[test]
fn each_rule_refuses_what_no_builder_here_makes() {
    let entries = vec![Revocation {
        serial: Serial::from_bytes(&[9]).unwrap(),
        date: now(),
        reason: Reason::Superseded,
        invalidity_date: None,
    }];
    let spec = CrlSpec { entries, ..sample::spec(&subject(), now()) };
    let mut sound = RawCrl::of(spec.to_tbs().unwrap().as_der());
    sound.entries = None;
    let extension =
        |oid: u8, critical: Option<bool>, value: &[u8]| (vec![0x55, 0x1d, oid], critical, value.to_vec());
    let defects: [(&[&str], Bend<'_, RawCrl>); 13] = [
        (&[], &|_| {}),
        (&["crl.version"], &|c| c.version.clear()),
        (&["crl.version"], &|c| c.version = vec![2, 1, 0]),
        (&["crl.version"], &|c| c.version = vec![2, 1, 2]),
        (&["crl.entries"], &|c| c.entries = Some(Vec::new())),
        (&["crl.next-update"], &|c| c.next_update.clear()),
        (&["crl.extensions"], &|c| c.extensions[1].1 = Some(true)),
        (&["crl.extensions"], &|c| c.extensions.push(extension(0x1c, Some(true), &[0x30, 0]))),
        (&["crl.extensions"], &|c| c.extensions.push(extension(0x1b, Some(true), &[2, 1, 1]))),
        (&["crl.extensions"], &|c| c.extensions.push(c.extensions[0].clone())),
        (&["crl.extensions", "crl.number"], &|c| drop(c.extensions.remove(1))),
        (&["crl.authority-key-id"], &|c| {
            let id = c.extensions[0].2.clone();
            c.extensions[0].2 = write(0x30, &[&id[2..], &write(0x82, &[1])].concat());
        }),
        (&["crl.number"], &|c| c.extensions[1].2 = write(0x02, &[0x7f; 20])),
    ];
    for (n, (rules, defect)) in defects.into_iter().enumerate() {
        let mut raw = sound.clone();
        defect(&mut raw);
        assert_eq!(refusing(&raw.sign(sample::key()), &sample::public_key()), rules, "defect {n}");
    }
    let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    assert_eq!(refusing(&sound.sign(&other), &sample::public_key()), ["crl.signature"]);
    // PSS, without its NULL, or with other words outside than inside.
    sound.signature = b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a".to_vec();
    assert_eq!(refusing(&sound.sign(sample::key()), &sample::public_key()), ["crl.signature"]);
}

#[test]
fn only_a_whole_crl_in_strict_der_is_read() {
    let der = sample::signed(&sample::spec(&subject(), now()));
    let armoured = pem::encode("X509 CRL", &der);
    assert_eq!(received(armoured.as_bytes()).der, der);
    assert_eq!(received(format!("\u{feff}text\r\n{}", armoured.replace('\n', "\r\n")).as_bytes()).der, der);
    let mut long = RawCrl::of(
        CrlSpec {
            entries: vec![Revocation {
                serial: Serial::from_bytes(&[9]).unwrap(),
                date: now(),
                reason: Reason::Unspecified,
                invalidity_date: None,
            }],
            ..sample::spec(&subject(), now())
        }
        .to_tbs()
        .unwrap()
        .as_der(),
    );
    long.next_update = write(0x18, b"20271217100000Z");
    let cases = [
        ("a trailing byte", [&der[..], &[0]].concat()),
        ("cut off", der[..der.len() - 1].to_vec()),
        ("a date in the wrong form", long.sign(sample::key())),
        ("a long length where a short one does", {
            let content = crate::lint::asn1::only(&der).unwrap().content;
            let length = u32::try_from(content.len()).unwrap().to_be_bytes();
            [&[0x30, 0x84], &length[..], content].concat()
        }),
        ("PEM of nothing", b"-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n".to_vec()),
        ("PEM of noise", pem::encode("X509 CRL", &[7; 90]).into_bytes()),
        ("PEM without an end", armoured.as_bytes()[..armoured.len() - 20].to_vec()),
    ];
    for (what, bytes) in cases {
        let arrivals = intake::read("east.crl", &bytes);
        let [Arrival::Unusable { finding, .. }] = arrivals.as_slice() else { panic!("{what}: {arrivals:?}") };
        assert_eq!(finding.rule, "crl.der", "{what}");
    }
}

#[test]
fn no_changed_byte_leaves_a_sound_crl() {
    let der = sample::signed(&sample::spec(&subject(), now()));
    for at in 0..der.len() {
        for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            let mut changed = der.clone();
            changed[at] ^= mask;
            for arrival in intake::read("east.crl", &changed) {
                if let Arrival::Crl(crl) = arrival {
                    assert_ne!(refusing(&crl.der, &sample::public_key()), [""; 0], "byte {at} ^ {mask:#x}");
                }
            }
        }
    }
}

/// A request with the cluster's key, or with another; only what pairing looks at matters.
fn request(subject: &Name, key: PublicKey) -> Request {
    let arrival = intake::read("east.csr", &intake::sample::ed25519(&[])).remove(0);
    let Arrival::Request(request) = arrival else { panic!() };
    let digest = Digest::of(&[subject.as_der(), &key.digest().0].concat());
    Request { subject: subject.clone(), key, digest, ..*request }
}

fn crl(file: &str, change: impl FnOnce(&mut CrlSpec)) -> ReceivedCrl {
    let mut spec = sample::spec(&subject(), now());
    change(&mut spec);
    ReceivedCrl { file: file.into(), ..received(&sample::signed(&spec)) }
}

fn other_key() -> PublicKey {
    PublicKey::from_ed25519(&[7; 32]).unwrap()
}

fn files(requests: &[Request]) -> Vec<Option<&str>> {
    requests.iter().map(|r| r.crl.as_ref().map(|c| c.file.as_str())).collect()
}

#[test]
fn a_crl_goes_to_its_request() {
    let west = Name::parse("L=west").unwrap();
    let mut requests = [request(&west, other_key()), request(&subject(), sample::public_key())];
    let left =
        pair(&mut requests, vec![crl("a", |_| {}), crl("b", |s| s.issuer = Name::parse("CN=x").unwrap())]);
    // The other names a key that is here, though not its subject: that is for a rule to say.
    assert_eq!((files(&requests), left.len()), (vec![None, Some("a")], 0));
    assert_eq!(requests[1].findings.last().unwrap().rule, "crl.several");

    // By the subject alone, if nothing else fits; by the key, where two have the subject.
    let mut requests = [request(&subject(), other_key()), request(&subject(), sample::public_key())];
    let left = pair(&mut requests, vec![crl("a", |_| {}), crl("b", |s| s.key_id = vec![1])]);
    assert_eq!((files(&requests), left.len()), (vec![Some("b"), Some("a")], 0));

    // Neither subject nor key.
    let mut requests = [request(&west, other_key())];
    let left = pair(&mut requests, vec![crl("a", |_| {})]);
    assert_eq!((files(&requests), left.len()), (vec![None], 1));
}

#[test]
fn a_copy_takes_no_crl_from_its_request() {
    let copy = || request(&subject(), sample::public_key());
    let mut requests = [copy(), request(&Name::parse("L=west").unwrap(), other_key()), copy()];
    pair(&mut requests, vec![crl("a.crl", |_| {})]);
    assert_eq!(files(&requests), [Some("a.crl"), None, Some("a.crl")]);
}

#[test]
fn two_crls_for_one_request_are_refused_by_name_and_a_copy_is_not() {
    let mut requests = [request(&subject(), sample::public_key())];
    let first = crl("a.crl", |_| {});
    let copy = ReceivedCrl { file: "copy.crl".into(), ..first.clone() };
    pair(&mut requests, vec![first, copy]);
    assert_eq!(files(&requests), [Some("a.crl")]);
    assert!(!requests[0].findings.iter().any(Finding::refuses));
    pair(&mut requests, vec![crl("b.crl", |s| s.number = 2)]);
    let finding = requests[0].findings.last().unwrap();
    assert_eq!(finding.rule, "crl.several");
    assert!(finding.refuses() && finding.message.contains("a.crl") && finding.message.contains("b.crl"));
}

#[test]
fn a_crl_kept_with_its_request_is_attached_again() {
    let mut request = request(&subject(), sample::public_key());
    let der = sample::signed(&sample::spec(&subject(), now()));
    attach(&mut request, "east.crl", &der).unwrap();
    assert_eq!(request.crl.unwrap().der, der);
    let mut request = self::request(&subject(), sample::public_key());
    assert_eq!(attach(&mut request, "east.crl", &der[1..]).unwrap_err().rule, "crl.der");
}
