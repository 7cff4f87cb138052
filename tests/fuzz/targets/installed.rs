//! What a cluster has loaded: files, or Secrets and ConfigMaps.

use anchorite::installed::{Against, Cluster, Entries, Object, Severity, check, objects};
use anchorite::x509::Seconds;
use zeroize::Zeroizing;

use super::{files, fit, good, world};

pub fn installed(data: &[u8]) {
    let name = |name: &[u8]| anchorite::text::shown_bytes(name);
    let entries: Entries = files::unpack(data)
        .into_iter()
        .map(|(file, bytes)| (name(file), Zeroizing::new(bytes.to_vec())))
        .collect();
    looked_at(vec![Object::folder("files", entries)]);
    if let Some(found) = good(objects("secret.yaml", data)) {
        looked_at(found);
    }
}

/// Twice, so that it stands beside another.
fn looked_at(objects: Vec<Object>) {
    let again = objects.iter().map(|object| Object::folder("again", object.entries.clone())).collect();
    let clusters = [Cluster::new("east", objects), Cluster::new("west", again)];
    let noted = [world::root().fingerprint()];
    let against = Against {
        noted: &noted,
        at: world::now(),
        within: Seconds(30 * 86_400),
        rehearsal: true,
        consumer: None,
    };
    let Some(report) = good(check(&clusters, &against)) else { return };
    for fault in &report.findings {
        for text in [&fault.cluster, &fault.object, &fault.key, &fault.found, &fault.wanted, &fault.next] {
            fit(text);
        }
        assert!(!fault.id.is_empty() && !fault.found.is_empty() && !fault.next.is_empty(), "{fault:?}");
    }
    for object in report.clusters.iter().flat_map(|seen| &seen.objects) {
        fit(&object.object);
        object.certificate.iter().chain(&object.roots).for_each(|certificate| fit(&certificate.subject));
        object.crls.iter().for_each(|crl| fit(&crl.issuer));
    }
    // The fuzzer has no key: what it is told is in order beneath this root, the root signed.
    let [east, ..] = report.clusters.as_slice() else { return };
    let broken = report.findings.iter().any(|f| f.cluster == "east" && f.severity == Severity::Broken);
    let genuine = files::unpack(world::RELEASE);
    for object in east.objects.iter().filter(|object| !broken && !object.roots.is_empty()) {
        let Some(own) = &object.certificate else { continue };
        let signed = genuine.iter().filter(|(name, _)| name.ends_with(b"/ca-cert.pem"));
        let signed = signed.filter_map(|(_, bytes)| anchorite::x509::pem::decode_certificate(bytes));
        let root = world::root().fingerprint();
        let known = own.sha256 == root
            || signed.map(|der| anchorite::x509::Digest::of(&der)).any(|der| der == own.sha256);
        assert!(known, "a chain was forged");
    }
}
