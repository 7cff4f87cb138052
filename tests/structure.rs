//! The layers hold: who imports whom, who touches the world, who may sign.
//!
//! Tables say what is allowed and why. They are exact: what is allowed and not
//! used is an error too, so that they stay a true picture.

mod imports;
pub mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use imports::{cycle, imports};
use source::{Source, reachable, rust_files, sources};

/// Open to all, standing on nothing but each other.
const BASE: [&str; 5] = ["cores", "document", "error", "finding", "text"];

/// A house or a file in it, what it may import, and why.
#[rustfmt::skip]
const HOUSES: &[(&str, &[&str], &str)] = &[
    ("x509", &[], "names, keys, times and certificates need nobody"),
    ("media", &["x509::Digest"], "bytes and their digests, whatever they mean"),
    ("sshsig", &[], "a signature, a key and bytes need nobody"),
    ("intake", &["x509", "sshsig"], "what a request says, not what is made of it"),
    ("policy", &["x509", "intake", "sshsig::PublicKey"], "judges requests; the register names senders by their keys"),
    ("policy/values.rs", &["release::Consumer"], "a policy names who takes the release"),
    ("lint", &["x509"], "judges bytes alone, whoever built them"),
    ("verify", &["x509", "lint"], "reads with the linter's parser, and lints again what was signed"),
    ("journal", &["x509"], "entries and what they add up to"),
    ("journal/file.rs", &["lint::Linted", "media::durable"], "the intent takes linted bytes; the one file"),
    ("journal/store.rs", &["media::durable"], "the index's files"),
    ("plan", &["x509", "intake", "journal", "policy", "lint"], "what the policy grants, as linted bytes, on the record it continues"),
    ("plan/review.rs", &["verify::describe", "verify::describe_crl"], "people read what another parser than the builder's reads"),
    ("token", &["x509"], "keys and algorithms"),
    ("token/mod.rs", &["journal::Permit", "journal::KeyPermit", "journal::KeyRole"], "nothing is done without a permit; each key has its place"),
    ("token/pkcs11/mod.rs", &["journal::Permit", "journal::KeyPermit"], "as above"),
    ("token/pkcs11/sign.rs", &["journal::Permit"], "as above"),
    ("token/pkcs11/generate.rs", &["journal::KeyPermit"], "as above"),
    ("token/piv/device/mod.rs", &["journal::Permit", "journal::KeyPermit", "journal::KeyRole"], "as above"),
    ("token/piv/device/sign.rs", &["journal::Permit"], "as above"),
    ("token/piv/device/generate.rs", &["journal::KeyPermit", "journal::KeyRole"], "as above"),
    ("release", &["x509"], "files as bytes"),
    ("release/verifier.rs", &["verify"], "the judge of releases; all else there takes any judge"),
    ("cluster", &["x509", "release"], "the cluster's side knows releases, nothing of the CA"),
    ("exported", &["x509", "journal", "policy"], "what the rules ask for, away from the home"),
    ("installed", &["x509", "release", "verify", "intake::pem", "cluster::PrivateKey"],
        "what a cluster loaded, judged as what leaves here is"),
    ("audit", &["x509", "journal", "lint", "verify"], "checks the record without the token"),
    ("calendar", &["x509", "journal", "policy::CrlConfig"], "what the record adds up to, in the configuration's spans"),
    ("home", &["x509", "journal", "media", "policy", "audit", "verify"], "the folder that holds a CA"),
    ("perform", &["x509", "home", "journal", "lint", "media", "plan", "policy", "release", "token", "verify"],
        "the one place where everything meets, and the token signs"),
    ("perform/adopt.rs", &["intake::check_key"], "a root from elsewhere has a key from elsewhere, like a request's"),
];

/// What lib.rs re-exports: `crate::Result` is `crate::error::Result`.
const REEXPORTS: [&str; 3] = ["Error", "Kind", "Result"];

