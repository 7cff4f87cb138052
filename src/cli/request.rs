//! `request`: on the cluster's side, a key, a certification request, and an empty CRL.

use std::path::Path;

use anchorite::cluster::{PrivateKey, make_crl, make_key, make_request};
use anchorite::intake::{self, Arrival};
use anchorite::media::durable;
use anchorite::plan::review::wrapped_words;
use anchorite::policy::{fixed_organisation, pre_signed_ttl, reserved_id};
use anchorite::release::{self, names};
use anchorite::x509::{Issuer, Name, PublicKey, Time};
use anchorite::{Error, Result};
use secrecy::ExposeSecret as _;

use super::args::{Globals, Request};
use super::{output, process, shown_path, wish};

/// No private key in PEM is larger.
const KEY_MAXIMUM: usize = 64 << 10;
/// Nor is a request or a certificate.
const CA_MAXIMUM: u64 = 64 << 10;

pub fn run(globals: &Globals, args: &Request) -> Result<u8> {
    refuse_on_stick("request.key-on-stick", &args.key, &args.to)?;
    let reserved = reserved_id(&args.cluster);
    if reserved.refuses() {
        return Err(Error::refused(reserved.rule, reserved.message)
            .next("call the cluster otherwise: the root would refuse its request"));
    }
    names::cluster(&args.cluster)?;
    let (csr, crl) = (format!("{}.csr", args.cluster), format!("{}.crl", args.cluster));
    let made: &[&str] = if args.crl_for.is_some() { &[&crl] } else { &[&csr, &crl] };
    for place in made.iter().map(|name| args.to.join(name)) {
        if place.exists() {
            return Err(Error::usage("request.exists", format!("{}: exists", shown_path(&place)))
                .next("take the old one off the stick; nothing is overwritten"));
        }
    }
    if !args.to.is_dir() {
        return Err(Error::usage("output.missing", format!("{}: is not a directory", shown_path(&args.to)))
            .next("plug in and mount the stick, then give its directory"));
    }
    match &args.crl_for {
        Some(file) => crl_alone(globals, args, file, &crl),
        None => whole(globals, args, &csr, &crl),
    }
}

/// Key, request and CRL.
fn whole(globals: &Globals, args: &Request, csr: &str, crl: &str) -> Result<u8> {
    let made = !args.key.exists();
    let fresh = if made { Some(make_key(args.algorithm)?) } else { None };
    let key = match &fresh {
        Some(pem) => PrivateKey::from_pem(pem.expose_secret().as_bytes())?,
        None => read_key(&args.key)?,
    };
    wish::check(args, key.public_key().algorithm())?;
    let organisation = args.organisation.clone().or_else(|| fixed_organisation(&args.profile));
    let pem = make_request(&key, &args.cluster, organisation.as_deref())?;
    let request = read_request("", &pem)
        .ok_or_else(|| Error::usage("request.make", "the request that was made cannot be read"))?;
    let (list, until) = make_list(args, &key, &request.subject, &request.key_id())?;
    // The key is written once nothing is left to be refused, and before what needs it; the
    // request last: where it lies, all of it is there.
    if let Some(pem) = &fresh {
        let (folder, name) = split(&args.key)?;
        durable::write_new(folder, name, pem.expose_secret().as_bytes(), 0o600)?;
    }
    durable::write_new(&args.to, crl, &list, 0o644)?;
    durable::write_new(&args.to, csr, &pem, 0o644)?;

    let (place, crl, digest) = (args.to.join(csr), args.to.join(crl), request.digest);
    if globals.json {
        output::json(&serde_json::json!({
            "request": shown_path(&place), "digest": digest, "words": digest.words(),
            "key": shown_path(&args.key), "key_made": made,
            "crl": shown_path(&crl), "crl_next_update": until,
        }))?;
    } else {
        let what = if made { "made, keep it safe" } else { "used as it is" };
        output::text(&format!(
            "{} {}\n  SHA-256 {digest}\n          {}\ncrl {} (empty, until {})\nkey {} ({what})\n",
            output::styled(output::GOOD, "request"),
            shown_path(&place),
            wrapped_words(&digest).join("\n          "),
            shown_path(&crl),
            until.date(),
            shown_path(&args.key),
        ))?;
    }
    Ok(0)
}

/// The CRL for what was made before, or by another tool.
fn crl_alone(globals: &Globals, args: &Request, file: &Path, crl: &str) -> Result<u8> {
    let key = read_key(&args.key)?;
    let of = read_ca(file)?;
    if of.public_key != *key.public_key() {
        return Err(Error::refused(
            "request.key-mismatch",
            format!(
                "{}: is for the key {}, {} holds the key {}",
                shown_path(file),
                of.public_key.digest(),
                shown_path(&args.key),
                key.public_key().digest()
            ),
        )
        .next("give the key that the request was made with: no other can sign its CRL"));
    }
    let (list, until) = make_list(args, &key, &of.subject, &of.key_id)?;
    durable::write_new(&args.to, crl, &list, 0o644)?;
    let place = args.to.join(crl);
    if globals.json {
        output::json(&serde_json::json!({
            "crl": shown_path(&place), "crl_next_update": until, "issuer": of.subject.to_string(),
            "key": shown_path(&args.key),
        }))?;
    } else {
        output::text(&format!(
            "{} {}\n  of {}\n  empty, until {}\n",
            output::styled(output::GOOD, "crl"),
            shown_path(&place),
            of.subject,
            until.date()
        ))?;
    }
    Ok(0)
}

/// The CRL in PEM, and until when it holds.
fn make_list(args: &Request, key: &PrivateKey, subject: &Name, key_id: &[u8]) -> Result<(Vec<u8>, Time)> {
    let (now, ttl) = (process::now(), args.crl_ttl.unwrap_or_else(|| pre_signed_ttl(&args.profile)));
    Ok((make_crl(key, subject, key_id, now, ttl)?, now + ttl))
}

/// Whom a CRL is for.
struct Ca {
    subject: Name,
    public_key: PublicKey,
    key_id: Vec<u8>,
}

/// From a request or a CA's certificate.
fn read_ca(file: &Path) -> Result<Ca> {
    let bytes = durable::read_bounded(file, CA_MAXIMUM)?;
    let place = shown_path(file);
    if let Some(request) = read_request(&place, &bytes) {
        let key_id = request.key_id();
        return Ok(Ca { subject: request.subject, public_key: request.key, key_id });
    }
    let neither = |why: String| {
        Error::usage("request.crl-for", format!("{place}: neither a request nor a CA's certificate ({why})"))
            .next("give the CSR that was signed, or the CA certificate that came of it, alone in PEM or DER")
    };
    let der = match bytes.first() {
        Some(0x30) => bytes,
        _ => release::pem::single(&place, &bytes).map_err(|e| neither(e.message))?,
    };
    let issuer = Issuer::from_der(&der).map_err(|e| neither(e.message))?;
    Ok(Ca { subject: issuer.subject, public_key: issuer.public_key, key_id: issuer.key_id })
}

/// The one request in these bytes.
fn read_request(file: &str, bytes: &[u8]) -> Option<intake::Request> {
    match intake::read(file, bytes).into_iter().next() {
        Some(Arrival::Request(request)) => Some(*request),
        _ => None,
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
