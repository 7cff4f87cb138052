//! What goes wrong, as a table: what came, the exit code, the error's ID, a word of its
//! message, what it means and what to do. Every row is tried for real, or points to
//! the test that tries it, and the README's troubleshooting is made from it.

mod away;
mod cluster;
mod crl;
mod home;
mod ids;
mod journal;
mod named;
mod object;
mod plan;
mod policy;
mod release;
mod request;
mod revocation;
mod rollover;
mod stick;
mod token;

use std::sync::LazyLock;

use super::{printable, trace};
use crate::appliance::{Appliance, Ran, ran};
use crate::faults::copy;

/// Where a row begins.
#[derive(Clone, Copy)]
enum Scene {
    /// A token, two sticks, no home.
    Bare,
    /// A home without a root; a request of `east` on the stick.
    Home,
    /// With a root.
    Root,
    /// `east` is released; its plan is `plan.json`, that of a release that never was
    /// `other.json`; a request of `west` on the stick.
    Released,
}

impl Scene {
    /// An appliance of one's own: each scene is made once and copied.
    fn fresh(self) -> Appliance {
        static BARE: LazyLock<Appliance> = LazyLock::new(Appliance::bare);
        static HOME: LazyLock<Appliance> = LazyLock::new(|| {
            let a = Appliance::with_home();
            a.request("east");
            a
        });
        static ROOT: LazyLock<Appliance> = LazyLock::new(|| {
            let mut a = copy(&HOME);
            a.root_sha256 = a.create_root("p256", &[]).code(0).json()["sha256"].as_str().unwrap().into();
            a
        });
        static RELEASED: LazyLock<Appliance> = LazyLock::new(|| {
            let a = copy(&ROOT);
            for name in ["plan.json", "other.json"] {
                let (from, out) = (a.arg("in"), a.arg(name));
                a.run(&["plan", "--from", &from, "--out", &out, "--policy", "istio"]).code(0);
            }
            perform(&a, "plan.json").once(&a, &[]).code(0);
            std::fs::remove_file(a.path("in/east.csr")).unwrap();
            a.request("west");
            a
        });
        match self {
            Self::Bare => copy(&BARE),
            Self::Home => copy(&HOME),
            Self::Root => copy(&ROOT),
            Self::Released => copy(&RELEASED),
        }
    }
}

/// A command line, perhaps run through another program.
struct Run {
    through: Vec<String>,
    args: Vec<String>,
}

impl Run {
    fn of<S: AsRef<str>>(args: &[S]) -> Self {
        Self { through: Vec::new(), args: args.iter().map(|a| a.as_ref().to_string()).collect() }
    }

    fn through(mut self, words: &[&str]) -> Self {
        self.through = words.iter().map(ToString::to_string).collect();
        self
    }

    fn with(&self, more: &[&str]) -> Self {
        Self { through: self.through.clone(), args: self.args.clone() }.and(more)
    }

    fn and(mut self, more: &[&str]) -> Self {
        self.args.extend(more.iter().map(ToString::to_string));
        self
    }

    /// The same for one cluster's folder of a release.
    fn of_cluster(mut self, cluster: &str) -> Self {
        self.args[1].push_str(&format!("/{cluster}"));
        self
    }

    fn once(&self, a: &Appliance, environment: &[(&str, &str)]) -> Ran {
        let binary = env!("CARGO_BIN_EXE_anchorite");
        let mut words: Vec<&str> = self.through.iter().map(String::as_str).collect();
        words.push(binary);
        words.extend(self.args.iter().map(String::as_str));
        let mut command = a.command(words[0]);
        command.args(&words[1..]).envs(environment.iter().copied());
        ran(command.output().unwrap())
    }
}

/// `sign` from `in` to `out`.
fn sign(a: &Appliance) -> Run {
    let (from, to, pin) = (a.arg("in"), a.arg("out"), a.arg("pin"));
    Run::of(&["sign", "--policy", "istio", "--from", &from, "--to", &to, "--yes", "--pin-file", &pin])
}

fn inspect(a: &Appliance) -> Run {
    Run::of(&["inspect", "--policy", "istio", &a.arg("in")])
}

