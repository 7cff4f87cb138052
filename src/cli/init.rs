//! `init`: a CA home.

use std::path::Path;

use anchorite::home::{Home, NewHome};
use anchorite::token::piv::{self, uri::PivUri};
use anchorite::token::pkcs11::{ModuleUse, Pkcs11};
use anchorite::token::uri::{Pkcs11Uri, TokenUri};
use anchorite::{Error, Result};

use super::args::{Globals, Init, Pin};
use super::{output, process, quoted, shown_path, unlock};

/// Where Debian, Fedora, Arch and Homebrew put SoftHSM: tried where no module is
/// named and the URI's token is there. Any other module must be named.
const SOFTHSM: [&str; 5] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

pub fn run(globals: &Globals, args: &Init) -> Result<u8> {
    if globals.yes && !args.unattended {
        return Err(unlock::yes_refused());
    }
    let module = match TokenUri::parse(&args.token)? {
        TokenUri::Pkcs11(uri) => module(args, &uri)?,
        TokenUri::Piv(uri) => {
            check_yubikey(args, &uri)?;
            None
        }
    };
    let entropy = process::entropy()?;
    let mut name = [0; 16];
    name.iter_mut().zip(entropy).for_each(|(n, e)| *n = e);
    let new = NewHome {
        token: &args.token,
        module: module.as_deref(),
        module_args: args.module_args.as_deref(),
        unattended: args.unattended,
        rehearsal: args.rehearsal,
        name,
    };
    let home = Home::init(&args.dir, &new, process::now())?;
    let (place, quoted) = (shown_path(home.dir()), quoted(home.dir()));
    if globals.json {
        output::json(&serde_json::json!({
            "home": place, "id": home.journal.ledger().home(), "token": args.token, "module": module,
            "unattended": args.unattended, "rehearsal": args.rehearsal,
        }))?;
    } else {
        output::text(&format!(
            "{} a CA home in {place}\n  token   {}\n  module  {}\nnext: look through {place}/policies and {place}/clusters.toml; after an edit `anchorite policy pin --home {quoted}`\n      anchorite root create --home {quoted} --subject 'O=Example,CN=Example Root G1' --key p256 --ttl 20y\n",
            output::styled(output::GOOD, "made"),
            anchorite::text::shown(&args.token),
            module.as_deref().unwrap_or("(from the URI, or none is needed)"),
        ))?;
    }
    Ok(0)
}

/// The module as an absolute path: a home is used from anywhere.
fn module(args: &Init, uri: &Pkcs11Uri) -> Result<Option<String>> {
    if let Some(path) = &args.module {
        let absolute = std::path::absolute(path).map_err(|e| {
            Error::usage("token.module-path", format!("{}: is not a path ({e})", shown_path(path)))
                .next("give the path of the module's shared object")
        })?;
        check(args, &absolute, uri)?;
        return match absolute.to_str() {
            Some(text) => Ok(Some(text.into())),
            None => Err(Error::usage("token.module-path", format!("{}: is not UTF-8", shown_path(path)))
                .next("give the module a path in UTF-8")),
        };
    }
    if let Some(path) = &uri.module_path {
        return check(args, path, uri).map(|()| None);
    }
    let found = SOFTHSM
        .iter()
        .find(|path| Path::new(path).exists() && Pkcs11::open(&ModuleUse::of(*path), uri).is_ok());
    match found {
        Some(path) => Ok(Some((*path).into())),
        None => Err(Error::usage(
            "token.no-module",
            "which PKCS#11 module? None was named, and SoftHSM has no such token",
        )
        .next("give --module PATH, the shared object that came with the HSM")),
    }
}

/// A URI that means several YubiKeys is found now; the one that is meant may still be
/// in the safe, and pcscd not be running.
fn check_yubikey(args: &Init, uri: &PivUri) -> Result<()> {
    if args.module.is_some() {
        return Err(Error::usage(
            "token.module-unused",
            "--module: a piv: token is used without a PKCS#11 module",
        )
        .next("leave --module out"));
    }
    match piv::open(uri, unlock::reading(&Pin::default())?) {
        Err(e) if ["token.absent", "token.no-reader", "token.pcscd"].contains(&e.id) => {
            output::note(&format!("{} {}", output::styled(output::WARN, "note:"), e.message));
            Ok(())
        }
        result => result.map(drop),
    }
}

/// A module that cannot be loaded, or a URI that means several tokens, is found now
/// and not at the root ceremony. The token itself may still be in the safe.
fn check(args: &Init, module: &Path, uri: &Pkcs11Uri) -> Result<()> {
    match Pkcs11::open(&unlock::given(Some(module.into()), args.module_args.clone()), uri) {
        Err(e) if matches!(e.id, "token.absent" | "token.uninitialised") => {
            output::note(&format!("{} {}", output::styled(output::WARN, "note:"), e.message));
            Ok(())
        }
        result => result.map(drop),
    }
}
