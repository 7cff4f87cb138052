//! A release is checked by stock tools, by anchorite, and forged by nobody.

use std::collections::BTreeMap;
use std::fs;

use anchorite::error::Kind;
use anchorite::release::{self, CA_CRL, Crls, LaidOut, Looked, ROOT_CRL, Report, check_laid_out};
use anchorite::x509::{Digest, Seconds, pem};

use crate::pki::{CMS_VERIFY, Lenient, OpenSsl, Pki, cluster_folder, now, succeeds, write_all};
use crate::support::run;

const NAME: &str = "anchorite-2026-11-22-0001";

fn pki() -> Pki {
    let pki = Pki::new("Example Root G1");
    pki.issue("east", "intermediate", "root", "/O=Istio/L=east/CN=east-1");
    pki.issue("west", "intermediate", "root", "/O=Istio/L=west/CN=west-1");
    pki
}

fn ids(report: &Report) -> Vec<&'static str> {
    report.errors.iter().map(|e| e.id).collect()
}

/// Form alone: cryptography finds everything in order.
fn check(files: &BTreeMap<String, Vec<u8>>, root_sha256: Digest) -> Report {
    release::check(files, &[root_sha256], false, now(), &Lenient)
}

#[test]
fn stock_tools_check_a_release() {
    let pki = pki();
    let files = pki.release(NAME, &["west", "east"]);
    let dir = tempfile::tempdir().unwrap();
    write_all(dir.path(), &files);
    run(dir.path(), "sha256sum", &["-c", "--strict", "SHA256SUMS"]);
    assert!(succeeds(dir.path(), CMS_VERIFY));
    assert!(succeeds(dir.path(), "verify -x509_strict -CAfile root-cert.pem east/ca-cert.pem"));
    let readme = String::from_utf8(files["README.txt"].clone()).unwrap();
    assert!(readme.contains(&format!("openssl {CMS_VERIFY}\n")), "the README gives the very command");

    fs::write(dir.path().join("SHA256SUMS"), b"changed").unwrap();
    assert!(!succeeds(dir.path(), CMS_VERIFY));
}

#[test]
fn no_cluster_can_forge_the_signature() {
    let pki = pki();
    let files = pki.release(NAME, &["east"]);
    write_all(pki.path(), &files);
    let without_care = CMS_VERIFY.replace(" -nointern -certfile journal-cert.pem", "");

    // With its own intermediate, embedded in the signature.
    let sign = "cms -sign -binary -outform DER -in SHA256SUMS -out SHA256SUMS.p7s";
    pki.openssl(&format!("{sign} -signer east.pem -inkey east.key"), &[]);
    assert!(succeeds(pki.path(), &without_care), "the forgery is a good one");
    assert!(!succeeds(pki.path(), CMS_VERIFY));

    // With a journal certificate of its own making beneath its intermediate.
    pki.issue("fake", "journal", "east", "/O=Example/CN=Example Journal");
    pki.openssl(&format!("{sign} -signer fake.pem -inkey fake.key -certfile east.pem"), &[]);
    assert!(succeeds(pki.path(), &without_care), "the forgery is a good one");
    assert!(!succeeds(pki.path(), CMS_VERIFY));

    let mut forged = files.clone();
    forged.insert("SHA256SUMS.p7s".into(), fs::read(pki.path().join("SHA256SUMS.p7s")).unwrap());
    let report = release::check(&forged, &[pki.root_sha256()], false, now(), &OpenSsl);
    assert_eq!(ids(&report), ["test.openssl"]);
    assert!(report.errors[0].message.starts_with("SHA256SUMS.p7s: "), "{:?}", report.errors);
}

#[test]
fn a_sound_release_passes_whole_and_in_parts() {
    let pki = pki();
    let files = pki.release(NAME, &["west", "east"]);
    let report = release::check(&files, &[pki.root_sha256()], false, now(), &OpenSsl);
    assert_eq!(ids(&report), [""; 0]);
    assert_eq!((report.release.as_str(), report.rehearsal), (NAME, false));
    let names: Vec<_> = report.clusters.iter().map(|receipt| receipt.cluster.as_str()).collect();
    assert_eq!(names, ["east", "west"]);

    let east = cluster_folder(&files, "east");
    let report = release::check_cluster(&east, &[pki.root_sha256()], false, now(), &OpenSsl);
    assert_eq!(ids(&report), [""; 0]);
    assert_eq!(report.clusters[0].subject, "O=Istio, L=east, CN=east-1");
}

