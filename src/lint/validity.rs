//! Lints of validity (RFC 5280 §4.1.2.5).

use super::{CertificateKind, Context, Verdict, problem};
use crate::x509::Time;

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// 2050-01-01T00:00:00Z, the first second that UTCTime cannot say.
const YEAR_2050: u64 = 2_524_608_000;

pub(super) fn encoding(context: &Context<'_>) -> Verdict {
    [context.view.not_before, context.view.not_after].into_iter().try_for_each(encoded)
}

/// A `Time`, with its tag, in the one of its two forms that its year asks for.
pub(super) fn encoded((tag, time): (u8, Time)) -> Verdict {
    let wanted = if time.unix() < YEAR_2050 { UTC_TIME } else { GENERALIZED_TIME };
    if tag == wanted {
        return Ok(());
    }
    problem(
        format!("{time} with ASN.1 tag {tag}"),
        format!("tag {wanted} (UTCTime up to 2049, GeneralizedTime from 2050)"),
    )
}

pub(super) fn order(context: &Context<'_>) -> Verdict {
    let (not_before, not_after) = window(context);
    if not_before < not_after {
        return Ok(());
    }
    problem(format!("{not_before} to {not_after}"), "notBefore before notAfter")
}

pub(super) fn nested(context: &Context<'_>) -> Verdict {
    let issuer = match (context.kind, context.issuer) {
        (CertificateKind::Root, _) => return Ok(()),
        (_, Some(issuer)) => issuer,
        (_, None) => return problem("no issuer to compare with", "an issuer"),
    };
    let (not_before, not_after) = window(context);
    if issuer.not_before <= not_before && not_after <= issuer.not_after {
        return Ok(());
    }
    problem(
        format!("{not_before} to {not_after}"),
        format!("a window within the issuer's, {} to {}", issuer.not_before, issuer.not_after),
    )
}

fn window(context: &Context<'_>) -> (Time, Time) {
    (context.view.not_before.1, context.view.not_after.1)
}
