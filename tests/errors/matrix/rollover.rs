//! A change of roots: tried with two homes in `rollover.rs`.

use super::Seen::Id;
use super::{Row, by};

#[rustfmt::skip]
pub fn rows() -> Vec<Row> {
    vec![
        by("rollover/begin.rs::what_cannot_be_the_other_root_is_refused", "another root that is none", 1, Id("rollover.not-a-root"))
            .also(&["rollover.same", "rollover.rehearsal"])
            .told("a rollover begins with the other root, under a name and a key of its own", "give the other `root.pem`, or the trust bundle `root-cert.pem`"),
        by("rollover/begin.rs::what_cannot_be_the_other_root_is_refused", "a file without a certificate", 2, Id("rollover.file"))
            .told("the file holds no certificate that can be read", "give the other `root.pem`, or the trust bundle `root-cert.pem`"),
        by("rollover/begin.rs::what_cannot_be_the_other_root_is_refused", "a step that cannot follow", 1, Id("rollover.step"))
            .told("this step cannot follow from where the rollover stands", "`anchorite root rollover show` says what may follow"),
        by("rollover/begin.rs::what_cannot_be_the_other_root_is_refused", "a stage without a stick", 2, Id("rollover.to"))
            .told("a stage is a release", "name the stick that it goes to: `--to DIR`"),
        by("rollover/record.rs::a_step_that_a_crash_cut_off_is_taken_up", "the next step before the last is released", 1, Id("rollover.unreleased"))
            .told("a crash came between a step and its release", "`anchorite perform plans/<plan>.json --to DIR`, as it says"),
        by("rollover/stages.rs::from_the_old_root_to_the_new_with_two_homes_on_one_token", "a new root before its time", 1, Id("issuer.course"))
            .told("not every cluster is known to trust the new root yet, or the root is retired", "`root rollover stage both`; once it is everywhere, `root rollover reached`"),
        by("rollover/stages.rs::no_root_is_renewed_or_added_in_the_middle", "a renewal in the middle of a rollover", 1, Id("rollover.bundle-changed"))
            .told("it would change trust bundles whose bytes are fixed", "renew before the rollover, or once it has ended"),
        by("rollover/foreign.rs::a_foreign_root_is_cross_certified_where_it_can_be", "a cross-certificate too early", 1, Id("rollover.not-yet"))
            .told("this home's root stands in no trust bundle yet", "`root rollover stage both` first"),
        by("rollover/foreign.rs::a_foreign_root_is_cross_certified_where_it_can_be", "a cross-certificate for a root of version 1", 1, Id("rollover.cross-unfit"))
            .told("the new root cannot vouch for this old one", "go on without: the stages do not need it"),
        by("rollover/cross.rs::the_new_root_vouches_for_the_old_one_in_a_planned_change_alone", "a cross-certificate after a compromise", 1, Id("rollover.compromised"))
            .told("the old root's key is in other hands, and the new root would vouch for it", "go on without: the stages do not need it"),
        by("rollover/retire.rs::a_root_ends_with_a_last_crl_and_the_destruction_of_its_key", "a key that is there still", 1, Id("retire.key-there"))
            .also(&["retire.first"])
            .told("a root ends in this order: last CRL, key destroyed, that on record", "`root retire --to`; delete the key by the token's tool; `root retire --destroyed`"),
        by("rollover/retire.rs::a_root_ends_with_a_last_crl_and_the_destruction_of_its_key", "a destruction that nobody can read", 2, Id("retire.destroyed"))
            .told("how the key was destroyed is no plain text on one line", "say how, and who saw it"),
        by("rollover/retire.rs::a_root_ends_with_a_last_crl_and_the_destruction_of_its_key", "something after the end", 1, Id("retire.signed"))
            .also(&["rollover.retired", "retire.twice", "revoke.retired"])
            .told("the root is retired and signs nothing any more", "its successor does"),
        by("rollover/fleet.rs::a_set_that_would_cut_the_cluster_off_is_refused", "CRL sets that do not fit", 1, Id("assemble.crl-lacking"))
            .also(&["assemble.crl-twice", "assemble.no-crl-set", "assemble.crl-of-one-root", "assemble.crl-older"])
            .told("with these CRLs the cluster would be cut off", "the newest release of each root whose CRLs are complete"),
        by("rollover/fleet.rs::a_set_that_has_run_out_is_refused", "a CRL set that has run out", 1, Id("assemble.crl-expired"))
            .told("Envoy would refuse everybody", "`anchorite crl` makes a new one"),
        by("rollover/fleet.rs::a_cluster_loads_the_sets_of_both_roots_and_a_stages_bundle", "a trust bundle without the cluster's root", 1, Id("assemble.trust-island"))
            .told("the cluster would trust nobody who trusts it", "load a certificate of the new root first"),
        by("rollover/fleet.rs::a_cluster_whose_consumer_does_not_take_the_root_that_comes_is_named", "a trust bundle with a root that the consumer does not take", 1, Id("assemble.trust-kind"))
            .told("the cluster's consumer does not take one of the roots, by its key", "leave this cluster at the bundle that it has; have the rollover go to a root that it takes"),
        by("rollover/fleet.rs::what_is_no_whole_release_gives_neither_set_nor_bundle", "a folder that is no release", 2, Id("assemble.release"))
            .told("CRLs and trust bundles are taken from whole releases, by their signature", "give the release's folder"),
        by("rollover/fleet.rs::a_release_without_a_crl_gives_none", "a release without a CRL", 1, Id("assemble.no-crl")),
    ]
}
