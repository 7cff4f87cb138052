//! A plan file, from its bytes to what the token would be asked to sign.

use anchorite::plan::{Plan, prepare, review};
use anchorite::policy::Context;
use anchorite::x509::Digest;

use super::csr::readable;
use super::{good, world};

pub fn plan(data: &[u8]) {
    let Some(plan) = good(Plan::from_bytes("plan.json", data)) else { return };
    assert_eq!(plan.to_bytes().unwrap(), data, "one form");
    if let Some(review) =
        good(review::render(&plan, world::root(), world::now(), world::ledger(), &|_| vec![]))
    {
        readable(&review);
        assert!(review.contains(&plan.digest().unwrap().to_string()));
    }
    let ledger = world::ledger();
    let context = Context {
        policies: world::policies(),
        forced: plan.policy.as_deref(),
        issuer: world::root(),
        history: ledger,
        now: plan.created,
    };
    let Some(prepared) =
        good(prepare(&context, ledger, &plan, &plan.items.iter().collect::<Vec<_>>(), world::now()))
    else {
        return;
    };
    assert_eq!(prepared.len(), plan.items.len());
    for (prepared, item) in prepared.iter().zip(&plan.items) {
        assert_eq!(prepared.item, item);
        assert_eq!(
            prepared.tbs.get().as_der(),
            item.tbs.0,
            "the reviewed bytes are the ones that are signed"
        );
        assert_eq!(prepared.request, Digest::of(&item.request.0));
        assert!(!prepared.findings.iter().any(|finding| finding.refuses()));
    }
}
