//! A mesh of real Envoys lives through what the root does: each proxy is a process of its own
//! with a SPIFFE identity, and takes up certificates, roots and CRLs by SDS while it runs. What
//! is waited for is what Envoy itself tells; what is refused is told in the refuser's words.
//! `agree.rs` puts the same to other consumers.

mod authority;
mod ceremony;
mod envoy;
mod island;
mod pooled;
mod revocation;
mod rollover;

pub use authority::{Authority, Crl, DAY, Identity};
use envoy::Proxy;
use tempfile::TempDir;

/// What a proxy trusts: roots and CRLs, PEM. No CRLs, no check.
#[derive(Clone, PartialEq, Default)]
pub struct Trust {
    pub bundle: String,
    pub crl: String,
}

impl Trust {
    pub fn new(bundle: &str, crls: &[&str]) -> Self {
        Self { bundle: bundle.to_string(), crl: crls.concat() }
    }
}

/// Proxies that all know of each other, one for each name.
pub struct Mesh {
    proxies: Vec<Proxy>,
    _dir: TempDir,
}

impl Mesh {
    pub fn new(members: &[(&str, &Identity, &Trust)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<&str> = members.iter().map(|(name, ..)| *name).collect();
        let start = |(name, identity, trust): &(&str, &Identity, &Trust)| {
            Proxy::start(dir.path(), name, &names, (*identity).clone(), (*trust).clone())
        };
        // All of them first, so that they get ready side by side.
        let mut proxies: Vec<Proxy> = members.iter().map(start).collect();
        proxies.iter_mut().for_each(Proxy::ready);
        Self { proxies, _dir: dir }
    }

    /// One request over a connection of its own. Refused: why, in the words of the side that refused.
    pub fn connect(&self, from: &str, to: &str) -> Result<(), String> {
        self.request(from, to, to)
    }

    /// One over the connections that are kept open.
    pub fn pooled(&self, from: &str, to: &str) -> Result<(), String> {
        self.request(from, to, &format!("pooled-{to}"))
    }

    pub fn pooled_connections(&self, from: &str, to: &str) -> u64 {
        self.proxy(from).connections(&format!("pooled-{to}"))
    }

    /// Everybody to everybody else.
    #[track_caller]
    pub fn all_connect(&self) {
        for (from, to) in self.pairs() {
            assert_eq!(self.connect(from, to), Ok(()));
        }
    }

    /// Everybody to everybody else but these two, in both directions; they are refused with these words.
    #[track_caller]
    pub fn all_connect_but(&self, refused: &[(&str, &str)], words: &str) {
        for (from, to) in self.pairs() {
            let met = self.connect(from, to);
            if refused.contains(&(from, to)) || refused.contains(&(to, from)) {
                let reason = met.expect_err(&format!("{from} reaches {to}"));
                assert!(reason.contains(words), "{reason}");
            } else {
                assert_eq!(met, Ok(()));
            }
        }
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        let names = || self.proxies.iter().map(|p| p.name.as_str());
        names().flat_map(|from| names().filter(move |to| *to != from).map(move |to| (from, to))).collect()
    }

    fn request(&self, from: &str, to: &str, host: &str) -> Result<(), String> {
        let known = self.proxy(to).refusals().len();
        let said = self.proxy(from).ask(host);
        let (head, body) = said.split_once("\r\n\r\n").expect("an HTTP answer");
        if head.starts_with("HTTP/1.1 200") {
            assert_eq!(body, to);
            return Ok(());
        }
        assert!(head.starts_with("HTTP/1.1 503"), "{said}");
        // An access log has no spaces within a reason.
        let words = |reason: &str| reason.replace('_', " ");
        if body.contains("CERTIFICATE_VERIFY_FAILED") {
            return Err(format!("{from} refuses {to}: {}", words(body)));
        }
        Err(format!("{to} refuses {from}: {}", words(&self.proxy(to).refusal_after(known))))
    }

    /// Hot reload of what a proxy trusts.
    pub fn trust(&mut self, name: &str, trust: &Trust) {
        let identity = self.proxy(name).identity().clone();
        self.proxy_mut(name).reload(&identity, trust);
    }

    /// Hot reload of what a proxy shows.
    pub fn identity(&mut self, name: &str, identity: &Identity) {
        let trust = self.proxy(name).trust().clone();
        self.proxy_mut(name).reload(identity, &trust);
    }

    pub fn restart(&mut self, name: &str) {
        self.proxy_mut(name).restart();
    }

    fn proxy(&self, name: &str) -> &Proxy {
        self.proxies.iter().find(|p| p.name == name).unwrap()
    }

    fn proxy_mut(&mut self, name: &str) -> &mut Proxy {
        self.proxies.iter_mut().find(|p| p.name == name).unwrap()
    }
}
