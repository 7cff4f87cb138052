//! The CA home, the clock, the terminal.

use super::Scene::{Bare, Home, Root};
use super::Seen::{Id, Words};
use super::{Row, Run, audit, by, here, inspect, sign};
use crate::appliance::module;

pub fn rows() -> Vec<Row> {
    vec![
        here("no home", Bare, inspect, 2, "home.missing", "ANCHORITE_HOME"),
        here("a release for a home", Root, |a| audit().and(&["--home", &a.arg("in")]), 2, "home.missing", "/in"),
        here("no root yet", Home, sign, 2, "home.no-root", "root create"),
        here(
            "a home over a home",
            Home,
            |a| {
                let module = module();
                Run::of(&["init", &a.arg("home"), "--token", "pkcs11:token=ceremony", "--module", &module])
            },
            2,
            "home.not-empty",
            "exists and is not empty",
        ),
        here(
            "a second root",
            Root,
            |a| {
                Run::of(&["root", "create", "--subject", "CN=x", "--key", "p256", "--ttl", "1y", "--yes"])
                    .and(&["--pin-file", &a.arg("pin")])
            },
            2,
            "root.exists",
            "has its root already",
        ),
        here(
            "a root's subject that cannot be",
            Home,
            |a| {
                Run::of(&["root", "create", "--subject", "CN", "--key", "p256", "--ttl", "1y", "--yes"])
                    .and(&["--pin-file", &a.arg("pin")])
            },
            2,
            "name.parse",
            "CN",
        ),
        here(
            "another root than the one a crash left half made",
            Home,
            |a| {
                let create = crate::faults::root_create(a);
                let killed = crate::faults::run_with(a, "fdatasync", "signal=SIGKILL", 3, &create);
                assert_eq!(killed.code, -1, "{}", killed.stderr);
                Run::of(&["root", "create", "--subject", "CN=x", "--key", "p256", "--ttl", "1y", "--yes"])
                    .and(&["--pin-file", &a.arg("pin")])
            },
            2,
            "root.resume",
            "an unfinished root is on record",
        )
        .told("a crash left another root half made", "run its own command again: the message has its subject, key and ttl"),
        here(
            "an ML-DSA root where the switch is off",
            Home,
            |a| {
                Run::of(&["root", "create", "--subject", "CN=x", "--key", "ml-dsa-65", "--ttl", "1y", "--yes"])
                    .and(&["--pin-file", &a.arg("pin")])
            },
            1,
            "root.post-quantum",
            "root.post-quantum is false",
        )
        .told(
            "an ML-DSA root is not wanted in this home",
            "another `--key`; or, where all who are to load it can, `post-quantum = true` under `[root]`, and `policy pin`",
        ),
        by("companion.rs::what_cannot_be_a_companion_is_refused", "another device's root that is none", 1, Id("companion.same-token"))
            .also(&["companion.same-key", "companion.same-name", "companion.unfit"])
            .told(
                "the other root is this one, is named like it, lies in this very device, or is not fit to be a root",
                "two devices hold two roots, each with a name of its own: `ceremony/two-devices.md`",
            ),
        here("manual pages to nowhere", Bare, |a| Run::of(&["manual", &a.arg("pin/x")]), 2, "manual.write", "/pin/x"),
        here("a home in use", Root, |a| sign(a).through(&["flock", &a.arg("home/lock")]), 2, "home.locked", "held by")
            .told("another run of anchorite works in this home", "let it end; the message names its process"),
        here(
            "a clock behind",
            Root,
            |a| sign(a).through(&["faketime", "1 year ago"]),
            1,
            "clock.behind",
            "--correct-clock",
        )
        .told("the clock lies before the journal's last entry", "set it; if it ran ahead before, `--correct-clock`"),
        here(
            "a plan behind the clock",
            Root,
            |a| {
                Run::of(&["plan", "--from", &a.arg("in"), "--out", &a.arg("p.json"), "--policy", "istio"])
                    .through(&["faketime", "1 year ago"])
            },
            1,
            "clock.behind",
            "the clock says",
        ),
        by("errors/terminal.rs::yes_on_the_command_line_is_refused_by_every_verb_of_an_attended_home", "--yes where people must answer", 1, Id("consent.yes"))
            .told("this home asks people", "leave `--yes` out; only `init --unattended` makes a home that takes it"),
        by("errors/terminal.rs::anything_but_yes_stops_and_leaves_no_trace", "an answer that is not yes", 1, Id("consent.declined")),
        here(
            "no terminal",
            Root,
            |a| {
                let (from, to, pin) = (a.arg("in"), a.arg("out"), a.arg("pin"));
                Run::of(&["sign", "--policy", "istio", "--from", &from, "--to", &to, "--pin-file", &pin])
                    .through(&["setsid", "-w"])
            },
            2,
            "terminal.missing",
            "no terminal to ask on",
        ),
        by("errors/terminal.rs::an_interrupt_at_a_question_ends_it_with_130_and_the_terminal_as_it_was", "an interrupt", 130, Id("interrupted"))
            .told("somebody pressed ^C; what was begun is on record", "run it again; `audit verify` says what is open"),
        here("an option that is none", Root, |a| sign(a).and(&["--nonsense"]), 2, "command-line.usage", "--nonsense"),
        here("an escape sequence for an option", Root, |a| sign(a).and(&["--a\u{1b}[2J"]), 2, "command-line.usage", "--a"),
        by("errors/root.rs::what_cannot_be_a_root_is_refused_before_its_key_is_made", "a root that could sign no intermediate", 2, Id("root.path-len")),
        by("errors/output.rs::a_reader_that_goes_away_is_no_error", "nowhere to print to", 2, Id("output.stdout"))
            .told(
                "the result could not be printed; what was asked for is done all the same",
                "not again: look at what went out; `anchorite audit verify` prints the head for the sheet",
            ),
        by("adopt.rs::a_renewed_root_carries_everything_on", "a renewal that ends no later than the root", 2, Id("renew.ttl"))
            .told("a renewed root has to end later than the one it renews", "a longer `--ttl`"),
        by("crash/failing.rs::sign_tells_of_every_call_that_fails", "a home's disk that is full, fails, or is read-only", 4, Id("journal.write"))
            .told(
                "the journal could not be written; nothing was signed that is not on record",
                "make room or mount it writable; run it again, it shows what is open",
            ),
        by("crash/failing.rs::sign_tells_of_every_call_that_fails", "another file of the home's that cannot be written", 2, Id("file.unwritable"))
            .told(
                "the file in the message cannot be written: its disk is full, read-only or failing, or it is not yours",
                "what the message says of the disk; run it again, it shows what is open",
            ),
        by("crash.rs::sign_survives_a_crash_at_every_step", "a crash", 1, Words("an earlier run left this open"))
            .told(
                "a crash or a pulled plug",
                "read the list; `yes` settles it on record: an intent without an outcome counts as issued, its serial is burnt",
            ),
    ]
}
