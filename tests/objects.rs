//! Requests in the objects and answers of the tools that clusters use, and signed by their
//! sender, from the stick to the certificate.

pub mod made;

use std::fs;

use serde_json::{Value, json};

use crate::appliance::Appliance;
use crate::bundles::kubectl::Kubectl;
use crate::support::run;
use made::{csr, in_cert_manager, in_kubernetes, kubectl_list};

fn inspected(a: &Appliance, code: i32) -> Value {
    a.run(&["inspect", "--policy", "istio", "--json", a.path("in").to_str().unwrap()]).code(code).json()
}

/// Rule and outcome of what is not simply in order.
fn open(request: &Value) -> Vec<(String, String)> {
    let findings = request["findings"].as_array().unwrap().iter();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let all = findings.map(|finding| (text(finding, "rule"), text(finding, "outcome")));
    all.filter(|(_, outcome)| outcome != "pass" && outcome != "granted").collect()
}

fn of<'a>(report: &'a Value, file: &str) -> &'a Value {
    let requests = report["requests"].as_array().unwrap();
    requests.iter().find(|r| r["file"] == file).unwrap_or_else(|| panic!("{file}: {report}"))
}

#[test]
fn objects_of_every_form_are_granted_what_they_ask() {
    let a = Appliance::with_root("p256");
    // As kubectl writes one, several, and in JSON.
    let east = in_cert_manager(&csr(&a, "east"), "east");
    let west = in_kubernetes(&csr(&a, "west"), "west");
    a.write("in/list.yaml", kubectl_list(&[&east, &west]));
    let north = in_cert_manager(&csr(&a, "north"), "north").replace("1440h0m0s", "7200h");
    let south = in_kubernetes(&csr(&a, "south"), "south");
    a.write("in/two.yaml", format!("---\n{north}\n---\n# by hand\n{south}\n"));
    let up = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest",
        "metadata": {"name": "up", "namespace": "istio-system"},
        "spec": {"isCA": true, "issuerRef": {"name": "anchorite"}, "request": made::base64(&csr(&a, "up"))},
    });
    a.write("in/up.json", serde_json::to_string_pretty(&up).unwrap());
    a.write("in/vault.json", json!({"request_id": "x", "data": {"csr": csr(&a, "vault")}}).to_string());
    a.write("in/cfssl.json", json!({"csr": csr(&a, "cfssl")}).to_string());
    a.write(
        "in/windows.yaml",
        format!("\u{feff}{}", in_kubernetes(&csr(&a, "windows"), "windows").replace('\n', "\r\n")),
    );

    let report = inspected(&a, 0);
    assert_eq!(report["requests"].as_array().unwrap().len(), 8, "{report}");
    let east = of(&report, "list.yaml#1");
    assert_eq!((&east["cluster"], &east["verdict"]), (&json!("east"), &json!("grant")));
    assert_eq!(east["object"]["kind"], "CertificateRequest");
    assert_eq!(east["object"]["namespace"], "istio-system");
    assert_eq!(east["object"]["name"], "east-1");
    assert_eq!(east["object"]["issuer"], "Issuer.cert-manager.io/anchorite");
    let pre_signed = ("crl.pre-signed".to_owned(), "warning".to_owned());
    assert_eq!(open(east), std::slice::from_ref(&pre_signed));
    let west = of(&report, "list.yaml#2");
    assert_eq!(west["object"]["signer"], "example.org/anchorite");
    assert_eq!(of(&report, "two.yaml#2")["cluster"], "south");
    // What cert-manager means where nothing is listed is not granted to an EC key.
    let up = of(&report, "up.json");
    let narrowed = ("claim.usages".to_owned(), "narrowed".to_owned());
    let unapproved = ("object.approval".to_owned(), "warning".to_owned());
    assert_eq!(open(up), [unapproved, narrowed, pre_signed]);
    assert!(of(&report, "vault.json").get("object").is_none());

    let text = a.run(&["inspect", "--policy", "istio", a.path("in").to_str().unwrap()]).code(0).stdout;
    assert!(
        text.contains("CertificateRequest istio-system/east-1, issuer Issuer.cert-manager.io/anchorite"),
        "{text}"
    );
    let signed = a.sign(&["--policy", "istio"]).code(0);
    let shown = format!("{}{}", signed.stdout, signed.stderr);
    assert!(
        shown.contains("object                 CertificateSigningRequest west, signer example.org/anchorite"),
        "{shown}"
    );
    for (cluster, days) in [("east", 60), ("west", 30), ("north", 300), ("up", 60)] {
        let certificate = a.release().join(cluster).join("ca-cert.pem");
        let out =
            run(a.dir.path(), "openssl", &["x509", "-noout", "-text", "-in", certificate.to_str().unwrap()]);
        let text = String::from_utf8(out.stdout).unwrap();
        let usage = if cluster == "west" || cluster == "up" {
            "Digital Signature, Certificate Sign, CRL Sign"
        } else {
            "Certificate Sign, CRL Sign"
        };
        assert!(text.contains(&format!("  {usage}\n")), "{cluster}: {text}");
        let end = |seconds: u64| {
            let args =
                ["x509", "-noout", "-checkend", &seconds.to_string(), "-in", certificate.to_str().unwrap()];
            std::process::Command::new("openssl").args(args).output().unwrap().status.success()
        };
        assert!(end(days * 86_400 - 3_600) && !end(days * 86_400 + 3_600), "{cluster}: {days} days");
    }
}

