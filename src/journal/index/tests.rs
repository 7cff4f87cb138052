use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::audit::{Expectation, State, audit, audit_lines};
use crate::journal::sample::{Script, intent, session};
use crate::journal::store::Store;
use crate::journal::{
    Event, Head, INDEX_FILE, JOURNAL_FILE, Journal, KeyRole, PlanState, Purpose, Standing, check_index,
    replay, seal_message,
};
use crate::x509::{Issued, Status, Time};

/// A journal on disk, whose every session ends with an index.
struct Disk {
    dir: TempDir,
    script: Script,
}

impl Disk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["journal", "state"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let disk = Self { dir, script: Script::with_root() };
        disk.write();
        disk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self) {
        std::fs::write(self.path("journal").join(JOURNAL_FILE), &self.script.bytes).unwrap();
    }

    fn open(&self) -> Journal {
        self.open_beyond(0)
    }

    fn open_beyond(&self, read_whole: u64) -> Journal {
        Journal::open_beyond(read_whole, &self.path("journal"), &self.path("state")).unwrap()
    }

    /// Ends a session as `perform` does: the index first, then the seal that names it.
    fn seal(&mut self) {
        self.write();
        let index = self.open().index().unwrap();
        let ledger = &self.script.ledger;
        let message = seal_message(ledger.count(), ledger.head(), self.script.now, index);
        self.script.sign(intent(Purpose::Seal, KeyRole::Journal, &message));
        self.write();
    }

    fn session(&mut self, name: &str, clusters: &[&str]) -> Digest {
        let plan = self.script.session(name, clusters);
        self.seal();
        plan
    }

    fn index(&self) -> Vec<u8> {
        std::fs::read(self.path("state").join(INDEX_FILE)).unwrap()
    }
}

/// Whether it was opened from the index on: the lines before were not read.
fn indexed(journal: &Journal) -> bool {
    journal.copy().unwrap().len() == 2
}

#[test]
fn an_index_grown_session_by_session_is_the_one_made_at_once() {
    let mut disk = Disk::new();
    for n in 0..12 {
        let clusters: Vec<String> = (0..n).map(|c| format!("c{c}")).collect();
        let clusters: Vec<&str> = clusters.iter().map(String::as_str).collect();
        disk.session(&format!("plan {n}"), &clusters);
        let index = Index::read(&disk.index()).unwrap();
        let at_once =
            update(&replay_until(&disk.script, &index), None, |_| panic!("nothing beneath")).unwrap();
        assert_eq!(String::from_utf8(at_once.index), String::from_utf8(disk.index()));
        assert!(index.is_of(&replay_until(&disk.script, &index)).unwrap());
        // Exactly the pages and buckets in use are there.
        let folder = disk.path("state/index");
        let mut files: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        let load = |digest: &Digest| Ok(std::fs::read(folder.join(digest.to_string())).unwrap().into());
        let parts = index.parts(&load).unwrap();
        let mut wanted: Vec<String> = parts.iter().map(Digest::to_string).collect();
        files.sort();
        wanted.sort();
        assert_eq!(files, wanted);
    }
    // It has grown six times by then.
    assert_eq!(Index::read(&disk.index()).unwrap().depth(), 6);
    assert!(indexed(&disk.open()));
}

/// The ledger of the lines that an index stands for, read line by line.
fn replay_until(script: &Script, index: &Index) -> Ledger {
    let end = usize::try_from(index.ledger().bytes()).unwrap();
    replay(&script.bytes[..end], |_, _| Ok(())).unwrap().ledger
}

