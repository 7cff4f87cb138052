//! Exported policies: as they lie, and with their digests made anew.

use std::collections::BTreeMap;

use anchorite::exported::{Exported, RECORD};
use anchorite::policy::{Context, Keep, decide_all};
use anchorite::x509::Digest;
use serde_json::Value;

use super::policy::ask;
use super::{files, fit, fit_finding, good, world};

type Files = BTreeMap<String, Vec<u8>>;

pub fn exported(data: &[u8]) {
    let name = |name: &[u8]| anchorite::text::shown_bytes(name);
    let mut files: Files =
        files::unpack(data).into_iter().map(|(file, bytes)| (name(file), bytes.to_vec())).collect();
    judged(&files);
    let Some(mut record) = files.get(RECORD).and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok())
    else {
        return;
    };
    let others = files.iter().filter(|(name, _)| *name != RECORD);
    let digests = others.map(|(name, bytes)| (name.clone(), Digest::of(bytes).to_string().into()));
    record["files"] = Value::Object(digests.collect());
    files.insert(RECORD.into(), record.to_string().into_bytes());
    judged(&files);
}

fn judged(files: &Files) {
    let Some(exported) = good(Exported::read(files)) else { return };
    good(exported.check_ceremony(world::now()));
    let context = Context {
        policies: &exported.policies,
        forced: Some("istio"),
        issuer: &exported.root,
        history: &exported,
        now: world::now(),
    };
    let requests = super::request(&ask("O=Istio,L=east,CN=root", 3, false));
    for decision in good(decide_all(&context, &requests, Keep::All)).into_iter().flatten() {
        decision.cluster.iter().for_each(|cluster| fit(cluster));
        decision.findings.iter().for_each(fit_finding);
    }
}
