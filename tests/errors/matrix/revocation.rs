//! Revoking, and the CRLs that come for certificates which are signed already.

use std::path::Path;

use anchorite::intake::{Arrival, read};
use anchorite::verify::describe_certificate;
use anchorite::x509::{CrlSpec, Issuer, Reason, Revocation, Seconds, SignatureAlgorithm, pem};
use rcgen::{KeyPair, SigningKey as _};

use super::Scene::{Home, Released};
use super::Seen::Id;
use super::{Row, Run, audit, by, here};
use crate::appliance::{Appliance, module};
use crate::pki::now;

const ROOT_CRL: &str = "home/crl/root-1.pem";

/// `revoke`, with these words behind it.
fn revoke(a: &Appliance, more: &[&str]) -> Run {
    Run::of(&["revoke", "--yes", "--pin-file", &a.arg("pin"), "--reason", "keyCompromise"]).and(more)
}

fn revoke_easts(a: &Appliance, more: &[&str]) -> Run {
    revoke(a, &[&easts_serial(a)]).and(more)
}

fn east(a: &Appliance) -> Issuer {
    Issuer::from_der(&der(a, &a.release().join("east/ca-cert.pem"))).unwrap()
}

fn der(a: &Appliance, certificate: &Path) -> Vec<u8> {
    a.openssl(&["x509", "-in", certificate.to_str().unwrap(), "-outform", "DER", "-out", "one.der"]);
    std::fs::read(a.path("one.der")).unwrap()
}

fn easts_serial(a: &Appliance) -> String {
    east(a).serial.to_string()
}

fn own_serial(a: &Appliance, file: &str) -> String {
    describe_certificate(&der(a, &a.path(file))).unwrap().serial.to_string()
}

