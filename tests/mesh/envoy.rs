//! One real Envoy, as a sidecar is: mutual TLS to it and from it, identity and trust by SDS
//! from a folder that changes as a mounted ConfigMap does. All of it on unix sockets.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Trust;
use super::authority::{Identity, spiffe};
use crate::support::tool;

/// Far beyond what any of it takes; nothing is judged by how long it takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Proxy {
    pub name: String,
    dir: PathBuf,
    peers: Vec<String>,
    identity: Identity,
    trust: Trust,
    generation: u32,
    process: Child,
}

impl Proxy {
    /// Starts it in a folder that it shares with its peers; `ready` waits for it.
    pub fn start(dir: &Path, name: &str, peers: &[&str], identity: Identity, trust: Trust) -> Self {
        let peers: Vec<String> = peers.iter().map(|p| (*p).to_string()).filter(|p| p != name).collect();
        let own = dir.join(name);
        fs::create_dir_all(own.join("mounted")).unwrap();
        for file in FILES {
            symlink(Path::new("..data").join(file), own.join("mounted").join(file)).unwrap();
        }
        fs::write(own.join("identity.json"), identity_secret(&own).to_string()).unwrap();
        fs::write(own.join("trust.json"), trust_secret(&own).to_string()).unwrap();
        fs::write(own.join("envoy.json"), configuration(dir, name, &peers).to_string()).unwrap();
        mount(&own, 0, &identity, &trust);
        let process = spawn(&own);
        Self { name: name.to_string(), dir: own, peers, identity, trust, generation: 0, process }
    }

    pub fn ready(&mut self) {
        let until = Instant::now() + PATIENCE;
        loop {
            if get(&self.dir.join("admin.sock"), "/ready", "admin").is_some_and(|said| said.contains("LIVE"))
            {
                return;
            }
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("{} ended ({status}): {}", self.name, self.log());
            }
            assert!(Instant::now() < until, "{} is not ready: {}", self.name, self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it and starts it anew, as a rolling restart does.
    pub fn restart(&mut self) {
        self.stop();
        self.process = spawn(&self.dir);
        self.ready();
    }

    /// Gives it another identity, trust or both in one atomic step, and waits until every TLS
    /// context in it was built anew.
    pub fn reload(&mut self, identity: &Identity, trust: &Trust) {
        let changes = u64::from(*identity != self.identity) + u64::from(*trust != self.trust);
        let before = self.updates();
        self.generation += 1;
        mount(&self.dir, self.generation, identity, trust);
        (self.identity, self.trust) = (identity.clone(), trust.clone());
        let until = Instant::now() + PATIENCE;
        // The inbound listener, and two clusters for each peer.
        while self.updates() < before + changes * (1 + 2 * self.peers.len() as u64) {
            assert!(
                Instant::now() < until,
                "{} did not take up its files: {}{}",
                self.name,
                self.log(),
                self.admin("/stats?filter=sds")
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Asks it for a peer, from inside the cluster: what came back, body last.
    pub fn ask(&self, authority: &str) -> String {
        get(&self.dir.join("out.sock"), "/", authority).expect("an answer from the proxy itself")
    }

    /// How many connections it has made to a peer.
    pub fn connections(&self, cluster: &str) -> u64 {
        self.counters(&format!("^cluster.{cluster}.upstream_cx_total$"))
    }

    /// What it noted of inbound connections that it refused itself, one a line.
    pub fn refusals(&self) -> Vec<String> {
        let noted = fs::read_to_string(self.dir.join("inbound.log")).unwrap_or_default();
        noted.lines().filter(|line| line.contains("CERTIFICATE_VERIFY_FAILED")).map(String::from).collect()
    }

    /// Waits until it has noted more than so many of them, and gives the last.
    pub fn refusal_after(&self, count: usize) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let noted = self.refusals();
            if noted.len() > count {
                return noted.last().unwrap().clone();
            }
            assert!(Instant::now() < until, "{} refused nobody", self.name);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn updates(&self) -> u64 {
        self.counters("ssl_context_update_by_sds$")
    }

    fn counters(&self, filter: &str) -> u64 {
        let said = self.admin(&format!("/stats?filter={filter}"));
        said.lines().filter_map(|line| line.rsplit_once(": ")?.1.trim().parse::<u64>().ok()).sum()
    }

    fn admin(&self, path: &str) -> String {
        let said = get(&self.dir.join("admin.sock"), path, "admin").expect("an answer from its admin");
        said.split_once("\r\n\r\n").map(|(_, body)| body.to_string()).unwrap_or_default()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("envoy.log")).unwrap_or_default()
    }

    fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        for socket in ["in.sock", "out.sock", "admin.sock"] {
            let _ = fs::remove_file(self.dir.join(socket));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop();
    }
}

const FILES: [&str; 4] = ["chain.pem", "key.pem", "bundle.pem", "crl.pem"];

/// Puts all files in place at once, as a kubelet does: the files are links through `..data`,
/// which is replaced by a rename.
fn mount(own: &Path, generation: u32, identity: &Identity, trust: &Trust) {
    let mounted = own.join("mounted");
    let data = format!("..{generation}");
    fs::create_dir(mounted.join(&data)).unwrap();
    for (file, text) in FILES.iter().zip([&identity.chain, &identity.key, &trust.bundle, &trust.crl]) {
        fs::write(mounted.join(&data).join(file), text).unwrap();
    }
    symlink(&data, mounted.join("..data_tmp")).unwrap();
    fs::rename(mounted.join("..data_tmp"), mounted.join("..data")).unwrap();
}

fn spawn(own: &Path) -> Child {
    let envoy = tool("envoy-1.40.0/envoy");
    Command::new(&envoy)
        .args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"])
        .args(["--file-flush-interval-msec", "10", "--log-path", "envoy.log", "-c", "envoy.json"])
        .current_dir(own)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|e| panic!("{} cannot be run ({e}): tests/run installs it", envoy.display()))
}

/// One request, and all that is answered; nothing where nobody listens.
fn get(socket: &Path, path: &str, authority: &str) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n").ok()?;
    let mut said = Vec::new();
    stream.read_to_end(&mut said).ok()?;
    Some(String::from_utf8_lossy(&said).into_owned())
}

const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

fn configuration(dir: &Path, name: &str, peers: &[String]) -> Value {
    let own = dir.join(name);
    let clusters = peers.iter().flat_map(|peer| {
        [cluster(dir, &own, peer, peer, 1), cluster(dir, &own, peer, &format!("pooled-{peer}"), 0)]
    });
    json!({
        "node": {"id": name, "cluster": name},
        "admin": {"address": pipe(&own.join("admin.sock"))},
        "static_resources": {
            "listeners": [inbound(&own, name), outbound(&own, peers)],
            "clusters": clusters.collect::<Vec<_>>(),
        },
    })
}

/// Who comes must show a SPIFFE identity of the trust domain.
fn inbound(own: &Path, name: &str) -> Value {
    let answer = json!({
        "name": "all", "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": name}}}],
    });
    json!({
        "name": "inbound",
        "address": pipe(&own.join("in.sock")),
        "access_log": [{
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": own.join("inbound.log"),
                "log_format": {"text_format_source": {"inline_string": "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%\n"}},
            },
        }],
        "filter_chains": [{
            "filters": [manager(&answer)],
            "transport_socket": {
                "name": "envoy.transport_sockets.tls",
                "typed_config": {
                    "@type": format!("{TLS}.DownstreamTlsContext"),
                    "require_client_certificate": true,
                    "common_tls_context": tls(own, &json!({"prefix": spiffe("")})),
                },
            },
        }],
    })
}