/// As it waits in its cluster, Ready=False beside Approved: the release's patch makes it Ready,
/// and fails on another request under the same name.
#[test]
fn the_object_that_came_in_is_answered_and_no_later_one_of_its_name() {
    let a = Appliance::with_root("p256");
    let object = in_cert_manager(&csr(&a, "east"), "east");
    a.write("in/east.yaml", &object);
    a.sign(&["--policy", "cert-manager-request"]).code(0);
    let patch = a.release().join("east/status-patch.json");
    let kubectl = Kubectl::new();
    let answered = kubectl.patch(&a.path("in/east.yaml"), "json", &patch).unwrap();
    let conditions = answered["status"]["conditions"].as_array().unwrap();
    let said: Vec<_> = conditions.iter().map(|c| (c["type"].as_str(), c["status"].as_str())).collect();
    assert_eq!(said, [(Some("Approved"), Some("True")), (Some("Ready"), Some("True"))]);
    a.write("later.yaml", in_cert_manager(&csr(&a, "later"), "east"));
    assert!(kubectl.patch(&a.path("later.yaml"), "json", &patch).unwrap_err().contains("test failed"));
}

/// What cert-manager makes of a Certificate with `isCA: true` and nothing else said: usages that
/// nobody chose, one of which no EC key can have. The strictest policy still takes it.
#[test]
fn cert_managers_defaults_are_granted_as_far_as_they_go() {
    let a = Appliance::with_root("p256");
    let made = |cluster: &str, usage: &str| {
        csr(&a, cluster);
        let (key, subject) = (format!("keys/{cluster}.key"), format!("/O=Istio/L={cluster}/CN={cluster}-1"));
        let extensions = format!("keyUsage=critical,{usage}");
        let new =
            ["req", "-new", "-key", &key, "-subj", &subject, "-addext", &extensions, "-out", "made.csr"];
        run(a.dir.path(), "openssl", &new);
        in_cert_manager(&fs::read_to_string(a.path("made.csr")).unwrap(), cluster)
    };
    let listed = "  usages:\n  - cert sign\n  - crl sign\n";
    let defaults = made("east", "digitalSignature,keyEncipherment,keyCertSign").replace(listed, "");
    a.write("in/east.yaml", &defaults);
    let chosen = "  usages:\n  - digital signature\n  - key encipherment\n  - cert sign\n";
    let asked = made("west", "digitalSignature,keyEncipherment,keyCertSign").replace(listed, chosen);
    a.write("in/west.yaml", &asked);
    let stick = a.path("in");
    let arguments = ["inspect", "--policy", "cert-manager-request", "--json", stick.to_str().unwrap()];
    let report = a.run(&arguments).code(1).json();
    let (east, west) = (of(&report, "east.yaml"), of(&report, "west.yaml"));
    assert_eq!(east["verdict"], "grant", "{east}");
    assert!(open(east).contains(&("claim.usages".into(), "narrowed".into())), "{east}");
    // Whoever lists it wants it, and cert-manager wants what it asked for.
    assert_eq!(west["verdict"], "refuse");
    assert!(open(west).contains(&("claim.usages".into(), "refused".into())), "{west}");
}

