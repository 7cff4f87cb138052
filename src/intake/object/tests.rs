use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::intake::{read, sample};
use crate::x509::pem;

fn csr() -> String {
    pem::encode("CERTIFICATE REQUEST", &sample::ed25519(&[]))
}

fn base64(text: &str) -> String {
    crate::text::base64(text.as_bytes())
}

fn certificate_request() -> Value {
    json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "CertificateRequest",
        "metadata": {
            "name": "mesh-ca-1", "namespace": "istio-system", "generateName": "mesh-ca-",
            "annotations": {"cert-manager.io/certificate-name": "mesh-ca"},
        },
        "spec": {
            "request": base64(&csr()), "isCA": true, "duration": "1440h0m0s",
            "usages": ["cert sign", "crl sign"], "groups": ["a"], "uid": "b", "username": "c", "extra": {"d": ["e"]},
            "issuerRef": {"name": "anchorite", "kind": "ClusterIssuer"},
        },
        "status": {"conditions": [{"type": "Approved", "status": "True"}]},
    })
}

fn signing_request() -> Value {
    json!({
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "east.mesh"},
        "spec": {
            "request": base64(&csr()), "signerName": "example.org/anchorite", "expirationSeconds": 5_184_000,
            "usages": ["cert sign"],
        },
    })
}

/// The one request in a document.
fn one(value: &Value) -> Request {
    match read("a.json", value.to_string().as_bytes()).as_slice() {
        [Arrival::Request(request)] => *request.clone(),
        other => panic!("{other:?}"),
    }
}

