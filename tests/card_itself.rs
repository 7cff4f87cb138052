//! The virtual YubiKey is what it says: Yubico's own tool, OpenSC and ykcs11 work with it,
//! and OpenSSL verifies what it made. And it misbehaves as it is told.

mod misbehaving;
mod programs;

use crate::appliance::Ran;
use crate::card_host::{Card, Host};

const PIN: &str = "123456";
/// The last one whose management key is 3DES as it comes, which old tools know alone.
const OLD: &str = "5.4.3";

impl Host {
    fn piv_tool(&self, arguments: &[&str]) -> Ran {
        self.run("yubico-piv-tool", arguments)
    }

    /// Makes a key; its public half is then in `pub.pem`.
    fn generate(&self, slot: &str, algorithm: &str) {
        let to = self.arg("pub.pem");
        self.piv_tool(&["-a", "generate", "-s", slot, "-A", algorithm, "-o", &to]).code(0);
    }

    /// Signs `data` into `signature`.
    fn sign(&self, slot: &str, algorithm: &str) -> Ran {
        std::fs::write(self.path("data"), "to be signed").unwrap();
        let (data, to) = (self.arg("data"), self.arg("signature"));
        let sign = ["--sign", "-s", slot, "-A", algorithm, "-H", "SHA256", "-i", &data, "-o", &to];
        self.piv_tool(&[&["-a", "verify-pin", "-P", PIN], &sign[..]].concat())
    }

    /// Whether OpenSSL finds `signature` to be by `pub.pem` over `data`.
    fn verifies(&self, options: &[&str]) -> bool {
        let (public, signature, data) = (self.arg("pub.pem"), self.arg("signature"), self.arg("data"));
        let verify = ["dgst", "-sha256", "-verify", &public, "-signature", &signature];
        self.run("openssl", &[&verify[..], options, &[&data]].concat()).code == 0
    }

    fn arg(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().into()
    }

    /// Fetches the attestation of a slot, and what it says of itself.
    fn attest(&self, slot: &str) -> String {
        let to = self.arg("attestation.pem");
        self.piv_tool(&["-a", "attest", "-s", slot, "-o", &to]).code(0);
        let more = ["-noout", "-text", "-certopt", "ext_dump"];
        self.run("openssl", &[&["x509", "-in", &to], &more[..]].concat()).code(0).stdout
    }

    /// Whether OpenSSL finds a path from that attestation to the card's root.
    fn chains(&self, card: &Card) -> bool {
        let f9 = self.piv_tool(&["-a", "read-certificate", "-s", "f9"]).code(0).stdout;
        let between = std::fs::read_to_string(card.folder.join("issuers.pem")).unwrap_or_default();
        std::fs::write(self.path("between.pem"), between + &f9).unwrap();
        let root = card.folder.join("root.pem");
        let (root, between, attestation) =
            (root.to_str().unwrap(), self.arg("between.pem"), self.arg("attestation.pem"));
        let verify = ["verify", "-CAfile", root, "-untrusted", &between, &attestation];
        self.run("openssl", &verify).code == 0
    }
}
