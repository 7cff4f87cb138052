//! `token list`, and the way to the other verbs of `token`.

use anchorite::Result;
use anchorite::home::Home;
use anchorite::token::piv::{self, uri::PivUri};
use anchorite::token::pkcs11::{self, ModuleUse, Pkcs11};
use anchorite::token::uri::Pkcs11Uri;
use anchorite::token::{ObjectInfo, Token as _, TokenInfo};
use serde::Serialize;

use super::args::{Globals, Pin, Token, TokenVerb};
use super::{attest, check, output, unlock};

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    token: TokenInfo,
    objects: Vec<ObjectInfo>,
}

pub fn run(globals: &Globals, args: &Token) -> Result<u8> {
    match &args.verb {
        TokenVerb::List { module, module_args, piv, login, pin } => {
            let listed = match module {
                _ if *piv => every_yubikey(&pin.pin())?,
                Some(_) if pin.mgm_key_file.is_some() => return Err(unlock::management_key_unused()),
                Some(module) => every_token(&unlock::given(Some(module.clone()), module_args.clone()))?,
                None => homes(globals, *login, &pin.pin())?,
            };
            list(globals, &listed)
        }
        TokenVerb::Check(args) => check::run(globals, args),
        TokenVerb::Attest(args) => attest::run(globals, args),
    }
}

fn every_token(module: &ModuleUse) -> Result<Vec<Listed>> {
    let objects = |token: TokenInfo| {
        let uri = Pkcs11Uri::parse(&token.uri)?;
        let objects = Pkcs11::open(module, &uri)?.objects()?;
        Ok(Listed { token, objects })
    };
    pkcs11::list(module)?.into_iter().map(objects).collect()
}

fn every_yubikey(pin: &Pin) -> Result<Vec<Listed>> {
    let objects = |token: TokenInfo| {
        let mut opened = piv::open(&PivUri::parse(&token.uri)?, unlock::reading(pin)?)?;
        let objects = opened.objects()?;
        Ok(Listed { token: opened.info().clone(), objects })
    };
    piv::list()?.into_iter().map(objects).collect()
}

fn homes(globals: &Globals, login: bool, pin: &Pin) -> Result<Vec<Listed>> {
    let home: Home = unlock::home(globals)?;
    let mut token = unlock::token(&home, pin)?;
    if login {
        unlock::login(&home, token.as_mut(), pin)?;
    }
    Ok(vec![Listed { token: token.info().clone(), objects: token.objects()? }])
}

fn list(globals: &Globals, listed: &[Listed]) -> Result<u8> {
    if globals.json {
        output::json(&serde_json::json!({ "tokens": listed }))?;
        return Ok(0);
    }
    let mut out = String::new();
    for Listed { token, objects } in listed {
        let pin =
            if token.pin_state.is_empty() { String::new() } else { format!(", PIN: {}", token.pin_state) };
        out.push_str(&format!(
            "{}\n  {} {} {}, firmware {}{pin}\n",
            token.uri, token.manufacturer, token.model, token.serial, token.firmware
        ));
        for object in objects {
            out.push_str(&format!(
                "  {:<12} {:<10} id {:<42} {}\n",
                object.class, object.algorithm, object.id, object.label
            ));
        }
    }
    if listed.is_empty() {
        out.push_str("no initialised token is there\n");
    }
    output::text(&out)?;
    Ok(0)
}