#[test]
fn what_an_index_knows_is_what_the_whole_journal_says() {
    let mut disk = Disk::new();
    let first = disk.session("first", &["east", "west"]);
    let second = disk.session("second", &["east", "north"]);
    let begun = disk.script.begin("third", 2);
    disk.script.sign(disk.script.intermediate(begun, "south"));
    disk.script.seal();
    disk.seal();
    disk.script.add(session());
    disk.write();
    let (short, whole) = (disk.open(), disk.open_beyond(u64::MAX));
    assert!(indexed(&short) && !indexed(&whole));
    assert_eq!((short.head(), short.size()), (whole.head(), whole.size()));
    let (short, whole) = (short.ledger(), whole.ledger());
    for cluster in ["east", "west", "north", "south", "nobody"] {
        let known: Vec<Issued> = whole.by_cluster(cluster).unwrap();
        assert_eq!(short.by_cluster(cluster).unwrap(), known, "{cluster}");
        for issued in known {
            assert_eq!(short.by_serial(&issued.serial).unwrap().as_ref(), Some(&issued));
            assert_eq!(short.by_key(&issued.key).unwrap(), whole.by_key(&issued.key).unwrap());
            let subject = issued.subject.canonical();
            assert_eq!(short.by_subject(&subject).unwrap(), whole.by_subject(&subject).unwrap());
        }
    }
    assert_eq!(short.by_cluster("east").unwrap().len(), 2);
    assert_eq!(short.by_cluster("south").unwrap()[0].status, Status::Signed);
    for plan in [first, second, begun, Digest::of(b"none")] {
        assert_eq!(short.plan(&plan).unwrap(), whole.plan(&plan).unwrap());
    }
    assert_eq!(short.plan(&second).unwrap(), Some(PlanState::Finished));
    assert_eq!(short.unfinished_plans(), whole.unfinished_plans());
    assert_eq!((short.signatures(), short.releases()), (whole.signatures(), whole.releases()));
}

/// Certificates by the week in which they end, more than one list of them.
#[test]
fn what_an_index_knows_of_weeks_and_revocations_is_what_the_whole_journal_says() {
    let mut disk = Disk::new();
    let agree = |disk: &Disk| {
        let (short, whole) = (disk.open(), disk.open_beyond(u64::MAX));
        assert!(indexed(&short) && !indexed(&whole));
        let (short, whole) = (short.ledger(), whole.ledger());
        for day in ["2030-01-01", "2031-05-31", "2031-06-02", "2034-12-30", "2036-01-01"] {
            let at = Time::parse(&format!("{day}T00:00:00Z")).unwrap();
            assert_eq!(short.alive(at).unwrap(), whole.alive(at).unwrap(), "{day}");
            assert_eq!(short.alive_count(at), whole.alive_count(at), "{day}");
            for most in [0, 1, 70, 999] {
                assert_eq!(
                    short.without_crl(at, most).unwrap(),
                    whole.without_crl(at, most).unwrap(),
                    "{day}"
                );
            }
        }
        assert_eq!(
            short.outlived(Time::from_unix(u64::MAX)).unwrap(),
            whole.outlived(Time::from_unix(u64::MAX)).unwrap()
        );
        assert_eq!((short.unlisted(), short.crl()), (whole.unlisted(), whole.crl()));
        assert_eq!(short.next_crl_number(), whole.next_crl_number());
        whole.alive(Time::parse("2030-01-01T00:00:00Z").unwrap()).unwrap().len()
    };
    for (name, count, end) in
        [("first", 70, "310601000000Z"), ("second", 70, "310602000000Z"), ("third", 2, "350101000000Z")]
    {
        let plan = disk.script.begin(name, count);
        for n in 0..count {
            let intermediate = disk.script.intermediate(plan, &format!("{name}-{n}"));
            let intermediate = disk.script.until(intermediate, end);
            disk.script.sign(intermediate);
        }
        disk.script.seal();
        let released = disk.script.release(plan, name.as_bytes());
        disk.script.add(released);
        disk.seal();
        agree(&disk);
    }
    let (mut entries, mut outlived_before) = (Vec::new(), Vec::new());
    for (number, cluster, day) in
        [(1, "first-0", "2030-06-01"), (2, "first-69", "2031-07-01"), (3, "third-0", "2031-08-01")]
    {
        disk.script.now = Time::parse(&format!("{day}T00:00:00Z")).unwrap();
        let serial = disk.script.ledger.by_cluster(cluster).unwrap()[0].serial.clone();
        let entry = disk.script.revoke(&serial);
        disk.seal();
        agree(&disk);
        let outlived = disk.script.ledger.outlived(Time::from_unix(u64::MAX)).unwrap();
        outlived_before.push(outlived.len());
        entries.push(entry);
        entries.retain(|entry| !outlived.contains(&entry.serial));
        let crl = disk.script.crl_spec(number, &entries);
        let crl = disk.script.crl(&crl);
        disk.script.sign(crl);
        disk.seal();
        agree(&disk);
    }
    assert_eq!(outlived_before, [0, 0, 2]);
    // Weeks that are over are forgotten, and not what the next CRL asks for.
    assert!(agree(&disk) <= 142);
}

