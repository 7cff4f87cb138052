//! A narrower policy never grants more: whatever a request asks for, what the narrower
//! of two policies grants, the wider one grants too, and in no respect less.
//!
//! Narrower is said of two values of one key, and holds of one request by itself: what a
//! wider policy grants to one request may stand in the way of the next (`batch.*`).
//! These keys have no order and are the same in both: `subject.cluster-id` (which
//! attribute), `crl-distribution-points` and `ca-issuers` (where to look), and
//! `release.consumer` (who takes the files). Some modes have none either: under
//! `tolerate` nothing asked for counts, so that it may grant more than `refuse` (its
//! default beyond a short wish) or less (no wish at all).

use proptest::prelude::*;
use proptest::sample::select;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::certpolicy::CertificatePolicies;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage, KeyUsages, NameConstraints, SubjectAltName};

use super::Grant;
use super::sample::{UNKNOWN, World, dns, p256, p521, request, rsa};
use crate::intake::{BasicConstraintsClaim, Claims};
use crate::x509::{KeyAlgorithm, PublicKey, Seconds, Serial, SignatureAlgorithm, Status};

/// A key with its value in the wider and in the narrower policy, as TOML.
type Setting = (&'static str, String, String);

/// Set by the policy exactly, not as a bound: a request that states what the narrower
/// policy sets can be refused by the wider one, which would give it more than it asked
/// for. And an earlier notBefore lies nearer to the certificate before.
const EXACT: [&str; 3] = ["path-length", "extensions.extended-key-usage", "validity.backdate"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_global_rejects: 4096, ..ProptestConfig::default() })]

    #[test]
    fn a_narrower_policy_never_grants_more(settings in settings(), world in worlds()) {
        let decide = |value: fn(&Setting) -> &str| -> Option<(Grant, World)> {
            let mut world = world.clone();
            world.set_all(settings.iter().map(|setting| (setting.0, value(setting))));
            world.decide().grant.map(|grant| (grant, world))
        };
        let narrow = decide(|s| &s.2);
        prop_assume!(narrow.is_some(), "about every third");
        let (narrow, under) = narrow.unwrap();
        nested(&narrow, &under);
        let as_exact = decide(|s| if EXACT.contains(&s.0) { &s.2 } else { &s.1 });
        prop_assert!(as_exact.is_some(), "the wider one alone refused");
        for (wide, above) in [as_exact, decide(|s| &s.1)].into_iter().flatten() {
            compare(&Granted::of(&narrow, &under), &Granted::of(&wide, &above));
        }
    }
}

/// Within the root, whatever a policy says.
fn nested(grant: &Grant, world: &World) {
    let root = &world.issuer;
    assert!(grant.not_before() >= root.not_before && grant.not_after() <= root.not_after);
    assert!(grant.not_after() > world.now);
    assert!(root.path_len.is_none_or(|bound| grant.path_len() < bound));
    assert_ne!(grant.public_key().digest(), root.public_key.digest());
    assert_ne!(grant.subject().as_der(), root.subject.as_der());
}

/// What a certificate may do, read from its extensions.
struct Granted<'a> {
    grant: &'a Grant,
    purposes: Option<ExtendedKeyUsage>,
    names: Option<SubjectAltName>,
    constraints: Option<NameConstraints>,
    policies: Option<CertificatePolicies>,
}

impl<'a> Granted<'a> {
    fn of(grant: &'a Grant, world: &World) -> Self {
        let specification = grant.specification(Serial::from_bytes(&[9]).unwrap(), &world.issuer).unwrap();
        let value = |oid: &str| -> Option<Vec<u8>> {
            let found = specification.extensions.iter().find(|e| e.extn_id.to_string() == oid);
            found.map(|e| e.extn_value.as_bytes().to_vec())
        };
        Self {
            grant,
            purposes: value("2.5.29.37").map(|der| ExtendedKeyUsage::from_der(&der).unwrap()),
            names: value("2.5.29.17").map(|der| SubjectAltName::from_der(&der).unwrap()),
            constraints: value("2.5.29.30").map(|der| NameConstraints::from_der(&der).unwrap()),
            policies: value("2.5.29.32").map(|der| CertificatePolicies::from_der(&der).unwrap()),
        }
    }

