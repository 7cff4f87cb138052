//! `request`: on the cluster's side, a key and a certification request.

use std::path::Path;

use anchorite::cluster::{PrivateKey, make_key, make_request};
use anchorite::media::durable;
use anchorite::plan::review::wrapped_words;
use anchorite::policy::reserved_id;
use anchorite::x509::Digest;
use anchorite::{Error, Result};
use secrecy::ExposeSecret as _;

use super::args::{Globals, Request};
use super::{output, shown_path};

/// No private key in PEM is larger.
const KEY_MAXIMUM: usize = 64 << 10;

pub fn run(globals: &Globals, args: &Request) -> Result<u8> {
    refuse_on_stick("request.key-on-stick", &args.key, &args.to)?;
    let reserved = reserved_id(&args.cluster);
    if reserved.refuses() {
        return Err(Error::refused(reserved.rule, reserved.message)
            .next("call the cluster otherwise: the root would refuse its request"));
    }
    let name = format!("{}.csr", args.cluster);
    if args.to.join(&name).exists() {
        return Err(Error::usage("request.exists", format!("{}: exists", shown_path(&args.to.join(&name))))
            .next("take the old request off the stick; nothing is overwritten"));
    }
    if !args.to.is_dir() {
        return Err(Error::usage("output.missing", format!("{}: is not a directory", shown_path(&args.to)))
            .next("plug in and mount the stick, then give its directory"));
    }
    let made = !args.key.exists();
    let fresh = if made { Some(make_key(args.algorithm)?) } else { None };
    let key = match &fresh {
        Some(pem) => PrivateKey::from_pem(pem.expose_secret().as_bytes())?,
        None => read_key(&args.key)?,
    };
    let request = make_request(&key, &args.cluster, &args.profile, args.organisation.as_deref())?;
    // The key is written once nothing is left to be refused, and before the request that needs it.
    if let Some(pem) = &fresh {
        let (folder, name) = split(&args.key)?;
        durable::write_new(folder, name, pem.expose_secret().as_bytes(), 0o600)?;
    }
    durable::write_new(&args.to, &name, &request, 0o644)?;

    let (place, digest) = (args.to.join(&name), digest_of(&request));
    if globals.json {
        output::json(&serde_json::json!({
            "request": shown_path(&place), "digest": digest, "words": digest.words(),
            "key": shown_path(&args.key), "key_made": made,
        }))?;
    } else {
        let what = if made { "made, keep it safe" } else { "used as it is" };
        output::text(&format!(
            "{} {}\n  SHA-256 {digest}\n          {}\nkey {} ({what})\n",
            output::styled(output::GOOD, "request"),
            shown_path(&place),
            wrapped_words(&digest).join("\n          "),
            shown_path(&args.key),
        ))?;
    }
    Ok(0)
}

/// The digest that `inspect` shows for it: over the DER, not the PEM around it.
fn digest_of(pem: &[u8]) -> Digest {
    match anchorite::intake::read("", pem).into_iter().next() {
        Some(anchorite::intake::Arrival::Request(request)) => request.digest,
        _ => Digest::of(pem),
    }
}

/// Reads the cluster's private key.
pub fn read_key(path: &Path) -> Result<PrivateKey> {
    let bytes = durable::read_secret(path, KEY_MAXIMUM)?;
    PrivateKey::from_pem(&bytes).map_err(|e| e.at(shown_path(path)))
}

fn split(path: &Path) -> Result<(&Path, &str)> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match path.file_name().and_then(|n| n.to_str()) {
        Some(name) => Ok((folder, name)),
        None => Err(Error::usage("request.key", format!("{}: is not a file's path", shown_path(path)))
            .next("name the key's file")),
    }
}

/// A key must not travel: not even by mistake, not even in a folder with other files.
pub fn refuse_on_stick(id: &'static str, key: &Path, stick: &Path) -> Result<()> {
    let folder = key.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Ok(folder), Ok(stick)) = (folder.canonicalize(), stick.canonicalize()) else { return Ok(()) };
    if folder.starts_with(&stick) {
        return Err(Error::refused(id, format!("{}: lies on the stick", shown_path(key))).next(
            "keep the private key where the cluster's secrets are; only requests and releases travel",
        ));
    }
    Ok(())
}
