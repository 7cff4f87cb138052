//! What was named to be tried, each with the test that tries it: the tampering and the
//! bad input asked for, and the defects seen in other tools.

use std::path::Path;

use super::Scene::{Released, Root};
use super::{Run, sign};
use crate::appliance::PIN;
use crate::faults;

/// A case and the test that shows it, as `file::function` beneath `tests/` or from `src/`.
type Case = (&'static str, &'static str);

const TAMPERING: &[Case] = &[
    ("journal cut short", "errors/matrix.rs::the_journal"),
    ("journal with a byte changed anywhere", "errors/matrix/journal.rs::every_line_of_a_real_journal_counts"),
    (
        "journal with a byte changed anywhere, whatever it holds",
        "src/audit/tests.rs::any_changed_byte_of_a_sealed_journal_shows",
    ),
    (
        "journal lines dropped, doubled, swapped",
        "errors/matrix/journal.rs::every_line_of_a_real_journal_counts",
    ),
    ("journal touched, then signed on", "errors/record.rs::every_touch_on_the_journal_is_noticed"),
    (
        "journal written to without the key",
        "restore.rs::what_is_added_without_the_key_is_shown_and_puts_nothing_in_force",
    ),
    ("journal sealed by another key", "restore.rs::a_seal_that_was_not_made_with_the_key_seals_nothing"),
    (
        "journal rewritten under another key",
        "src/audit/tests.rs::a_journal_rewritten_under_another_journal_key_is_broken",
    ),
    (
        "the whole home replaced by an older copy",
        "restore.rs::an_older_copy_of_the_whole_home_is_noticed_by_the_token",
    ),
    ("the whole home replaced by an older copy, without the token", "errors/matrix.rs::the_journal"),
    ("the home older than a plan", "errors/plan.rs::a_plan_from_a_newer_record_shows_that_this_one_is_old"),
    ("only the journal replaced by an older copy", "errors/matrix.rs::the_journal"),
    ("state/head removed, emptied, altered", "errors/matrix.rs::the_journal"),
    ("issued file edited, removed, added", "errors/matrix.rs::the_journal"),
    ("certificates of the home's own replaced", "errors/record.rs::every_touch_on_the_home_is_noticed"),
    (
        "policy, register or configuration edited without policy pin",
        "errors/matrix.rs::policies_and_configuration",
    ),
    ("an edit in force only once it is pinned", "errors/home.rs::an_edit_is_not_in_force_until_it_is_pinned"),
    ("CRL edited, removed, added", "errors/matrix.rs::revocations"),
    (
        "a release's CRL edited, removed, an older one",
        "release.rs::crls_that_are_not_the_releases_are_noticed",
    ),
    (
        "a revocation added without the key",
        "revocation/touched.rs::a_revocation_that_nobody_sealed_counts_for_nothing",
    ),
    ("plan edited", "errors/plan.rs::an_altered_plan_is_never_signed"),
    ("release edited, each file in each way", "errors/record.rs::every_touch_on_a_release_is_noticed"),
    ("release edited at any byte", "release.rs::no_changed_byte_slips_through"),
    (
        "release forged by a cluster's own key",
        "errors/record.rs::a_release_forged_with_a_clusters_own_key_is_refused",
    ),
    ("both CMS forgeries", "foreign_cms.rs::a_forgery_by_an_intermediates_own_key"),
    ("both CMS forgeries, the second", "foreign_cms.rs::a_forgery_by_a_leaf_of_an_intermediate"),
    (
        "both CMS forgeries, against OpenSSL alone",
        "foreign_cms.rs::openssl_alone_can_check_and_is_fooled_only_without_nointern",
    ),
    ("another CA's journal restored", "restore.rs::another_cas_journal_and_a_broken_one_are_not_taken"),
];