/// A crate, the only houses or files that may name it, and why.
#[rustfmt::skip]
const CRATES: &[(&str, &[&str], &str)] = &[
    ("cryptoki", &["token/pkcs11/"], "the token"),
    ("yubikey", &["token/piv/device/"], "the YubiKey"),
    ("pcsc", &["token/piv/device/"], "what its errors mean"),
    ("cryptoki_sys", &["token/pkcs11/single.rs"], "the one call that cryptoki does not have"),
    ("libloading", &["token/pkcs11/single.rs"], "as above"),
    ("x509_parser", &["lint/", "verify/", "release/certificate.rs"], "the second parser judges; it builds nothing"),
    ("rcgen", &["cluster/"], "keys are generated on the cluster's side alone; the CA's are in the token"),
    ("cms", &["release/cms.rs", "perform/release.rs"], "the release's signature"),
    ("rustix", &["media/", "cli/process.rs", "cli/terminal.rs", "cli/output.rs"], "files, the process, the terminal, stdout"),
    ("getrandom", &["cli/process.rs"], "randomness is an argument"),
    ("signal_hook", &["cli/process.rs"], "signals are the process's"),
    ("clap", &["cli/args", "cli/mod.rs", "cli/generate.rs"], "the command line"),
    ("anstream", &["cli/output.rs"], "the one place that prints"),
    ("rayon", &["policy/decision.rs", "plan/again.rs", "plan/make.rs", "plan/review.rs", "perform/batch.rs", "release/check.rs", "perform/release.rs", "release/sums.rs", "cli/intake.rs", "cores.rs"],
        "what is done to each of a batch, on every core, or beside what is done in order"),
    ("indicatif", &["cli/unlock.rs"], "progress is shown on the command line"),
    ("data_encoding", &["text.rs"], "base64 and hexadecimal"),
    ("serde_saphyr", &["document.rs"], "YAML, within bounds that stand in one place"),
    ("toml", &["policy/", "release/documents.rs"], "documents that people write, and the manifest"),
];

/// A way to the world, the only files that may go it, and why. Nobody opens a
/// socket, starts a process or a thread, sleeps, or prints past `output`.
#[rustfmt::skip]
const WORLD: &[(&str, &[&str], &str)] = &[
    ("std::fs", &["media/", "home/", "token/pkcs11/module.rs", "cli/"], "sticks, the home, the module's digest, the terminal"),
    (".exists()", &["home/", "cli/"], "asks the disk"),
    (".is_dir()", &["home/", "media/loaded.rs", "cli/folder.rs", "cli/installed.rs", "cli/request.rs"], "asks the disk"),
    (".is_file()", &["media/read.rs", "token/pkcs11/module.rs"], "asks the disk"),
    (".canonicalize()", &["token/pkcs11/module.rs", "cli/assemble.rs", "cli/folder.rs", "cli/perform.rs", "cli/request.rs", "cli/status.rs", "cli/verify.rs"], "asks the disk"),
    (".metadata()", &["token/pkcs11/module.rs", "cli/assemble.rs", "cli/pin.rs"], "asks the disk"),
    ("path::absolute", &["cli/init.rs"], "asks for the working folder"),
    ("std::env", &["cli/process.rs", "cli/pin.rs"], "the operator's name; the PIN's variable where configured"),
    ("SystemTime", &["cli/process.rs"], "the clock is an argument"),
    ("std::process", &["media/durable", "cli/mod.rs", "main.rs"], "the process's number in a lock; the exit code"),
    ("Instant", &[], "nothing here depends on how long it takes"),
    ("thread", &["cores.rs", "perform/lanes.rs", "cli/process.rs"], "work on other cores; sessions of the token's, one a thread; how many cores there are"),
    ("sleep", &[], "nothing waits"),
    ("Command::new", &[], "no other program is run"),
    ("println!", &[], "results go through output"),
    ("print!", &[], "results go through output"),
    ("eprintln!", &[], "notes go through output"),
    ("eprint!", &[], "notes go through output"),
    ("dbg!", &[], "nor debris"),
    ("stdin", &["cli/installed.rs"], "what - stands for; questions go to the terminal"),
    ("TcpStream", &[], "no socket"),
    ("TcpListener", &[], "no socket"),
    ("UdpSocket", &[], "no socket"),
    ("UnixStream", &[], "no socket"),
    ("UnixListener", &[], "no socket"),
    ("UnixDatagram", &[], "no socket"),
    ("ToSocketAddrs", &[], "no name is looked up"),
    ("rustix::net", &[], "no socket"),
];

