//! `root adopt` and `token check`: what cannot be this CA's root is refused by name, and nothing is on record.

use super::{refused, refused_without_trace};
use crate::adopt::COMMON;
use crate::appliance::{Appliance, module};

const KEY: &str = "pkcs11:object=old%20root";

fn ready() -> Appliance {
    let a = Appliance::with_home();
    a.make_old_root();
    a
}

#[test]
fn a_certificate_that_is_not_fit_is_refused_by_the_rule_that_finds_it() {
    let a = ready();
    let without = |line: &str| -> String {
        COMMON.lines().filter(|l| !l.contains(line)).map(|l| l.to_string() + "\n").collect()
    };
    // OpenSSL adds an identifier where none is spoken of.
    let none = "subjectKeyIdentifier = none\nauthorityKeyIdentifier = none\n";
    let (no_ca, no_ski) = (without("basicConstraints"), without("KeyIdentifier") + none);
    let plus = |line: &str| format!("{COMMON}\n{line}");
    for (extensions, more, rule) in [
        (no_ca.as_str(), &[][..], "adopt.basic-constraints"),
        (&COMMON.replace("critical, CA:TRUE", "CA:TRUE"), &[], "adopt.basic-constraints"),
        (&COMMON.replace("CA:TRUE", "CA:TRUE, pathlen:0"), &[], "adopt.path-length"),
        (&COMMON.replace("keyCertSign", "digitalSignature"), &[], "adopt.key-usage"),
        (&no_ski, &[], "adopt.subject-key-id"),
        (&plus("nameConstraints = critical, permitted;DNS:example.org"), &[], "adopt.extensions"),
        (&plus("extendedKeyUsage = serverAuth"), &[], "adopt.extensions"),
        (&plus("policyConstraints = critical, requireExplicitPolicy:3"), &[], "adopt.extensions"),
        (COMMON, &["-sha1"], "adopt.signature-algorithm"),
        (COMMON, &["-set_serial", "0"], "adopt.serial"),
    ] {
        a.old_root_by("old", "unfit", "CN = Old Root", extensions, more);
        let wanted = (1, "adopt.unfit", &[rule][..]);
        refused_without_trace(&a, || a.adopt("unfit", KEY, &[]), wanted);
    }
    // What openssl does not make by a configuration: version 1, and a time that is over.
    let sign = ["x509", "-req", "-in", "v1.csr", "-signkey", "old.key", "-days", "900", "-out", "v1.pem"];
    a.openssl(&["req", "-new", "-key", "old.key", "-subj", "/CN=Old Root", "-out", "v1.csr"]);
    a.openssl(&sign);
    let v1 = (1, "adopt.unfit", &["adopt.version", "version 1", "issue a version 3 certificate"][..]);
    refused_without_trace(&a, || a.adopt("v1", KEY, &[]), v1);
    a.write("ext.cnf", COMMON);
    let past =
        ["ca", "-selfsign", "-config", "ca.cnf", "-batch", "-startdate", "20200101000000Z", "-enddate"];
    a.write("ca.cnf", CA);
    a.write("index.txt", "");
    let rest = [
        "20210101000000Z",
        "-extfile",
        "ext.cnf",
        "-in",
        "v1.csr",
        "-keyfile",
        "old.key",
        "-out",
        "past.pem",
    ];
    a.openssl(&[&past[..], &rest, &["-notext"]].concat());
    refused_without_trace(&a, || a.adopt("past", KEY, &[]), (1, "adopt.unfit", &["adopt.validity"]));
    // The home is as good as new.
    a.adopt("old", KEY, &[]).code(0);
}

const CA: &str = "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\n\
                  default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n";