const BAD_INPUT: &[Case] = &[
    ("PIN wrong, empty, absent", "errors/matrix.rs::the_token"),
    ("PIN locked", "errors/misbehaving/pins.rs::a_failed_login_is_named_and_leaves_no_trace"),
    ("PIN locked, known before", "errors/misbehaving/pins.rs::a_pin_that_is_known_to_be_locked_is_not_tried"),
    ("two keys of one label", "errors/misbehaving/keys.rs::another_key_of_the_same_label_is_never_mistaken"),
    ("two keys of one CKA_ID", "errors/misbehaving/keys.rs::two_keys_of_one_id_are_not_chosen_between"),
    (
        "token gone in mid-batch",
        "errors/misbehaving/removed.rs::a_token_that_is_taken_out_in_the_middle_of_a_hundred",
    ),
    (
        "token gone while it seals or signs the release",
        "errors/misbehaving/removed.rs::a_token_that_is_gone_when_the_journal_is_sealed_or_the_release_is_signed",
    ),
    (
        "token that returns a wrong signature",
        "errors/misbehaving/signatures.rs::a_certificate_that_is_wrongly_signed_is_not_released_whatever_is_wrong_with_it",
    ),
    (
        "token that returns a wrong signature for the journal",
        "errors/misbehaving/signatures.rs::the_journals_own_signatures_are_checked_as_well",
    ),
    (
        "token whose new key is weak, or whose public key is another's",
        "errors/misbehaving/keys.rs::a_key_that_tells_of_weak_protection_is_not_taken_until_it_is_deleted",
    ),
    ("unreadable file, symlink, FIFO, socket, device, directory named x.csr", "errors/matrix.rs::the_stick"),
    ("10 GiB sparse file, 5,000 files, 40 levels", "errors/matrix.rs::the_stick"),
    (
        "names with newlines, ANSI and invalid UTF-8",
        "errors/stick.rs::names_that_steer_a_terminal_are_never_written_raw",
    ),
    (
        "stick read-only or full",
        "errors/stick.rs::a_stick_that_cannot_take_the_release_is_found_before_anything_is_signed",
    ),
    (
        "stick read-only, full or pulled after it was checked",
        "errors/misbehaving/mounts.rs::a_stick_that_goes_bad_after_it_was_checked_costs_no_signature",
    ),
    (
        "stick pulled while it is read",
        "errors/misbehaving/mounts.rs::a_stick_that_is_pulled_while_it_is_read_leaves_no_trace",
    ),
    (
        "home's disk full or gone",
        "errors/misbehaving/mounts.rs::a_disk_that_fills_up_or_goes_while_it_signs_loses_no_signature",
    ),
    (
        "home locked by another run",
        "errors/misbehaving/interrupt.rs::the_home_is_held_by_the_run_that_signs_and_its_number_is_named",
    ),
    (
        "clock set back and forward",
        "errors/misbehaving/clock.rs::a_clock_that_was_ten_years_ahead_is_set_right_on_record",
    ),
    (
        "clock set back in the middle of a session",
        "errors/misbehaving/clock.rs::a_clock_that_is_set_back_in_the_middle_loses_no_signature",
    ),
    (
        "clock set forward in the middle of a session",
        "errors/misbehaving/clock.rs::a_clock_that_jumps_ten_years_in_the_middle_releases_nothing_until_it_is_right_again",
    ),
    ("terminal closed", "errors/hangup.rs::a_terminal_that_closes_or_a_signal_at_each_question_of_sign"),
    (
        "interrupt at a question",
        "errors/terminal.rs::an_interrupt_at_a_question_ends_it_with_130_and_the_terminal_as_it_was",
    ),
    (
        "interrupt at any other point",
        "errors/misbehaving/interrupt.rs::a_signal_during_any_signature_of_a_session",
    ),
    ("every defect of a request", "defects.rs::every_defect_is_named_and_nothing_is_signed_for_it"),
    ("requests that real tools make", "generators.rs::openssl_requests_with_a_fault_are_refused_by_name"),
    ("what is odd and granted all the same", "defects.rs::what_is_narrowed_gets_the_policys_certificate"),
    ("private keys, in every form", "defects.rs::every_defect_is_named_and_nothing_is_signed_for_it"),
];

