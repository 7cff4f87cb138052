//! The root's CRL with few and many entries, against `openssl ca -gencrl`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::history;
use crate::rig::{ROOTS, Rig, median, remove, run};
use crate::table::{Figure, Row, Table, thousands};

/// A home whose certificates are all revoked, each time the next CRL and its release.
pub fn crl(homes: &Path, counts: &[usize], rounds: usize, table: &mut Table) {
    for count in counts {
        let rig = revoked(homes, *count);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            rig.load(&[]);
            let mut crl = rig.anchorite(&["crl", "--yes", "--to"]);
            ours.push(run(rig.with_pin(crl.arg(rig.path("out")))));
            theirs.push(run(rig
                .command("openssl")
                .current_dir(rig.path("openssl"))
                .args(["ca", "-gencrl", "-config", "ca.cnf", "-out", "crl.pem"])));
        }
        let release = std::fs::read_dir(rig.path("out")).unwrap().next().unwrap().unwrap().path();
        let size = |file: &Path| Figure::Bytes(file.metadata().unwrap().len());
        let what = format!("CRL with {} entries, signed and released", thousands(*count));
        let took = |times: &[std::time::Duration]| Figure::Seconds(median(times));
        let root = ROOTS[0].name;
        let against = ("openssl ca -gencrl".to_string(), took(&theirs));
        table.push(Row { what, root, ours: took(&ours), against, target: None });
        let against = ("openssl".into(), size(&rig.path("openssl/crl.pem")));
        let ours = size(&release.join("root-crl.pem"));
        let what = format!("its size, {} entries", thousands(*count));
        table.push(Row { what, root, ours, against, target: None });
    }
}

/// A copy of a home with so many certificates on record, all of them revoked.
fn revoked(homes: &Path, count: usize) -> Rig {
    let rig = Rig { dir: homes.join(format!("crl-{count}")) };
    remove(&rig.dir);
    run(Command::new("cp").arg("-a").arg(history::home(homes, count).dir).arg(&rig.dir));
    // The token's configuration names its folder.
    let conf = format!("directories.tokendir = {}\n", rig.path("hsm/tokens").display());
    std::fs::write(rig.path("hsm/softhsm2.conf"), conf).unwrap();
    let own =
        ["root.pem", "journal-cert.pem"].map(|name| std::fs::read(rig.path("home").join(name)).unwrap());
    let mut serials = Vec::new();
    for entry in std::fs::read_dir(rig.path("home/issued")).unwrap() {
        let path = entry.unwrap().path();
        if !own.contains(&std::fs::read(&path).unwrap()) {
            serials.push(path.file_stem().unwrap().to_str().unwrap().to_string());
        }
    }
    serials.truncate(count);
    if !serials.is_empty() {
        std::fs::write(rig.path("serials"), serials.join("\n")).unwrap();
        let mut revoke = rig.anchorite(&["revoke", "--reason", "superseded", "--yes", "--list"]);
        run(rig.with_pin(revoke.arg(rig.path("serials"))));
    }
    openssl(&rig, &serials);
    rig
}

/// OpenSSL's CA with the same entries in its index.
fn openssl(rig: &Rig, serials: &[String]) {
    let dir = rig.path("openssl");
    std::fs::create_dir(&dir).unwrap();
    let mut index = String::new();
    for serial in serials {
        let serial = serial.to_uppercase();
        writeln!(index, "R\t301122100000Z\t261122100000Z,superseded\t{serial}\tunknown\t/CN={serial}")
            .unwrap();
    }
    std::fs::write(dir.join("index.txt"), index).unwrap();
    std::fs::write(dir.join("index.txt.attr"), "unique_subject = no\n").unwrap();
    std::fs::write(dir.join("crlnumber"), "01\n").unwrap();
    let config = "[ca]\ndefault_ca = ca\n[ca_default]\n[ca]\ndatabase = index.txt\ncrlnumber = crlnumber\n\
        private_key = ca.key\ncertificate = ca.pem\ndefault_md = sha256\ndefault_crl_days = 425\ncrl_extensions = crl\n\
        [crl]\nauthorityKeyIdentifier = keyid\n";
    std::fs::write(dir.join("ca.cnf"), config).unwrap();
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 7300 -subj /CN=Root";
    run(Command::new("openssl").current_dir(&dir).args(make.split(' ')));
}
