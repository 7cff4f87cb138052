//! Plans that were altered, spent, too old, or made elsewhere.

use super::Scene::{Released, Root};
use super::Seen::{Id, Words};
use super::{Row, Run, by, here, perform};
use crate::appliance::Appliance;

/// A plan made in this home just now.
fn planned(a: &Appliance) -> Run {
    let (from, out) = (a.arg("in"), a.arg("plan.json"));
    a.run(&["plan", "--from", &from, "--out", &out, "--policy", "istio"]).code(0);
    perform(a, "plan.json")
}

fn altered(a: &Appliance, from: &str, to: &str) -> Run {
    let run = planned(a);
    a.edit("plan.json", from, to);
    run
}

const ANEW: &str = "make the plan anew: `anchorite plan`";

pub fn rows() -> Vec<Row> {
    vec![
        here(
            "a plan performed twice",
            Released,
            |a| perform(a, "plan.json"),
            1,
            "plan.spent",
            "performed and released before",
        )
        .told(
            "the plan is performed and released",
            "nothing; where the release got lost, `anchorite perform PLAN --again --to DIR` writes it once more",
        ),
        by("again.rs::what_is_revoked_or_was_never_released_stays_where_it_is", "a release again of what was not released", 1, Id("plan.not-released"))
            .told("`--again` is for a plan that was released here", "without `--again`, where it broke off; or with the plan that signed what got lost"),
        by("again.rs::what_was_put_in_its_place_is_not_released", "a repeat that was never begun", 1, Id("plan.not-begun"))
            .told("the plan repeats another, and broke off before its first line, or was written by hand", "with that other plan and `--again`"),
        here(
            "a plan whose request is answered",
            Released,
            |a| perform(a, "other.json"),
            1,
            "plan.differs",
            "refused today",
        )
        .also(&["plan.serial-used"])
        .told("today's policy, register or journal decide otherwise than the plan says", ANEW),
        here(
            "a policy that changed since",
            Root,
            |a| {
                let run = planned(a);
                a.edit("home/policies/istio.toml", "default = \"60d\"", "default = \"50d\"");
                a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
                run
            },
            1,
            "plan.differs",
            "other bytes",
        ),
        here(
            "a plan for another cluster",
            Root,
            |a| altered(a, "\"cluster\": \"east\"", "\"cluster\": \"west\""),
            1,
            "plan.differs",
            "east.csr",
        ),
        here(
            "a plan of ten weeks ago",
            Root,
            |a| planned(a).through(&["faketime", "70 days"]),
            1,
            "plan.stale",
            "ago",
        )
        .told("the plan is too old, lies ahead of the clock, or is a dry run's", ANEW),
        here(
            "a dry run's plan",
            Root,
            |a| altered(a, "\"dry_run\": false", "\"dry_run\": true"),
            1,
            "plan.stale",
            "dry run",
        ),
        here(
            "another home's plan",
            Root,
            |a| {
                let run = planned(a);
                let text = std::fs::read_to_string(a.path("plan.json")).unwrap();
                let root = a.root_sha256.clone();
                let other = format!("{}{}", if root.starts_with('0') { '1' } else { '0' }, &root[1..]);
                assert!(text.contains(&root));
                a.write("plan.json", text.replace(&root, &other));
                run
            },
            1,
            "plan.home",
            "another CA home",
        ),
        here(
            "a rehearsal's plan",
            Root,
            |a| altered(a, "\"mark\": \"\"", "\"mark\": \"REHEARSAL\""),
            1,
            "plan.home",
            "rehearsal",
        ),
        here("no plan", Root, |a| perform(a, "pin"), 2, "plan.unreadable", "not a plan file").told(
            "the file is no plan, or not as it was written",
            "give the file that `anchorite plan` wrote, or make the plan anew",
        ),
        here(
            "a plan formatted anew",
            Root,
            |a| altered(a, ": ", ":  "),
            2,
            "plan.unreadable",
            "changed after it was written",
        ),
        here(
            "a plan of another format",
            Root,
            |a| altered(a, "\"format\": \"", "\"format\": \"x"),
            2,
            "plan.unreadable",
            "format 'x",
        ),
        here(
            "a plan that steers",
            Root,
            |a| altered(a, "\"east.csr\"", "\"\\u001b[2J\""),
            4,
            "plan.unescaped",
            "not escaped",
        )
        .also(&["plan.request", "plan.serial-twice", "plan.other", "crl.tbs"])
        .told(
            "somebody altered the plan by hand, or it is not the one whose digest was noted",
            "stop; find out who",
        ),
        here(
            "a plan whose request is noise",
            Root,
            |a| {
                let run = planned(a);
                let text = std::fs::read_to_string(a.path("plan.json")).unwrap();
                let request =
                    text.split("\"request\": \"").nth(1).unwrap().split('"').next().unwrap().to_string();
                a.write("plan.json", text.replace(&request, "AAAA"));
                run
            },
            4,
            "plan.request",
            "cannot be read",
        ),
        here(
            "a plan that gives a serial twice",
            Root,
            |a| {
                a.request("west");
                let run = planned(a);
                let text = std::fs::read_to_string(a.path("plan.json")).unwrap();
                let serials: Vec<&str> = text
                    .split("\"serial\": \"")
                    .skip(1)
                    .map(|rest| rest.split('"').next().unwrap())
                    .collect();
                a.write("plan.json", text.replace(serials[1], serials[0]));
                run
            },
            4,
            "plan.serial-twice",
            "one serial number to two",
        ),
        here(
            "another plan than the reviewed one",
            Root,
            |a| planned(a).and(&["--plan-sha256", &"0".repeat(64)]),
            4,
            "plan.other",
            "wanted 0000",
        ),
        here("a plan that is not there", Root, |a| perform(a, "none.json"), 2, "file.missing", "none.json")
            .also(&["file.not-regular"])
            .told(
                "a file that was given is not there, or is a folder, a link, a pipe or a device",
                "check the path in the message",
            ),
        here(
            "a release again under a policy that is gone",
            Released,
            |a| {
                std::fs::remove_file(a.path("home/policies/istio.toml")).unwrap();
                a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
                perform(a, "plan.json").and(&["--again"])
            },
            2,
            "policy.missing",
            "istio",
        )
        .told(
            "the plan was made under a policy that the home has no more",
            "put the policy back and `policy pin`",
        ),
        here("a folder for a plan", Root, |a| perform(a, "in"), 2, "file.not-regular", "/in"),
        here(
            "a plan over a plan",
            Released,
            |a| Run::of(&["plan", "--from", &a.arg("in"), "--out", &a.arg("plan.json"), "--policy", "istio"]),
            2,
            "file.exists",
            "plan.json",
        ),
        here(
            "a plan to nowhere",
            Root,
            |a| Run::of(&["plan", "--from", &a.arg("in"), "--policy", "istio", "--out", "/"]),
            2,
            "plan.out",
            "is not a file's path",
        ),
        by(
            "errors/plan.rs::a_plan_from_a_newer_record_shows_that_this_one_is_old",
            "a plan from a newer journal",
            4,
            Id("journal.behind"),
        ),
        by(
            "crash.rs::sign_survives_a_crash_at_every_step",
            "a release that did not come out",
            1,
            Words("plan … is not released"),
        )
        .told(
            "signed, but the release did not get out",
            "`anchorite perform plans/DIGEST.json --to DIR`: nothing is signed twice",
        ),
        by(
            "errors/misbehaving/removed.rs::a_token_that_is_taken_out_in_the_middle_of_a_hundred",
            "a plan that is taken up after a crash lost signatures",
            1,
            Words("… burnt by a crash, needs a new plan"),
        )
        .also(&["plan.burnt"])
        .told(
            "it was on record to be signed when a run broke off, and nobody knows whether it was: its serial counts as issued. One crash burns 96 at most. The others are released",
            "sign the requests of those named anew",
        ),
    ]
}
