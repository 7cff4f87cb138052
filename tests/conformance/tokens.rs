//! Each token, fresh.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::Row;
use super::rig::{Daemon, Rig, There};
use crate::appliance::{Appliance, PIN, module};
use crate::card_host::Host;

const YUBIKEY_PIN: &str = "123456";
const SERIAL: u32 = 7_654_321;

/// Where Debian puts PKCS#11 modules.
pub fn debian(name: &str) -> Option<String> {
    let path = format!("/usr/lib/{}-linux-gnu/{name}", std::env::consts::ARCH);
    assert!(Path::new(&path).exists(), "{path} is missing: tests/run installs it");
    Some(path)
}

pub fn softhsm(_: &Row, _: &str) -> Rig {
    let appliance = Appliance::bare();
    Rig { appliance, module: Some(module()), ..Rig::new(PIN, "pkcs11:token=ceremony") }
}

pub fn card(firmware: &str) -> Rig {
    let (host, card) = Host::with_card(SERIAL, firmware);
    Rig { host: Some(host), card: Some(card), ..Rig::new(YUBIKEY_PIN, &format!("piv:9c?serial={SERIAL}")) }
}

pub fn yubikey(_: &Row, _: &str) -> Rig {
    card("5.7.4")
}

/// A root that was made on the card by way of `piv:`, whose keys, in 9c and in 9a, are
/// taken over through a PKCS#11 module that does not make any.
fn made_by_piv(kind: &str, uri: &str, name: &str) -> Rig {
    let mut rig = card("5.7.4");
    // OpenSC does not look into the slots for retired keys by itself.
    let slots = format!("{}&journal=9a", rig.uri);
    rig.anchorite(&["init", &rig.arg("home"), "--token", &slots, "--unattended"]).code(0);
    let create = ["root", "create", "--subject", "CN=Made by PIV", "--key", kind, "--ttl", "20y"];
    rig.verb(&[&create[..], &["--touch-policy", "never"]].concat()).code(0);
    std::fs::rename(rig.appliance.path("home"), rig.appliance.path("piv")).unwrap();
    rig.there = Some(There {
        certificate: rig.arg("piv/root.pem"),
        root_key: "pkcs11:id=%02".into(),
        journal_key: "pkcs11:id=%01".into(),
    });
    rig.uri = uri.into();
    rig.module = debian(name);
    rig
}

pub fn opensc(_: &Row, kind: &str) -> Rig {
    made_by_piv(kind, "pkcs11:manufacturer=piv_II", "opensc-pkcs11.so")
}

pub fn ykcs11(_: &Row, kind: &str) -> Rig {
    made_by_piv(kind, &format!("pkcs11:serial={SERIAL}"), "libykcs11.so")
}

pub fn nss(_: &Row, kind: &str) -> Rig {
    let mut rig = Rig::new(PIN, "pkcs11:token=NSS%20Certificate%20DB");
    std::fs::create_dir(rig.appliance.path("nss")).unwrap();
    let database = format!("sql:{}", rig.arg("nss"));
    rig.run("certutil", &["-N", "-d", &database, "-f", &rig.arg("pin")]).code(0);
    rig.module = debian("libsoftokn3.so");
    rig.module_args = Some(format!("configdir='{database}'"));
    // With this it tells the points of its curves bare, as some tokens do.
    if kind == "p384" {
        rig.environment.push(("NSS_USE_DECODED_CKA_EC_POINT", "1".into()));
    }
    rig
}

/// A software TPM behind the resource manager that hosts have.
pub fn tpm(_: &Row, _: &str) -> Rig {
    let mut rig = Rig::new(PIN, "pkcs11:token=ceremony");
    for folder in ["tpm", "store"] {
        std::fs::create_dir(rig.appliance.path(folder)).unwrap();
    }
    let (socket, bus) = (rig.arg("tpm/socket"), rig.arg("tpm/bus"));
    let address = format!("unix:path={bus}");
    let mut swtpm = Command::new("swtpm");
    swtpm.args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"]);
    swtpm.args(["--tpmstate", &format!("dir={}", rig.arg("tpm"))]);
    swtpm.args(["--server", &format!("type=unixio,path={socket}")]);
    swtpm.args(["--ctrl", &format!("type=unixio,path={socket}.ctrl")]);
    let mut dbus = Command::new("dbus-daemon");
    dbus.args(["--session", "--nofork", &format!("--address={address}")]);
    rig.daemons = vec![Daemon::start(&dbus), Daemon::start(&swtpm)];
    wait_until("swtpm and dbus-daemon", || Path::new(&bus).exists() && Path::new(&socket).exists());
    rig.environment = vec![
        ("DBUS_SESSION_BUS_ADDRESS", address.clone()),
        ("TPM2_PKCS11_TCTI", "tabrmd:bus_type=session".into()),
        ("TPM2_PKCS11_STORE", rig.arg("store")),
    ];
    let mut manager = Command::new("tpm2-abrmd");
    manager.args(["--session", "--allow-root", &format!("--tcti=swtpm:path={socket}")]);
    manager.env("DBUS_SESSION_BUS_ADDRESS", address);
    rig.daemons.insert(0, Daemon::start(&manager));
    rig.module = debian("pkcs11/libtpm2_pkcs11.so");

    let module = rig.module.clone().unwrap();
    let tool = |args: &[&str]| rig.run("pkcs11-tool", &[&["--module", &module], args].concat());
    let so = ["--so-pin", "13572468"];
    let initialise = ["--init-token", "--slot-index", "0", "--label", "ceremony"];
    wait_until("tpm2-abrmd", || tool(&[&initialise[..], &so].concat()).code == 0);
    let login = ["--token-label", "ceremony", "--login", "--login-type", "so"];
    tool(&[&login[..], &so, &["--init-pin", "--new-pin", PIN]].concat()).code(0);
    rig
}

#[track_caller]
fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "waited for {what} in vain: tests/run installs it"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
