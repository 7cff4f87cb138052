//! `status`: the fleet's calendar.

use std::path::Path;

use anchorite::calendar::{
    Calendar, ICAL_START, Intermediate, ItsCrl, PROMETHEUS_START, View, days, ical, prometheus,
};
use anchorite::home::Home;
use anchorite::media::durable;
use anchorite::plan::falls_short;
use anchorite::x509::Time;
use anchorite::{Error, Result};

use super::args::{Globals, Status};
use super::output::{BAD, GOOD, WARN, styled};
use super::{output, process, shown_path, unlock};

/// How many sentences of one kind are shown.
const SHOWN: usize = 20;
/// No calendar of ours is larger; of what is there only the beginning counts.
const MAXIMUM: u64 = 1 << 30;

pub fn run(globals: &Globals, args: &Status) -> Result<u8> {
    let home = unlock::home(globals)?;
    let calendar = calendar(&home, args.at)?;
    let wanted = [(&args.ical, ICAL_START), (&args.prometheus, PROMETHEUS_START)];
    for (file, start) in wanted {
        file.as_deref().map(|file| check_place(&home, file, start)).transpose()?;
    }
    if let Some(file) = &args.ical {
        write(file, &ical(&calendar))?;
    }
    if let Some(file) = &args.prometheus {
        write(file, &prometheus(&calendar))?;
    }
    let (matters, next) = (calendar.matters(), calendar.next());
    if globals.json {
        let mut report =
            serde_json::json!({"in_order": matters.is_empty(), "next": next, "matters": matters});
        let calendar = serde_json::to_value(&calendar).unwrap_or_default();
        if let (Some(report), serde_json::Value::Object(calendar)) = (report.as_object_mut(), calendar) {
            report.extend(calendar);
        }
        output::json(&report)?;
    } else {
        let until = args.within.map(|span| calendar.at + span);
        let mut text = head(&calendar, &matters);
        text.push_str(&clusters(&calendar, until));
        text.push_str(&below(&calendar));
        if let Some(short) = falls_short(&home.config.crl) {
            text.push_str(&format!("{} {short}\n", styled(WARN, "note")));
        }
        for file in [&args.ical, &args.prometheus].into_iter().flatten() {
            text.push_str(&format!("{} {}\n", styled(GOOD, "written"), shown_path(file)));
        }
        output::text(&text)?;
    }
    Ok(u8::from(!matters.is_empty()))
}

fn calendar(home: &Home, at: Option<Time>) -> Result<Calendar> {
    let ledger = home.journal.ledger();
    if let (Some(at), Some(last)) = (at, ledger.last_time())
        && at < last
    {
        return Err(Error::usage(
            "status.past",
            format!("--at {at}: lies before the journal's last entry ({last})"),
        )
        .next("give a later time: what was alive before is in the journal, `anchorite audit show`"));
    }
    home.check_clock(at.unwrap_or_else(process::now))?;
    let registered = home.policies.register().clusters();
    let view = View {
        at: at.unwrap_or_else(process::now),
        config: &home.config.crl,
        registered: registered.iter().map(|(id, cluster)| (id.clone(), (*cluster.policy).clone())).collect(),
        open: home.open_matters(),
    };
    // What nobody sealed counts for nothing.
    Calendar::of(ledger.settled()?.as_ref(), home.root()?, view)
}

/// A file outside the home, which is not there or is an older one of ours.
fn check_place(home: &Home, file: &Path, start: &str) -> Result<()> {
    let (folder, _) = split(file)?;
    if let (Ok(folder), Ok(home)) = (folder.canonicalize(), home.dir().canonicalize())
        && folder.starts_with(home)
    {
        return Err(Error::usage("output.home", format!("{}: lies in the CA home", shown_path(file)))
            .next("write it elsewhere: what lies in the home is the ceremony's"));
    }
    match durable::read_bounded(file, MAXIMUM) {
        Err(e) if e.id == "file.missing" => Ok(()),
        Err(e) => Err(e),
        Ok(bytes) if bytes.starts_with(start.as_bytes()) => Ok(()),
        Ok(_) => Err(Error::usage("status.exists", format!("{}: is another file", shown_path(file)))
            .next("give another name: only an older calendar of ours is replaced")),
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    let (folder, name) = split(file)?;
    durable::write_atomic(folder, name, text.as_bytes(), 0o644)
}

fn split(file: &Path) -> Result<(&Path, &str)> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name().and_then(|n| n.to_str())) else {
        return Err(Error::usage("status.file", format!("{}: is not a file's path", shown_path(file)))
            .next("name the file to be written"));
    };
    Ok((if folder.as_os_str().is_empty() { Path::new(".") } else { folder }, name))
}

/// A date with the days until it: `2026-12-22 (30d)`.
fn dated(at: Time, time: Time) -> String {
    format!("{} ({}d)", time.date(), days(at, time))
}

/// What is to be done first.
fn head(calendar: &Calendar, matters: &[String]) -> String {
    let at = calendar.at;
    let mut out =
        format!("at {at}; the journal has {} lines, the last of {}\n", calendar.entries, calendar.recorded);
    for matter in matters.iter().take(SHOWN) {
        out.push_str(&format!("{} {matter}\n", styled(BAD, "now")));
    }
    if matters.len() > SHOWN {
        out.push_str(&format!("{} and {} more\n", styled(BAD, "now"), matters.len() - SHOWN));
    }
    if let Some(next) = calendar.next() {
        let style = if next.at < at { BAD } else { GOOD };
        let by = styled(style, &format!("next ceremony by {}", dated(at, next.at)));
        out.push_str(&format!("{by}, because: {}; {}\n", next.what, next.why));
    }
    out
}