    /// Whether it could certify this name (RFC 5280 §4.2.1.10).
    fn may_certify(&self, name: &GeneralName) -> bool {
        let Some(NameConstraints { permitted_subtrees, excluded_subtrees }) = &self.constraints else {
            return true;
        };
        let of_kind = |subtrees: &Option<Vec<GeneralSubtree>>| -> Vec<bool> {
            subtrees.iter().flatten().filter_map(|subtree| covers(&subtree.base, name)).collect()
        };
        let (permitted, excluded) = (of_kind(permitted_subtrees), of_kind(excluded_subtrees));
        (permitted.is_empty() || permitted.contains(&true)) && !excluded.contains(&true)
    }
}

/// Whether a name lies beneath a base; `None` where they are of different kinds.
fn covers(base: &GeneralName, name: &GeneralName) -> Option<bool> {
    match (base, name) {
        (GeneralName::DnsName(base), GeneralName::DnsName(name)) => {
            let above = name.as_str().strip_suffix(base.as_str());
            Some(above.is_some_and(|above| above.is_empty() || above.ends_with('.')))
        }
        (GeneralName::IpAddress(base), GeneralName::IpAddress(address)) => {
            let (network, mask) = base.as_bytes().split_at(base.as_bytes().len() / 2);
            let masked = address.as_bytes().iter().zip(mask).map(|(a, m)| a & m);
            Some(masked.eq(network.iter().copied()))
        }
        _ => None,
    }
}

fn compare(narrow: &Granted<'_>, wide: &Granted<'_>) {
    let (n, w) = (narrow.grant, wide.grant);
    assert!(n.not_before() >= w.not_before() && n.not_after() <= w.not_after());
    assert!(n.path_len() <= w.path_len());
    assert!(w.key_usage().0.contains(n.key_usage().0));
    assert_eq!((n.subject(), n.public_key()), (w.subject(), w.public_key()));
    // Where there is none, every purpose is granted; where there is one, these alone.
    if let Some(wide) = &wide.purposes {
        let narrow = narrow.purposes.as_ref().expect("a bound that the wider one sets");
        assert!(narrow.0.iter().all(|purpose| wide.0.contains(purpose)));
    }
    let beneath = |narrow: Option<&Vec<GeneralName>>, wide: Option<&Vec<GeneralName>>| {
        narrow.into_iter().flatten().all(|name| wide.is_some_and(|wide| wide.contains(name)))
    };
    assert!(beneath(narrow.names.as_ref().map(|n| &n.0), wide.names.as_ref().map(|n| &n.0)));
    let policies = |granted: &Granted<'_>| -> Vec<_> {
        granted.policies.iter().flat_map(|p| p.0.iter().map(|p| p.policy_identifier)).collect()
    };
    assert!(policies(narrow).iter().all(|policy| policies(wide).contains(policy)));
    for name in ["example.org", "a.example.org", "b.a.example.org", "svc", "x.svc", "badexample.org"] {
        let name = dns(name);
        assert!(!narrow.may_certify(&name) || wide.may_certify(&name), "{name:?}");
    }
    for address in [[10, 0, 0, 1], [10, 128, 0, 1], [192, 168, 0, 1]] {
        let name = GeneralName::IpAddress(der::asn1::OctetString::new(address).unwrap());
        assert!(!narrow.may_certify(&name) || wide.may_certify(&name), "{name:?}");
    }
}

// --- pairs of policies

fn settings() -> impl Strategy<Value = Vec<Setting>> {
    let all = (validity(), keys(), subject(), extensions(), modes(), renewal());
    all.prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f].concat())
}

fn setting(key: &'static str, wide: impl ToString, narrow: impl ToString) -> Setting {
    (key, wide.to_string(), narrow.to_string())
}

/// A step that is often none, so that pairs differ in a few keys and not in all.
fn step(upper: u64) -> impl Strategy<Value = u64> {
    prop_oneof![2 => Just(0), 1 => 0..upper]
}