/// What refuses a document whose field is another.
fn refused(mut value: Value, pointer: &str, other: Value) -> (&'static str, String) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match other {
        Value::Null => drop(parent.remove(name)),
        other => drop(parent.insert(name.into(), other)),
    }
    match read("a.json", value.to_string().as_bytes()).as_slice() {
        [Arrival::Unusable { finding, .. }] => (finding.rule, finding.message.clone()),
        [Arrival::Request(request)] => {
            let refusing = request.findings.iter().find(|f| f.refuses());
            refusing.map_or(("nothing", String::new()), |f| (f.rule, f.message.clone()))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_objects_wishes_are_the_requests() {
    let request = one(&certificate_request());
    assert_eq!(request.claims.duration, Some(Seconds(1440 * 3600)));
    assert_eq!(request.der, sample::ed25519(&[]));
    assert!(request.findings.iter().all(|f| f.outcome == Outcome::Pass), "{:?}", request.findings);
    let object = request.object.unwrap();
    assert_eq!(
        object.line(),
        "CertificateRequest istio-system/mesh-ca-1, issuer ClusterIssuer.cert-manager.io/anchorite"
    );
    assert_eq!(object.is_ca, Some(true));
    let written = serde_json::to_string(&object).unwrap();
    assert_eq!(serde_json::from_str::<Object>(&written).unwrap(), object);

    let request = one(&signing_request());
    assert_eq!(request.claims.duration, Some(Seconds(5_184_000)));
    let approval = request.findings.iter().find(|f| f.rule == "object.approval").unwrap();
    assert_eq!(approval.outcome, Outcome::Warning);
    let object = request.object.unwrap();
    assert_eq!(object.line(), "CertificateSigningRequest east.mesh, signer example.org/anchorite");
    assert_eq!((object.is_ca, object.namespace), (None, None));
}

#[test]
fn what_is_left_out_is_what_the_api_means() {
    let mut value = certificate_request();
    let spec = value["spec"].as_object_mut().unwrap();
    spec.retain(|key, _| matches!(key.as_str(), "request" | "issuerRef"));
    spec["issuerRef"] = json!({"name": "anchorite"});
    let object = one(&value).object.unwrap();
    assert_eq!(object.is_ca, Some(false), "cert-manager writes no false");
    assert_eq!(object.issuer.as_deref(), Some("Issuer.cert-manager.io/anchorite"));
    assert_eq!(object.meant_usages().len(), 2);
}

#[test]
fn every_usage_has_its_place_in_a_certificate() {
    for name in Usage::names() {
        let usage = Usage::parse(name).unwrap();
        assert_eq!(usage.name(), name);
        assert_ne!(usage.bit().is_some(), usage.purpose().is_some(), "{name}");
    }
    assert_eq!(Usage::parse("Cert Sign"), None);
}

#[test]
fn each_field_is_named_when_it_is_wrong() {
    let long = json!("a".repeat(300));
    for (pointer, other, words) in [
        ("/metadata", json!(1), "metadata: found 1, want a mapping"),
        ("/metadata/name", Value::Null, "metadata.name: found nothing"),
        ("/metadata/name", json!("A b"), "metadata.name: found \"A b\""),
        ("/metadata/name", json!("a\u{1b}[2J"), "\\u{1b}"),
        ("/metadata/name", long, "at most 253"),
        ("/metadata/namespace", json!("a.b"), "metadata.namespace: found \"a.b\""),
        ("/metadata/namespace", json!("../x"), "metadata.namespace: found \"../x\""),
        ("/spec", Value::Null, "spec: found nothing, want a mapping"),
        ("/spec/request", Value::Null, "spec.request: found nothing"),
        ("/spec/request", json!(7), "spec.request: found 7, want a string"),
        ("/spec/isCA", json!("yes"), "spec.isCA: found \"yes\", want true or false"),
        ("/spec/isCa", json!(true), "spec.isCa: found a field that is not known"),
        ("/spec/duration", json!("60d"), "spec.duration: found \"60d\", want a duration"),
        ("/spec/duration", json!(60), "spec.duration: found 60, want a string"),
        ("/spec/usages", json!("any"), "spec.usages: found \"any\", want a list"),
        ("/spec/usages", json!(["cert sign", "sign"]), "spec.usages[1]: found \"sign\", want one of signing"),
        ("/spec/usages", json!([["any"]]), "spec.usages[0]: found a list"),
        ("/spec/issuerRef", Value::Null, "spec.issuerRef: found nothing"),
        ("/spec/issuerRef/name", Value::Null, "spec.issuerRef.name: found nothing"),
        ("/spec/issuerRef/kind", json!("a b"), "spec.issuerRef.kind: found \"a b\""),
        ("/spec/issuerRef/namespace", json!("a"), "spec.issuerRef.namespace: found a field"),
        ("/spec/issuerRef/kind", json!("A.b"), "spec.issuerRef.kind: found \"A.b\""),
        ("/spec/issuerRef/kind", json!("A/b"), "spec.issuerRef.kind: found \"A/b\""),
        ("/spec/issuerRef/group", json!("a/b"), "spec.issuerRef.group: found \"a/b\""),
        ("/spec/issuerRef/group", json!("A.b"), "spec.issuerRef.group: found \"A.b\""),
        ("/status", json!([]), "status: found a list"),
        ("/status", json!({"conditions": {}}), "status.conditions: found a mapping, want a list"),
        ("/status", json!({"conditions": ["x"]}), "status.conditions[0]: found \"x\""),
        ("/status", json!({"conditions": [{"status": "True"}]}), "status.conditions[0].type: found nothing"),
        (
            "/status",
            json!({"conditions": [{"type": "Denied"}]}),
            "status.conditions[0].status: found nothing",
        ),
        ("/status", json!({"conditions": [{"type": "Denied", "status": true}]}), "status: found true"),
        ("/status", json!({"conditions": [{"type": "Denied", "status": "true"}]}), "status: found \"true\""),
        ("/status", json!({"conditions": [{"type": ["Denied"], "status": "True"}]}), "type: found a list"),
        ("/status", json!({"certificate": ["LS0t"]}), "status.certificate: found a list"),
        ("/status", json!({"ca": 1}), "status.ca: found 1"),
        ("/status", json!({"failureTime": {}}), "status.failureTime: found a mapping"),
        ("/metadata/deletionTimestamp", json!(1), "metadata.deletionTimestamp: found 1"),
    ] {
        let (rule, message) = refused(certificate_request(), pointer, other);
        assert_eq!(rule, "object.field", "{pointer}: {message}");
        assert!(message.contains(words), "{pointer}: {message}");
        assert!(crate::text::is_shown(&message), "{message}");
    }
    for (pointer, other, words) in [
        ("/spec/signerName", Value::Null, "spec.signerName: found nothing"),
        ("/spec/signerName", json!("a b"), "spec.signerName: found \"a b\""),
        ("/spec/expirationSeconds", json!("600"), "spec.expirationSeconds: found \"600\""),
        ("/spec/expirationSeconds", json!(599), "from 600"),
        ("/spec/expirationSeconds", json!(-1), "found -1"),
        ("/spec/expirationSeconds", json!(1.5e300), "want a whole number"),
        ("/spec/duration", json!("60m"), "spec.duration: found a field"),
        ("/spec/isCA", json!(true), "spec.isCA: found a field"),
        ("/spec/usages", Value::Null, "spec.usages: found nothing"),
        ("/spec/usages", json!([]), "spec.usages: found a list"),
        ("/metadata/namespace", json!("a"), "metadata.namespace: found \"a\""),
    ] {
        let (rule, message) = refused(signing_request(), pointer, other);
        assert_eq!(rule, "object.field", "{pointer}: {message}");
        assert!(message.contains(words), "{pointer}: {message}");
    }
}

#[test]
fn what_stands_in_the_place_of_the_request_is_named() {
    let der = sample::ed25519(&[]);
    let crl = pem::encode("X509 CRL", &[0x30, 0]);
    for (other, rule, words) in [
        (csr(), "object.request", "spec.request: found PEM as it is"),
        ("*".into(), "object.request", "no base64"),
        (base64(&base64(&csr())), "object.request", "base64 of base64"),
        (base64("hello"), "object.request", "neither PEM nor DER"),
        (String::new(), "object.request", "neither PEM nor DER"),
        (base64(&csr().repeat(2)), "object.request", "several PEM blocks"),
        (base64(&pem::encode("CERTIFICATE", &[0x30, 0])), "csr.kind", "spec.request: a certificate, where"),
        (base64(&pem::encode("CERTIFICATE REQUEST", &der[..20])), "csr.der", "spec.request: "),
        (base64(&csr().replace('M', "*")), "csr.pem", "spec.request: "),
        (base64(&crl), "crl.der", "spec.request: "),
    ] {
        let (is, message) = refused(certificate_request(), "/spec/request", json!(other));
        assert_eq!(is, rule, "{message}");
        assert!(message.contains(words), "{message}");
    }
    // As editors fold it.
    let folded: Vec<String> =
        base64(&csr()).as_bytes().chunks(60).map(|l| String::from_utf8_lossy(l).into_owned()).collect();
    assert_eq!(refused(certificate_request(), "/spec/request", json!(folded.join("\n"))).0, "nothing");
}

#[test]
fn kinds_and_versions_are_known_or_refused() {
    for (pointer, other, rule) in [
        ("/kind", json!("Certificate"), "object.kind"),
        ("/kind", Value::Null, "object.kind"),
        ("/kind", json!(["CertificateRequest"]), "object.kind"),
        ("/apiVersion", json!("cert-manager.io/v1alpha2"), "object.api-version"),
        ("/apiVersion", json!("certificates.k8s.io/v1"), "object.api-version"),
        ("/apiVersion", Value::Null, "object.api-version"),
    ] {
        assert_eq!(refused(certificate_request(), pointer, other).0, rule, "{pointer}");
    }
    let beta = json!("certificates.k8s.io/v1beta1");
    assert_eq!(refused(signing_request(), "/apiVersion", beta).0, "object.api-version");
}

#[test]
fn what_the_cluster_decided_already_is_not_signed() {
    let condition = |kind: &str| json!({"conditions": [{"type": kind, "status": "True"}]});
    let ready = |status: &str, reason: &str| {
        let (approved, ready) = (json!({"type": "Approved", "status": "True"}), json!("Ready"));
        json!({"conditions": [approved, {"type": ready, "status": status, "reason": reason}]})
    };
    let deleted = json!("2026-11-22T00:00:00Z");
    assert_eq!(
        refused(certificate_request(), "/metadata/deletionTimestamp", deleted.clone()).0,
        "object.approval"
    );
    for (status, rule) in [
        (ready("True", "Issued"), "object.approval"),
        (ready("False", "Failed"), "object.approval"),
        (ready("False", "Denied"), "object.approval"),
        (ready("False", "Pending"), "nothing"),
        (condition("Denied"), "object.approval"),
        (condition("Failed"), "object.approval"),
        (condition("InvalidRequest"), "object.approval"),
        (condition("Ready"), "object.approval"),
        (ready("False", "Failed"), "object.approval"),
        (ready("False", "Denied"), "object.approval"),
        (ready("True", "Issued"), "object.approval"),
        (ready("Unknown", "Pending"), "object.approval"),
        (json!({"conditions": [{"type": "Ready", "status": "False"}]}), "object.approval"),
        (json!({"certificate": "LS0t"}), "object.approval"),
        (json!({"ca": "LS0t"}), "object.approval"),
        (json!({"failureTime": deleted}), "object.approval"),
        (ready("False", "Pending"), "nothing"),
        (json!({"conditions": [{"type": "Denied", "status": "False"}]}), "nothing"),
        (json!({"conditions": null, "certificate": "", "ca": null}), "nothing"),
        (json!({}), "nothing"),
    ] {
        assert_eq!(refused(certificate_request(), "/status", status.clone()).0, rule, "{status}");
    }
}

/// What the answer is derived from: the request as the cluster keeps it, the place of Ready.
#[test]
fn what_the_answer_needs_of_the_object_is_kept() {
    let mut value = certificate_request();
    let text = value["spec"]["request"].as_str().unwrap().to_owned();
    let folded: Vec<String> =
        text.as_bytes().chunks(60).map(|l| String::from_utf8_lossy(l).into_owned()).collect();
    value["spec"]["request"] = json!(folded.join("\n"));
    let object = one(&value).object.unwrap();
    assert_eq!((object.request.as_deref(), object.ready), (Some(&text[..]), None));
    let (approved, pending) =
        (json!({"type": "Approved", "status": "True"}), json!({"type": "Ready", "status": "False"}));
    for (conditions, at) in [(json!([approved, pending]), 1), (json!([pending, approved]), 0)] {
        value["status"] = json!({"conditions": conditions});
        assert_eq!(one(&value).object.unwrap().ready, Some(at));
    }
    let mut value = signing_request();
    value["status"] = json!({"conditions": [approved, pending]});
    assert_eq!(one(&value).object.unwrap().ready, None, "its status has no such condition");
}

#[test]
fn several_in_one_file_are_numbered_and_fail_each_for_itself() {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [certificate_request(), {"kind": "Pod"}, signing_request()]});
    let arrivals = read("a.json", list.to_string().as_bytes());
    let [Arrival::Request(first), Arrival::Unusable { file, finding, .. }, Arrival::Request(last)] =
        arrivals.as_slice()
    else {
        panic!("{arrivals:?}")
    };
    assert_eq!(
        (first.file.as_str(), file.as_str(), last.file.as_str()),
        ("a.json#1", "a.json#2", "a.json#3")
    );
    assert_eq!(finding.rule, "object.kind");
    assert!(matches!(
        read("a.json", b"apiVersion: v1\nkind: List\nitems: []\n").as_slice(),
        [Arrival::Nothing { .. }]
    ));
    let twice = "apiVersion: v1\nkind: A\nkind: B\n";
    let arrivals = read("a.yaml", twice.as_bytes());
    let [Arrival::Unusable { finding, .. }] = arrivals.as_slice() else { panic!("{arrivals:?}") };
    assert_eq!(finding.rule, "document.duplicate-key");
    assert!(finding.message.starts_with("document 1, line 3: the key 'kind'"), "{}", finding.message);
}

