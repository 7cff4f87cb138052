//! What somebody touched who has no key.

use anchorite::journal::{Bytes, ClusterCrl, Entry, Event, Ledger, RevokedCertificate, replay};
use anchorite::x509::{Digest, Reason, Revocation, Serial, Time};

use super::scene;
use crate::appliance::{Appliance, module};

fn ledger(a: &Appliance) -> Ledger {
    replay(a.journal().as_bytes(), |_, _| Ok(())).unwrap().ledger
}

/// A line that follows the last one, without a seal.
fn add_line(a: &Appliance, event: Event) {
    let (journal, ledger) = (a.journal(), ledger(a));
    let entry = Entry { seq: ledger.count(), time: ledger.last_time().unwrap(), prev: ledger.head(), event };
    a.write("home/journal/journal.jsonl", format!("{journal}{}\n", entry.to_line().unwrap()));
}

fn revoked(serial: &str) -> Event {
    let entry = Revocation {
        serial: Serial::parse(serial).unwrap(),
        date: Time::from_unix(1_790_000_000),
        reason: Reason::Superseded,
        invalidity_date: None,
    };
    Event::Revoked {
        plan: Digest::of(b"nobody's"),
        certificates: vec![RevokedCertificate { entry, asked_by: None }],
    }
}

#[test]
fn a_revocation_that_nobody_sealed_counts_for_nothing() {
    let a = scene();
    add_line(&a, revoked(&a.serial("east")));
    let open = a.audit(&[]).code(1).json();
    assert!(open["open"].to_string().contains("revoked"), "{open}");
    let calendar = a.run(&["status", "--json"]).json();
    assert!(calendar["unlisted"].as_array().unwrap().is_empty(), "{calendar}");
    let alive = calendar["intermediates"].as_array().unwrap();
    assert!(alive.len() == 2 && alive.iter().all(|it| it["revoked"].is_null()), "{calendar}");
    let told = a.crl().code(0);
    assert!(told.stderr.contains("not sealed"), "{}", told.stderr);
    assert_eq!(a.listed_serials(), [""; 0]);
    assert_eq!((a.judged("east"), a.judged("west")), (Ok(()), Ok(())));
    a.all_is_well();
    // Who means it says so.
    a.revoke(&a.serial("east"));
    a.crl().code(0);
    assert_eq!(a.listed_serials(), [a.serial("east")]);
    a.all_is_well();
}

fn openssl_serial(a: &Appliance, file: &str) -> String {
    a.tool("openssl", &["x509", "-in", &a.place(file), "-noout", "-serial", "-out", &a.place("serial")]);
    let said = std::fs::read_to_string(a.path("serial")).unwrap();
    said.trim().trim_start_matches("serial=").into()
}

/// A CRL of east's, of a plan that was never begun.
fn clusters_crl(a: &Appliance) -> Event {
    let (file, to) = (a.released("east/ca-cert.pem"), a.place("one.der"));
    a.tool("openssl", &["x509", "-in", file.to_str().unwrap(), "-outform", "DER", "-out", &to]);
    let (der, next_update) = (Bytes(vec![0x30, 0]), Time::from_unix(1_900_000_000));
    Event::ClusterCrl {
        plan: Digest::of(b"nobody's"),
        certificate: Bytes(std::fs::read(to).unwrap()),
        crl: ClusterCrl { der, number: 1 << 40, next_update },
    }
}

#[test]
fn a_line_that_could_never_have_been_written_breaks_the_journal() {
    let events: [fn(&Appliance) -> Event; 4] = [
        |_| revoked("1234"),
        |a| revoked(&openssl_serial(a, "home/root.pem")),
        |a| revoked(&openssl_serial(a, "home/journal-cert.pem")),
        clusters_crl,
    ];
    for event in events {
        let a = scene();
        let event = event(&a);
        add_line(&a, event.clone());
        let report = a.audit(&[]).code(4).json();
        assert_eq!(report["state"], "broken", "{event:?}: {report}");
        a.crl().fails(4, "journal.sequence");
    }
}

/// Neither the audit nor the next session believes that a cluster signed it.
#[test]
fn a_clusters_crl_that_somebody_wrote_into_the_journal_is_never_in_a_set() {
    let a = scene();
    let Event::ClusterCrl { plan, certificate, crl } = clusters_crl(&a) else { unreachable!() };
    add_line(&a, Event::Plan { digest: plan, grants: 0, refused: vec![] });
    add_line(&a, Event::ClusterCrl { plan, certificate, crl });
    let report = a.audit(&[]).code(4).json();
    assert!(report["errors"].to_string().contains("journal line 31"), "{report}");
    let journal = a.journal();
    let told = a.crl().code(4).stderr;
    assert!(told.contains("journal line 31: "), "{told}");
    assert_eq!(a.releases().len(), 1, "nothing leaves");
    assert_eq!(a.journal(), journal, "nothing was signed");
}

/// What an export carries and a restore writes: the CRLs go on where they were.
#[test]
fn crls_go_on_after_a_restore() {
    let a = scene();
    let east = a.serial("east");
    a.revoke(&east);
    a.crl().code(0);
    std::fs::create_dir(a.path("archive")).unwrap();
    a.run(&["audit", "export", "--to", &a.place("archive")]).code(0);
    let export = std::fs::read_dir(a.path("archive")).unwrap().next().unwrap().unwrap().path();
    let crls = |folder: &std::path::Path| -> Vec<(String, Vec<u8>)> {
        let files = std::fs::read_dir(folder.join("crl")).unwrap().map(Result::unwrap);
        let mut files: Vec<_> =
            files.map(|f| (f.file_name().into_string().unwrap(), std::fs::read(f.path()).unwrap())).collect();
        files.sort();
        files
    };
    let before = crls(&a.path("home"));
    assert_eq!((before.len(), &before), (4, &crls(&export)), "two of the root's, two clusters'");
    std::fs::remove_dir_all(a.path("home")).unwrap();
    let init =
        ["init", &a.place("home"), "--token", "pkcs11:token=ceremony", "--module", &module(), "--unattended"];
    a.run(&init).code(0);
    let journal = export.join("journal");
    let from = ["audit", "restore", "--from", journal.to_str().unwrap(), "--root-sha256", &a.root_sha256];
    a.run(&from).code(0);
    assert_eq!(crls(&a.path("home")), before);
    a.verb(&["policy", "pin"]).code(0);
    a.crl().code(0);
    assert_eq!((a.listed_serials(), a.listed_number()), (vec![east], 3));
    a.all_is_well();
}