#[test]
fn an_expired_certificate_is_an_error_at_that_time() {
    let pki = pki();
    let files = pki.release(NAME, &["east"]);
    let later = now() + Seconds(100 * Seconds::DAY.0);
    let report = release::check(&files, &[pki.root_sha256()], false, later, &OpenSsl);
    assert_eq!(ids(&report), ["test.openssl"]);
    assert!(report.errors[0].message.starts_with("east/cert-chain.pem: "), "{:?}", report.errors);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let pki = pki();
    let unsigned = |clusters: &[&str]| {
        let mut files = pki.release(NAME, clusters);
        files.remove("SHA256SUMS.p7s").unwrap();
        files
    };
    assert_eq!(unsigned(&["east", "west"]), unsigned(&["west", "east"]));
}

/// What is checked before it is written is what anybody checks afterwards.
#[test]
fn a_release_is_checked_as_anybody_would_before_its_folders_are_written() {
    let pki = pki();
    let laid_out = || pki.laid_out(NAME, &["east", "west"], &[], &Crls::default(), &|_| ());
    let noted = [pki.root_sha256()];
    let (whole, folders) = laid_out();
    let looked =
        || folders.iter().map(|folder| Looked::at(folder, &noted, now(), &OpenSsl)).collect::<Vec<_>>();
    let check =
        |release: &LaidOut, looked| ids(&check_laid_out(release, looked, &noted, false, now(), &OpenSsl));
    assert_eq!(check(&whole, looked()), [""; 0]);

    let mut one = looked();
    one.pop();
    assert_eq!(check(&whole, one), ["release.manifest"], "one was not looked at");
    let others = folders.iter().map(|folder| Looked::at(folder, &[Digest::of(b"")], now(), &OpenSsl));
    assert_eq!(check(&whole, others.collect()), ["release.root"; 2], "another root was noted");
    let bend: [(fn(&mut LaidOut), &[&str]); 3] = [
        (|release| release.top.get_mut("README.txt").unwrap().push(b'!'), &["release.sums"]),
        (|release| drop(release.top.remove("SHA256SUMS.p7s")), &["release.missing"]),
        (
            |release| {
                let files = &mut release.clusters[0].files;
                *files.get_mut("ca-cert.pem").unwrap() = Digest::of(b"other");
            },
            &["release.sums", "release.manifest"],
        ),
    ];
    for (bend, wanted) in bend {
        let mut bent = whole.clone();
        bend(&mut bent);
        assert_eq!(check(&bent, looked()), wanted);
    }
}

#[test]
fn root_cert_is_the_same_bytes_everywhere_and_each_file_ends_with_one_newline() {
    let pki = pki();
    let files = pki.release(NAME, &["east", "west"]);
    let root = pem::certificate(&pki.der("root")).into_bytes();
    for path in ["root-cert.pem", "east/root-cert.pem", "west/root-cert.pem"] {
        assert_eq!(files[path], root, "{path}");
    }
    for (path, bytes) in files.iter().filter(|(path, _)| path.ends_with(".pem")) {
        assert!(bytes.ends_with(b"-----\n"), "{path}");
    }
    let east = pem::certificate(&pki.der("east")).into_bytes();
    assert_eq!(files["east/ca-cert.pem"], east);
    assert_eq!(files["east/cert-chain.pem"], [east, root].concat());
}

