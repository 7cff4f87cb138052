//! `inspect`: what came, and what the policy says of it.

use anchorite::Result;
use anchorite::finding::{Finding, Outcome};
use anchorite::intake::{Object, Request};
use anchorite::media::read::MediaFinding;
use anchorite::plan::{Later, decide, review};
use anchorite::policy::{Context, Decision};
use anchorite::x509::Digest;
use serde::Serialize;

use super::args::{Globals, Inspect};
use super::output::{BAD, GOOD, WARN, styled};
use super::{intake, output, process, unlock};

#[derive(Serialize)]
struct Report {
    requests: Vec<Judged>,
    media: Vec<MediaFinding>,
}

#[derive(Serialize)]
struct Judged {
    file: String,
    digest: String,
    cluster: Option<String>,
    policy: Option<String>,
    /// The Kubernetes object that it came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Object>,
    /// The SSH key that signed its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<String>,
    verdict: &'static str,
    findings: Vec<serde_json::Value>,
}

pub fn run(globals: &Globals, args: &Inspect) -> Result<u8> {
    let home = unlock::home(globals)?;
    home.policies.check_named(args.policy.as_deref())?;
    let incoming = intake::look(&args.paths, &home.config)?;
    let ledger = home.journal.ledger();
    let context = Context {
        policies: &home.policies,
        forced: args.policy.as_deref(),
        issuer: home.root()?,
        history: ledger,
        now: process::now(),
    };
    let decisions = decide(&context, &incoming.requests)?;
    let later = Later::sort(ledger, &|serial| home.issued(serial), incoming.crls, context.now)?;
    let nothing = decisions.is_empty() && incoming.unusable.is_empty();
    let nothing = nothing && later.taken.is_empty() && later.refused.is_empty();
    if nothing && !incoming.media.iter().any(|m| m.refused) {
        return Err(intake::nothing_found(&args.paths, &later.strange));
    }
    let each = decisions.iter().zip(&incoming.requests);
    let mut requests: Vec<Judged> = each.map(|(decision, request)| judged(decision, request)).collect();
    requests.extend(incoming.unusable.into_iter().map(|u| {
        Judged {
            file: u.file,
            digest: u.digest.to_string(),
            cluster: None,
            policy: None,
            object: None,
            sender: None,
            verdict: "refuse",
            findings: u
                .by
                .iter()
                .map(|b| serde_json::json!({"rule": b.rule, "outcome": "refused", "message": b.message}))
                .collect(),
        }
    }));
    let mut media = incoming.media;
    media.extend(intake::taken(&later).chain(intake::left(&later)));
    let report = Report { requests, media };
    let refused =
        report.requests.iter().any(|r| r.verdict == "refuse") || report.media.iter().any(|m| m.refused);
    if globals.json {
        output::json(&report)?;
    } else {
        output::text(&render(&report, args.all))?;
    }
    Ok(u8::from(refused))
}

fn judged(decision: &Decision, request: &Request) -> Judged {
    Judged {
        file: decision.file.clone(),
        digest: decision.digest.to_string(),
        cluster: decision.cluster.clone(),
        policy: decision.policy.clone(),
        object: request.object.clone(),
        sender: request.sender.as_ref().map(|sender| sender.who()),
        verdict: if decision.grant.is_some() { "grant" } else { "refuse" },
        findings: decision.findings.iter().filter_map(|f| serde_json::to_value(f).ok()).collect(),
    }
}

/// For people: what is not simply in order, unless all is wanted.
fn render(report: &Report, all: bool) -> String {
    let mut out = String::new();
    for request in &report.requests {
        let (style, word) = if request.verdict == "grant" { (GOOD, "GRANT ") } else { (BAD, "REFUSE") };
        let cluster = request.cluster.as_deref().unwrap_or("-");
        let policy = request.policy.as_deref().unwrap_or("-");
        out.push_str(&format!(
            "{} {}  cluster {cluster}, policy {policy}\n",
            styled(style, word),
            request.file
        ));
        out.push_str(&format!("       SHA-256 {}\n", request.digest));
        // What its sender reads aloud.
        for words in Digest::parse(&request.digest).iter().flat_map(review::wrapped_words) {
            out.push_str(&format!("               {words}\n"));
        }
        if let Some(object) = &request.object {
            out.push_str(&format!("       {}\n", object.line()));
        }
        if let Some(sender) = &request.sender {
            out.push_str(&format!("       signed by {sender}\n"));
        }
        let mut passed = 0;
        for finding in &request.findings {
            let text = |key: &str| finding.get(key).and_then(|v| v.as_str()).unwrap_or_default();
            if text("outcome") == "pass" {
                passed += 1;
                if !all {
                    continue;
                }
            }
            let (mark, style) = match text("outcome") {
                "refused" => ("no  ", BAD),
                "warning" => ("note", WARN),
                "narrowed" => ("less", WARN),
                "granted" => ("yes ", GOOD),
                _ => ("ok  ", GOOD),
            };
            let source = Some(text("source")).filter(|s| !s.is_empty()).map(|s| format!(", {s}"));
            let reference = Some(text("reference")).filter(|r| !r.is_empty()).map(|r| format!(", {r}"));
            out.push_str(&format!(
                "  {} {} [{}{}{}]\n",
                styled(style, mark),
                text("message"),
                text("rule"),
                source.unwrap_or_default(),
                reference.unwrap_or_default()
            ));
        }
        if passed > 0 {
            let rules = if passed == 1 { "rule" } else { "rules" };
            out.push_str(&format!("  {} {passed} {rules} in order\n", styled(GOOD, "ok  ")));
        }
    }
    for finding in &report.media {
        let (style, word) = if finding.refused { (BAD, "no  ") } else { (WARN, "note") };
        out.push_str(&format!(
            "{} {}: {} [{}]\n",
            styled(style, word),
            finding.file,
            finding.message,
            finding.rule
        ));
    }
    out
}

/// What the review adds under an item: what was cut and what to know. Wishes granted
/// in full are seen in the certificate's own fields.
pub fn notes(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .filter(|f| matches!(f.outcome, Outcome::Narrowed | Outcome::Warning))
        .map(|f| {
            let source = f.source.as_deref().map(|s| format!(", {s}")).unwrap_or_default();
            format!("{:<8} {} [{}{source}]", format!("{:?}", f.outcome).to_lowercase(), f.message, f.rule)
        })
        .collect()
}
