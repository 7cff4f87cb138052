//! The calendar as iCalendar (RFC 5545).

use super::{Calendar, Date};
use crate::x509::Time;

/// What our files begin with.
pub const ICAL_START: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//anchorite//calendar//EN\r\n";
/// Octets of a line, its CRLF apart (§3.1).
const LINE: usize = 75;

/// One event for each date. The same record always gives the same bytes: an event's UID
/// stays when its time moves, and SEQUENCE, the number of the journal's lines, rises with it.
pub fn ical(calendar: &Calendar) -> String {
    let mut out = String::from(ICAL_START);
    line(&mut out, "METHOD:PUBLISH");
    for date in calendar.dates() {
        event(&mut out, calendar, &date);
    }
    line(&mut out, "END:VCALENDAR");
    out
}

fn event(out: &mut String, calendar: &Calendar, date: &Date) {
    let rehearsal = if calendar.rehearsal { "REHEARSAL: " } else { "" };
    let summary = text(&format!("{rehearsal}{}", date.what));
    line(out, "BEGIN:VEVENT");
    line(out, &format!("UID:{}@{}.anchorite", date.key, calendar.home));
    line(out, &format!("DTSTAMP:{}", utc(calendar.recorded)));
    line(out, &format!("SEQUENCE:{}", calendar.entries));
    line(out, &format!("DTSTART:{}", utc(date.at)));
    line(out, &format!("SUMMARY:{summary}"));
    line(out, &format!("DESCRIPTION:{}", text(&date.why)));
    line(out, "TRANSP:TRANSPARENT");
    if date.act {
        for part in ["BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-P14D"] {
            line(out, part);
        }
        line(out, &format!("DESCRIPTION:{summary}"));
        line(out, "END:VALARM");
    }
    line(out, "END:VEVENT");
}

/// DATE-TIME in UTC (§3.3.5).
fn utc(time: Time) -> String {
    time.to_string().replace(['-', ':'], "")
}

/// TEXT (§3.3.11).
fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// A content line, folded, never within a character.
fn line(out: &mut String, content: &str) {
    let mut taken = 0;
    for c in content.chars() {
        if taken + c.len_utf8() > LINE {
            out.push_str("\r\n ");
            taken = 1;
        }
        out.push(c);
        taken += c.len_utf8();
    }
    out.push_str("\r\n");
}