#[test]
fn vault_and_cfssl() {
    for value in [
        json!({"csr": csr()}),
        json!({"request_id": "a", "data": {"csr": csr(), "issuer_id": ""}, "auth": null}),
    ] {
        assert_eq!(one(&value).der, sample::ed25519(&[]), "{value}");
        assert_eq!(one(&value).object, None);
    }
    let list = json!([{"csr": csr()}]).to_string();
    assert!(matches!(read("a", list.as_bytes()).as_slice(), [Arrival::Request(_)]));
    for value in [
        json!({"csr": null}),
        json!({"data": {"csr": 1}}),
        json!({"other": {"csr": csr()}}),
        json!([1, {"csr": csr()}]),
        json!([[{"apiVersion": 1}]]),
    ] {
        let arrivals = read("a", value.to_string().as_bytes());
        let [Arrival::Unusable { finding, .. }] = arrivals.as_slice() else {
            panic!("{value}: {arrivals:?}")
        };
        assert_eq!(finding.rule, "object.request", "{value}");
    }
    let (rule, message) = refused(json!({"data": {"csr": ""}}), "/data/csr", json!("hello"));
    assert_eq!((rule, message.starts_with("data.csr: ")), ("object.request", true));
}

#[test]
fn only_what_speaks_of_an_object_is_read_as_one() {
    for text in [
        "apiVersion: v1",
        "- apiVersion : v1",
        "a: 1\n---\n\"apiVersion\": x",
        "\u{feff}{\"csr\" : 1}",
        "{apiVersion: v1}",
        "# made by hand\n---\n{\"apiVersion\": 1}",
        "--- {'apiVersion' : v1}",
        "a: 1\n---\n{a: 1, csr: x}",
        "---\n\n# one\n- {a: 1,\n   csr: x}",
        " [{\"apiVersion\":1}]",
    ] {
        assert!(is_one(text.as_bytes()), "{text}");
    }
    for text in
        ["", "the apiVersion: v1", "apiVersion", "{\"a\": \"csr\"}", "{myapiVersion: v1}", "csr: x", &csr()]
    {
        assert!(!is_one(text.as_bytes()), "{text}");
    }
}

