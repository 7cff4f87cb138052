//! What is revoked, how it stands on the CRL, and for how long.

use super::{REASON, scene};
use crate::appliance::Appliance;
use crate::pki::now;

#[test]
fn a_revocation_goes_on_record_and_onto_the_next_crl() {
    let a = scene();
    let (east, suspected) = (a.serial("east"), now().to_string());
    let more = ["--invalidity-date", &suspected, "--asked-by", "SRE on call", "--json"];
    let revoked = a.verb(&[&["revoke", &east], &REASON[..], &more].concat()).code(0).json();
    assert_eq!(revoked["revoked"][0]["entry"]["serial"], east.as_str());
    assert_eq!(revoked["listed"], false);
    assert!(a.journal().contains("\"asked_by\":\"SRE on call\""), "it is on record");
    a.all_is_well();
    assert_eq!(a.listed_serials(), [""; 0], "no new release, no new CRL");
    assert_eq!((a.judged("east"), a.judged("west")), (Ok(()), Ok(())));

    let signed = a.crl().code(0);
    assert!(signed.stdout.contains("root-crl.pem: CRL 2, 1 revoked"), "{}", signed.stdout);
    a.all_is_well();
    let text = a.listed();
    for wanted in [
        "Version 2 (0x1)",
        "Issuer: O = Example, CN = Example Root G1",
        "Key Compromise",
        "Invalidity Date",
        "X509v3 Authority Key Identifier",
    ] {
        assert!(text.contains(wanted), "wanted {wanted} in {text}");
    }
    assert_eq!((a.listed_serials(), a.listed_number()), (vec![east.clone()], 2));
    assert!(a.judged("east").unwrap_err().contains("certificate revoked"));
    assert_eq!(a.judged("west"), Ok(()));

    // The next one goes on from it.
    let again = a.verb(&["crl", "--to", &a.place("out"), "--json"]).code(0).json();
    assert_eq!(
        (&again["crl"]["number"], &again["crl"]["entries"], &again["crl"]["set"]),
        (&3.into(), &1.into(), &2.into())
    );
    assert_eq!((a.listed_serials(), a.listed_number()), (vec![east], 3));
    a.all_is_well();
}

#[test]
fn a_serial_number_is_taken_as_other_tools_print_it() {
    let a = scene();
    let upper = a.authority("east").serial();
    assert_ne!(upper, upper.to_lowercase());
    a.revoke(&upper);
    let west = a.serial("west").into_bytes();
    let colons: Vec<&str> = west.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
    a.revoke(&colons.join(":"));
    a.crl().code(0);
    let mut listed = a.listed_serials();
    let mut wanted = vec![a.serial("east"), a.serial("west")];
    listed.sort();
    wanted.sort();
    assert_eq!(listed, wanted);
}

#[test]
fn a_certificate_stands_for_its_serial_number_and_a_release_follows_at_once() {
    let a = scene();
    let file = a.released("east/ca-cert.pem");
    let (east, out) = (a.serial("east"), a.place("out"));
    let words = ["revoke", "--certificate", file.to_str().unwrap(), "--to", &out, "--json"];
    let told = a.verb(&[&words, &REASON[..]].concat()).code(0).json();
    assert_eq!((&told["revoked"][0], &told["crl"]["entries"]), (&east.as_str().into(), &1.into()));
    assert_eq!(a.listed_serials(), [east]);
    a.all_is_well();
}

#[test]
fn a_dry_run_leaves_everything_as_it_is() {
    let a = scene();
    let (journal, east, out) = (a.journal(), a.serial("east"), a.place("out"));
    let revoke = [&["revoke", &east, "--dry-run"], &REASON[..]].concat();
    let shown = a.verb(&revoke).code(0).stdout;
    for wanted in ["REVOKE", &east, "keyCompromise", "dry run"] {
        assert!(shown.contains(wanted), "wanted {wanted} in {shown}");
    }
    let plan = a.verb(&[&revoke[..], &["--json"]].concat()).code(0).json();
    assert_eq!(plan["revocations"][0]["entry"]["serial"], east.as_str());
    let shown = a.verb(&["crl", "--to", &out, "--dry-run"]).code(0).stdout;
    assert!(shown.contains("number") && shown.contains("dry run"), "{shown}");
    assert_eq!(a.journal(), journal);
    assert_eq!(a.releases().len(), 1);
}