#[test]
fn what_was_used_before_the_index_is_used() {
    let mut disk = Disk::new();
    let plan = disk.session("first", &["east"]);
    let mut journal = disk.open();
    assert!(indexed(&journal));
    let now = disk.script.now;
    let again = crate::journal::Event::Plan { digest: plan, grants: 1, refused: vec![] };
    let error = journal.append(now, vec![again]).unwrap_err();
    assert!(error.message.contains("begun before"), "{error}");
    // A serial of long ago, in a plan of today.
    let old = disk.script.intermediate(Digest::of(b"x"), "east");
    let serial = disk.script.ledger.by_cluster("east").unwrap()[0].serial.clone();
    let mut journal = disk.open();
    let begun = crate::journal::Event::Plan { digest: Digest::of(b"x"), grants: 1, refused: vec![] };
    journal.append(now, vec![begun]).unwrap();
    let error = journal.append(now, vec![disk.script.with_serial(old, &serial)]).unwrap_err();
    assert!(error.message.contains("a second time"), "{error}");
}

#[test]
fn heads_noted_before_the_index_are_still_compared() {
    let mut disk = Disk::new();
    let before = Head { count: disk.script.ledger.count(), hash: disk.script.ledger.head() };
    disk.session("first", &["east"]);
    let sealed = Head { count: disk.script.ledger.count(), hash: disk.script.ledger.head() };
    disk.session("second", &["west"]);
    let journal = disk.open();
    assert!(indexed(&journal));
    for (known, verdict) in [
        (sealed, Ok(Standing::Ahead)),
        (before, Ok(Standing::Ahead)),
        (Head { count: sealed.count - 3, hash: sealed.hash }, Err("journal.unlike")),
        (Head { count: 5, hash: Digest::of(b"other") }, Err("journal.unlike")),
        (Head { count: 9999, hash: sealed.hash }, Err("journal.behind")),
    ] {
        assert_eq!(journal.compare("the sheet", known).map_err(|e| e.id), verdict);
    }
}

#[test]
fn an_index_that_no_seal_vouches_for_is_passed_over() {
    let mut disk = Disk::new();
    disk.session("first", &["east", "west"]);
    let (index, bytes) = (disk.index(), disk.script.bytes.clone());
    let put = |bytes: &[u8]| std::fs::write(disk.path("state").join(INDEX_FILE), bytes).unwrap();
    let wider =
        String::from_utf8(index.clone()).unwrap().replace("\"unattended\":false", "\"unattended\":true");
    assert_ne!(wider.as_bytes(), index);
    let spaced = [&index[..], b"\n"].concat();
    for other in [wider.as_bytes(), b"", b"{}", &index[..index.len() - 1], &spaced] {
        put(other);
        let journal = disk.open();
        assert!(!indexed(&journal) && !journal.ledger().unattended());
    }
    std::fs::remove_file(disk.path("state").join(INDEX_FILE)).unwrap();
    assert!(!indexed(&disk.open()));
    put(&index);
    assert!(indexed(&disk.open()));
    // The journal of another day, or cut before the seal.
    for cut in [bytes.len() - 1, usize::try_from(Index::read(&index).unwrap().ledger().bytes()).unwrap()] {
        std::fs::write(disk.path("journal").join(JOURNAL_FILE), &bytes[..cut]).unwrap();
        assert!(!indexed(&disk.open()));
    }
}

#[test]
fn an_edited_bucket_is_noticed_where_it_is_read_and_by_the_audit() {
    let mut disk = Disk::new();
    disk.session("first", &["east", "west"]);
    assert!(check_index(&disk.path("state")).unwrap().is_some());
    for entry in std::fs::read_dir(disk.path("state/index")).unwrap() {
        std::fs::write(entry.unwrap().path(), "").unwrap();
    }
    assert_eq!(check_index(&disk.path("state")).unwrap_err().id, "journal.index");
    let error = disk.open().ledger().by_cluster("east").unwrap_err();
    assert_eq!((error.id, error.kind.exit_code()), ("journal.index", 4));
    assert!(error.next.contains("remove state/index.json"), "{}", error.next);
    std::fs::remove_dir_all(disk.path("state/index")).unwrap();
    assert_eq!(check_index(&disk.path("state")).unwrap_err().id, "journal.index");
    std::fs::remove_file(disk.path("state").join(INDEX_FILE)).unwrap();
    assert!(check_index(&disk.path("state")).unwrap().is_none());
    assert_eq!(disk.open().ledger().by_cluster("east").unwrap().len(), 1);
}

