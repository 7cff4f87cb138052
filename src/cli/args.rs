//! The command line: one definition, from which help, man pages and completions come.

mod audit;
mod hardware;
mod precheck;
mod revocation;
mod rollover;
mod status;

use std::ffi::OsString;
use std::path::PathBuf;

use anchorite::release::Consumer;
use anchorite::token::piv::policy::{PinPolicy, TouchPolicy};
use anchorite::x509::{Digest, KeyAlgorithm, Seconds, Time};
use clap::{Args, Parser, Subcommand};

pub use self::audit::{Audit, AuditExport, AuditRestore, AuditShow, AuditVerb, AuditVerify};
pub use self::hardware::{Login, Token, TokenAttest, TokenCheck, TokenVerb};
pub use self::precheck::{PolicyExport, Precheck};
pub use self::revocation::{Crl, Named, Revoke, serial};
pub use self::rollover::{RolloverBegin, RolloverStage, RolloverVerb, RootRetire, RootRollover};
pub use self::status::Status;
use super::parse_digest;

/// An offline root CA: reviewed plans in, verified intermediates out, every signature on record
#[derive(Debug, Parser)]
#[command(name = "anchorite", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = "exit codes: 0 done, 1 refused or open, 2 usage or configuration, 3 token, \
                  4 integrity (stop the ceremony), 130 interrupted")]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// The CA home
    #[arg(long, global = true, env = "ANCHORITE_HOME", hide_env_values = true, default_value = ".")]
    #[arg(value_name = "DIR")]
    pub home: PathBuf,
    /// Machine-readable results on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Answer confirmations with yes (only in a home made with --unattended; the record says so)
    #[arg(long, global = true)]
    pub yes: bool,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    Init(Init),
    Root(Root),
    Inspect(Inspect),
    Sign(Sign),
    Plan(Plan),
    Perform(Perform),
    Revoke(Revoke),
    Crl(Crl),
    Status(Status),
    Audit(Audit),
    Verify(Verify),
    Policy(Policy),
    Precheck(Precheck),
    Request(Request),
    Assemble(Assemble),
    Token(Token),
    Completions(Completions),
    Manual(Manual),
}

/// As [`Login`], where the journal goes on.
#[derive(Debug, Args, Default)]
pub struct Pin {
    #[command(flatten)]
    pub login: Login,
    /// Declare that the clock ran ahead in an earlier session; goes on record
    #[arg(long)]
    pub correct_clock: bool,
    /// Accept that lines which the token knows of are lost after a restore; goes on record
    #[arg(long)]
    pub accept_loss: bool,
}

/// Make a CA home: configuration, policies, register, empty journal
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite init /srv/ca --token 'pkcs11:token=ceremony' \\\n      --module /usr/lib/softhsm/libsofthsm2.so"
)]
pub struct Init {
    /// The folder to make
    pub dir: PathBuf,
    /// The token that will hold the keys: an RFC 7512 URI, or a YubiKey's slot (piv:9c?serial=N)
    #[arg(long, value_name = "URI")]
    pub token: String,
    /// The PKCS#11 module's shared object
    #[arg(long, value_name = "PATH")]
    pub module: Option<PathBuf>,
    /// What the module is told when it starts, where it wants to be told something
    #[arg(long, value_name = "TEXT")]
    pub module_args: Option<String>,
    /// Allow --yes in this home, for CI and rehearsals
    #[arg(long)]
    pub unattended: bool,
    /// Mark everything made in this home as a rehearsal
    #[arg(long)]
    pub rehearsal: bool,
}

/// The root key and its certificate
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite root create --home /srv/ca --subject 'O=Example,CN=Example Root G1' \\\n      --key p256 --ttl 20y"
)]
pub struct Root {
    #[command(subcommand)]
    pub verb: RootVerb,
}

#[derive(Debug, Subcommand)]
pub enum RootVerb {
    Create(RootCreate),
    Adopt(RootAdopt),
    Renew(RootRenew),
    Companion(RootCompanion),
    Rollover(RootRollover),
    Retire(RootRetire),
}

