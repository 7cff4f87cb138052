//! A home that somebody wrote to who has no token.

use std::path::Path;

use super::*;
use crate::audit::Expectation;
use crate::journal::sample::{Script, intent};
use crate::journal::{Bytes, JOURNAL_FILE, seal_message};

fn new() -> NewHome<'static> {
    NewHome {
        token: "pkcs11:token=t",
        module: Some("/m.so"),
        module_args: None,
        unattended: false,
        rehearsal: false,
        name: [7; 16],
    }
}

/// A home with this journal, as if it had been its own all along.
fn home(script: &Script) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    Home::init(dir.path(), &new(), script.now).unwrap();
    write(dir.path(), script);
    dir
}

fn write(dir: &Path, script: &Script) {
    std::fs::write(dir.join("journal").join(JOURNAL_FILE), &script.bytes).unwrap();
    let head = Head { count: script.ledger.count(), hash: script.ledger.head() };
    std::fs::write(dir.join(HEAD), head.to_json()).unwrap();
    for (name, purpose) in
        [("root.pem", Purpose::RootCertificate), ("journal-cert.pem", Purpose::JournalCertificate)]
    {
        if let Some(own) = script.ledger.own_certificate(purpose) {
            let tbs = Tbs::recorded(own.message.clone(), own.algorithm);
            let der = tbs.assemble(own.signature.as_deref().unwrap()).unwrap();
            std::fs::write(dir.join(name), pem::certificate(&der)).unwrap();
        }
    }
}

#[track_caller]
fn refused(dir: &Path, id: &str, code: u8) {
    let error = Home::open_edited(dir).unwrap_err();
    assert_eq!((error.id, error.kind.exit_code()), (id, code), "{error}");
}

#[test]
fn a_home_is_made_in_a_missing_or_an_empty_folder() {
    let dir = tempfile::tempdir().unwrap();
    let now = Script::opened().now;
    assert!(Home::init(dir.path(), &new(), now).is_ok());
    assert!(Home::init(&dir.path().join("inner"), &new(), now).is_ok());
    assert_eq!(Home::init(dir.path(), &new(), now).unwrap_err().id, "home.not-empty");
}

#[test]
fn the_last_seal_is_verified_when_a_home_is_opened() {
    let mut script = Script::with_root();
    let good = home(&script);
    assert!(Home::open_edited(good.path()).unwrap().root().is_ok());
    let message = seal_message(script.ledger.count(), script.ledger.head(), script.now, None);
    let seal = script.add(intent(Purpose::Seal, KeyRole::Journal, &message));
    let signature = Script::opened().signature(KeyRole::Journal, &message);
    script.add(Event::Signed { intent: seal, signature });
    let forged = home(&script);
    refused(forged.path(), "journal.seal", 4);
    assert!(!begins(forged.path()), "what nobody sealed is acted upon");
}

/// Whether anything is begun with the configuration, such as loading the module it names.
fn begins(dir: &Path) -> bool {
    let mut begun = false;
    let _ = Home::open_and(dir, |_| begun = true);
    begun
}

#[test]
fn so_are_the_certificates_it_rests_on() {
    let mut script = Script::with_keys();
    script.certify(Purpose::RootCertificate);
    let tbs = script.own(Purpose::JournalCertificate);
    let own = script.add(intent(Purpose::JournalCertificate, KeyRole::Root, tbs.as_der()));
    script.add(Event::Signed { intent: own, signature: script.signature(KeyRole::Journal, tbs.as_der()) });
    script.seal();
    refused(home(&script).path(), "verify.path.signature", 4);
}

#[test]
fn documents_pinned_by_a_line_without_a_seal_are_not_in_force() {
    let mut script = Script::with_root();
    let dir = home(&script);
    let files = Home::open_edited(dir.path()).unwrap().digests();
    script.add(Event::Pinned { files });
    write(dir.path(), &script);
    let edited = Home::open(dir.path()).unwrap_err();
    assert_eq!((edited.id, edited.kind.exit_code()), ("home.edited", 4));
    assert!(!begins(dir.path()), "what is not in force is acted upon");
    script.seal();
    write(dir.path(), &script);
    assert!(Home::open(dir.path()).is_ok() && begins(dir.path()));
}