/// Defects seen in Boulder's ceremony tool, kskm, step, OpenSSL and others.
const PEERS: &[Case] = &[
    (
        "a certificate written to disk and only then found wrong",
        "errors/matrix/named.rs::what_is_refused_leaves_no_certificate_anywhere",
    ),
    ("a certificate with the root's key", "src/policy/rules/tests.rs::each_rule_accepts_and_does_not"),
    ("a nil pointer on a date and EKU combination", "structure.rs::nothing_panics_and_nothing_is_left_to_do"),
    (
        "P-521 key generated in the HSM, then an error",
        "errors/root.rs::what_cannot_be_a_root_is_refused_before_its_key_is_made",
    ),
    (
        "root key generated, then a lint fails",
        "errors/root.rs::what_cannot_be_a_root_is_refused_before_its_key_is_made",
    ),
    ("root key orphaned, the rerun blocked", "crash.rs::root_create_survives_a_crash_at_every_step"),
    (
        "disk full: signature spent, empty file left, rerun refused",
        "crash/failing.rs::sign_tells_of_every_call_that_fails",
    ),
    (
        "output directory missing found only after signing",
        "errors/stick.rs::a_stick_without_requests_or_none_at_all",
    ),
    ("accepted: notAfter beyond the root's", "src/policy/rules/tests.rs::each_rule_accepts_and_does_not"),
    (
        "accepted: notAfter beyond the root's, by the verifier",
        "src/verify/tests/path.rs::a_certificate_that_outlives_its_root",
    ),
    ("accepted: an already expired certificate", "errors/output.rs::a_root_that_ran_out_signs_nothing"),
    ("accepted: a CA under a pathlen:0 issuer", "errors/matrix.rs::requests"),
    (
        "accepted: a CA under a pathlen:0 issuer, by the verifier",
        "src/verify/tests/path.rs::a_new_ca_beneath_a_root_of_path_length_0",
    ),
    ("accepted: subject = root's subject", "defects.rs::every_defect_is_named_and_nothing_is_signed_for_it"),
    ("accepted: the same key twice", "errors/requests.rs::requests_that_stand_in_each_others_way"),
    ("PIN in a plain file, copied to another", "errors/matrix/named.rs::the_pin_is_written_nowhere"),
    (
        "`unrecognized EKUs \"none\"; must be 'none'`",
        "errors/home.rs::a_wrong_document_is_shown_by_file_line_and_column",
    ),
    (
        "CSR given where a key is expected",
        "errors/matrix/named.rs::a_request_for_a_key_is_named_with_its_file",
    ),
    (
        "a failed signing retried",
        "src/perform/tests.rs::a_signature_that_does_not_verify_is_on_record_and_ends_it",
    ),
    ("secrets in debug logs", "errors/matrix/named.rs::the_pin_is_written_nowhere"),
    (
        "\"stored in the HSM\" printed before it was",
        "errors/matrix/named.rs::nothing_is_claimed_before_it_is_done",
    ),
    (
        "no key usable on a token that also holds an Ed25519 key",
        "errors/matrix/named.rs::an_ed25519_key_on_the_token_is_in_nobodys_way",
    ),
    (
        "a policy field parsed and enforced nowhere",
        "src/policy/keys_tests.rs::changing_a_key_changes_the_decision",
    ),
    (
        "always-authenticate keys fail in the middle",
        "src/token/pkcs11/softhsm.rs::softhsm_keeps_every_promise",
    ),
    ("revocation reason dropped", "revocation/entries.rs::each_reason_is_the_rfcs"),
    ("foreign certificate in the CRL", "errors/matrix.rs::revocations"),
    ("CRL number going down", "revocation/entries.rs::a_revocation_goes_on_record_and_onto_the_next_crl"),
];

/// The text of the file (and of the modules beneath it) in which this test stands.
pub fn test_file(test: &str) -> String {
    let (file, function) = test.split_once("::").unwrap();
    let path = if file.starts_with("src/") { file.to_string() } else { format!("tests/{file}") };
    let mut text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let at = text.find(&format!("fn {function}(")).unwrap_or_else(|| panic!("no test {test}"));
    // A property has its own attribute above it, as any test has.
    assert!(text[..at].trim_end().ends_with("#[test]"), "{test} is no test");
    let beneath = Path::new(&path).with_extension("");
    for entry in std::fs::read_dir(beneath).into_iter().flatten().map(|e| e.unwrap().path()) {
        if entry.is_file() {
            text.push_str(&std::fs::read_to_string(entry).unwrap());
        }
    }
    text
}

#[test]
fn each_named_case_has_its_test() {
    let mut seen = std::collections::BTreeSet::new();
    for (case, test) in TAMPERING.iter().chain(BAD_INPUT).chain(PEERS) {
        assert!(seen.insert(case), "{case} stands twice");
        test_file(test);
    }
}