/// A call or a construction, and the only files where it may stand. That the
/// compiler agrees is shown by the `compile_fail` examples beside the types.
#[rustfmt::skip]
const ONLY_IN: &[(&str, &[&str])] = &[
    (".sign(", &["perform/", "token/mod.rs", "token/pkcs11/mod.rs", "token/pkcs11/sign.rs", "cluster/pair.rs", "cluster/crl.rs"]), // a cluster's own key; a signer hands on to the module's own C_Sign
    (".generate(", &["perform/"]),
    ("Permit {", &["journal/file.rs"]),
    ("KeyPermit {", &["journal/file.rs"]),
    ("Linted {", &["lint/mod.rs"]),
    (".map(Verified)", &["verify/certificate.rs", "verify/crl.rs"]),
    ("unsafe", &["token/pkcs11/single.rs", "token/pkcs11/module.rs"]), // C_Sign, and a string for C_Initialize: explained there
];

/// What only a test may say. The process must not fall over on any input.
const NEVER: [&str; 11] = [
    ".unwrap()",
    ".unwrap_err()",
    ".expect(",
    ".expect_err(",
    "panic!",
    "unreachable!",
    "unimplemented!",
    "todo!",
    "assert!",
    "assert_eq!",
    "assert_ne!",
];

/// Errors of x509 and of documents that intake makes findings of under the same name.
#[rustfmt::skip]
const SAME: [&str; 6] = [
    "key.curve", "key.encoding",
    "document.bounds", "document.duplicate-key", "document.encoding", "document.syntax",
];

/// Files above 500 lines, each with its reason.
const LONG: &[(&str, &str)] = &[];

/// What may lie at the top, beside what begins with a dot.
#[rustfmt::skip]
const TOP: [&str; 12] = [
    "Cargo.toml", "src", "ceremony", "policies", "tests", "softhsm", "README.md",
    "Cargo.lock", "rust-toolchain.toml", "LICENSE-APACHE", "LICENSE-MIT", "CHANGELOG.md",
];

#[test]
fn imports_follow_the_house() {
    let mut faults = Vec::new();
    let mut used = BTreeSet::new();
    let mut edges = BTreeSet::new();
    for source in sources().iter().filter(|s| !s.path.starts_with("cli/")) {
        for (path, place) in imports(source) {
            let house = path.split("::").next().unwrap();
            if house == source.house() || REEXPORTS.contains(&house) || BASE.contains(&house) {
                continue;
            }
            edges.insert((source.house().to_string(), house.to_string()));
            let rows = HOUSES.iter().filter(|(of, ..)| source.path == *of || in_house(source, of));
            let row = rows.flat_map(|(of, may, _)| may.iter().map(move |m| (*of, *m))).find(|(_, may)| {
                path == *may || path.strip_prefix(may).is_some_and(|rest| rest.starts_with("::"))
            });
            match row {
                Some(row) => drop(used.insert(row)),
                None => faults.push(format!("{place}: imports {path}, which its house may not")),
            }
        }
        faults.extend(climbs(source));
    }
    for (of, may, why) in HOUSES {
        assert!(!why.is_empty());
        let stale = may.iter().filter(|m| !used.contains(&(*of, **m)));
        faults.extend(stale.map(|m| format!("{of}: {m} is allowed and not used; take it off the table")));
    }
    none(faults);
    let edges: Vec<_> = edges.into_iter().collect();
    assert_eq!(cycle(&edges), None, "houses that import each other");
}

fn in_house(source: &Source, of: &str) -> bool {
    !of.contains('/') && source.house() == of
}

/// `super::super::…` that leaves the house would slip past the table.
fn climbs(source: &Source) -> Vec<String> {
    let beyond = "super::".repeat(source.depth());
    let at = source.code.find(&beyond);
    at.map(|at| format!("{}: climbs out of its house; write crate::", source.place(at))).into_iter().collect()
}

#[test]
fn only_the_binary_knows_the_command_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = reachable(&root.join("src/lib.rs"));
    assert!(!library.iter().any(|file| file.starts_with(root.join("src/cli"))));
    let binary = reachable(&root.join("src/main.rs"));
    assert!(binary.iter().all(|f| f.starts_with(root.join("src/cli")) || f.ends_with("main.rs")));
    let all: BTreeSet<_> = rust_files(&root.join("src")).into_iter().collect();
    let lost: Vec<_> = all.iter().filter(|f| !library.contains(*f) && !binary.contains(*f)).collect();
    assert!(lost.is_empty(), "no crate compiles {lost:?}");
}