#[test]
fn a_plan_keeps_the_object_and_the_sender_and_is_judged_by_them_again() {
    let a = Appliance::with_root("p256");
    let key = made::ssh_key(&a, "ops", &["-t", "ed25519"]);
    let register = |more: &str| {
        let text = format!(
            "[clusters.east]\npolicy = \"istio\"\nnamespace = \"istio-system\"\nname = \"east-*\"\n{more}\n"
        );
        a.write("home/clusters.toml", text);
        a.run(&["policy", "pin", "--yes", "--pin-file", a.path("pin").to_str().unwrap()]).code(0);
    };
    register(&format!("issuer = \"Issuer.cert-manager.io/anchorite\"\nsender = [\"{key}\"]"));
    a.write("in/east.yaml", in_cert_manager(&csr(&a, "east"), "east"));
    made::sign(&a, "ops", "in/east.yaml");
    let (from, plan, to, pin) = (a.path("in"), a.path("plan.json"), a.path("out"), a.path("pin"));
    let [from, plan, to, pin] = [&from, &plan, &to, &pin].map(|path| path.to_str().unwrap());
    let shown = a.run(&["plan", "--from", from, "--out", plan]).code(0);
    assert!(
        format!("{}{}", shown.stdout, shown.stderr).contains("east.yaml.sig by ssh-ed25519 SHA256:"),
        "{}",
        shown.stdout
    );
    let written: Value = serde_json::from_slice(&fs::read(plan).unwrap()).unwrap();
    assert_eq!(written["items"][0]["object"]["name"], "east-1");
    assert_eq!(written["items"][0]["sender"]["key"], Value::from(key.rsplit_once(' ').unwrap().0));
    // The register turns to another sender before it is performed.
    let other = made::ssh_key(&a, "other", &["-t", "ed25519"]);
    register(&format!("sender = [\"{other}\"]"));
    let perform = ["perform", plan, "--to", to, "--yes", "--pin-file", pin];
    let refused = a.run(&perform).fails(1, "plan.differs");
    assert!(refused.stderr.contains("[register.sender]"), "{}", refused.stderr);
    register(&format!("sender = [\"{other}\", \"{key}\"]"));
    a.run(&perform).code(0);
}

#[test]
fn every_kind_of_key_that_ssh_keygen_makes_signs_a_request() {
    let a = Appliance::with_root("p256");
    let kinds: [(&str, &[&str]); 6] = [
        ("ed25519", &["-t", "ed25519"]),
        ("ecdsa256", &["-t", "ecdsa", "-b", "256"]),
        ("ecdsa384", &["-t", "ecdsa", "-b", "384"]),
        ("ecdsa521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa2048", &["-t", "rsa", "-b", "2048"]),
        ("rsa4096", &["-t", "rsa", "-b", "4096"]),
    ];
    let mut register = String::new();
    for (name, options) in kinds {
        let key = made::ssh_key(&a, name, options);
        register += &format!("[clusters.{name}]\npolicy = \"istio\"\nsender = [\"{key}\"]\n");
        a.write(&format!("in/{name}.csr"), csr(&a, name));
        made::sign(&a, name, &format!("in/{name}.csr"));
    }
    a.write("home/clusters.toml", register);
    a.run(&["policy", "pin", "--yes", "--pin-file", a.path("pin").to_str().unwrap()]).code(0);
    let from = a.path("in");
    let report = a.run(&["inspect", "--json", from.to_str().unwrap()]).code(0).json();
    for (name, _) in kinds {
        let request = of(&report, &format!("{name}.csr"));
        let listed = run(&a.path(""), "ssh-keygen", &["-l", "-f", &format!("{name}.pub")]);
        let fingerprint = String::from_utf8(listed.stdout).unwrap();
        let fingerprint = fingerprint.split(' ').nth(1).unwrap();
        assert!(request["sender"].as_str().unwrap().ends_with(fingerprint), "{request}");
    }
    // One byte more, and none of them fits.
    for (name, _) in kinds {
        a.write(
            &format!("in/{name}.csr"),
            format!("{}\n", fs::read_to_string(from.join(format!("{name}.csr"))).unwrap()),
        );
    }
    let report = a.run(&["inspect", "--json", from.to_str().unwrap()]).code(1).json();
    for (name, _) in kinds {
        let request = of(&report, &format!("{name}.csr"));
        let refused = |rule: &str| open(request).contains(&(rule.into(), "refused".into()));
        assert!(refused("sender.signature") && refused("register.sender"), "{request}");
    }
}

#[test]
fn easy_rsas_tree_comes_without_its_private_folder() {
    let a = Appliance::with_root("p256");
    let easyrsa = |arguments: &[&str]| {
        run(
            a.dir.path(),
            "/usr/share/easy-rsa/easyrsa",
            &[&["--batch", "--pki-dir=in/pki"], arguments].concat(),
        );
    };
    easyrsa(&["init-pki"]);
    let names = [
        "--dn-mode=org",
        "--req-org=Istio",
        "--req-city=east",
        "--req-cn=root",
        "--req-ou=",
        "--req-c=",
        "--req-st=",
        "--req-email=",
    ];
    easyrsa(&[&names[..], &["--use-algo=ec", "--curve=prime256v1", "gen-req", "east", "nopass"]].concat());
    let report = inspected(&a, 1);
    assert_eq!(of(&report, "pki/reqs/east.req")["cluster"], "east");
    let stopped =
        report["media"].as_array().unwrap().iter().find(|m| m["rule"] == "media.private-key").unwrap();
    assert_eq!(stopped["file"], "pki/private/east.key");
    a.sign(&["--policy", "istio"]).fails(1, "media.private-key");
    fs::remove_dir_all(a.path("in/pki/private")).unwrap();
    assert_eq!(of(&inspected(&a, 0), "pki/reqs/east.req")["verdict"], "grant");
    a.sign(&["--policy", "istio"]).code(0);
}