#[test]
fn each_defect_is_found() {
    let pki = pki();
    let good = pki.release(NAME, &["east", "west"]);
    let root_sha256 = pki.root_sha256();
    assert_eq!(ids(&check(&good, root_sha256)), [""; 0]);
    let text = |path: &str| String::from_utf8(good[path].clone()).unwrap();
    let replace = |path: &str, from: &str, to: &str| {
        assert!(text(path).contains(from), "{path} holds {from}");
        (path.to_string(), text(path).replacen(from, to, 1).into_bytes())
    };
    let other_root = Pki::new("Another Root");
    type File = (String, Vec<u8>);
    let changed: [(&str, File, &str); 17] = [
        ("extra file", ("evil.sh".into(), b"x".to_vec()), "release.extra"),
        ("extra file in a folder", ("east/tls.crt".into(), b"x".to_vec()), "release.extra"),
        ("extra folder", ("north/x".into(), b"x".to_vec()), "release.missing"),
        ("journal edited", ("journal/000001.jsonl".into(), b"[]\n".to_vec()), "release.sums"),
        ("unknown key", replace("MANIFEST.toml", "plan", "plot = 1\nplan"), "release.document"),
        ("later version", replace("MANIFEST.toml", "version = 1", "version = 2"), "release.document"),
        ("other name", replace("MANIFEST.toml", NAME, "../x"), "release.name"),
        ("cluster renamed", replace("MANIFEST.toml", "\"east\"", "\"north\""), "release.manifest"),
        (
            "rehearsal unsaid",
            replace("MANIFEST.toml", "rehearsal = false", "rehearsal = true"),
            "release.name",
        ),
        ("receipt's serial", replace("east/receipt.toml", "serial = \"", "serial = \"01"), "release.receipt"),
        ("receipt's cluster", replace("east/receipt.toml", "\"east\"", "\"west\""), "release.receipt"),
        ("receipt's subject", replace("east/receipt.toml", "east-1", "east-2"), "release.receipt"),
        (
            "blank line",
            replace("east/root-cert.pem", "-----END CERTIFICATE-----\n", "-----END CERTIFICATE-----\n\n"),
            "release.pem",
        ),
        (
            "other intermediate",
            ("east/ca-cert.pem".into(), good["west/ca-cert.pem"].clone()),
            "release.chain",
        ),
        (
            "chain too short",
            ("east/cert-chain.pem".into(), good["east/ca-cert.pem"].clone()),
            "release.chain",
        ),
        (
            "other root",
            ("east/root-cert.pem".into(), pem::certificate(&other_root.der("root")).into_bytes()),
            "release.chain",
        ),
        (
            "private key",
            ("east/ca-cert.pem".into(), fs::read(pki.path().join("east.key")).unwrap()),
            "release.private-key",
        ),
    ];
    for (defect, (path, bytes), id) in changed {
        let mut files = good.clone();
        files.insert(path, bytes);
        let report = check(&files, root_sha256);
        assert!(ids(&report).contains(&id), "{defect}: {:?}", report.errors);
        assert_eq!(report.worst().unwrap().kind, Kind::Integrity, "{defect}");
    }
    for path in good.keys() {
        let mut files = good.clone();
        files.remove(path);
        let report = check(&files, root_sha256);
        assert!(ids(&report).contains(&"release.missing"), "without {path}: {:?}", report.errors);
    }
}

#[test]
fn no_changed_byte_slips_through() {
    let pki = pki();
    let good = pki.release(NAME, &["east"]);
    let root_sha256 = pki.root_sha256();
    // The signature's own bytes are for the judge.
    for (path, bytes) in good.iter().filter(|(path, _)| *path != "SHA256SUMS.p7s") {
        for at in (0..bytes.len()).step_by(17) {
            let mut files = good.clone();
            files.get_mut(path).unwrap()[at] ^= 1;
            let report = check(&files, root_sha256);
            assert!(report.worst().is_some(), "byte {at} of {path}");
        }
    }
}

#[test]
fn everything_wrong_shows_at_once() {
    let pki = pki();
    let mut files = pki.release(NAME, &["east", "west"]);
    files.remove("README.txt");
    files.insert("evil.sh".into(), vec![]);
    files.insert("east/cert-chain.pem".into(), files["east/ca-cert.pem"].clone());
    files.insert("west/receipt.toml".into(), b"x".to_vec());
    let found = ids(&check(&files, pki.root_sha256()));
    for id in ["release.missing", "release.extra", "release.chain", "release.document", "release.sums"] {
        assert!(found.contains(&id), "{id} is not in {found:?}");
    }
}

#[test]
fn another_root_is_not_believed() {
    let (pki, other) = (pki(), Pki::new("Example Root G1"));
    let files = pki.release(NAME, &["east"]);
    let report = release::check(&files, &[other.root_sha256()], false, now(), &OpenSsl);
    assert!(ids(&report).iter().all(|id| *id == "release.root"), "{:?}", report.errors);
    assert_eq!(report.worst().unwrap().kind, Kind::Integrity);
    let east = cluster_folder(&files, "east");
    let report = release::check_cluster(&east, &[other.root_sha256()], false, now(), &OpenSsl);
    assert_eq!(ids(&report), ["release.root"]);
}

