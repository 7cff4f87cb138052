//! An appliance whose token is a YubiKey.

use std::process::Command;

use serde_json::Value;

use crate::appliance::{Appliance, Ran, ran};
use crate::card_host::{Card, Host};
use crate::errors::terminal::{Session, driver, session};

/// The factory's, which nobody changed on these cards.
pub const PIN: &str = "123456";
pub const SERIAL: u32 = 12_345_678;

pub struct Desk {
    // fields are dropped in this order: the card before its reader
    pub card: Card,
    pub host: Host,
    pub appliance: Appliance,
}

impl Desk {
    /// A home, and a new YubiKey in slot 0 that its token URI names by its serial number.
    pub fn new(firmware: &str) -> Self {
        Self::named(firmware, &format!("piv:9c?serial={SERIAL}"))
    }

    pub fn named(firmware: &str, uri: &str) -> Self {
        let (host, card) = Host::with_card(SERIAL, firmware);
        let desk = Self { card, host, appliance: Appliance::empty(PIN) };
        desk.init("home", uri).code(0);
        desk
    }

    pub fn init(&self, home: &str, uri: &str) -> Ran {
        let home = self.appliance.path(home);
        self.run(&["init", home.to_str().unwrap(), "--token", uri, "--unattended"])
    }

    /// With a root whose key need not be touched.
    pub fn with_root(firmware: &str, kind: &str) -> Self {
        let mut desk = Self::new(firmware);
        let made = desk.create_root(kind, &["--touch-policy", "never"]).code(0).json();
        desk.appliance.root_sha256 = made["sha256"].as_str().unwrap().to_string();
        desk
    }

    /// Adds lines beneath `[token]` of anchorite.toml and puts them in force.
    pub fn configure(&self, lines: &str) {
        let path = self.appliance.path("home/anchorite.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("[token]\n", &format!("[token]\n{lines}\n"), 1)).unwrap();
        self.verb(&["policy", "pin"], &[]).code(0);
    }

    /// What the card's maker would publish: trusted from now on.
    pub fn trust_card(&self) {
        self.configure(&self.roots());
    }

    pub fn roots(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.card.folder.join(name)).unwrap_or_default();
        let all = read("root.pem") + &read("issuers.pem");
        let each: Vec<String> = all
            .split_inclusive("-----END CERTIFICATE-----\n")
            .map(|pem| format!("\"\"\"{}\"\"\"", pem.replace("\r\n", "\n")))
            .collect();
        format!("attestation-roots = [{}]", each.join(", "))
    }

    pub fn create_root(&self, kind: &str, more: &[&str]) -> Ran {
        let args = [
            "root",
            "create",
            "--subject",
            "O=Example,CN=Example Root G1",
            "--ttl",
            "20y",
            "--json",
            "--key",
        ];
        self.verb(&[&args[..], &[kind]].concat(), more)
    }

    pub fn sign(&self, more: &[&str]) -> Ran {
        let (from, to) = (self.appliance.path("in"), self.appliance.path("out"));
        self.verb(&["sign", "--from", from.to_str().unwrap(), "--to", to.to_str().unwrap()], more)
    }

    /// A verb that asks for the PIN and for consent.
    pub fn verb(&self, args: &[&str], more: &[&str]) -> Ran {
        let pin = self.appliance.path("pin");
        self.run(&[args, &["--yes", "--pin-file", pin.to_str().unwrap()], more].concat())
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.command();
        command.args(args);
        ran(self.host.enter(&command).output().unwrap())
    }

    /// At a terminal, with a person who answers each prompt.
    pub fn at_terminal(&self, steps: &[(&str, &str)], args: &[&str]) -> Session {
        session(&mut self.host.enter(&driver(&self.appliance, steps, args)))
    }

    pub fn command(&self) -> Command {
        self.appliance.command(env!("CARGO_BIN_EXE_anchorite"))
    }

    /// The events of a kind in the journal.
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let lines = self.appliance.journal();
        let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter(|event| event["event"] == kind).collect()
    }

    /// Pulls the card, changes what it keeps, and puts it back.
    pub fn alter(&mut self, change: impl FnOnce(&mut Value)) {
        self.host.unplug(&mut self.card);
        let path = self.card.folder.join("card.json");
        let mut kept: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut kept);
        std::fs::write(path, kept.to_string()).unwrap();
        self.host.plug(&mut self.card, 0);
    }

    /// Changes the management key (0x03: 3DES; 0x08, 0x0a, 0x0c: AES) and gives it in a file.
    pub fn change_management_key(&mut self, cipher: u8, key: &str) -> String {
        let bytes: Vec<u8> =
            (0..key.len()).step_by(2).map(|at| u8::from_str_radix(&key[at..at + 2], 16).unwrap()).collect();
        self.alter(|card| {
            card["management"]["algorithm"] = cipher.into();
            card["management"]["key"] = bytes.into();
        });
        self.appliance.write("management-key", format!("{key}\n"));
        self.appliance.path("management-key").to_str().unwrap().to_string()
    }

    /// Yubico's own tool; what Debian has knows no management keys but 3DES.
    pub fn tool(&self, args: &[&str]) -> Ran {
        self.host.run("yubico-piv-tool", args)
    }
}
