//! `token list`.

use std::path::Path;

use anchorite::Result;
use anchorite::home::Home;
use anchorite::token::pkcs11::{self, Pkcs11};
use anchorite::token::uri::Pkcs11Uri;
use anchorite::token::{ObjectInfo, Token as _, TokenInfo};
use serde::Serialize;

use super::args::{Globals, Pin, Token, TokenVerb};
use super::{check, output, unlock};

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    token: TokenInfo,
    objects: Vec<ObjectInfo>,
}

pub fn run(globals: &Globals, args: &Token) -> Result<u8> {
    match &args.verb {
        TokenVerb::List { module, login, pin } => list(globals, module.as_deref(), *login, pin),
        TokenVerb::Check(args) => check::run(globals, args),
    }
}

fn list(globals: &Globals, module: Option<&Path>, login: bool, pin: &Pin) -> Result<u8> {
    let mut listed = Vec::new();
    if let Some(module) = module {
        for token in pkcs11::list(module, None)? {
            let uri = Pkcs11Uri::parse(&token.uri)?;
            let objects = Pkcs11::open(module, None, &uri)?.objects()?;
            listed.push(Listed { token, objects });
        }
    } else {
        let home: Home = unlock::home(globals)?;
        let mut token = unlock::token(&home, pin)?;
        if login {
            unlock::login(&home, &mut token, pin)?;
        }
        listed.push(Listed { token: token.info().clone(), objects: token.objects()? });
    }
    if globals.json {
        output::json(&serde_json::json!({ "tokens": listed }))?;
        return Ok(0);
    }
    let mut out = String::new();
    for Listed { token, objects } in &listed {
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