/// A line each, which can be searched for and cut, with what is out of the ordinary beneath.
fn clusters(calendar: &Calendar, until: Option<Time>) -> String {
    let due = |it: &&Intermediate| {
        let unlisted = it.revoked.as_ref().is_some_and(|it| !it.listed);
        unlisted || until.is_none_or(|until| it.act_by().is_some_and(|by| by <= until))
    };
    let shown: Vec<&Intermediate> = calendar.intermediates.iter().filter(due).collect();
    let width = shown.iter().map(|it| it.cluster.len()).chain([7]).max().unwrap_or_default();
    let mut out = String::new();
    if !shown.is_empty() {
        out.push_str(&format!(
            "\n{:<20}{:<20}{:<29}{:<width$}  {:<40}  subject\n",
            "renew by", "ends", "its own CRL", "cluster", "serial"
        ));
    }
    for it in &shown {
        out.push_str(&row(it, calendar.at, width));
    }
    let hidden = calendar.intermediates.len() - shown.len();
    if let Some(until) = until.filter(|_| hidden > 0) {
        out.push_str(&format!("{hidden} more, of which nothing falls due by {}\n", until.date()));
    }
    out
}

fn row(it: &Intermediate, at: Time, width: usize) -> String {
    let by = it.renew_by.map_or_else(|| "-".into(), |by| dated(at, by));
    // Padded before it is coloured: what a terminal does not show has no width.
    let by = match it.renew_by {
        Some(time) if time < at => styled(BAD, &format!("{by:<20}")),
        _ => format!("{by:<20}"),
    };
    let own = it.crl.as_ref().map(|crl| format!("{} until {}", crl.number, crl.next_update.date()));
    let (ends, own, serial) =
        (dated(at, it.not_after), own.unwrap_or_else(|| "-".into()), it.serial.to_string());
    let mut out = format!("{by}{ends:<20}{own:<29}{:<width$}  {serial:<40}  {}\n", it.cluster, it.subject);
    let mut more =
        |style, word: &str, text: &str| out.push_str(&format!("  {} {text}\n", styled(style, word)));
    if let Some(revoked) = &it.revoked {
        let listed = if revoked.listed { "on the root's CRL" } else { "on no CRL yet" };
        more(BAD, "revoked", &format!("since {}, {}, {listed}", revoked.since, revoked.reason.name()));
    }
    if let Some(by) = it.replaced_by.as_ref().filter(|_| it.revoked.is_none()) {
        more(GOOD, "replaced", &format!("by {by}: revoke this one once the cluster uses that"));
    }
    match &it.crl {
        None => more(
            WARN,
            "no CRL",
            "of its own: under CRL checking its cluster is cut off, and the fleet has no set",
        ),
        Some(ItsCrl { renew_by: Some(by), .. }) => {
            more(WARN, "its CRL", &format!("ends before it does: the cluster's next by {}", dated(at, *by)));
        }
        Some(_) => {}
    }
    out
}

/// The home's own.
fn below(calendar: &Calendar) -> String {
    let at = calendar.at;
    let mut out = String::from("\n");
    let root = &calendar.root;
    // A retired root has nothing to come.
    let next = |what: &str, by: Time| match calendar.retired {
        true => String::new(),
        false => format!("; {what} by {}", by.date()),
    };
    let retired = if calendar.retired { ", retired" } else { "" };
    let by = next("renew or replace it", root.renew_by);
    out.push_str(&format!(
        "root          {}, ends {}{retired}{by}\n",
        root.subject,
        dated(at, root.not_after)
    ));
    if let Some(change) = &calendar.rollover {
        out.push_str(&format!(
            "rollover      at stage {}{}; at its end by {}\n",
            change.stage.name(),
            if change.reached { ", which every cluster has" } else { "" },
            dated(at, change.until)
        ));
    }
    if let Some(journal) = &calendar.journal {
        out.push_str(&format!(
            "journal's key {}, ends {}{}\n",
            journal.subject,
            dated(at, journal.not_after),
            next("renew it", journal.renew_by)
        ));
    }
    match &calendar.crl {
        Some(crl) => out.push_str(&format!(
            "root's CRL    {} of {}, until {}{}; {} revoked, {} on no CRL yet\n",
            crl.number,
            crl.this_update.date(),
            dated(at, crl.next_update),
            next("the next one", crl.renew_by),
            crl.entries,
            calendar.unlisted.len()
        )),
        None => out.push_str("root's CRL    none yet: `anchorite crl --to DIR` signs the first\n"),
    }
    let set = &calendar.set;
    match (set.next_update, set.lacking.len()) {
        (Some(next), _) => out.push_str(&format!(
            "fleet's set   complete: the root's and {} intermediates'; the first runs out {}\n",
            set.intermediates,
            dated(at, next)
        )),
        (None, 0) => out.push_str("fleet's set   none\n"),
        (None, count) => {
            let named =
                set.lacking.iter().take(SHOWN).map(|(cluster, serial)| format!("{cluster} ({serial})"));
            let named: Vec<String> = named.collect();
            let more = if count > SHOWN { format!(" and {} more", count - SHOWN) } else { String::new() };
            out.push_str(&format!(
                "fleet's set   none: {count} CRLs are missing, and under CRL checking their clusters would be cut off: {}{more}\n",
                named.join(", ")
            ));
        }
    }
    out
}