fn validity() -> impl Strategy<Value = Vec<Setting>> {
    let days = |n: u64| format!("\"{n}d\"");
    let minutes = |n: u64| format!("\"{n}m\"");
    let path = (0_u64..4, step(4));
    (step(9), step(9), step(90), step(300), step(90), step(90), (step(600), step(600)), path).prop_map(
        move |(
            min,
            more_min,
            default,
            spare,
            more_default,
            more_spare,
            (back, more_back),
            (path, more_path),
        )| {
            let minimum = 1 + min;
            let narrow_minimum = minimum + more_min;
            let narrow_default = narrow_minimum + default;
            let narrow_maximum = narrow_default + spare;
            let wide_default = narrow_default + more_default;
            let wide_maximum = narrow_maximum.max(wide_default) + more_spare;
            vec![
                setting("validity.minimum", days(minimum), days(narrow_minimum)),
                setting("validity.default", days(wide_default), days(narrow_default)),
                setting("validity.maximum", days(wide_maximum), days(narrow_maximum)),
                setting("validity.backdate", minutes(back + more_back), minutes(back)),
                setting("path-length", path + more_path, path),
            ]
        },
    )
}

/// Of each value: in neither, in the wider one, in both.
fn subset(
    key: &'static str,
    values: &'static [&'static str],
    least: usize,
) -> impl Strategy<Value = Setting> {
    let list = move |states: &[u8], from: u8| -> Vec<String> {
        let kept =
            values.iter().zip(states).enumerate().filter(|(n, (_, state))| *n < least || **state >= from);
        kept.map(|(_, (value, _))| format!("\"{value}\"")).collect()
    };
    let state = prop_oneof![1 => Just(0_u8), 1 => Just(1), 4 => Just(2)];
    prop::collection::vec(state, values.len()).prop_map(move |states| {
        let text = |from| format!("[{}]", list(&states, from).join(", "));
        setting(key, text(1), text(2))
    })
}

fn keys() -> impl Strategy<Value = Vec<Setting>> {
    let sizes = prop::collection::vec(0..4_usize, 4).prop_map(|mut at| {
        at.sort_unstable();
        at.into_iter().map(|n| [2048, 3072, 4096, 8192][n]).collect::<Vec<_>>()
    });
    let signature =
        subset("signature.algorithms", &["ecdsa-sha256", "rsa-sha256", "ed25519", "ml-dsa-65"], 1);
    let kinds = subset("key.algorithms", &["p256", "rsa", "p384", "ed25519", "ml-dsa-65"], 1);
    (kinds, signature, sizes).prop_map(|(kinds, signature, sizes)| {
        vec![
            kinds,
            signature,
            setting("key.rsa-minimum", sizes[0], sizes[1]),
            setting("key.rsa-maximum", sizes[3], sizes[2]),
        ]
    })
}

/// Attributes are required by the narrower one, allowed by the wider one; a fixed value
/// and a shorter length are the narrower one's.
fn subject() -> impl Strategy<Value = Vec<Setting>> {
    let required = select(vec![("[\"L\"]", "[\"L\", \"O\"]"), ("[]", "[\"L\"]"), ("[\"L\"]", "[\"L\"]")]);
    let fixed = select(vec![("{}", "{ O = \"Istio\" }"), ("{}", "{}")]);
    let length = select(vec![("{}", "{ CN = 3 }"), ("{ CN = 8 }", "{ CN = 4 }"), ("{}", "{}")]);
    (subset("subject.allowed", &["L", "O", "CN", "OU"], 2), required, fixed, length).prop_map(
        |(allowed, required, fixed, length)| {
            vec![
                allowed,
                setting("subject.required", required.0, required.1),
                setting("subject.fixed", fixed.0, fixed.1),
                setting("subject.max-length", length.0, length.1),
            ]
        },
    )
}

