//! One certificate in one process, everything included, against two tools that sign
//! with the very same key in the very same token and keep no record.

use std::path::Path;
use std::process::Command;

use crate::rig::{ROOTS, Rig, Root, TOKEN, median, module, requests, run};
use crate::table::{Figure, Row, Table, Target};

pub fn one(work: &Path, rounds: usize, table: &mut Table) {
    for root in &ROOTS {
        let rig = Rig::new(&work.join(format!("one-{}", root.key)), root);
        // Neither of the others signs one: it is not due with the certificate that is measured.
        rig.sign_crl();
        rig.keep();
        std::fs::write(rig.path("certtool.cfg"), TEMPLATE).unwrap();
        std::fs::write(rig.path("openssl.cnf"), EXTENSIONS).unwrap();
        let mut times = [(); 3].map(|()| Vec::new());
        for request in requests(0..rounds) {
            rig.restore();
            rig.load(&[request]);
            times[0].push(run(&mut rig.sign()));
            times[1].push(run(&mut certtool(&rig, root)));
            times[2].push(run(&mut openssl(&rig, root)));
            for made in ["certtool.pem", "openssl.pem"] {
                verify(&rig, made);
            }
        }
        let [ours, certtool, openssl] = times.map(|times| median(&times));
        for (tool, theirs, most) in [("certtool", certtool, 1.0), ("openssl", openssl, 0.5)] {
            table.push(Row {
                what: "one certificate, one process".into(),
                root: root.name,
                ours: Figure::Seconds(ours),
                against: (tool.into(), Figure::Seconds(theirs)),
                target: Some(Target::AtMost(most)),
            });
        }
    }
}

const TEMPLATE: &str = "ca\npath_len = 0\ncert_signing_key\ncrl_signing_key\nexpiration_days = 60\n";

const EXTENSIONS: &str = "basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
";

fn certtool(rig: &Rig, root: &Root) -> Command {
    let mut command = rig.command("certtool");
    command.args(["--generate-certificate", "--provider", &module(), "--hash", root.hash]);
    command.args(["--load-ca-privkey", &format!("pkcs11:token={TOKEN};object=root;type=private")]);
    command.env("GNUTLS_PIN", rig.pin());
    for (option, file) in [
        ("--load-request", "in/000000.csr"),
        ("--load-ca-certificate", "home/root.pem"),
        ("--template", "certtool.cfg"),
        ("--outfile", "certtool.pem"),
    ] {
        command.arg(option).arg(rig.path(file));
    }
    command
}

fn openssl(rig: &Rig, root: &Root) -> Command {
    let mut command = rig.command("openssl");
    command.args(["x509", "-req", "-engine", "pkcs11", "-CAkeyform", "engine", "-days", "60"]);
    let key = format!("pkcs11:token={TOKEN};object=root;type=private;pin-value={}", rig.pin());
    command.args(["-CAkey", &key, &format!("-{}", root.hash)]).env("PKCS11_MODULE_PATH", module());
    // A serial of its own each, at random, as the other tools give.
    for (option, file) in [
        ("-in", "in/000000.csr"),
        ("-CA", "home/root.pem"),
        ("-extfile", "openssl.cnf"),
        ("-out", "openssl.pem"),
    ] {
        command.arg(option).arg(rig.path(file));
    }
    command
}

/// That they did what they were timed for.
fn verify(rig: &Rig, made: &str) {
    let mut openssl = Command::new("openssl");
    run(openssl
        .args(["verify", "-x509_strict", "-CAfile"])
        .arg(rig.path("home/root.pem"))
        .arg(rig.path(made)));
    std::fs::remove_file(rig.path(made)).unwrap();
}
