//! `revoke`.

use std::path::Path;

use anchorite::home::Home;
use anchorite::media::durable;
use anchorite::plan::{Beside, Crl as When, Revoking};
use anchorite::text::shown;
use anchorite::verify::describe_certificate;
use anchorite::x509::Serial;
use anchorite::{Error, Result};

use super::args::{self, Globals, Revoke as Args};
use super::{adopt, crl, output, pin, shown_path, sign, unlock};

pub fn run(globals: &Globals, args: &Args) -> Result<u8> {
    let mut home = unlock::home(globals)?;
    home.root()?;
    unlock::check_clock(&home, &args.pin)?;
    let mut serials = args.serials.clone();
    for file in &args.certificate {
        serials.push(serial_of(&home, file)?);
    }
    if let Some(list) = &args.list {
        serials.extend(listed(list)?);
    }
    let revoking = |serial| Revoking {
        serial,
        reason: args.reason,
        date: args.date,
        invalidity_date: args.invalidity_date,
        asked_by: args.asked_by.clone(),
    };
    let beside = Beside {
        revoking: serials.into_iter().map(revoking).collect(),
        listed: home.listed()?,
        ..Beside::default()
    };
    let when = if args.to.is_some() { When::Now } else { When::Later };
    if args.dry_run {
        return crl::dry_run(globals, &crl::make(&home, beside, when, true)?);
    }
    pin::check_typed(&args.pin.login, &home.config)?;
    let mut token = unlock::token(&home, &args.pin)?;
    if let Some(to) = &args.to {
        let out = sign::release_place(&home, to)?;
        let planned = crl::make(&home, beside, when, false)?;
        return sign::perform_planned(globals, &args.pin, "revoke", &mut home, token.as_mut(), planned, out);
    }
    let planned = crl::make(&home, beside, when, false)?;
    let question = sign::question(&planned.plan);
    let asked = ("revoke", question.as_str());
    let head =
        sign::record_planned(globals, &args.pin, asked, &mut home, token.as_mut(), &planned, |_| Ok(()))?;
    if globals.json {
        return output::json(&serde_json::json!({
            "revoked": planned.plan.revocations, "plan": planned.plan.digest()?, "head": head,
            "listed": false,
        }))
        .map(|()| 0);
    }
    let mut out = String::new();
    for it in &planned.plan.revocations {
        let done = output::styled(output::GOOD, "revoked");
        out.push_str(&format!("{done} {}, {}\n", it.entry.serial, it.entry.reason.name()));
    }
    out.push_str(&format!("journal head, for the sheet: {} lines, {}\n", head.count, head.hash));
    out.push_str("no CRL lists it yet: `anchorite crl --to DIR` signs one\n");
    output::text(&out)?;
    Ok(0)
}

/// One serial number a line; blank lines and what follows a # do not count.
fn listed(file: &Path) -> Result<Vec<Serial>> {
    let bytes = durable::read_bounded(file, 64 << 20)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines =
        (1..).zip(text.lines()).map(|(number, line)| (number, line.split('#').next().unwrap_or("").trim()));
    let each = lines.filter(|(_, line)| !line.is_empty()).map(|(number, line)| {
        args::serial(line).map_err(|wanted| {
            Error::usage(
                "revoke.list",
                format!("{}:{number}: found '{}', {wanted}", shown_path(file), shown(line)),
            )
            .next("write one serial number a line")
        })
    });
    each.collect()
}

/// The serial number of a certificate that this root signed, by its bytes and not by
/// what it says.
fn serial_of(home: &Home, file: &Path) -> Result<Serial> {
    let foreign = |what: &str| {
        Error::refused("revoke.foreign", format!("{}: {what}", shown_path(file)))
            .next("give a certificate that this root signed; another CA's is revoked by that CA")
    };
    let der = adopt::read_certificate(file, "revoke.certificate-file")?;
    let serial = describe_certificate(&der)?.serial;
    match home.issued(&serial)? {
        Some(issued) if issued == der => Ok(serial),
        Some(_) => Err(foreign("has the serial number of a certificate on record, but is another one")),
        None => Err(foreign("was not signed by this root")),
    }
}