#[test]
fn a_file_holds_one_certificate_and_a_key_is_named_by_itself() {
    let a = ready();
    let pem = std::fs::read_to_string(a.path("old.pem")).unwrap();
    let key = std::fs::read_to_string(a.path("old.key")).unwrap();
    let der = anchorite::release::pem::single("old", pem.as_bytes()).unwrap();
    for (content, id, words) in [
        (pem.repeat(2).into_bytes(), "adopt.certificate-file", "2 certificates"),
        (Vec::new(), "adopt.certificate-file", "empty"),
        (format!("{pem}{key}").into_bytes(), "adopt.certificate-file", "private key"),
        (format!("subject=CN = x\n{pem}").into_bytes(), "adopt.certificate-file", "something other"),
    ] {
        a.write("bad.pem", content);
        refused_without_trace(&a, || a.adopt("bad", KEY, &[]), (2, id, &[words]));
    }
    for content in [[&der[..], &der].concat(), der[..100].to_vec(), vec![0x30, 0x80, 0, 0]] {
        a.write("bad.pem", content);
        refused_without_trace(&a, || a.adopt("bad", KEY, &[]), (1, "adopt.unfit", &["adopt.parse"]));
    }
    refused_without_trace(&a, || a.adopt("none", KEY, &[]), (2, "file.missing", &["none.pem"]));

    a.old_key("twin", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "twin", "0808");
    a.old_key("twin", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "twin", "0909");
    for (uri, code, id, words) in [
        ("old root", 2, "token.uri", "pkcs11:"),
        ("pkcs11:", 2, "adopt.key-uri", "neither object nor id"),
        ("pkcs11:object=old%20root;type=public", 2, "adopt.key-uri", "no private key"),
        ("pkcs11:token=other;object=old%20root", 2, "adopt.key-uri", "another token"),
        ("pkcs11:object=none", 3, "token.no-such-key", "object=none"),
        ("pkcs11:object=twin", 3, "token.key-ambiguous", "2 private keys"),
        ("pkcs11:id=%08%08", 1, "adopt.key-mismatch", "do not belong together"),
    ] {
        refused_without_trace(&a, || a.adopt("old", uri, &[]), (code, id, &[words]));
    }
    let label = |label: &'static str| a.adopt("old", KEY, &["--journal-label", label]);
    refused_without_trace(&a, || label("twin"), (2, "root.label-in-use", &["'twin'"]));
    refused_without_trace(&a, || label(""), (2, "root.label", &["--journal-label"]));
    // DER is as good as PEM.
    a.write("der.pem", &der);
    a.adopt("der", "pkcs11:token=ceremony;object=old%20root;id=%07%07", &["--journal-label", "beside it"])
        .code(0);
}

fn create(a: &Appliance) -> crate::appliance::Ran {
    let pin = a.arg("pin");
    let args = ["root", "create", "--subject", "CN=x", "--key", "p256", "--ttl", "20y", "--yes"];
    a.run(&[&args[..], &["--pin-file", &pin]].concat())
}

#[test]
fn adopt_and_create_do_not_meet_in_one_home() {
    let a = ready();
    // Both are stopped by a token that goes away after the first line on record.
    let stopped = |args: &[&str]| {
        let pin = a.arg("pin");
        let all = [args, &["--yes", "--pin-file", &pin]].concat();
        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
        crate::faults::run_with(&a, "fdatasync", "signal=SIGKILL", 3, &all)
    };
    a.keep();
    let certificate = a.arg("old.pem");
    stopped(&["root", "adopt", "--certificate", &certificate, "--key", KEY]);
    assert!(a.journal().contains("root-adopted"), "{}", a.journal());
    refused_without_trace(&a, || create(&a), (2, "root.resume", &["`root adopt`"]));
    a.old_key("other", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "other", "0808");
    a.old_root("other", "CN = Old Root", COMMON, &[]);
    let other = || a.adopt("other", "pkcs11:object=other", &[]);
    refused_without_trace(&a, other, (2, "root.resume", &["of another certificate or key"]));
    a.adopt("old", KEY, &[]).code(0);
    a.put_back();
    stopped(&["root", "create", "--subject", "CN=x", "--key", "p256", "--ttl", "20y"]);
    assert!(a.journal().contains("root-decided"), "{}", a.journal());
    refused_without_trace(&a, || a.adopt("old", KEY, &[]), (2, "root.resume", &["`root create`"]));
}

#[test]
fn a_rehearsals_root_and_a_real_one_keep_apart() {
    let a = ready();
    a.old_root_by("old", "mark", "CN = Old Root REHEARSAL", COMMON, &[]);
    refused_without_trace(&a, || a.adopt("mark", KEY, &[]), (2, "adopt.rehearsal", &["says REHEARSAL"]));
    std::fs::remove_dir_all(a.path("home")).unwrap();
    let (home, module) = (a.arg("home"), module());
    let token = ["--token", "pkcs11:token=ceremony", "--module", &module, "--unattended", "--rehearsal"];
    a.run(&[&["init", &home], &token[..]].concat()).code(0);
    refused_without_trace(&a, || a.adopt("old", KEY, &[]), (2, "adopt.rehearsal", &["does not say"]));
    a.adopt("mark", KEY, &[]).code(0);
}

#[test]
fn token_check_and_renew_say_what_they_need() {
    let a = Appliance::with_home();
    refused(a.run(&["root", "renew", "--ttl", "20y", "--yes"]), (2, "home.no-root", &["has no root yet"]));
    refused(a.run(&["root", "renew", "--yes"]), (2, "command-line.usage", &["--ttl"]));
    refused(a.run(&["token", "check", "--module", "x.so"]), (2, "command-line.usage", &["URI"]));
    refused(a.run(&["token", "check", "nonsense"]), (2, "token.uri", &["pkcs11:"]));
    let bare = a.run(&["token", "check", "--pin-file", &a.arg("pin")]).code(0);
    assert!(bare.stdout.contains("no keys yet"), "{}", bare.stdout);
}