fn perform(a: &Appliance, plan: &str) -> Run {
    let (plan, to, pin) = (a.arg(plan), a.arg("out"), a.arg("pin"));
    Run::of(&["perform", &plan, "--to", &to, "--yes", "--pin-file", &pin])
}

fn audit() -> Run {
    Run::of(&["audit", "verify"])
}

fn verify(a: &Appliance, bundle: &std::path::Path) -> Run {
    Run::of(&["verify", bundle.to_str().unwrap(), "--root-sha256", &a.root_sha256])
}

/// How a row is tried.
enum Tried {
    /// Here: makes things wrong and gives the command that must notice.
    Here(Scene, fn(&Appliance) -> Run),
    /// Elsewhere: `file::test`.
    By(&'static str),
}

/// What the operator sees first.
enum Seen {
    /// An error's or a finding's ID.
    Id(&'static str),
    /// Words.
    Words(&'static str),
}

struct Row {
    /// What came, or what was done.
    came: &'static str,
    tried: Tried,
    code: i32,
    seen: Seen,
    /// A word of the message.
    word: &'static str,
    /// For the README: other IDs of the same meaning, what it means, what to do. A row
    /// without a meaning stands in the tests alone.
    also: &'static [&'static str],
    means: &'static str,
    todo: &'static str,
}

/// A row that is tried here.
const fn here(
    came: &'static str,
    scene: Scene,
    make: fn(&Appliance) -> Run,
    code: i32,
    id: &'static str,
    word: &'static str,
) -> Row {
    let (tried, seen) = (Tried::Here(scene, make), Seen::Id(id));
    Row { came, tried, code, seen, word, also: &[], means: "", todo: "" }
}

/// A row that another test tries.
const fn by(test: &'static str, came: &'static str, code: i32, seen: Seen) -> Row {
    Row { came, tried: Tried::By(test), code, seen, word: "", also: &[], means: "", todo: "" }
}

impl Row {
    /// For the README.
    const fn told(mut self, means: &'static str, todo: &'static str) -> Self {
        (self.means, self.todo) = (means, todo);
        self
    }

    /// These mean the same.
    const fn also(mut self, ids: &'static [&'static str]) -> Self {
        self.also = ids;
        self
    }

    fn ids(&self) -> Vec<&'static str> {
        let own = match self.seen {
            Seen::Id(id) => Some(id),
            Seen::Words(_) => None,
        };
        own.into_iter().chain(self.also.iter().copied()).collect()
    }

    /// Runs it for people, without colours, and for machines; each time the same is said,
    /// fit for a terminal, and nothing is left behind. What is wrong, a paragraph each.
    fn faults(&self) -> Vec<String> {
        let (Tried::Here(scene, make), Seen::Id(id)) = (&self.tried, &self.seen) else { return Vec::new() };
        let a = scene.fresh();
        let run = make(&a);
        let before = trace(&a);
        let mut faults = Vec::new();
        for (more, environment) in [(&[][..], &[][..]), (&[], &[("NO_COLOR", "1")]), (&["--json"], &[])] {
            let ran = run.with(more).once(&a, environment);
            let both = format!("{}\n{}", ran.stdout, ran.stderr);
            let json = !more.is_empty();
            // Beside a rule stands where its bound was set; in JSON the ID stands alone.
            let named = [format!("[{id}]"), format!("[{id},")].iter().any(|mark| both.contains(mark));
            let named = named || (json && both.contains(&format!("\"{id}\"")));
            let next = json || !ran.stderr.contains("error:") || ran.stderr.contains("\n  next: ");
            for (holds, what) in [
                (ran.code == self.code, format!("exit {}, not {}", ran.code, self.code)),
                (named, format!("no [{id}]")),
                (json || both.contains(self.word), format!("no '{}'", self.word)),
                (next, "no next step".into()),
            ] {
                if !holds {
                    faults.push(format!("{} {more:?}: {what} in\n{both}", self.came));
                }
            }
            printable(&ran);
        }
        let after = trace(&a);
        let changed: Vec<_> =
            before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name)).collect();
        if !changed.is_empty() {
            faults.push(format!("{}: left behind {changed:?}", self.came));
        }
        faults
    }
}

