//! `precheck`: the appliance's policy over requests, far from the appliance.

use anchorite::exported::Exported;
use anchorite::media::read::{Limits, MediaFinding};
use anchorite::plan::decide;
use anchorite::policy::{BY_RECORD, Context, Keep};
use anchorite::x509::Time;
use anchorite::{Error, Result};

use super::args::{Globals, Precheck};
use super::inspect::{Away, Report};
use super::{folder, intake, process};

pub fn run(globals: &Globals, args: &Precheck) -> Result<u8> {
    let files = folder::read(&args.policies).map_err(|e| match e.id {
        "folder.missing" => e.next("give the folder that `anchorite policy export` made"),
        _ => e,
    })?;
    let exported = Exported::read(&files)?;
    let at = args.at.unwrap_or_else(process::now);
    exported.check_ceremony(at)?;
    exported.policies.check_named(args.policy.as_deref())?;
    let mut incoming = intake::read_within(&args.paths, &limits(&exported)).map_err(before_it_travels)?;
    let context = Context {
        policies: &exported.policies,
        forced: args.policy.as_deref(),
        issuer: &exported.root,
        history: &exported,
        now: at,
    };
    let decisions = decide(&context, &incoming.requests, Keep::All)?;
    let crls = std::mem::take(&mut incoming.crls);
    let mut report = Report::of(&decisions, incoming, crls.iter().map(later));
    if report.is_empty() {
        return Err(intake::nothing_found(&args.paths, &crls));
    }
    report.precheck = Some(away(&exported, at));
    report.show(globals, args.all)
}

fn limits(exported: &Exported) -> Limits {
    let bounds = exported.record.limits;
    Limits {
        file_bytes: bounds.file_size,
        files: bounds.files,
        depth: bounds.depth,
        total_bytes: bounds.total_size,
    }
}

/// Nothing has left yet: there is no stick to be destroyed.
fn before_it_travels(error: Error) -> Error {
    match error.id {
        "media.private-key" => error.next(
            "take it away from the requests, and treat it as compromised if anybody else could read it here: then its cluster makes a new key; only the request travels",
        ),
        _ => error,
    }
}

/// A CRL without a request is for a certificate that is signed; the home has those.
fn later(crl: &anchorite::intake::ReceivedCrl) -> MediaFinding {
    MediaFinding {
        file: crl.file.clone(),
        rule: "precheck.crl-alone",
        message: format!(
            "is a CRL of {}, which belongs to no request here; whether a certificate takes it is judged at the ceremony",
            crl.issuer
        ),
        refused: false,
    }
}

fn away(exported: &Exported, at: Time) -> Away {
    let record = &exported.record;
    Away {
        home: record.home.clone(),
        journal: record.head,
        written: record.written,
        certificates: record.certificates(),
        root_sha256: exported.root.fingerprint(),
        export_sha256: exported.digest,
        at,
        ceremony: BY_RECORD.to_vec(),
    }
}
