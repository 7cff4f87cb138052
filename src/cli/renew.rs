//! `root renew`.

use anchorite::Result;
use anchorite::perform::{Renewal, journal_lags};
use anchorite::plan::{check_roots_stay, review};
use anchorite::verify::describe::{describe_certificate, describe_tbs};

use super::args::{Globals, RootRenew};
use super::{pin, process, root, unlock};

pub fn run(globals: &Globals, args: &RootRenew) -> Result<u8> {
    let mut home = unlock::home(globals)?;
    let before = home.root()?.clone();
    pin::check_typed(&args.pin.login, &home.config)?;
    let mut token = unlock::token(&home, &args.pin)?;
    let mut out = String::new();
    let renewal = if journal_lags(home.journal.ledger())? {
        out.push_str(
            "ROOT renewed before an interruption, to the end that was decided then, whatever --ttl says now;\n\
             the certificate of the journal's key is still to follow\n",
        );
        review::certificate(&mut out, &describe_certificate(&before.der)?);
        None
    } else {
        check_roots_stay(home.journal.ledger().course(), "a renewal")?;
        let serial = root::new_serial(token.as_mut())?;
        let renewal = Renewal::decide(&before, home.journal.ledger(), args.ttl, serial, process::now())?;
        out.push_str("ROOT to be renewed: the same key and name\n");
        review::certificate(&mut out, &describe_tbs(renewal.as_der())?);
        out.push_str(&format!(
            "   {:<22} {}, until {}\n",
            "instead of",
            before.fingerprint(),
            before.not_after
        ));
        Some(renewal)
    };
    out.push_str("   the certificate of the journal's key is issued anew to the same end\n");
    let consent = unlock::consent(globals, &args.pin, &home, "root renew", &out, "Renew this root?")?;
    unlock::login(&home, token.as_mut(), &args.pin)?;
    let (renewed, head) = unlock::session(&mut home, token.as_mut(), consent, &args.pin, |session| {
        session.renew_root(renewal)
    })?;
    root::report(globals, &home, "renewed root", &renewed, head, &[])
}
