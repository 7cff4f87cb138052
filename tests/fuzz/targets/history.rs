//! A journal whose index grows at every seal, beside the same journal read whole: each
//! line is judged alike, each index is the one made at once, each question has one answer.

use std::sync::Arc;

use anchorite::journal::{Entry, Event, Index, Ledger, Purpose, update};
use anchorite::x509::certificate::Facts;

use super::fit_error;
use super::index::Shelf;
use super::journal::{Scribe, mended};

pub fn history(data: &[u8]) {
    let lines = mended(Scribe::new(), data, None);
    let (mut whole, mut grown) = (Ledger::default(), Ledger::default());
    let mut shelf = None;
    for line in lines.split_inclusive(|b| *b == b'\n') {
        let line = &line[..line.len() - 1];
        let entry = Entry::from_line(whole.count(), line).unwrap();
        // As `perform` does it: nothing is open when a session ends.
        if is_seal(&entry) && whole.open_intents().next().is_none() {
            let next = Arc::new(grow(&whole, &grown, shelf.as_deref()));
            grown.stand_on(next.clone());
            shelf = Some(next);
        }
        let (one, other) = (whole.apply(&entry, line), grown.apply(&entry, line));
        assert_eq!(one, other);
        if let Err(error) = one {
            fit_error(&error);
            return;
        }
    }
    lines.split(|b| *b == b'\n').for_each(|line| same_answers(line, &whole, &grown));
}

fn is_seal(entry: &Entry) -> bool {
    matches!(entry.event, Event::Intent { purpose: Purpose::Seal, .. })
}

fn grow(whole: &Ledger, grown: &Ledger, below: Option<&Shelf>) -> Shelf {
    let update = update(grown, below.map(|b| &b.index), |digest| below.unwrap().part(digest)).unwrap();
    let at_once = anchorite::journal::update(whole, None, |_| unreachable!("nothing beneath")).unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(text(&update.index), text(&at_once.index));
    let index = Index::read(&update.index).unwrap();
    assert!(index.is_of(whole).unwrap());
    // With what is new and without what is stale, exactly the pages and buckets in use are there.
    let shelf = Shelf::of(index, below.map(|b| b.parts.clone()).unwrap_or_default(), update);
    assert_eq!(shelf.in_use().unwrap(), shelf.parts.keys().copied().collect());
    assert!(at_once.parts.iter().all(|(digest, bytes)| shelf.parts[digest] == *bytes));
    shelf
}

/// What is asked about the certificates and plans that a line names.
fn same_answers(line: &[u8], whole: &Ledger, grown: &Ledger) {
    let Ok(entry) = serde_json::from_slice::<Entry>(line) else { return };
    match entry.event {
        Event::Intent { message, cluster, .. } => {
            let Ok(facts) = Facts::from_tbs(&message.0) else { return };
            assert_eq!(grown.by_serial(&facts.serial), whole.by_serial(&facts.serial));
            assert_eq!(grown.by_key(&facts.key), whole.by_key(&facts.key));
            let subject = facts.subject.canonical();
            assert_eq!(grown.by_subject(&subject), whole.by_subject(&subject));
            let cluster = cluster.unwrap_or_default();
            assert_eq!(grown.by_cluster(&cluster), whole.by_cluster(&cluster));
        }
        Event::Plan { digest, .. } => assert_eq!(grown.plan(&digest), whole.plan(&digest)),
        _ => {}
    }
}