#[test]
fn the_core_is_pure() {
    let mut faults = Vec::new();
    let crates = CRATES.iter().map(|(name, may, why)| (format!("{name}::"), may, why));
    let world = WORLD.iter().map(|(word, may, why)| (word.to_string(), may, why));
    for (word, may, why) in crates.chain(world) {
        let mut used = BTreeSet::new();
        for source in sources() {
            let mut found = source.finds(&word);
            // `super::cms::` is a module of ours, not the crate.
            found.retain(|at| !word.ends_with("::") || !source.code[..*at].ends_with("::"));
            match may.iter().find(|prefix| source.path.starts_with(**prefix)) {
                Some(prefix) if !found.is_empty() => drop(used.insert(*prefix)),
                Some(_) => {}
                None => {
                    faults.extend(found.iter().map(|at| format!("{}: {word} ({why})", source.place(*at))))
                }
            }
        }
        let stale = may.iter().filter(|prefix| !used.contains(*prefix));
        faults.extend(stale.map(|prefix| format!("{word}: allowed in {prefix} and not used there")));
    }
    none(faults);
}

#[test]
fn only_perform_signs_and_only_the_maker_makes_a_proof() {
    let mut faults = Vec::new();
    for (word, may) in ONLY_IN {
        let mut seen = false;
        for source in sources() {
            for at in source.finds(word) {
                let before = source.code[..at].trim_end();
                // Its definition, its methods, and a function that returns one.
                if ["struct", "impl", "->", "for"].iter().any(|keyword| before.ends_with(keyword)) {
                    continue;
                }
                seen |= source.within(may);
                if !source.within(may) {
                    faults.push(format!("{}: {word} belongs in {may:?}", source.place(at)));
                }
            }
        }
        assert!(seen, "{word} is found nowhere: does the test still look for the right thing?");
    }
    none(faults);
}

#[test]
fn nothing_panics_and_nothing_is_left_to_do() {
    let mut faults = Vec::new();
    for source in sources() {
        for word in NEVER {
            faults.extend(source.finds(word).iter().map(|at| format!("{}: {word}", source.place(*at))));
        }
        for word in ["TODO", "FIXME", "XXX", "HACK"] {
            faults.extend(source.text.find(word).map(|at| format!("{}: {word}", source.place(at))));
        }
    }
    none(faults);
}

#[test]
fn files_are_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut lines = Vec::new();
    for folder in ["src", "tests"] {
        for path in rust_files(&root.join(folder)) {
            let count = std::fs::read_to_string(&path).unwrap().lines().count();
            let path = path.strip_prefix(root).unwrap().display().to_string();
            let excused = LONG.iter().any(|(long, why)| *long == path && !why.is_empty());
            assert_eq!(
                count > 500,
                excused,
                "{path} has {count} lines; at most 500, or a reason in the table"
            );
            lines.push(count);
        }
    }
    lines.sort_unstable();
    let (files, median) = (lines.len(), lines[lines.len() / 2]);
    println!("{files} files, {} lines, median {median}", lines.iter().sum::<usize>());
    assert!(median <= 200, "the median file has {median} lines");
}

#[test]
fn every_dependency_has_a_reason_and_a_use() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let source: String = sources().iter().map(|s| s.code.clone()).collect();
    let tests: String = ["src", "tests"]
        .iter()
        .flat_map(|folder| rust_files(&root.join(folder)))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let mut section = "";
    let mut seen = 0;
    for line in manifest.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        if line.starts_with('[') {
            section = line;
            continue;
        }
        let code = match section {
            "[dependencies]" => &source,
            "[dev-dependencies]" => &tests,
            _ => continue,
        };
        let (name, rest) = line.split_once('=').unwrap();
        let path = format!("{}::", name.trim().replace('-', "_"));
        let used = code
            .match_indices(&path)
            .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c)));
        assert!(used, "{name}: is used nowhere");
        let reason = rest.rsplit_once("# ").map(|(_, reason)| reason.trim());
        assert!(reason.is_some_and(|r| r.len() > 3), "{name}: has no reason beside it");
        seen += 1;
    }
    assert!(seen > 20, "only {seen} dependencies were read");
}