/// Every file beneath a folder, with its bytes.
fn files(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found
}

#[test]
fn the_pin_is_written_nowhere() {
    let a = Released.fresh();
    let signed = sign(&a).once(&a, &[]).code(0);
    let wrong = "1357-another-pin";
    a.write("wrong", format!("{wrong}\n"));
    let (from, to, pin) = (a.arg("in"), a.arg("out"), a.arg("wrong"));
    let args = ["sign", "--policy", "istio", "--from", &from, "--to", &to, "--yes", "--pin-file", &pin];
    std::fs::remove_file(a.path("in/west.csr")).unwrap();
    a.request("north");
    let refused = a.run(&args).fails(3, "token.pin-incorrect");
    for ran in [signed, refused] {
        assert!(!ran.stdout.contains(PIN) && !ran.stderr.contains(PIN) && !ran.stderr.contains(wrong));
    }
    let mut seen = 0;
    for folder in ["home", "out", "in", "hsm"] {
        for (path, bytes) in files(&a.path(folder)) {
            let holds = |pin: &str| bytes.windows(pin.len()).any(|w| w == pin.as_bytes());
            assert!(!holds(PIN) && !holds(wrong), "{} holds a PIN", path.display());
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} files");
}

#[test]
fn a_request_for_a_key_is_named_with_its_file() {
    let a = Released.fresh();
    let bundle = a.release().join("east");
    let (request, out) = (a.arg("in/west.csr"), a.arg("cacerts"));
    let args = ["assemble", "--bundle", bundle.to_str().unwrap(), "--key", &request, "--out", &out];
    let run = Run::of(&args).and(&["--root-sha256", &a.root_sha256]);
    let ran = super::super::refused(run.once(&a, &[]), (2, "key.none", &["/in/west.csr"]));
    assert!(!ran.stderr.contains("ASN.1"), "{}", ran.stderr);
}

#[test]
fn nothing_is_claimed_before_it_is_done() {
    let (bare, ready) = (faults::watched(), faults::watched_with_requests());
    let claims = |ran: &crate::appliance::Ran| {
        ["root ", "released", "stored", "sha256"].iter().any(|word| ran.stdout.contains(word))
    };
    let mut kills = 0;
    for when in [1, 2, 4, 7, 11] {
        for (of, args) in [(&bare, faults::root_create(&bare)), (&ready, faults::sign(&ready))] {
            let a = faults::copy(of);
            let (from, to) = (of.dir.path().to_str().unwrap(), a.dir.path().to_str().unwrap());
            let args: Vec<String> = args.iter().map(|arg| arg.replace(from, to)).collect();
            let ran = faults::run_with(&a, "fdatasync,fsync", "signal=SIGKILL", when, &args);
            if ran.code != 0 {
                kills += 1;
                assert!(!claims(&ran), "killed at fsync {when}, and yet: {}", ran.stdout);
            }
        }
    }
    assert!(kills > 6, "only {kills}");
    let done = faults::run(&ready, &faults::sign(&ready)).code(0);
    assert!(claims(&done), "what is done is told: {}", done.stdout);
}

#[test]
fn an_ed25519_key_on_the_token_is_in_nobodys_way() {
    let a = Root.fresh();
    let generate = ["--keypairgen", "--key-type", "EC:edwards25519", "--id", "77", "--label", "another"];
    super::super::token::token_tool(&a, &generate);
    sign(&a).once(&a, &[]).code(0);
    let listed = a.run(&["token", "list", "--json"]).code(0).stdout;
    assert!(listed.contains("another"), "{listed}");
}

/// A defect in any part of a batch is found before the token is asked for anything.
#[test]
fn what_is_refused_leaves_no_certificate_anywhere() {
    let a = Root.fresh();
    a.openssl(&[
        "req",
        "-new",
        "-newkey",
        "rsa:1024",
        "-nodes",
        "-keyout",
        "k",
        "-subj",
        "/O=Istio/L=zoo/CN=z",
        "-out",
        "in/zoo.csr",
    ]);
    let before = super::trace(&a);
    sign(&a).once(&a, &[]).fails(1, "plan.refusals");
    assert_eq!(before, super::trace(&a));
}
