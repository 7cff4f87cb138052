//! What `request` says beforehand, away from the root: what the policy that is wished for
//! would refuse. A home may have changed a shipped policy, or have others: most of it is a note.

use anchorite::policy::{fixed_organisation, nearest_shipped, shipped};
use anchorite::text::shown;
use anchorite::x509::KeyAlgorithm;
use anchorite::{Error, Result};

use super::args::Request;
use super::output::{self, WARN, styled};

/// Refuses a key that the policy's consumer could not load, whatever its home grants.
pub fn check(args: &Request, key: KeyAlgorithm) -> Result<()> {
    let name = shown(&args.profile);
    let note = |what: &str| output::note(&format!("{} {what}", styled(WARN, "note:")));
    let Some(profile) = shipped(&args.profile) else {
        let near = nearest_shipped(&args.profile).map(|near| format!("; did you mean '{near}'?"));
        note(&format!(
            "--profile {name}: no policy of this name is shipped, and the root refuses it unless its home has one{}",
            near.unwrap_or_default()
        ));
        return Ok(());
    };
    let consumer = *profile.release.consumer;
    if let Some(only) = consumer.terms().key.filter(|only| *only != key) {
        let message = format!("the key is {key}, {consumer} takes {only} alone (--profile {name})");
        return Err(Error::usage("request.key-algorithm", message)
            .next("leave --algorithm out, with a new file for --key"));
    }
    if !profile.key.takes(key) {
        note(&format!(
            "--profile {name} takes no {key}, as it is shipped: the root refuses it unless its home has changed it"
        ));
    }
    match (fixed_organisation(&args.profile), args.organisation.as_deref()) {
        (Some(fixed), Some(other)) if fixed != other => note(&format!(
            "--organisation: --profile {name} wants O={fixed}, as it is shipped: the root refuses another unless its home has changed it"
        )),
        _ => {}
    }
    Ok(())
}