#[test]
fn the_top_holds_what_belongs_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignored = std::fs::read_to_string(root.join(".gitignore")).unwrap();
    for entry in std::fs::read_dir(root).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let built = ignored.lines().any(|line| line.trim_matches('/') == name);
        assert!(
            built || name.starts_with('.') || TOP.contains(&name.as_str()),
            "{name} does not belong at the top"
        );
    }
}

#[test]
fn no_test_file_is_forgotten() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut declared = reachable(&tests.join("main.rs"));
    declared.extend(reachable(&tests.join("misbehaving/lib.rs")));
    declared.extend(reachable(&tests.join("card/main.rs")));
    // The fuzzers are a package of their own, whose manifest names its programs.
    let fuzzers = std::fs::read_to_string(tests.join("fuzz/Cargo.toml")).unwrap();
    for path in fuzzers.lines().filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"')) {
        declared.extend(reachable(&tests.join("fuzz").join(path)));
    }
    declared.extend(reachable(&tests.join("bench/main.rs")));
    declared.extend(reachable(&tests.join("kryoptic/lib.rs")));
    let forgotten: Vec<_> = rust_files(&tests).into_iter().filter(|f| !declared.contains(f)).collect();
    assert!(forgotten.is_empty(), "tests/main.rs does not lead to {forgotten:?}");
    assert!(declared.len() > 8, "only {declared:?}");
}

#[test]
fn ids_are_dotted_and_each_rule_has_one_meaning() {
    let mut houses: BTreeMap<&str, &str> = BTreeMap::new();
    let intake = anchorite::intake::RULES.iter().map(|id| (*id, "intake"));
    let policy = anchorite::policy::RULES.iter().map(|r| (r.id, "policy"));
    let lint = anchorite::lint::LINTS.iter().chain(anchorite::lint::CRL_LINTS).map(|l| (l.id, "lint"));
    let adoption = anchorite::verify::ADOPTION_RULES.iter().map(|r| (r.id, "verify"));
    let token = anchorite::token::rules::ids().map(|id| (id, "token"));
    for (id, house) in intake.chain(policy).chain(lint).chain(adoption).chain(token) {
        assert!(dotted(id), "{id} of {house}");
        let other = houses.insert(id, house);
        assert_eq!(other, None, "{id} of {house} is taken");
    }
    for rule in anchorite::policy::RULES {
        assert!(!rule.summary.is_empty() && !rule.reference.is_empty(), "{}: without words", rule.id);
    }
    for lint in anchorite::lint::LINTS {
        assert!(!lint.summary.is_empty() && !lint.reference.is_empty(), "{}: without words", lint.id);
    }
    let mut faults = Vec::new();
    let mut seen = 0;
    for source in sources() {
        for (id, at) in error_ids(source) {
            seen += 1;
            // The one word for an operator who pressed ^C.
            if !dotted(&id) && id != "interrupted" {
                faults.push(format!("{}: `{id}` is not lower-case and dotted", source.place(at)));
            }
            if houses.contains_key(id.as_str()) && !SAME.contains(&id.as_str()) {
                faults.push(format!("{}: `{id}` is a rule's", source.place(at)));
            }
        }
    }
    none(faults);
    assert!(seen > 100, "only {seen} were read");
}

/// The string literals that are the first argument of an error's constructor.
fn error_ids(source: &Source) -> Vec<(String, usize)> {
    let makers = ["refused(", "usage(", "token(", "integrity(", "Kind::Interrupted,", "id:"];
    let mut found = Vec::new();
    for maker in makers {
        for at in source.finds(maker) {
            let rest = source.strings[at + maker.len()..].trim_start();
            if let Some((id, _)) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                found.push((id.to_string(), at));
            }
        }
    }
    found
}

fn dotted(id: &str) -> bool {
    let word = |w: &str| {
        let plain = w.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        plain && w.starts_with(|c: char| c.is_ascii_lowercase()) && !w.ends_with('-')
    };
    id.contains('.') && id.split('.').all(word)
}

fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
