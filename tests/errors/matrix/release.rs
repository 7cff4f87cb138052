//! Releases: edited, forged, another root's.

use super::Scene::Released;
use super::Seen::Id;
use super::{Row, Run, by, here, verify};
use crate::appliance::{Appliance, copy};

/// A copy of the release with something done to it.
fn touched(a: &Appliance, change: impl FnOnce(&std::path::Path)) -> Run {
    let release = a.release();
    let there = a.path("touched");
    std::fs::create_dir(&there).unwrap();
    copy(&release, &there);
    let there = there.join(release.file_name().unwrap());
    change(&there);
    verify(a, &there)
}

fn append(file: &std::path::Path) {
    let bytes = std::fs::read(file).unwrap();
    std::fs::write(file, [&bytes[..], b"\n"].concat()).unwrap();
}

pub fn rows() -> Vec<Row> {
    vec![
        here("a file edited", Released, |a| touched(a, |r| append(&r.join("east/ca-cert.pem"))), 4, "release.sums", "ca-cert.pem")
            .also(&[
                "release.missing",
                "release.extra",
                "release.pem",
                "release.chain",
                "release.receipt",
                "release.consumer",
                "release.object",
                "release.manifest",
                "release.document",
                "release.name",
            ])
            .told("the release was edited, or was not copied whole", "use nothing of it; copy it anew from the stick, or from an earlier copy"),
        here("a file removed", Released, |a| touched(a, |r| std::fs::remove_file(r.join("README.txt")).unwrap()), 4, "release.missing", "README.txt"),
        here("no manifest", Released, |a| touched(a, |r| std::fs::remove_file(r.join("MANIFEST.toml")).unwrap()), 4, "release.missing", "MANIFEST.toml"),
        here("a file added", Released, |a| touched(a, |r| std::fs::write(r.join("east/tls.crt"), "x").unwrap()), 4, "release.extra", "tls.crt"),
        here("a private key added", Released, |a| {
            let key = std::fs::read(a.path("keys/east.key")).unwrap();
            touched(a, |r| std::fs::write(r.join("east/ca-cert.pem"), key).unwrap())
        }, 4, "release.private-key", "ca-cert.pem"),
        here("a link added", Released, |a| {
            touched(a, |r| std::os::unix::fs::symlink("/etc/passwd", r.join("east/link")).unwrap())
        }, 4, "media.symlink", "link"),
        here("the manifest edited", Released, |a| {
            touched(a, |r| {
                let text = std::fs::read_to_string(r.join("MANIFEST.toml")).unwrap();
                std::fs::write(r.join("MANIFEST.toml"), format!("plot = 1\n{text}")).unwrap();
            })
        }, 4, "release.document", "plot"),
        here("the signature edited", Released, |a| {
            touched(a, |r| {
                let mut bytes = std::fs::read(r.join("SHA256SUMS.p7s")).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                std::fs::write(r.join("SHA256SUMS.p7s"), bytes).unwrap();
            })
        }, 4, "verify.cms.signature", "SHA256SUMS.p7s")
        .also(&["verify.cms.signer", "verify.cms.digest", "verify.journal-certificate", "verify.path.name-chaining"])
        .told(
            "the signature is not this root's journal key's: somebody forged it, perhaps with a cluster's own key",
            "stop; find out whose key it was; what it certified is in doubt",
        ),
        here("the sums edited", Released, |a| touched(a, |r| append(&r.join("SHA256SUMS"))), 4, "release.sums", "SHA256SUMS"),
        here("one cluster's folder edited", Released, |a| {
            touched(a, |r| {
                let text = std::fs::read_to_string(r.join("east/receipt.toml")).unwrap();
                std::fs::write(r.join("east/receipt.toml"), text.replacen("CN=east", "CN=oest", 1)).unwrap();
            })
            .of_cluster("east")
        }, 4, "release.receipt", "receipt.toml"),
        here("one cluster's folder of a release that broke off", Released, |a| {
            let mut partial = a.release().into_os_string();
            partial.push(".partial");
            std::fs::rename(a.release(), &partial).unwrap();
            verify(a, std::path::Path::new(&partial)).of_cluster("east")
        }, 4, "release.partial", "broke off")
        .told("its folder lies in a release that was not written to its end", "do not load it; the release has another number"),
        here("and its bundle", Released, |a| {
            let partial = a.path("anchorite-2030-01-01-0001.partial");
            std::fs::rename(a.release(), &partial).unwrap();
            let (bundle, key, out) = (partial.join("east"), a.arg("keys/east.key"), a.arg("cacerts"));
            let assemble = ["assemble", "--bundle", bundle.to_str().unwrap(), "--key", &key, "--out", &out];
            Run::of(&[&assemble[..], &["--root-sha256", &a.root_sha256]].concat())
        }, 4, "release.partial", "broke off"),
        by("foreign_cms.rs::a_forgery_by_an_intermediates_own_key", "sums signed by a cluster's own key", 4, Id("verify.cms.signer")),
        by("foreign_cms.rs::a_forgery_by_a_leaf_of_an_intermediate", "sums signed below a cluster's key", 4, Id("verify.path.name-chaining")),
        here("another root", Released, |a| {
            Run::of(&["verify", a.release().to_str().unwrap(), "--root-sha256", &"0".repeat(64)])
        }, 4, "release.root", "root-cert.pem")
        .told("the root certificate in it is not the one that was noted", "compare with the sheet; never believe what lies on the stick"),
        here("another root in the trust bundle", Released, |a| {
            touched(a, |r| {
                let strange = std::fs::read(r.join("journal-cert.pem")).unwrap();
                let own = std::fs::read(r.join("east/root-cert.pem")).unwrap();
                std::fs::write(r.join("east/root-cert.pem"), [own, strange].concat()).unwrap();
            })
            .of_cluster("east")
        }, 4, "release.companion", "trusts another root")
        .told(
            "its trust bundle holds a root that was not noted, or not the roots on record",
            "a second device's root: `--root-sha256` once for each root on the sheet; any other: stop, load nothing",
        ),
        here("a release long after", Released, |a| verify(a, &a.release()).through(&["faketime", "300 days"]), 4, "verify.path.validity", "east")
            .told("a certificate is not valid now", "`--at` checks as of its day; a new one for use"),
        here("no release", Released, |a| verify(a, &a.path("none")), 2, "folder.missing", "is not a folder"),
        by("release.rs::a_rehearsal_is_refused_unless_wanted", "a rehearsal's release", 1, Id("release.rehearsal"))
            .told("it comes from a rehearsal", "never use it; `--rehearsal` looks at it all the same"),
    ]
}