/// Another CA's certificate with a serial number of its own choice.
fn foreign(a: &Appliance, serial: &str) -> Run {
    let new = ["req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "k", "-subj", "/CN=other"];
    a.openssl(&[&new[..], &["-set_serial", serial, "-out", "other.pem"]].concat());
    revoke(a, &["--certificate", &a.arg("other.pem")])
}

/// `crl --from` a stick with a CRL of east's, changed.
fn later(a: &Appliance, change: fn(&mut CrlSpec)) -> Run {
    empty(a);
    let key = KeyPair::from_pem(&std::fs::read_to_string(a.path("keys/east.key")).unwrap()).unwrap();
    a.write("in/east.crl", list(a, &key, change));
    crl(a)
}

fn list(a: &Appliance, key: &KeyPair, change: fn(&mut CrlSpec)) -> Vec<u8> {
    let east = east(a);
    let mut spec = CrlSpec {
        signature: SignatureAlgorithm::EcdsaSha256,
        issuer: east.subject,
        key_id: east.key_id,
        this_update: now().earlier(Seconds(300)),
        next_update: now() + Seconds(390 * 86_400),
        // Higher than the time that `request` numbers by.
        number: 1 << 40,
        entries: Vec::new(),
    };
    change(&mut spec);
    let tbs = spec.to_tbs().unwrap();
    tbs.assemble(&key.sign(tbs.as_der()).unwrap()).unwrap()
}

fn empty(a: &Appliance) {
    std::fs::remove_dir_all(a.path("in")).unwrap();
    std::fs::create_dir(a.path("in")).unwrap();
}

fn crl(a: &Appliance) -> Run {
    let (from, to, pin) = (a.arg("in"), a.arg("out"), a.arg("pin"));
    Run::of(&["crl", "--from", &from, "--to", &to, "--yes", "--pin-file", &pin])
}

fn known(a: &Appliance) -> Vec<u8> {
    std::fs::read(a.path(&format!("home/crl/{}.pem", easts_serial(a)))).unwrap()
}

pub fn rows() -> Vec<Row> {
    vec![
        here("a serial number that nobody has", Released, |a| revoke(a, &["1234"]), 1, "revoke.unknown-serial", "1234")
            .also(&["revoke.foreign"])
            .told(
                "what is to be revoked is no certificate of this root's",
                "compare the serial number with `anchorite status` or the cluster's `receipt.toml`",
            ),
        here("another CA's certificate", Released, |a| foreign(a, "77"), 1, "revoke.foreign", "not signed by this root"),
        here("another CA's certificate with a serial number of ours", Released, |a| {
            foreign(a, &format!("0x{}", easts_serial(a)))
        }, 1, "revoke.foreign", "but is another one"),
        here("a file that is no certificate", Released, |a| {
            revoke(a, &["--certificate", &a.arg("in/west.csr")])
        }, 2, "revoke.certificate-file", "west.csr")
            .also(&["revoke.list"])
            .told("what is to be revoked cannot be read", "`--certificate` takes a certificate's file, `--list` one serial number a line"),
        here(
            "a list that holds something else",
            Released,
            |a| {
                a.write("list", format!("{}\nnoise\n", easts_serial(a)));
                revoke(a, &["--list", &a.arg("list")])
            },
            2,
            "revoke.list",
            "noise",
        ),
        here("a certificate that is revoked already", Released, |a| {
            revoke_easts(a, &[]).once(a, &[]).code(0);
            revoke_easts(a, &[])
        }, 1, "revoke.twice", "for keyCompromise")
            .told("it is revoked already", "`anchorite crl --to DIR` puts it on the next CRL, if it is on none yet"),
        here("the same one twice", Released, |a| revoke_easts(a, &[&easts_serial(a)]), 2, "revoke.named-twice", "is named twice")
            .told("it is named twice", "name it once"),
        here("the same one by number and by certificate", Released, |a| {
            revoke_easts(a, &["--certificate", a.release().join("east/ca-cert.pem").to_str().unwrap()])
        }, 2, "revoke.named-twice", "is named twice"),
        here("the root", Released, |a| revoke(a, &[&own_serial(a, "home/root.pem")]), 1, "revoke.own", "Example Root G1")
            .told("a CA cannot revoke itself", "take the root out of every trust bundle: `anchorite root rollover`"),
        here("the root, by its certificate", Released, |a| {
            revoke(a, &["--certificate", &a.arg("home/root.pem")])
        }, 1, "revoke.own", "Example Root G1"),
        here("the journal's certificate", Released, |a| {
            revoke(a, &[&own_serial(a, "home/journal-cert.pem")])
        }, 1, "revoke.own", "own key"),
        here("a revocation in the future", Released, |a| {
            revoke_easts(a, &["--date", &(now() + Seconds(3600)).to_string()])
        }, 1, "revoke.date", "--date")
            .told("it is revoked, or its key suspected, in the future or before it was valid", "give the time in UTC at which it happened"),
        here("a revocation before the certificate", Released, |a| {
            revoke_easts(a, &["--date", "2020-01-01T00:00:00Z"])
        }, 1, "revoke.date", "first second"),
        here("a suspicion in the future", Released, |a| {
            revoke_easts(a, &["--invalidity-date", &(now() + Seconds(3600)).to_string()])
        }, 1, "revoke.date", "--invalidity-date"),
        here("a suspicion before the certificate", Released, |a| {
            revoke_easts(a, &["--invalidity-date", "2020-01-01T00:00:00Z"])
        }, 1, "revoke.date", "--invalidity-date"),
        here("words that steer a terminal", Released, |a| {
            revoke_easts(a, &["--asked-by", "ops\u{1b}[2J"])
        }, 2, "revoke.asked-by", "--asked-by")
            .told("who asks for it is no plain text on one line", "write it so"),
        here("a hold", Released, |a| {
            Run::of(&["revoke", &easts_serial(a), "--yes", "--reason", "certificateHold"])
        }, 2, "command-line.usage", "certificateHold"),
        here("what only delta CRLs say", Released, |a| {
            Run::of(&["revoke", &easts_serial(a), "--yes", "--reason", "removeFromCRL"])
        }, 2, "command-line.usage", "removeFromCRL"),
        here("an attribute authority's reason", Released, |a| {
            Run::of(&["revoke", &easts_serial(a), "--yes", "--reason", "aACompromise"])
        }, 2, "command-line.usage", "aACompromise"),
        here("a reason by its number", Released, |a| {
            Run::of(&["revoke", &easts_serial(a), "--yes", "--reason", "1"])
        }, 2, "command-line.usage", "keyCompromise"),
        here("no serial number", Released, |a| revoke(a, &["xyz"]), 2, "command-line.usage", "hexadecimal"),
        here("a serial number that is too long", Released, |a| {
            revoke(a, &[&"7".repeat(41)])
        }, 2, "command-line.usage", "hexadecimal"),
        here("--yes in a home that asks", Home, |a| {
            std::fs::remove_dir_all(a.path("home")).unwrap();
            a.run(&["init", &a.arg("home"), "--token", "pkcs11:token=ceremony", "--module", &module()]).code(0);
            revoke(a, &["1234"])
        }, 1, "consent.yes", "--unattended"),
        here("a revocation before there is a root", Home, |a| revoke(a, &["1234"]), 2, "home.no-root", "no root"),
        here("a plan that revokes what is unknown", Released, |a| {
            let (from, to, pin) = (a.arg("in"), a.arg("out"), a.arg("pin"));
            let sign = ["sign", "--policy", "istio", "--from", &from, "--to", &to, "--yes", "--pin-file", &pin];
            Run::of(&sign).and(&["--revoke", "1234=superseded"])
        }, 1, "revoke.unknown-serial", "1234"),
        here("a CRL that comes later, of another key", Released, |a| {
            empty(a);
            let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
            a.write("in/east.crl", list(a, &other, |_| {}));
            crl(a)
        }, 1, "crl.refused", "[crl.signature]")
            .also(&["crl.behind"])
            .told(
                "a cluster's CRL that came for its certificate is not as it must be, or older than the one on record",
                "take it off the stick, or have it made again: `anchorite request --crl-for`",
            ),
        here("one with an entry", Released, |a| {
            later(a, |crl| {
                let (serial, date) = (anchorite::x509::Serial::from_bytes(&[9]).unwrap(), crl.this_update);
                crl.entries = vec![Revocation { serial, date, reason: Reason::Superseded, invalidity_date: None }];
            })
        }, 1, "crl.refused", "[crl.entries]"),
        here("one that has run out", Released, |a| {
            later(a, |crl| {
                crl.this_update = crl.this_update.earlier(Seconds(7_200));
                crl.next_update = crl.this_update + Seconds(3_600);
            })
        }, 1, "crl.refused", "[crl.next-update]"),
        here("one with another key identifier", Released, |a| {
            later(a, |crl| crl.key_id = vec![7; 20])
        }, 1, "crl.refused", "[crl.authority-key-id]"),
        here("one with a huge number", Released, |a| {
            later(a, |crl| crl.number = u64::MAX)
        }, 1, "crl.refused", "[crl.number]"),
        here("one with a lower number than the last", Released, |a| {
            later(a, |crl| crl.number = 1)
        }, 1, "crl.behind", "a later CRL has a higher one"),
        here("one with the number of the last", Released, |a| {
            let Some(Arrival::Crl(last)) = read("", &known(a)).pop() else { panic!("no CRL") };
            empty(a);
            let key = KeyPair::from_pem(&std::fs::read_to_string(a.path("keys/east.key")).unwrap()).unwrap();
            let again = CrlSpec {
                signature: SignatureAlgorithm::EcdsaSha256,
                issuer: last.issuer,
                key_id: last.key_id.unwrap(),
                this_update: last.this_update,
                next_update: last.next_update.unwrap() + Seconds(1),
                number: last.number.unwrap(),
                entries: Vec::new(),
            };
            let tbs = again.to_tbs().unwrap();
            a.write("in/east.crl", tbs.assemble(&key.sign(tbs.as_der()).unwrap()).unwrap());
            crl(a)
        }, 1, "crl.behind", "a later CRL has a higher one"),
        here("two for one certificate", Released, |a| {
            later(a, |_| {});
            let key = KeyPair::from_pem(&std::fs::read_to_string(a.path("keys/east.key")).unwrap()).unwrap();
            a.write("in/newer.crl", pem::encode("X509 CRL", &list(a, &key, |crl| crl.number += 1)));
            crl(a)
        }, 1, "crl.refused", "[crl.several]"),
        here("the one on record again", Released, |a| {
            let known = known(a);
            empty(a);
            a.write("in/east.crl", known);
            crl(a)
        }, 2, "media.no-crl", "not on record yet")
            .told("the stick holds no CRL that is missing here", "is it the right one? `anchorite request --crl-for` makes them"),
        here("one of nobody here", Released, |a| {
            later(a, |crl| crl.issuer = anchorite::x509::Name::parse("CN=nobody").unwrap())
        }, 2, "media.no-crl", "CN=nobody"),
        here("a stick that is empty", Released, |a| {
            empty(a);
            crl(a)
        }, 2, "media.no-crl", "right stick"),
        here("a stick for both ways", Released, |a| {
            let (to, pin) = (a.arg("out"), a.arg("pin"));
            Run::of(&["crl", "--from", &to, "--to", &to, "--yes", "--pin-file", &pin])
        }, 2, "output.same-stick", "read from"),
        by("revocation/fleet.rs::a_root_that_may_not_sign_crls_says_so", "a root without cRLSign", 1, Id("crl.sign"))
            .told("the root's keyUsage lacks cRLSign: there are no CRLs", "`anchorite root renew` issues its certificate anew with it, for every trust bundle"),
        here("a CRL edited", Released, |a| {
            a.edit(ROOT_CRL, "M", "N");
            audit()
        }, 4, "home.crl", "edited")
            .also(&["audit.crl", "audit.cluster-crl"])
            .told("a CRL in `crl/` is not the one on record, or the record is not in order", "stop; `anchorite audit restore` writes `crl/` again from the journal"),
        here("a CRL removed", Released, |a| {
            std::fs::remove_file(a.path(ROOT_CRL)).unwrap();
            audit()
        }, 4, "home.crl", "is missing"),
        here("a CRL added", Released, |a| {
            std::fs::copy(a.path(ROOT_CRL), a.path("home/crl/root-9.pem")).unwrap();
            audit()
        }, 4, "home.crl", "is not on record"),
        here("a cluster's CRL in another's place", Released, |a| {
            std::fs::copy(a.path("in/west.crl"), a.path(&format!("home/crl/{}.pem", easts_serial(a)))).unwrap();
            audit()
        }, 4, "home.crl", "edited"),
        here("a CRL edited, and the next one wanted", Released, |a| {
            a.edit(ROOT_CRL, "M", "N");
            Run::of(&["crl", "--to", &a.arg("out"), "--yes", "--pin-file", &a.arg("pin")])
        }, 4, "home.crl", "not the CRL on record"),
        here("all CRLs gone, and the next one wanted", Released, |a| {
            std::fs::remove_dir_all(a.path("home/crl")).unwrap();
            Run::of(&["crl", "--to", &a.arg("out"), "--yes", "--pin-file", &a.arg("pin")])
        }, 4, "home.crl", "audit restore"),
        by("release.rs::crls_that_are_not_the_releases_are_noticed", "a release's CRLs that are not whole", 4, Id("release.crl"))
            .told("the CRLs of a release are not the root's and its clusters'", "take the release again from the stick, or from an earlier copy"),
    ]
}
