//! The calendar in Prometheus' text exposition format, version 0.0.4.

use super::{Calendar, Intermediate};
use crate::x509::Time;

/// What our files begin with.
pub const PROMETHEUS_START: &str = "# HELP anchorite_";

/// Every end as seconds since the epoch: whoever watches subtracts its own `time()`.
pub fn prometheus(calendar: &Calendar) -> String {
    let mut out = Metrics(String::new());
    let root = &calendar.root;
    out.one("record_seconds", "When the journal's last line was written.", calendar.recorded);
    out.one("journal_lines", "Lines of the journal.", calendar.entries);
    out.one("rehearsal", "1 where the home is for rehearsals.", u64::from(calendar.rehearsal));
    out.one("root_not_after_seconds", "The root certificate's last second.", root.not_after);
    if !calendar.retired {
        out.one("root_renew_by_seconds", "By when the root has to be renewed or replaced.", root.renew_by);
    }
    if let Some(change) = &calendar.rollover {
        out.one("rollover_until_seconds", "By when a change of roots has to be at its end.", change.until);
    }
    if let Some(journal) = &calendar.journal {
        let help = "The last second of the journal key's certificate, where it is not the root's.";
        out.one("journal_certificate_not_after_seconds", help, journal.not_after);
    }
    out.certificates(&calendar.intermediates);
    out.crls(calendar);
    let (open, unlisted) = (calendar.open.len() as u64, calendar.unlisted.len() as u64);
    out.one("open_matters", "What an earlier run left open.", open);
    out.one("revocations_unlisted", "Revocations that are on no CRL yet.", unlisted);
    out.one(
        "clusters_without_certificate",
        "Registered clusters that have none in force.",
        calendar.without.len() as u64,
    );
    if let Some(next) = calendar.next() {
        out.one("next_action_seconds", "The first date by which somebody has to act.", next.at);
    }
    out.0
}

struct Metrics(String);

/// A sample's value.
trait Value {
    fn value(self) -> u64;
}

impl Value for u64 {
    fn value(self) -> u64 {
        self
    }
}

impl Value for Time {
    fn value(self) -> u64 {
        self.unix()
    }
}

impl Metrics {
    fn certificates(&mut self, all: &[Intermediate]) {
        let labels =
            |it: &Intermediate| labels(&[("cluster", &it.cluster), ("serial", &it.serial.to_string())]);
        let help = "The last second of a cluster's certificate.";
        self.many("certificate_not_after_seconds", help, all.iter().map(|it| (labels(it), it.not_after)));
        let help = "By when the ceremony has to be held that renews it.";
        let renew = all.iter().filter_map(|it| Some((labels(it), it.renew_by?)));
        self.many("certificate_renew_by_seconds", help, renew);
        let help = "Since when a cluster's certificate that is not over yet is revoked.";
        let revoked = all.iter().filter_map(|it| Some((labels(it), it.revoked.as_ref()?.since)));
        self.many("certificate_revoked_seconds", help, revoked);
    }

    fn crls(&mut self, calendar: &Calendar) {
        let issuer = |name: &str, serial: String| labels(&[("issuer", name), ("serial", &serial)]);
        let root = calendar
            .crl
            .iter()
            .map(|crl| (issuer("root", calendar.root.serial.to_string()), crl.number, crl.next_update));
        let own = calendar.intermediates.iter().filter_map(|it| {
            let crl = it.crl.as_ref()?;
            Some((issuer(&it.cluster, it.serial.to_string()), crl.number, crl.next_update))
        });
        let all: Vec<_> = root.chain(own).collect();
        let help = "nextUpdate of the last CRL of the root and of each intermediate.";
        self.many(
            "crl_next_update_seconds",
            help,
            all.iter().map(|(labels, _, next)| (labels.clone(), *next)),
        );
        let help = "Their numbers.";
        self.many("crl_number", help, all.into_iter().map(|(labels, number, _)| (labels, number)));
        if let Some(crl) = &calendar.crl {
            if !calendar.retired {
                self.one("crl_renew_by_seconds", "By when the root has to sign its next CRL.", crl.renew_by);
            }
            self.one("crl_entries", "How many certificates the root's last CRL lists.", crl.entries);
        }
        let lacking = calendar.set.lacking.len() as u64;
        self.one(
            "crls_lacking",
            "Intermediates without a CRL of their own: no fleet set while there are any.",
            lacking,
        );
    }

    fn one(&mut self, name: &str, help: &str, value: impl Value) {
        self.many(name, help, [(String::new(), value)].into_iter());
    }

    fn many<V: Value>(&mut self, name: &str, help: &str, samples: impl Iterator<Item = (String, V)>) {
        let mut samples = samples.peekable();
        if samples.peek().is_none() {
            return;
        }
        self.0.push_str(&format!("# HELP anchorite_{name} {help}\n# TYPE anchorite_{name} gauge\n"));
        for (labels, value) in samples {
            self.0.push_str(&format!("anchorite_{name}{labels} {}\n", value.value()));
        }
    }
}

fn labels(labels: &[(&str, &str)]) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let each: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", each.join(","))
}