/// The groups, as the README has them.
fn groups() -> [(&'static str, Vec<Row>); 12] {
    [
        ("The stick", stick::rows()),
        ("A request", joined(joined(request::rows(), object::rows()), crl::rows())),
        ("Policies and configuration", policy::rows()),
        ("A plan", plan::rows()),
        ("Revocation", revocation::rows()),
        ("The token", token::rows()),
        ("The home and the host", home::rows()),
        ("The journal", journal::rows()),
        ("A release", release::rows()),
        ("A change of roots", rollover::rows()),
        ("On the cluster's side", joined(cluster::rows(), crl::clusters_rows())),
        ("Away from the home", away::rows()),
    ]
}

fn joined(mut rows: Vec<Row>, more: Vec<Row>) -> Vec<Row> {
    rows.extend(more);
    rows
}

fn check_all(rows: Vec<Row>) {
    let faults: Vec<String> = rows.iter().flat_map(Row::faults).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn the_stick() {
    check_all(stick::rows());
}

#[test]
fn requests() {
    check_all(request::rows());
}

#[test]
fn objects_and_senders() {
    check_all(object::rows());
}

#[test]
fn crls_beside_requests() {
    check_all(crl::rows());
}

#[test]
fn policies_and_configuration() {
    check_all(policy::rows());
}

#[test]
fn revocations() {
    check_all(revocation::rows());
}

#[test]
fn plans() {
    check_all(plan::rows());
}

#[test]
fn the_token() {
    check_all(token::rows());
}

#[test]
fn the_home() {
    check_all(home::rows());
}

#[test]
fn the_journal() {
    check_all(journal::rows());
}

#[test]
fn a_release() {
    check_all(release::rows());
}

#[test]
fn the_clusters_side() {
    check_all(joined(cluster::rows(), crl::clusters_rows()));
}

#[test]
fn away_from_the_home() {
    check_all(away::rows());
}

const HEADING: &str = "## When something goes wrong\n";
const BEFORE: &str = "
Exit codes: 0 done; 1 refused by policy or by a person, or something is open; 2 usage or configuration;
3 token; 4 integrity, stop the ceremony; 130 interrupted. Each error has a stable ID in brackets and says
what to do next. (These tables are made from `tests/errors/matrix`, where each line is tried.)
";
const AFTER: &str = "
After a crash during `root create`, run the same command again: it takes up where it was left.

";

/// The README's section, as the rows have it.
fn rendered() -> String {
    let mut out = format!("{HEADING}{BEFORE}");
    for (group, rows) in groups() {
        out.push_str(&format!(
            "\n**{group}**\n\n| you see | exit | it means | what to do |\n|---|---|---|---|\n"
        ));
        for row in rows.iter().filter(|row| !row.means.is_empty()) {
            let mut seen: Vec<String> = match row.seen {
                Seen::Words(words) => vec![words.into()],
                Seen::Id(_) => Vec::new(),
            };
            seen.extend(row.ids().iter().map(|id| format!("`[{id}]`")));
            let code = if row.code == 0 { String::new() } else { row.code.to_string() };
            out.push_str(&format!("| {} | {code} | {} | {} |\n", seen.join(", "), row.means, row.todo));
        }
    }
    out + AFTER
}

/// `REWRITE=1 cargo test readme_shows_these_rows` writes the section anew.
#[test]
fn the_readme_shows_these_rows() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let (before, rest) = readme.split_once(HEADING).expect("the README has this section");
    let end = rest.find("\n## ").expect("another section follows") + 1;
    let wanted = format!("{before}{}{}", rendered(), &rest[end..]);
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write("README.md", &wanted).unwrap();
    }
    let found = std::fs::read_to_string("README.md").unwrap();
    assert!(found == wanted, "the section is to be (REWRITE=1 writes it):\n{}", rendered());
    let shown = groups().iter().flat_map(|(_, rows)| rows).filter(|row| !row.means.is_empty()).count();
    assert!((40..200).contains(&shown), "{shown} rows");
}

/// Where a row or a list points to a test, that test exists, and tries that ID.
#[test]
fn what_is_tried_elsewhere_is() {
    for (_, rows) in groups() {
        for row in &rows {
            let Tried::By(test) = row.tried else { continue };
            let text = named::test_file(test);
            for id in row.ids() {
                assert!(
                    text.contains(&format!("\"{id}\"")) || text.contains(&format!("[{id}]")),
                    "{test}: {id}"
                );
            }
        }
    }
}