/// Of a list that bounds by being there (purposes, permitted names), none is the widest:
/// from none to some is narrower, and so is fewer, as long as a kind keeps one.
fn extensions() -> impl Strategy<Value = Vec<Setting>> {
    let purposes = select(vec![
        ("[]", "[]"),
        ("[]", "[\"serverAuth\", \"clientAuth\"]"),
        ("[\"serverAuth\", \"clientAuth\"]", "[\"serverAuth\"]"),
    ]);
    let permitted = select(vec![
        ("[]", "[]"),
        ("[]", "[\"dns:example.org\"]"),
        ("[\"dns:example.org\"]", "[\"dns:a.example.org\"]"),
        ("[\"dns:example.org\", \"dns:svc\"]", "[\"dns:svc\", \"ip:10.0.0.0/8\"]"),
        ("[\"ip:10.0.0.0/8\"]", "[\"ip:10.128.0.0/9\"]"),
    ]);
    let excluded = select(vec![
        ("[]", "[]"),
        ("[]", "[\"dns:a.example.org\"]"),
        ("[\"ip:10.128.0.0/9\"]", "[\"ip:10.0.0.0/8\", \"dns:svc\"]"),
    ]);
    let usage = subset("key-usage.if-asked", &["digitalSignature", "keyEncipherment"], 0);
    let suffixes = subset("subject-alt-name.dns-suffixes", &["a.example.org", "example.org", "svc"], 0);
    let prefixes = subset("subject-alt-name.uri-prefixes", &["spiffe://a/b/", "spiffe://a/"], 0);
    let policies = subset("extensions.certificate-policies", &["1.2.3", "1.2.4"], 0);
    (purposes, permitted, excluded, usage, suffixes, prefixes, policies).prop_map(
        |(purposes, permitted, excluded, usage, suffixes, prefixes, policies)| {
            vec![
                setting("extensions.extended-key-usage", purposes.0, purposes.1),
                setting("extensions.permitted-names", permitted.0, permitted.1),
                setting("extensions.excluded-names", excluded.0, excluded.1),
                usage,
                suffixes,
                prefixes,
                policies,
            ]
        },
    )
}

fn modes() -> impl Strategy<Value = Vec<Setting>> {
    const SAME: [(&str, &str); 4] =
        [("tolerate", "tolerate"), ("narrow", "narrow"), ("refuse", "refuse"), ("narrow", "refuse")];
    let mode = |key: &'static str, more: &[(&'static str, &'static str)]| {
        let pairs = SAME.iter().chain(more).copied().collect::<Vec<_>>();
        select(pairs).prop_map(move |(w, n)| setting(key, format!("\"{w}\""), format!("\"{n}\"")))
    };
    // Whether a wish counts at all makes a difference to what is granted: see above.
    let counts = [("narrow", "tolerate")];
    let ignored = [("tolerate", "refuse"), ("tolerate", "narrow"), ("narrow", "tolerate")];
    (
        mode("claims.validity", &[]),
        mode("claims.key-usage", &counts),
        mode("claims.subject-alt-name", &counts),
        mode("claims.basic-constraints", &ignored),
        mode("claims.extended-key-usage", &ignored),
        mode("claims.subject-key-identifier", &ignored),
        mode("claims.other-extensions", &ignored),
        mode("claims.other-attributes", &ignored),
    )
        .prop_map(|(a, b, c, d, e, f, g, h)| vec![a, b, c, d, e, f, g, h])
}

fn renewal() -> impl Strategy<Value = Vec<Setting>> {
    let permission = |key: &'static str| {
        select(vec![("allow", "allow"), ("allow", "refuse"), ("refuse", "refuse")])
            .prop_map(move |(w, n)| setting(key, format!("\"{w}\""), format!("\"{n}\"")))
    };
    let spacing = (step(40), step(40)).prop_map(|(wide, more)| {
        setting("renewal.spacing", format!("\"{wide}d\""), format!("\"{}d\"", wide + more))
    });
    let (key, subject) = (permission("renewal.same-key"), permission("renewal.same-subject"));
    let crl = prop_oneof![
        4 => Just(("warn", "warn")),
        1 => select(vec![("warn", "require"), ("require", "require")]),
    ];
    let crl = crl.prop_map(|(w, n)| setting("crl.pre-signed", format!("\"{w}\""), format!("\"{n}\"")));
    (key, subject, spacing, crl).prop_map(|(a, b, c, d)| vec![a, b, c, d])
}

// --- requests, a root and a past

