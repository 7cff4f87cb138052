//! Every defect that a request can have, one at a time: each vector is a good request
//! with one thing wrong, signed again where the signature is not the thing, so that
//! nothing but the defect can be the reason. All of them come on one stick and are
//! judged by the real `inspect`; then `sign` gets them, and signs none.

mod claims;
pub mod csr;
mod form;
mod key;
mod objects;
mod proof;
mod rsa;
mod secrets;
mod subject;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::appliance::{Appliance, Ran};
use crate::errors::printable;
use csr::Csr;

/// What becomes of a vector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// No certificate; these rules refuse, and no others.
    Refused,
    /// A certificate, but not all that was asked for: these rules narrow or warn, and no others.
    Narrowed,
    /// What stands on the stick is named by this rule and is not taken for a request.
    Passed,
    /// What stands on the stick stops the session.
    Stopped,
}

/// A file on the stick and what is to be said of it.
struct Vector {
    /// Its name: the defect.
    defect: String,
    bytes: Vec<u8>,
    fate: Fate,
    rules: Vec<&'static str>,
    /// A word of the message.
    word: &'static str,
}

/// The vectors, as the modules beside this file make them.
#[derive(Default)]
struct Vectors {
    list: Vec<Vector>,
}

impl Vectors {
    fn add(
        &mut self,
        fate: Fate,
        defect: &str,
        rules: &[&'static str],
        word: &'static str,
        make: impl FnOnce(Csr) -> Vec<u8>,
    ) {
        let cluster = format!("c{}", self.list.len());
        let bytes = make(Csr::good(&cluster));
        assert!(self.list.iter().all(|v| v.defect != defect), "{defect} stands twice");
        self.list.push(Vector { defect: defect.into(), bytes, fate, rules: rules.to_vec(), word });
    }

    /// Refused by exactly these rules.
    fn refused(
        &mut self,
        defect: &str,
        rules: &[&'static str],
        word: &'static str,
        make: impl FnOnce(Csr) -> Vec<u8>,
    ) {
        self.add(Fate::Refused, defect, rules, word, make);
    }

    /// Granted, with exactly these rules narrowing or warning.
    fn narrowed(
        &mut self,
        defect: &str,
        rules: &[&'static str],
        word: &'static str,
        make: impl FnOnce(Csr) -> Vec<u8>,
    ) {
        self.add(Fate::Narrowed, defect, rules, word, make);
    }

    /// A file that is no request, whatever its cluster.
    fn file(&mut self, fate: Fate, what: &str, rule: &'static str, word: &'static str, bytes: Vec<u8>) {
        self.add(fate, what, &[rule], word, |_| bytes);
    }
}

/// Made once: RSA by hand takes its time.
static VECTORS: LazyLock<Vec<Vector>> = LazyLock::new(|| {
    let mut all = Vectors::default();
    form::vectors(&mut all);
    objects::vectors(&mut all);
    proof::vectors(&mut all);
    key::vectors(&mut all);
    rsa::vectors(&mut all);
    subject::vectors(&mut all);
    claims::vectors(&mut all);
    secrets::vectors(&mut all);
    all.list
});

/// Writes these to the stick; each by the name of its defect.
fn stick<'a>(a: &Appliance, vectors: impl IntoIterator<Item = &'a Vector>) -> BTreeMap<String, &'a Vector> {
    std::fs::remove_dir_all(a.path("in")).unwrap();
    std::fs::create_dir(a.path("in")).unwrap();
    let mut files = BTreeMap::new();
    for vector in vectors {
        let name = format!("{}.csr", vector.defect);
        a.write(&format!("in/{name}"), &vector.bytes);
        files.insert(name, vector);
    }
    files
}

fn inspect(a: &Appliance, more: &[&str]) -> Ran {
    let from = a.path("in");
    let ran = a.run(&[&["inspect", "--policy", "istio", from.to_str().unwrap()], more].concat());
    printable(&ran);
    ran
}

/// What was said of a file: its verdict, the rules and the messages; `beside`: of what
/// is no request, though it may be judged as one, too.
fn said(report: &Value, file: &str, beside: bool) -> (String, Vec<String>, String) {
    let list = |key: &str| report[key].as_array().unwrap().iter().filter(move |e| e["file"] == file);
    let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
    if !beside && let Some(request) = list("requests").next() {
        let findings: Vec<&Value> = request["findings"].as_array().unwrap().iter().collect();
        let refused = request["verdict"] == "refuse";
        let open = findings.into_iter().filter(|f| match f["outcome"].as_str() {
            Some("refused") => true,
            // Nearly all of these come without a CRL, which warns of each.
            Some("warning") if f["rule"] == "crl.pre-signed" => false,
            Some("narrowed" | "warning") => !refused,
            _ => false,
        });
        let (rules, messages): (Vec<_>, Vec<_>) =
            open.map(|f| (text(&f["rule"]), text(&f["message"]))).unzip();
        return (text(&request["verdict"]), rules, messages.join("\n"));
    }
    let (rules, messages): (Vec<_>, Vec<_>) =
        list("media").map(|f| (text(&f["rule"]), text(&f["message"]))).unzip();
    ("media".into(), rules, messages.join("\n"))
}

#[test]
fn every_defect_is_named_and_nothing_is_signed_for_it() {
    let a = Appliance::with_root("p256");
    let files = stick(&a, VECTORS.iter());
    let report = inspect(&a, &["--json"]).code(1).json();
    let mut wrong = Vec::new();
    for (file, vector) in &files {
        let beside = matches!(vector.fate, Fate::Passed | Fate::Stopped);
        let (verdict, mut rules, messages) = said(&report, file, beside);
        let mut wanted: Vec<&str> = vector.rules.clone();
        rules.sort();
        wanted.sort();
        let right = match vector.fate {
            Fate::Refused => "refuse",
            Fate::Narrowed => "grant",
            Fate::Passed | Fate::Stopped => "media",
        };
        // Each message goes into plans and the journal, where text is one line that steers nothing.
        let fit = messages.lines().all(anchorite::text::is_shown);
        if !fit || verdict != right || rules != wanted || !messages.contains(vector.word) {
            wrong.push(format!(
                "{}\n  wanted {right} {wanted:?} saying '{}'\n  got {verdict} {rules:?}\n  {messages}",
                vector.defect, vector.word
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), files.len(), wrong.join("\n"));
    assert!(files.len() > 200, "only {}", files.len());
    // The same for people.
    let text = inspect(&a, &[]).code(1).stdout;
    for (file, vector) in &files {
        let word = match vector.fate {
            Fate::Refused => "REFUSE",
            Fate::Narrowed => "GRANT",
            Fate::Passed => "note",
            Fate::Stopped => "no",
        };
        let said = |line: &str| line.starts_with(word) && line.contains(file.as_str());
        assert!(text.lines().any(said), "{word} {file} in\n{text}");
    }
    // A private key among them stops everything.
    let before = a.journal();
    let ran = a.sign(&["--policy", "istio", "--partial"]).fails(1, "media.private-key");
    printable(&ran);
    // Without one, all that is refused is refused together, and a part is signed only if asked for.
    let refused: Vec<&Vector> =
        VECTORS.iter().filter(|v| matches!(v.fate, Fate::Refused | Fate::Passed)).collect();
    stick(&a, refused);
    printable(&a.sign(&["--policy", "istio"]).fails(1, "plan.refusals"));
    printable(&a.sign(&["--policy", "istio", "--partial"]).fails(1, "plan.nothing"));
    assert_eq!(a.journal(), before, "nothing is on record");
    assert_eq!(std::fs::read_dir(a.path("out")).unwrap().count(), 0);
}

/// What is granted all the same is a good certificate, whatever the request asked for.
#[test]
fn what_is_narrowed_gets_the_policys_certificate() {
    let a = Appliance::with_root("p256");
    let narrowed: Vec<&Vector> = VECTORS.iter().filter(|v| v.fate == Fate::Narrowed).collect();
    stick(&a, narrowed.iter().copied());
    let ran = a.sign(&["--policy", "istio", "--json"]).code(0);
    printable(&ran);
    let released = ran.json()["released"].as_array().unwrap().len();
    assert_eq!(released, narrowed.len());
    let release = a.release();
    let root = release.join("root-cert.pem");
    let mut checked = 0;
    for entry in std::fs::read_dir(&release).unwrap().map(|e| e.unwrap().path()) {
        let certificate = entry.join("ca-cert.pem");
        if !certificate.exists() {
            continue;
        }
        let (root, certificate) = (root.to_str().unwrap(), certificate.to_str().unwrap());
        crate::support::run(
            a.dir.path(),
            "openssl",
            &["verify", "-x509_strict", "-CAfile", root, certificate],
        );
        let shown = ["x509", "-noout", "-ext", "basicConstraints,keyUsage,extendedKeyUsage,subjectAltName"];
        let shown =
            crate::support::run(a.dir.path(), "openssl", &[&shown[..], &["-in", certificate]].concat())
                .stdout;
        let shown = String::from_utf8(shown).unwrap();
        assert!(
            shown.contains("CA:TRUE, pathlen:0") && shown.contains("Certificate Sign, CRL Sign"),
            "{shown}"
        );
        assert!(!shown.contains("Extended") && !shown.contains("Alternative"), "{shown}");
        checked += 1;
    }
    assert_eq!(checked, narrowed.len());
    a.audit(&[]).code(0);
}