#[test]
fn an_audit_makes_the_index_again() {
    let mut disk = Disk::new();
    disk.session("first", &["east", "west"]);
    let index = Index::read(&disk.index()).unwrap();
    let expect = Expectation { index: Some(&index), ..Expectation::default() };
    assert_eq!(audit(&disk.script.bytes, &expect).0.state, State::Ok);

    // Sealed by the right key, but made of something else.
    let text = String::from_utf8(disk.index()).unwrap();
    let entries = Index::read(text.as_bytes()).unwrap().content.entries;
    let wrong = text.replace(&format!("\"entries\":{entries}"), &format!("\"entries\":{}", entries + 1));
    let wrong = Index::read(wrong.as_bytes()).unwrap();
    let mut script = Script::with_root();
    script.session("other", &["east"]);
    let message = seal_message(script.ledger.count(), script.ledger.head(), script.now, Some(wrong.digest()));
    script.sign(intent(Purpose::Seal, KeyRole::Journal, &message));
    let expect = Expectation { index: Some(&wrong), ..Expectation::default() };
    let (report, ..) = audit(&script.bytes, &expect);
    assert_eq!((report.state, report.errors[0].id), (State::Broken, "audit.index"));
}

#[test]
fn the_part_that_a_release_carries_stands_on_its_own() {
    let mut disk = Disk::new();
    disk.session("first", &["east", "west"]);
    disk.script.add(session());
    disk.script.seal();
    disk.write();
    let files = disk.open().copy().unwrap();
    let index = Index::read(&files[0].1).unwrap();
    let root = Digest::of(&disk.script.root);
    let expect = Expectation { root_sha256: Some(root), after: Some(&index), ..Expectation::default() };
    let judge = |tail: &[u8]| audit_lines(tail, &expect).0;
    let report = judge(&files[1].1);
    assert_eq!((report.state, report.entries), (State::Ok, disk.script.ledger.count()));
    assert_eq!(report.head, Some(disk.script.ledger.head()));

    let broken = |tail: &[u8], id: &str| {
        let report = judge(tail);
        assert_eq!((report.state, report.errors[0].id), (State::Broken, id));
    };
    let second = files[1].1.iter().position(|b| *b == b'\n').unwrap() + 1;
    broken(&files[1].1[second..], "journal.sequence");
    broken(&files[1].1[..second], "journal.index");
    broken(b"", "journal.index");
    broken(&disk.script.bytes, "journal.sequence");
    let other =
        Expectation { root_sha256: Some(Digest::of(b"other")), after: Some(&index), ..Default::default() };
    let report = audit_lines(&files[1].1[..], &other).0;
    assert_eq!((report.state, report.errors[0].id), (State::Broken, "audit.root"));
    // Without the index the part is no journal.
    let alone = audit(&files[1].1, &Expectation::default()).0;
    assert_eq!((alone.state, alone.errors[0].id), (State::Broken, "journal.sequence"));
}

/// Counting on from them would overflow, or the seal that must vouch for it be taken for made.
#[test]
fn an_index_whose_numbers_no_lines_add_up_to_is_refused() {
    let mut disk = Disk::new();
    disk.session("first", &["east", "west"]);
    let text = String::from_utf8(disk.index()).unwrap();
    let fields = ["count", "bytes", "last_line", "releases", "signatures", "entries"];
    for field in fields.map(|field| format!("\"{field}\":")).iter().chain([&"\"seal\":{\"count\":".into()]) {
        let at = text.find(field.as_str()).unwrap() + field.len();
        let end = at + text[at..].find([',', '}']).unwrap();
        let other = [&text[..at], &u64::MAX.to_string(), &text[end..]].concat();
        let error = Index::read(other.as_bytes()).unwrap_err();
        assert_eq!(error.id, "journal.index", "{field}");
    }
    assert!(Index::read(text.as_bytes()).is_ok());
}