#[test]
fn no_file_is_read_in_two_ways() {
    let object = certificate_request().to_string();
    for text in [
        format!("# by hand\n{object}"),
        format!("---\n{object}"),
        format!("--- {object}\n"),
        format!("[{object}]"),
    ] {
        assert!(
            matches!(read("a", text.as_bytes()).as_slice(), [Arrival::Request(r)] if r.object.is_some()),
            "{text}"
        );
    }
    let flow =
        "{kind: CertificateRequest, apiVersion: cert-manager.io/v1, spec: {isCA: false}, x: \"\n\nPEM\"}";
    for text in [
        format!("{object}\n---\n{object}"),
        format!("{}---\n{object}", csr()),
        format!("{object}\n{}", csr()),
        format!("---\n{object}\n---\n{}", csr()),
        format!("apiVersion: v1\nkind: List\nx: |\n  {}", csr().replace('\n', "\n  ")),
        flow.replace("PEM", &csr()),
    ] {
        let arrivals = read("a", text.as_bytes());
        let [Arrival::Unusable { finding, .. }] = arrivals.as_slice() else { panic!("{text}: {arrivals:?}") };
        assert_eq!(finding.rule, "document.syntax", "{text}");
    }
}

proptest! {
    /// Whatever stands in a field, something is said and nothing falls over.
    #[test]
    fn no_value_of_a_field_panics(field in 0..9_usize, text in "\\PC{0,40}", number in any::<i64>()) {
        let fields = ["request", "isCA", "duration", "usages", "issuerRef", "username", "expirationSeconds", "signerName", "x"];
        for mut value in [certificate_request(), signing_request()] {
            for other in [json!(text), json!(number), json!([text]), json!({"name": text})] {
                value["spec"][fields[field]] = other;
                prop_assert_eq!(read("a", value.to_string().as_bytes()).len(), 1);
            }
        }
    }
}