/// Generate the root's key in the token and sign its certificate
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite root create --home /srv/ca --subject 'O=Example,CN=Example Root G1' \\\n      --key p256 --ttl 20y\n\nAfter a crash run the same command again: it takes up where it was left."
)]
pub struct RootCreate {
    /// The subject, the most general attribute first
    #[arg(long, value_name = "NAME")]
    pub subject: String,
    /// The kind of key: p256, p384, rsa3072, rsa4096, ed25519; ml-dsa-65, ml-dsa-87 where `[root]` allows it
    #[arg(long, value_name = "KIND", value_parser = root_algorithm)]
    pub key: KeyAlgorithm,
    /// How long the root is valid: a number and s, m, h, d, w or y (365 days)
    #[arg(long, value_parser = span)]
    pub ttl: Seconds,
    /// The key's label in the token
    #[arg(long, default_value = "anchorite root")]
    pub label: String,
    /// pathLenConstraint; without it the root sets none
    #[arg(long, value_name = "N")]
    pub path_len: Option<u8>,
    /// Another device's root (its certificate), to be trusted beside this one from the start
    #[arg(long, value_name = "FILE")]
    pub second_device: Option<PathBuf>,
    /// When a YubiKey asks for the PIN before it signs with the root's key: once or always [default: always]
    #[arg(long, value_name = "WHEN", value_parser = pin_policy)]
    pub pin_policy: Option<PinPolicy>,
    /// When it has to be touched for that: always [default], cached (once in 15 seconds) or never
    #[arg(long, value_name = "WHEN", value_parser = touch_policy)]
    pub touch_policy: Option<TouchPolicy>,
    #[command(flatten)]
    pub pin: Pin,
}

/// Take over a root that was made elsewhere: its certificate, and its key in the token
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite root adopt --home /srv/ca --certificate /media/in/old-root.pem \\\n      --key 'pkcs11:object=old%20root'\n\nAfter a crash run the same command again: it takes up where it was left."
)]
pub struct RootAdopt {
    /// The root's certificate, PEM or DER, alone in its file
    #[arg(long, value_name = "FILE")]
    pub certificate: PathBuf,
    /// Its key in the home's token, by object (CKA_LABEL) or id (CKA_ID), or by a YubiKey's slot
    #[arg(long, value_name = "URI")]
    pub key: String,
    /// The label of the journal's key, which is made beside it
    #[arg(long, value_name = "LABEL")]
    pub journal_label: Option<String>,
    /// A P-256 key that is there, for the journal, where the token does not let one be made
    #[arg(long, value_name = "URI", conflicts_with = "journal_label")]
    pub journal_key: Option<String>,
    /// Take a key of which a copy may exist or that needs no PIN; goes on record
    #[arg(long)]
    pub accept_weak_key: bool,
    #[command(flatten)]
    pub pin: Pin,
}

/// Issue the root's certificate anew: the same key and name, a later end
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite root renew --home /srv/ca --ttl 30y\n\nThe certificate of the journal's key is issued anew with it."
)]
pub struct RootRenew {
    /// How long it is valid from now: a number and s, m, h, d, w or y (365 days)
    #[arg(long, value_parser = span)]
    pub ttl: Seconds,
    #[command(flatten)]
    pub pin: Pin,
}

/// Trust another device's root beside this one, in every trust bundle
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite root companion --home /srv/ca --certificate /media/in/second-root.pem\n\nIt signs nothing here. Its renewed certificate takes the place of the older one."
)]
pub struct RootCompanion {
    /// The other root's certificate, PEM or DER, alone in its file
    #[arg(long, value_name = "FILE")]
    pub certificate: PathBuf,
    #[command(flatten)]
    pub pin: Pin,
}

/// Show what came on the stick and what the policy says of it (no token needed)
///
/// Read are PKCS#10 requests in PEM or DER, cert-manager's CertificateRequest and Kubernetes'
/// CertificateSigningRequest in YAML or JSON (one, several, a List), the JSON of Vault and CFSSL,
/// and the SSH signature FILE.sig beside a FILE.
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite inspect --home /srv/ca /media/stick")]
pub struct Inspect {
    /// Judge by this policy instead of the register's
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// List every rule, also those that found everything in order
    #[arg(long)]
    pub all: bool,
    /// Folders and files
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
}

/// Plan, confirm, perform, release
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite sign --home /srv/ca --from /media/in --to /media/out")]
pub struct Sign {
    /// The stick with the requests
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// The stick for the release
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Judge by this policy instead of the register's
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Sign what is granted even where other requests are refused
    #[arg(long)]
    pub partial: bool,
    /// Revoke a certificate with the same plan, for one of RFC 5280's reasons
    #[arg(long, value_name = "SERIAL=REASON", value_parser = revocation::named)]
    pub revoke: Vec<Named>,
    /// Stop before the token: show the plan with placeholder serials
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub pin: Pin,
}

/// Write the plan to a file, for review and a later perform
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite plan --home /srv/ca --from /media/in --out /srv/plan.json")]
pub struct Plan {
    /// The stick with the requests
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// The plan file to write
    #[arg(long, value_name = "PLAN")]
    pub out: PathBuf,
    /// Judge by this policy instead of the register's
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Plan what is granted even where other requests are refused
    #[arg(long)]
    pub partial: bool,
    /// Revoke a certificate with the same plan, for one of RFC 5280's reasons
    #[arg(long, value_name = "SERIAL=REASON", value_parser = revocation::named)]
    pub revoke: Vec<Named>,
}