#[test]
fn what_is_found_in_a_bucket_is_an_entry_of_it() {
    let key = Digest::of(b"x");
    let found = |line: String| find(line.as_bytes(), &key).unwrap();
    assert_eq!(found(format!("{key} 1\n")), Some("1".into()));
    assert_eq!(found(format!("{key}1\n")), None);
    assert_eq!(found(format!("x{key} 1\n")), None);
}

#[test]
fn buckets_are_numbered_by_the_first_bits() {
    let key = Digest::parse(&("ab7".to_string() + &"0".repeat(61))).unwrap();
    assert_eq!([0, 1, 2, 4, 12].map(|d| number(&key, d)), [0, 1, 0b10, 0xa, 0xab7]);
    assert_eq!([0, 4, 5, 8, 9, 1024].map(depth_for), [0, 0, 1, 1, 2, 8]);
    assert_eq!(depth_for(u64::MAX), DEEPEST);
}

#[test]
fn a_renewal_is_judged_behind_an_index_too() {
    let mut disk = Disk::new();
    disk.session("one", &["east"]);
    assert!(indexed(&disk.open()));
    let (now, root) = (disk.script.now, Purpose::RootCertificate);
    let same_end = disk.script.renewal(root, 1, "440101000000Z");
    let error = disk.open().append(now, vec![same_end]).unwrap_err();
    assert!(error.message.contains("does not renew"), "{error}");
    disk.open().append(now, vec![disk.script.renewal(root, 1, "20540101000000Z")]).unwrap();
}

/// A line that the part does not hold any more counts for as much as one that it does.
#[test]
fn other_roots_are_known_and_judged_behind_an_index_too() {
    let good = Script::other_root("CN=B");
    let mut bent = good.clone();
    *bent.certificate.0.last_mut().unwrap() ^= 1;
    for (root, state) in [(good, State::Ok), (bent, State::Broken)] {
        let mut disk = Disk::new();
        disk.session("one", &["east"]);
        disk.script.add(Event::Companions { roots: vec![root.clone()] });
        disk.seal();
        let opened = disk.open();
        assert!(indexed(&opened));
        assert_eq!(opened.ledger().companions(), std::slice::from_ref(&root));
        let files = opened.copy().unwrap();
        let index = Index::read(&files[0].1).unwrap();
        let expect = Expectation { after: Some(&index), ..Expectation::default() };
        let report = audit_lines(&files[1].1[..], &expect).0;
        assert_eq!(report.state, state, "{report:?}");
        let ids: Vec<&str> = report.errors.iter().map(|e| e.id).collect();
        assert!(ids.iter().all(|id| *id == "verify.companion"), "{ids:?}");
        assert_eq!(audit(&disk.script.bytes, &Expectation::default()).0.state, state);
    }
}

#[test]
fn an_index_of_before_is_read_and_not_gone_on_from() {
    let update = update(&Ledger::default(), None, |_| Ok(Part::default())).unwrap();
    let text = String::from_utf8(update.index).unwrap();
    assert!(Index::read(text.as_bytes()).unwrap().is_current());
    for of_before in ["-v1", "-v2"] {
        let older = text.replacen("-v3", of_before, 1);
        assert!(!Index::read(older.as_bytes()).unwrap().is_current());
    }
    assert!(Index::read(text.replacen("-v3", "-v4", 1).as_bytes()).is_err());
}

/// An index that is passed over, or of an older form, is never taken apart bucket by bucket.
#[test]
fn an_index_made_anew_leaves_nothing_of_the_old_one_behind() {
    let mut disk = Disk::new();
    disk.session("first", &["east", "west"]);
    disk.session("second", &["north"]);
    let folder = disk.path("state/index");
    let lying = || std::fs::read_dir(&folder).unwrap().count();
    let before = lying();
    std::fs::remove_file(disk.path("state").join(INDEX_FILE)).unwrap();
    std::fs::write(folder.join("notes"), b"of the operator").unwrap();
    disk.session("third", &["south"]);
    let store = Store::open(&disk.path("state")).unwrap().unwrap();
    let parts =
        store.index.parts(&|digest| Ok(std::fs::read(folder.join(digest.to_string())).unwrap().into()));
    assert_eq!(lying(), parts.unwrap().len() + 1, "the parts and the notes; {before} before");
}