#[test]
fn what_is_gone_and_what_stands_in_its_place() {
    let script = Script::with_root();
    let dir = home(&script);
    let at = |name: &str| dir.path().join(name);
    for (name, id) in [
        ("root.pem", "home.certificate"),
        ("state/head", "journal.head-missing"),
        ("journal/journal.jsonl", "journal.missing"),
    ] {
        let kept = std::fs::read(at(name)).unwrap();
        std::fs::remove_file(at(name)).unwrap();
        refused(dir.path(), id, 4);
        std::fs::create_dir(at(name)).unwrap();
        refused(dir.path(), id, 4);
        std::fs::remove_dir(at(name)).unwrap();
        std::fs::write(at(name), kept).unwrap();
    }
    assert!(Home::open_edited(dir.path()).is_ok());
}

#[test]
fn a_journal_that_changes_beneath_an_open_home_is_not_handed_out() {
    let script = Script::with_root();
    let dir = home(&script);
    let opened = Home::open_edited(dir.path()).unwrap();
    assert_eq!(opened.journal.bytes().unwrap(), script.bytes);
    assert_eq!(opened.journal.size(), script.bytes.len() as u64);
    write(dir.path(), &Script::with_root());
    assert_eq!(opened.journal.bytes().unwrap_err().id, "journal.changed");
    std::fs::write(dir.path().join("journal").join(JOURNAL_FILE), &script.bytes[..99]).unwrap();
    assert_eq!(opened.journal.bytes().unwrap_err().id, "journal.changed");
}

#[test]
fn after_a_refused_line_nothing_more_is_written() {
    let script = Script::with_root();
    let dir = home(&script);
    let mut opened = Home::open_edited(dir.path()).unwrap();
    let unknown = || vec![Event::Signed { intent: 99, signature: Bytes(vec![]) }];
    let session = crate::journal::sample::session;
    let first = opened.journal.append(script.now, [vec![session()], unknown()].concat()).unwrap_err();
    assert_eq!(first.id, "journal.sequence");
    let second = opened.journal.append(script.now, vec![session()]).unwrap_err();
    assert_eq!((second.id, second.kind.exit_code()), ("journal.refused", 4));
    assert_eq!(std::fs::read(dir.path().join("journal").join(JOURNAL_FILE)).unwrap(), script.bytes);
}

#[test]
fn a_release_is_no_home_and_nothing_is_written_into_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("journal")).unwrap();
    std::fs::write(dir.path().join("journal").join(JOURNAL_FILE), Script::opened().bytes).unwrap();
    refused(dir.path(), "home.missing", 2);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn an_audit_looks_at_the_homes_own_certificates_too() {
    let dir = home(&Script::with_root());
    let faults = |dir: &Path| {
        let report = examine(dir, Expectation::default()).unwrap();
        report.errors.iter().filter(|f| f.id == "home.certificate").count()
    };
    assert_eq!(faults(dir.path()), 0);
    std::fs::copy(dir.path().join("journal-cert.pem"), dir.path().join("root.pem")).unwrap();
    assert_eq!(faults(dir.path()), 1);
}

#[test]
fn odd_things_among_the_certificates_are_faults_and_hide_no_others() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = home(&Script::with_root());
    let issued = dir.path().join("issued");
    std::fs::create_dir(issued.join("folder")).unwrap();
    std::fs::write(issued.join(std::ffi::OsStr::from_bytes(b"\x1b[2J\xff")), "x").unwrap();
    let report = examine(dir.path(), Expectation::default()).unwrap();
    let faults: Vec<_> = report.errors.iter().filter(|f| f.id == "home.issued").collect();
    assert!(faults.len() >= 2 && faults.iter().all(|f| !f.message.contains('\x1b')), "{faults:?}");
}