/// Perform a plan, or take one up again that a crash or a full stick cut short
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite perform --home /srv/ca /srv/plan.json --to /media/out")]
pub struct Perform {
    /// The plan file; of those that the home keeps, `plans/DIGEST.json` will do
    pub plan: PathBuf,
    /// The plan's SHA-256, as noted when it was reviewed: another plan is refused
    #[arg(long, value_name = "HEX", value_parser = parse_digest)]
    pub plan_sha256: Option<Digest>,
    /// The stick for the release
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Release once more what this plan signed, where its release was lost; nothing is signed for clusters
    #[arg(long)]
    pub again: bool,
    #[command(flatten)]
    pub pin: Pin,
}

/// Check a release, or one cluster's folder of it, anywhere; or what clusters have loaded
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite verify /media/out/anchorite-2026-11-22-0001 --root-sha256 HEX\n  \
        anchorite verify --installed east-cacerts --root-sha256 HEX\n\n\
        --installed takes a folder of PEM files, as `assemble` writes it or a pod has it mounted, or a file\n\
        with Secrets and ConfigMaps as `kubectl get -o yaml` or `-o json` prints them; several of either,\n\
        one for each cluster, are held against each other. '-' reads one such file from standard input:\n  \
        kubectl get secret cacerts -n istio-system -o yaml | anchorite verify --installed - --root-sha256 HEX\n\
        It reads up to 16 MiB and 10000 objects in a file, 1000 files of 1 MiB in a folder."
)]
pub struct Verify {
    /// The release folder, or one cluster's folder in it
    #[arg(required_unless_present = "installed", conflicts_with = "installed")]
    pub bundle: Option<PathBuf>,
    /// What a cluster has loaded, once for each: a folder, or Secrets in YAML or JSON
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub installed: Vec<PathBuf>,
    /// Tell what of that ends within this time [default: 30d]
    #[arg(long, value_name = "SPAN", value_parser = span, requires = "installed")]
    pub within: Option<Seconds>,
    /// Who loads the files, where their names do not tell: istio, istio-tls, cert-manager-issuer, gloo-mesh,
    /// spire, linkerd, ingress, step-ca or pem
    #[arg(long, value_name = "NAME", value_parser = loads, requires = "installed")]
    pub consumer: Option<Consumer>,
    /// The root certificate's SHA-256, as noted at its ceremony; once for each root in the trust bundle
    #[arg(long, value_name = "HEX", value_parser = parse_digest, required = true)]
    pub root_sha256: Vec<Digest>,
    /// Accept the release of a rehearsal
    #[arg(long)]
    pub rehearsal: bool,
    /// Judge validity at this time instead of now, for a release of long ago
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub at: Option<Time>,
}

/// Policies: check an edit, put it in force, carry them to where requests are made
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite policy check --home /srv/ca")]
pub struct Policy {
    #[command(subcommand)]
    pub verb: PolicyVerb,
}

#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    /// Are these documents well formed, and do they differ from those in force?
    #[command(after_help = "example:\n  anchorite policy check --home /srv/ca")]
    Check {
        /// Policy files to check instead of the home's documents
        files: Vec<PathBuf>,
    },
    /// Put edited documents in force, on record; without an edit, settle and seal what is open
    #[command(after_help = "example:\n  anchorite policy pin --home /srv/ca")]
    Pin(Pin),
    Export(PolicyExport),
}

/// On the cluster's side: make a key, a request, and the cluster's own empty CRL
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite request --cluster east --profile istio --key east.key --to /media/stick\n\n\
        a CRL alone, for a request or a certificate that exists:\n  anchorite request --crl-for east.csr --cluster east --profile istio --key east.key \\\n      --to /media/stick\n\n\
        signed by its sender, where the root knows whose key that is (makes east.csr.sig):\n  ssh-keygen -Y sign -n anchorite-request -f ~/.ssh/id_ed25519 /media/stick/east.csr"
)]
pub struct Request {
    /// The cluster's id: a DNS label
    #[arg(long)]
    pub cluster: String,
    /// The policy wished for
    #[arg(long)]
    pub profile: String,
    /// The private key: made where there is none, never put on the stick
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The stick for the request
    #[arg(long, value_name = "STICK")]
    pub to: PathBuf,
    /// The kind of key to make: p256, p384, rsa2048 to rsa4096, ed25519, ml-dsa-65 or ml-dsa-87
    #[arg(long, value_name = "KIND", default_value = "p256", value_parser = cluster_algorithm)]
    pub algorithm: KeyAlgorithm,
    /// The organisation (O) of the subject, where the profile does not fix it
    #[arg(long, value_name = "NAME")]
    pub organisation: Option<String>,
    /// Make the CRL alone, for this request or CA certificate of the key's, in PEM or DER
    #[arg(long, value_name = "FILE", conflicts_with_all = ["algorithm", "organisation"])]
    pub crl_for: Option<PathBuf>,
    /// How long the CRL holds; by default the longest that the shipped policy grants (5y where it is
    /// none of those) and 90d
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub crl_ttl: Option<Seconds>,
}

