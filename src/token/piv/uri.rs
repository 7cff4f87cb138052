//! `piv:9c?serial=12345678`: a slot of a YubiKey's PIV application, and which YubiKey.
//!
//! There is no standard for it; the form is RFC 3986's, the slots are named as by
//! SP 800-73-4 part 1 table 4b, which is how every tool for PIV names them.

use std::fmt;

use crate::error::{Error, Result};
use crate::text::shown;

/// Digital signature: the slot whose key asks for the PIN each time unless told otherwise.
pub const ROOT_SLOT: Slot = Slot(0x9c);
/// The first of twenty slots for retired keys, which no other software takes for itself.
pub const JOURNAL_SLOT: Slot = Slot(0x82);

const SECOND_RETIRED: Slot = Slot(0x83);

/// A slot that can hold a key of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(u8);

impl Slot {
    /// 9a, 9c, 9d, 9e, and 82 to 95. Not f9, whose key attests.
    pub fn new(number: u8) -> Option<Self> {
        matches!(number, 0x9a | 0x9c..=0x9e | 0x82..=0x95).then_some(Self(number))
    }

    /// Every one, those of PIV's own four uses first.
    pub fn all() -> impl Iterator<Item = Self> {
        [0x9a, 0x9c, 0x9d, 0x9e].into_iter().chain(0x82..=0x95).map(Self)
    }

    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }

    fn parse(text: &str) -> Result<Self> {
        let number = u8::from_str_radix(text, 16).ok().filter(|_| text.len() == 2);
        number.and_then(Self::new).ok_or_else(|| {
            bad(format!("`{}` is no slot for a key; want 9a, 9c, 9d, 9e or 82 to 95", shown(text)))
        })
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

/// A PIV URI, read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PivUri {
    /// The slot that is meant; of a home's token, that of the root's key.
    pub slot: Option<Slot>,
    /// The YubiKey's serial number, printed on it; without it the only one is meant.
    pub serial: Option<u32>,
    /// The slot that the journal's key is made in.
    pub journal: Option<Slot>,
}

impl PivUri {
    /// Reads a URI strictly, `piv:` included.
    pub fn parse(text: &str) -> Result<Self> {
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        if !scheme.eq_ignore_ascii_case("piv") || scheme.len() == text.len() {
            return Err(bad("it does not begin with `piv:`"));
        }
        let (slot, query) = match rest.split_once('?') {
            Some((slot, query)) => (slot, Some(query)),
            None => (rest, None),
        };
        let mut uri = Self::default();
        if !slot.is_empty() {
            uri.slot = Some(Slot::parse(slot)?);
        }
        if let Some(query) = query {
            query.split('&').try_for_each(|attribute| uri.attribute(attribute))?;
        }
        if uri.journal == Some(uri.root_slot()) {
            return Err(bad(format!(
                "slot {} cannot hold the root's and the journal's key",
                uri.root_slot()
            )));
        }
        Ok(uri)
    }

    fn attribute(&mut self, attribute: &str) -> Result<()> {
        // the text is not shown: it may be a PIN that slipped in
        let (name, value) =
            attribute.split_once('=').ok_or_else(|| bad("an attribute is empty or lacks its `=`"))?;
        let twice = match name {
            "serial" => self.serial.replace(serial(value)?).is_some(),
            "journal" => self.journal.replace(Slot::parse(value)?).is_some(),
            "pin" | "pin-value" | "pin-source" => return Err(crate::token::uri::pin_in_uri("PIV", name)),
            _ => {
                let name = shown(name);
                return Err(bad(format!(
                    "`{name}` is not an attribute known here; known are serial, journal"
                )));
            }
        };
        if twice { Err(bad(format!("`{name}` is given twice"))) } else { Ok(()) }
    }

    /// The slot of the root's key.
    pub fn root_slot(&self) -> Slot {
        self.slot.unwrap_or(ROOT_SLOT)
    }

