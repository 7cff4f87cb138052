//! `inspect`: what came, and what the policy says of it.

use anchorite::Result;
use anchorite::finding::{Finding, Outcome};
use anchorite::intake::{Object, Request};
use anchorite::journal::Head;
use anchorite::media::read::MediaFinding;
use anchorite::plan::{Later, decide, review};
use anchorite::policy::{Context, Decision, Keep};
use anchorite::x509::{Digest, Time};
use serde::Serialize;

use super::args::{Globals, Inspect};
use super::output::{BAD, GOOD, WARN, styled};
use super::{intake, output, process, unlock};

/// What came, and what the policy says of it.
#[derive(Serialize)]
pub struct Report {
    requests: Vec<Judged>,
    media: Vec<MediaFinding>,
    /// By what it was judged, where that was not the home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precheck: Option<Away>,
}

/// The policies' origin, and what is left to the ceremony.
#[derive(Serialize)]
pub struct Away {
    pub home: String,
    pub journal: Head,
    pub written: Time,
    pub certificates: usize,
    pub root_sha256: Digest,
    pub export_sha256: Digest,
    pub at: Time,
    pub ceremony: Vec<&'static str>,
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
    let mut incoming = intake::look(&args.paths, &home.config)?;
    let ledger = home.journal.ledger();
    let context = Context {
        policies: &home.policies,
        forced: args.policy.as_deref(),
        issuer: home.root()?,
        history: ledger,
        now: process::now(),
    };
    let decisions = decide(&context, &incoming.requests, Keep::All)?;
    let crls = std::mem::take(&mut incoming.crls);
    let later = Later::sort(ledger, &|serial| home.issued(serial), crls, context.now)?;
    let report = Report::of(&decisions, incoming, intake::taken(&later).chain(intake::left(&later)));
    if report.is_empty() && later.taken.is_empty() && later.refused.is_empty() {
        return Err(intake::nothing_found(&args.paths, &later.strange));
    }
    report.show(globals, args.all)
}

impl Report {
    /// Of decisions on what came, and what is said of CRLs that came alone.
    pub fn of(
        decisions: &[Decision],
        incoming: intake::Incoming,
        crls: impl Iterator<Item = MediaFinding>,
    ) -> Self {
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
        media.extend(crls);
        Self { requests, media, precheck: None }
    }

    /// Whether no request came, and nothing that somebody has to look at.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty() && !self.media.iter().any(|m| m.refused)
    }

    /// Shows it; exit 1 where anything is refused.
    pub fn show(&self, globals: &Globals, all: bool) -> Result<u8> {
        if globals.json {
            output::json(self)?;
        } else {
            output::text(&render(self, all))?;
        }
        let refused = |r: &Judged| r.verdict == "refuse";
        Ok(u8::from(self.requests.iter().any(refused) || self.media.iter().any(|m| m.refused)))
    }
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
    out.extend(report.precheck.iter().map(origin));
    out
}

fn origin(away: &Away) -> String {
    let Away { home, journal, written, certificates, root_sha256, export_sha256, at, ceremony } = away;
    format!(
        "judged away from the home, as of {at}, by an export of {written}\n  \
           export  {export_sha256}\n  \
           journal {} of home {}: {} lines, {certificates} certificates known\n  \
           root    {root_sha256}\n\
         judged again at the ceremony, by what is on record then: {}\n",
        journal.hash,
        anchorite::text::shown(home),
        journal.count,
        ceremony.join(", ")
    )
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