/// On the cluster's side: join a bundle with the key
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite assemble --bundle /media/out/anchorite-2026-11-22-0001/east \\\n      --root-sha256 HEX --key east.key --out east-cacerts"
)]
pub struct Assemble {
    /// The cluster's folder in the release
    #[arg(long, value_name = "CLUSTER_DIR")]
    pub bundle: PathBuf,
    /// The private key that the request was made with
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The folder to make
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The root certificate's SHA-256, as noted at its ceremony; once for each root in the trust bundle
    #[arg(long, value_name = "HEX", required = true, value_parser = parse_digest)]
    pub root_sha256: Vec<Digest>,
    /// Put in the fleet's CRL set: of the release that the bundle lies in, or of a newer one; during
    /// a rollover once for each root
    #[arg(long, value_name = "RELEASE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub crl: Vec<OsString>,
    /// Take the trust bundle of this release in place of the bundle's own: a stage of a rollover
    #[arg(long, value_name = "RELEASE")]
    pub trust: Option<PathBuf>,
    /// The Secret to make, where it is not the consumer's usual one
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = secret)]
    pub secret: Option<(String, String)>,
    /// Accept the bundle of a rehearsal
    #[arg(long)]
    pub rehearsal: bool,
}

/// Print a shell's completion script
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite completions bash")]
pub struct Completions {
    /// bash, zsh, fish, elvish or powershell
    pub shell: clap_complete::Shell,
}

/// Write the man pages into a folder
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite manual man1")]
pub struct Manual {
    /// The folder
    pub dir: PathBuf,
}

fn secret(text: &str) -> Result<(String, String), String> {
    let (namespace, name) = text.split_once('/').ok_or("want NAMESPACE/NAME")?;
    Ok((namespace.into(), name.into()))
}

fn root_algorithm(text: &str) -> Result<KeyAlgorithm, String> {
    key_algorithm(text, &["p256", "p384", "rsa3072", "rsa4096", "ed25519", "ml-dsa-65", "ml-dsa-87"])
}

fn cluster_algorithm(text: &str) -> Result<KeyAlgorithm, String> {
    let kinds = ["p256", "p384", "rsa2048", "rsa3072", "rsa4096", "ed25519", "ml-dsa-65", "ml-dsa-87"];
    key_algorithm(text, &kinds)
}

fn key_algorithm(text: &str, kinds: &[&str]) -> Result<KeyAlgorithm, String> {
    let why = match text {
        "ml-dsa-44" => "it is of security category 2 alone (FIPS 204), a CA's key wants 3 or 5; ",
        _ => "",
    };
    KeyAlgorithm::parse(text)
        .filter(|_| kinds.contains(&text))
        .ok_or_else(|| format!("{why}want one of {}", kinds.join(", ")))
}

/// Those whose key lies where their files do.
fn loads(text: &str) -> Result<Consumer, String> {
    let known = |consumer: &Consumer| consumer.terms().assembled.is_ok();
    let mut all = Consumer::ALL.into_iter().filter(known);
    all.clone().find(|consumer| consumer.terms().name == text).ok_or_else(|| {
        let names: Vec<&str> = all.by_ref().map(|consumer| consumer.terms().name).collect();
        format!("wanted one of {}", names.join(", "))
    })
}

fn pin_policy(text: &str) -> Result<PinPolicy, String> {
    PinPolicy::parse(text)
        .ok_or_else(|| "want once or always: a root's key is never used without the PIN".into())
}

fn touch_policy(text: &str) -> Result<TouchPolicy, String> {
    TouchPolicy::parse(text).ok_or_else(|| "want always, cached or never".into())
}

fn time(text: &str) -> Result<Time, String> {
    Time::parse(text).ok_or_else(|| "want a time in UTC, e.g. 2026-11-22T10:00:00Z".into())
}

fn span(text: &str) -> Result<Seconds, String> {
    Seconds::parse(text)
        .filter(|s| s.0 > 0)
        .ok_or_else(|| "want a whole number and s, m, h, d, w or y (365 days), e.g. 20y or 7300d".into())
}