/// Every reason that a CA's certificate can have, in one plan, as OpenSSL calls them.
#[test]
fn each_reason_is_the_rfcs() {
    let reasons = [
        ("unspecified", ""),
        ("keyCompromise", "Key Compromise"),
        ("cACompromise", "CA Compromise"),
        ("affiliationChanged", "Affiliation Changed"),
        ("superseded", "Superseded"),
        ("cessationOfOperation", "Cessation Of Operation"),
        ("privilegeWithdrawn", "Privilege Withdrawn"),
    ];
    let a = Appliance::with_root("p256");
    reasons.iter().for_each(|(reason, _)| a.request(&reason.to_lowercase()));
    a.sign(&["--policy", "istio"]).code(0);
    std::fs::remove_dir_all(a.path("in")).unwrap();
    std::fs::create_dir(a.path("in")).unwrap();
    a.request("one-more");
    let named: Vec<String> =
        reasons.iter().map(|(reason, _)| format!("{}={reason}", a.serial(&reason.to_lowercase()))).collect();
    let revoke: Vec<&str> = named.iter().flat_map(|named| ["--revoke", named.as_str()]).collect();
    a.sign(&[&["--policy", "istio"], &revoke[..]].concat()).code(0);
    let text = a.listed();
    for (reason, words) in reasons {
        let serial = a.serial(&reason.to_lowercase()).to_uppercase();
        let entry = text.split("Serial Number: ").find(|entry| entry.starts_with(&serial)).unwrap();
        assert_eq!(entry.contains("Reason Code"), !words.is_empty(), "{entry}");
        assert!(entry.contains(words), "wanted {words} in {entry}");
        assert!(a.judged(&reason.to_lowercase()).unwrap_err().contains("certificate revoked"));
    }
    assert_eq!(a.judged("one-more"), Ok(()));
    a.all_is_well();
}

/// RFC 5280 §3.3: an entry stays until it has stood on one CRL after its certificate's end.
#[test]
fn an_entry_stays_until_one_crl_after_its_certificates_end() {
    let a = scene();
    let (east, west, out) = (a.serial("east"), a.serial("west"), a.place("out"));
    a.revoke(&east);
    let crl = ["crl", "--to", &out];
    a.verb_in("59 days", &crl).code(0);
    assert_eq!(a.listed_serials(), std::slice::from_ref(&east));
    a.verb_in("61 days", &crl).code(0);
    assert_eq!(a.listed_serials(), [east], "it had not ended when the last one was signed");
    // What has ended can be revoked, too, and stands on one CRL.
    a.verb_in("62 days", &[&["revoke", &west], &REASON[..]].concat()).code(0);
    a.verb_in("63 days", &crl).code(0);
    assert_eq!(a.listed_serials(), [west]);
    a.verb_in("64 days", &crl).code(0);
    assert_eq!((a.listed_serials(), a.listed_number()), (vec![], 5));
    assert!(a.listed().contains("No Revoked Certificates"));
    let mut audit = a.command("faketime");
    audit.args(["65 days", env!("CARGO_BIN_EXE_anchorite"), "audit", "verify", "--json"]);
    assert_eq!(crate::appliance::ran(audit.output().unwrap()).code(0).json()["state"], "ok");
}

#[test]
fn a_crl_that_would_not_last_is_warned_of() {
    let a = scene();
    let crl = ["crl", "--to", &a.place("out"), "--dry-run"];
    assert!(!a.verb(&crl).code(0).stdout.contains("!!"), "the default lasts");
    let config = std::fs::read_to_string(a.path("home/anchorite.toml")).unwrap();
    let edited = config.replace("validity = \"425d\"", "validity = \"100d\"");
    assert_ne!(edited, config);
    a.write("home/anchorite.toml", edited);
    a.verb(&["policy", "pin"]).code(0);
    let shown = a.verb(&crl).code(0).stdout;
    assert!(shown.contains("!! the CRL holds for 100d") && shown.contains("365d"), "{shown}");
    // It is signed as it was asked for.
    a.crl().code(0);
    a.all_is_well();
}