fn outbound(own: &Path, peers: &[String]) -> Value {
    let hosts = peers.iter().flat_map(|peer| [peer.clone(), format!("pooled-{peer}")]);
    let hosts = hosts.map(|host| {
        json!({"name": host, "domains": [host], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": host}}]})
    });
    let mut manager = manager(&Value::Null);
    manager["typed_config"]["route_config"]["virtual_hosts"] = hosts.collect();
    let reason = json!({"text_format_source": {"inline_string": "%UPSTREAM_TRANSPORT_FAILURE_REASON%"}});
    manager["typed_config"]["local_reply_config"] = json!({"body_format": reason});
    json!({
        "name": "outbound",
        "address": pipe(&own.join("out.sock")),
        "filter_chains": [{"filters": [manager]}],
    })
}

fn manager(host: &Value) -> Value {
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "http",
            "route_config": {"virtual_hosts": [host]},
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }],
        },
    })
}

/// A peer, which must be exactly who it is taken for; with so many requests for a connection.
fn cluster(dir: &Path, own: &Path, peer: &str, name: &str, requests: u32) -> Value {
    let mut options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
    });
    if requests > 0 {
        options["common_http_protocol_options"] = json!({"max_requests_per_connection": requests});
    }
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": pipe(&dir.join(peer).join("in.sock"))}}]}],
        },
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "transport_socket": {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": format!("{TLS}.UpstreamTlsContext"),
                "common_tls_context": tls(own, &json!({"exact": spiffe(peer)})),
            },
        },
    })
}

fn tls(own: &Path, who: &Value) -> Value {
    let secret = |name: &str| {
        let path = own.join(format!("{name}.json"));
        json!({"name": name, "sds_config": {"path_config_source": {"path": path}, "resource_api_version": "V3"}})
    };
    json!({
        "tls_certificate_sds_secret_configs": [secret("identity")],
        "combined_validation_context": {
            "default_validation_context": {
                "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": who}],
            },
            "validation_context_sds_secret_config": secret("trust"),
        },
    })
}

fn identity_secret(own: &Path) -> Value {
    let file = |name: &str| json!({"filename": own.join("mounted").join(name)});
    json!({"resources": [{
        "@type": format!("{TLS}.Secret"),
        "name": "identity",
        "tls_certificate": {
            "certificate_chain": file("chain.pem"),
            "private_key": file("key.pem"),
            "watched_directory": {"path": own.join("mounted")},
        },
    }]})
}

fn trust_secret(own: &Path) -> Value {
    let file = |name: &str| json!({"filename": own.join("mounted").join(name)});
    json!({"resources": [{
        "@type": format!("{TLS}.Secret"),
        "name": "trust",
        "validation_context": {
            "trusted_ca": file("bundle.pem"),
            "crl": file("crl.pem"),
            "watched_directory": {"path": own.join("mounted")},
        },
    }]})
}

fn pipe(path: &Path) -> Value {
    json!({"pipe": {"path": path}})
}