fn worlds() -> impl Strategy<Value = World> {
    let subject = prop_oneof![
        4 => Just("O=Istio,L=east,CN=r"),
        1 => select(vec!["O=Istio,L=east,CN=root", "L=east", "O=Other,OU=x,L=east,CN=root"]),
    ];
    let end = prop_oneof![4 => Just(2_000_u64), 1 => select(vec![300, 60, 8])];
    let algorithm = prop_oneof![6 => Just(3_usize), 1 => 0..3_usize];
    let root = (end, prop::option::weighted(0.2, 0_u8..6), algorithm);
    let past = prop::option::weighted(0.2, (select(vec![1_u8, 2]), any::<bool>(), any::<bool>()));
    // Long enough for most, too short for some.
    // It outlasts whatever is granted: a longer certificate may be refused for its CRL's sake alone.
    let crl = prop::option::weighted(0.5, Just(2_000_u64));
    let requests = (subject, public_keys(), claims(), crl);
    (requests, root, past).prop_map(|((subject, key, claims, crl), root, past)| {
        let mut world = World::new();
        world.policies.truncate(1);
        *world.request() = request(subject, 1);
        world.request().key = key;
        *world.claims() = claims;
        if let Some(days) = crl {
            let next_update = world.now + Seconds(days * 86_400);
            world.with_crl(|crl| crl.next_update = next_update);
        }
        world.issuer.not_after = world.now + Seconds(root.0 * 86_400);
        world.issuer.path_len = root.1;
        let algorithms =
            [SignatureAlgorithm::RsaSha256, SignatureAlgorithm::Ed25519, SignatureAlgorithm::MlDsa65];
        world.issuer.signature = *algorithms.get(root.2).unwrap_or(&SignatureAlgorithm::EcdsaSha256);
        if let Some((key, same, burnt)) = past {
            let subject = if same { subject } else { "O=Istio,L=east,CN=before" };
            world.issued(key, subject, if burnt { Status::Burnt } else { Status::Released });
        }
        world
    })
}

fn public_keys() -> impl Strategy<Value = PublicKey> {
    prop_oneof![
        8 => Just(p256(1)),
        2 => select(vec![2048, 3072, 4096, 8192]).prop_map(rsa),
        1 => Just(PublicKey::from_ed25519(&[7; 32]).unwrap()),
        1 => Just(PublicKey::from_ml_dsa(&[7; 1952]).unwrap()),
        1 => Just(p384()),
        1 => Just(p521()),
    ]
}

fn p384() -> PublicKey {
    let mut point = [1; 97];
    point[0] = 4;
    PublicKey::from_ec_point(KeyAlgorithm::P384, &point).unwrap()
}

/// Each wish is mostly left out, so that enough is granted to compare.
fn claims() -> impl Strategy<Value = Claims> {
    let uri = |text: &str| GeneralName::UniformResourceIdentifier(der::asn1::Ia5String::new(text).unwrap());
    let names = vec![
        dns("example.org"),
        dns("b.a.example.org"),
        dns("x.svc"),
        uri("spiffe://a/b/c"),
        uri("spiffe://a/x"),
    ];
    let names = prop::option::weighted(0.2, prop::sample::subsequence(names, 1..=3));
    let usages = select(vec![
        KeyUsages::KeyCertSign | KeyUsages::CRLSign,
        KeyUsages::KeyCertSign | KeyUsages::DigitalSignature,
        KeyUsages::KeyCertSign | KeyUsages::KeyEncipherment | KeyUsages::NonRepudiation,
    ]);
    let basic = (any::<bool>(), prop::option::of(0..3_u8));
    let basic = basic.prop_map(|(ca, path_len)| BasicConstraintsClaim { ca, path_len });
    let purposes = select(vec![const_oid::db::rfc5280::ID_KP_SERVER_AUTH, UNKNOWN]);
    let key_ids = select(vec![p256(1).key_id(), p256(1).key_id_sha1(), vec![7; 20]]);
    (
        names,
        prop::option::weighted(0.3, usages.prop_map(KeyUsage)),
        prop::option::weighted(0.2, basic),
        prop::option::weighted(0.15, purposes),
        prop::option::weighted(0.15, key_ids),
        prop::option::weighted(0.3, 0..500_u64),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(names, usage, basic, purpose, key_id, days, extension, attribute)| Claims {
            basic_constraints: basic,
            key_usage: usage,
            extended_key_usage: purpose.into_iter().collect(),
            subject_alt_name: names,
            subject_key_id: key_id,
            other_extensions: if extension { vec![(UNKNOWN, false)] } else { vec![] },
            other_attributes: if attribute { vec![UNKNOWN] } else { vec![] },
            profile: None,
            duration: days.map(|days| Seconds(days * 86_400)),
        })
}