/// The journal's key signs releases, often without a touch; it makes nobody a root.
#[test]
fn a_thief_of_the_journals_key_adds_no_root() {
    let (pki, thief) = (pki(), Pki::new("Thief Root G1"));
    let files = pki.release_beside(NAME, &["east"], &[thief.der("root")]);
    let east = cluster_folder(&files, "east");
    for noted in [vec![pki.root_sha256()], vec![pki.root_sha256(), thief.root_sha256()]] {
        let wanted: &[&str] = if noted.len() == 1 { &["release.companion"] } else { &[] };
        let whole = release::check(&files, &noted, false, now(), &OpenSsl);
        let part = release::check_cluster(&east, &noted, false, now(), &OpenSsl);
        let mut found = (ids(&whole), ids(&part));
        found.0.dedup();
        assert_eq!(found, (wanted.to_vec(), wanted.to_vec()));
        for report in [whole, part] {
            assert_eq!(
                (report.root, report.companions),
                (Some(pki.root_sha256()), vec![thief.root_sha256()])
            );
        }
    }
}

/// Signed as they should be, and wrong; and right, and touched afterwards.
#[test]
fn crls_that_are_not_the_releases_are_noticed() {
    let (pki, other) = (pki(), Pki::new("Example Root G1"));
    let [root, east, west] = ["root", "east", "west"].map(|name| pki.crl(name, 7));
    let laid_out = |crls: &Crls| pki.release_with(NAME, &["east", "west"], crls);
    let of = |root: &[u8], intermediates: &[&[u8]]| Crls {
        root: Some(root.to_vec()),
        intermediates: intermediates.iter().map(|der| der.to_vec()).collect(),
        ..Crls::default()
    };
    let judged = |files: &BTreeMap<String, Vec<u8>>| -> Vec<(&'static str, String)> {
        let report = release::check(files, &[pki.root_sha256()], false, now(), &OpenSsl);
        assert!(report.errors.iter().all(|e| e.kind == Kind::Integrity), "exit 4");
        report.errors.into_iter().map(|e| (e.id, e.message)).collect()
    };
    let whole = laid_out(&of(&root, &[&east, &west]));
    assert_eq!(judged(&whole), []);
    for (crls, id, words) in [
        (of(&other.crl("root", 7), &[&east, &west]), "verify.signature", ROOT_CRL),
        (of(&root, &[&east]), "release.crl", "west/ca-cert.pem"),
        (of(&root, &[&east, &east]), "release.crl", "west/ca-cert.pem"),
        (of(&root, &[]), "release.crl", "east/ca-cert.pem"),
        (of(&east, &[&east, &west]), "test.openssl", ROOT_CRL),
    ] {
        let found = judged(&laid_out(&crls));
        assert!(found.len() == 1 && found[0].0 == id && found[0].1.contains(words), "{found:?}, wanted {id}");
    }
    let older = laid_out(&of(&pki.crl("root", 6), &[&east, &west]));
    for name in [ROOT_CRL, CA_CRL] {
        let edited = String::from_utf8(whole[name].clone()).unwrap().replacen("M", "N", 1).into_bytes();
        let twice = [&whole[name][..], &whole[name]].concat();
        for instead in [Some(older[name].clone()), Some(edited), Some(twice), Some(Vec::new()), None] {
            let mut files = whole.clone();
            match instead {
                Some(bytes) => drop(files.insert(name.into(), bytes)),
                None => drop(files.remove(name)),
            }
            let found = judged(&files);
            assert!(found.iter().any(|(_, message)| message.contains(name)), "{name}: {found:?}");
        }
    }
}

#[test]
fn a_rehearsal_is_refused_unless_wanted() {
    let pki = pki();
    let files = pki.release("anchorite-REHEARSAL-2026-11-22-0001", &["east"]);
    let east = cluster_folder(&files, "east");
    for allowed in [false, true] {
        let wanted: &[&str] = if allowed { &[] } else { &["release.rehearsal"] };
        let whole = release::check(&files, &[pki.root_sha256()], allowed, now(), &OpenSsl);
        let part = release::check_cluster(&east, &[pki.root_sha256()], allowed, now(), &OpenSsl);
        assert_eq!((ids(&whole), ids(&part)), (wanted.to_vec(), wanted.to_vec()));
        assert!(whole.worst().is_none_or(|e| e.kind == Kind::Refused));
    }
}

#[test]
fn a_rehearsal_is_known_by_its_root_whatever_the_receipt_says() {
    let pki = Pki::new("REHEARSAL Root");
    pki.issue("east", "intermediate", "root", "/O=Istio/L=east/CN=east-1");
    let files = pki.release(NAME, &["east"]);
    assert_eq!(ids(&check(&files, pki.root_sha256())), ["release.rehearsal"]);
    let east = cluster_folder(&files, "east");
    let report = release::check_cluster(&east, &[pki.root_sha256()], false, now(), &Lenient);
    assert_eq!(ids(&report), ["release.rehearsal"]);
}