    /// The slot of the journal's key: the first of those for retired keys that is not the
    /// root's.
    pub fn journal_slot(&self) -> Slot {
        let usual = if self.root_slot() == JOURNAL_SLOT { SECOND_RETIRED } else { JOURNAL_SLOT };
        self.journal.unwrap_or(usual)
    }
}

/// Digits alone: a sign or a blank that `parse` would take is a typing error.
fn serial(value: &str) -> Result<u32> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    let number = if digits { value.parse().ok() } else { None };
    number.ok_or_else(|| bad("`serial` wants the number that is printed on the YubiKey"))
}

impl fmt::Display for PivUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("piv:")?;
        if let Some(slot) = self.slot {
            write!(f, "{slot}")?;
        }
        let serial = self.serial.map(|serial| format!("serial={serial}"));
        let journal = self.journal.map(|slot| format!("journal={slot}"));
        let query: Vec<String> = serial.into_iter().chain(journal).collect();
        if query.is_empty() { Ok(()) } else { write!(f, "?{}", query.join("&")) }
    }
}

fn bad(what: impl fmt::Display) -> Error {
    Error::usage("token.uri", format!("PIV URI: {what}"))
        .next("write it as `piv:9c?serial=12345678`; `anchorite token list --piv` prints what is there")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read_and_written_again() {
        for (text, slot, serial, journal) in [
            ("piv:", None, None, None),
            ("piv:9c", Some(0x9c), None, None),
            ("piv:?serial=1", None, Some(1), None),
            ("piv:9a?serial=4294967295", Some(0x9a), Some(u32::MAX), None),
            ("piv:95?serial=12345678&journal=83", Some(0x95), Some(12_345_678), Some(0x83)),
        ] {
            let uri = PivUri::parse(text).unwrap();
            let wanted = PivUri { slot: slot.map(Slot), serial, journal: journal.map(Slot) };
            assert_eq!((uri, uri.to_string().as_str()), (wanted, text));
        }
        let usual = PivUri::parse("PIV:9C").unwrap();
        assert_eq!((usual.root_slot(), usual.journal_slot()), (ROOT_SLOT, JOURNAL_SLOT));
        assert_eq!(PivUri::parse("piv:82").unwrap().journal_slot(), SECOND_RETIRED);
        assert_eq!(Slot::all().count(), 24);
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        for (text, why) in [
            ("", "begin with"),
            ("piv", "begin with"),
            ("pivot:9c", "begin with"),
            ("piv:f9", "`f9` is no slot"),
            ("piv:9b", "`9b` is no slot"),
            ("piv:+9", "`+9` is no slot"),
            ("piv:009c", "no slot"),
            ("piv:9c;serial=1", "no slot"),
            ("piv:\u{1b}[31m", "\\u{1b}"),
            ("piv:9c?", "lacks its `=`"),
            ("piv:9c?1234", "lacks its `=`"),
            ("piv:9c?serial=", "`serial` wants"),
            ("piv:9c?serial=+1", "`serial` wants"),
            ("piv:9c?serial=4294967296", "`serial` wants"),
            ("piv:9c?serial=1&serial=1", "given twice"),
            ("piv:9c?journal=9c", "cannot hold"),
            ("piv:82?journal=82", "cannot hold"),
            ("piv:9c?label=x", "`label` is not an attribute"),
        ] {
            let error = PivUri::parse(text).unwrap_err();
            assert_eq!((error.id, error.kind), ("token.uri", crate::Kind::Usage), "{text}");
            assert!(error.message.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_pin_is_refused_and_never_shown() {
        for text in ["piv:9c?pin=98765", "piv:9c?pin-value=98765", "piv:9c?98765"] {
            let error = PivUri::parse(text).unwrap_err();
            assert!(!format!("{error} {}", error.next).contains("98765"), "{error}");
        }
        assert_eq!(PivUri::parse("piv:?pin-value=1").unwrap_err().id, "token.pin-in-uri");
    }
}
