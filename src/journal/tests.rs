//! The journal as its users see it: over reopening, between processes, and under bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::ids::{Revision, StackId, StackKey, Target};
use crate::journal::schema;
use crate::journal::{
    About, AcceptedRevision, Event, Filter, Journal, JournalError, RefusedRevision, Subject,
};
use crate::moment::Moment;
use crate::observed::{Blind, BlindReason};
use crate::plan::deletions::{Deletion, DeletionBook};
use crate::plan::{
    ApprovalKind, ApprovalRequest, Learned, Scope, StackRecord, Suspension, TargetRecord, Weight,
};
use crate::report::sample::{NOW, minutes_ago, record};

const HOUR: Duration = Duration::from_secs(3_600);

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state/journal.db");
    (folder, path)
}

fn open(path: &Path) -> Journal {
    let (journal, aside) = Journal::open(path, NOW, None).expect("it opens");
    assert_eq!(aside, None);
    journal
}

fn stack(tenant: &str, service: &str) -> StackRecord {
    record(tenant, service, Weight::Settled, "in-sync", "as git says")
}

fn looked(target: &Target) -> TargetRecord {
    TargetRecord { target: target.clone(), looked_at: Some(NOW), blind: None, blind_looks: 0 }
}

fn event(key: &StackKey, text: &str) -> Event {
    Event {
        at: NOW,
        about: Subject::Stack(key.clone()),
        kind: "update".to_owned(),
        text: text.to_owned(),
    }
}

fn deletion(name: &str, at: Moment) -> Deletion {
    let stack = stack("acme", name);
    Deletion {
        stack: StackId::of(&format!("arn:{name}")),
        key: stack.key,
        tenant: "acme".parse().expect("a name"),
        at,
    }
}

/// At most `limit` deletions a day.
fn at_most(limit: usize) -> impl Fn(&DeletionBook) -> Result<(), usize> {
    move |book| if book.last_day.len() < limit { Ok(()) } else { Err(book.last_day.len()) }
}

fn request(members: &[&str]) -> ApprovalRequest {
    let members = members.iter().map(|member| (*member).to_owned()).collect();
    ApprovalRequest::of(ApprovalKind::Deletions, members, "deletions".to_owned())
}

fn suspension(scope: &str) -> Suspension {
    Suspension {
        scope: scope.parse().expect("a scope"),
        by: "anna".to_owned(),
        reason: "audit".to_owned(),
        at: NOW,
    }
}

#[test]
fn what_was_recorded_is_there_after_reopening() {
    let (_folder, path) = folder();
    let journal = open(&path);
    let (first, second) = (stack("acme", "network"), stack("acme", "scan-api"));
    let target = looked(&first.key.target);
    let id = journal.controller_id().to_owned();
    let hash = journal.keyed_hash("secret");
    let both = [first.clone(), second.clone()];
    journal.record_pass(&target, &both, &[], &[], &[event(&first.key, "x")]).expect("written");
    drop(journal);

    let journal = open(&path);
    assert_eq!(journal.controller_id(), id);
    assert_eq!(id.len(), 8);
    assert_eq!(journal.keyed_hash("secret"), hash);
    assert_eq!(journal.target(&target.target).expect("read"), Some(target.clone()));
    assert_eq!(journal.targets().expect("read"), std::slice::from_ref(&target));
    let stacks = journal.stacks_in(&target.target).expect("read");
    assert_eq!(stacks.into_values().collect::<Vec<_>>(), [first.clone(), second.clone()]);
    assert_eq!(journal.stack(&second.key).expect("read"), Some(second));
    let history = journal.history(10, &About::Stack(first.key.clone())).expect("read");
    assert_eq!(history, [event(&first.key, "x")]);
}

#[test]
fn what_was_learned_of_operations_is_there_after_reopening() {
    let (_folder, path) = folder();
    let journal = open(&path);
    let (api, network) = ("api".parse().expect("a name"), "network".parse().expect("a name"));
    let mut learned = Learned::default();
    for _ in 0..20 {
        learned.note(&api, "update", Duration::from_secs(80), Duration::from_secs(85));
        learned.note(&network, "create", Duration::from_secs(20), Duration::from_secs(25));
    }
    journal.replace_lengths(&learned).expect("written");
    drop(journal);
    let journal = open(&path);
    let read = journal.lengths().expect("read");
    assert!(read.parts().eq(learned.parts()));
    learned.keep_only(|service| *service == api);
    journal.replace_lengths(&learned).expect("written");
    assert_eq!(journal.lengths().expect("read").parts().count(), 1);
}

#[test]
fn another_journal_has_another_id_and_key() {
    let ((_one, first), (_two, second)) = (folder(), folder());
    let (first, second) = (open(&first), open(&second));
    assert_ne!(first.controller_id(), second.controller_id());
    assert_ne!(first.keyed_hash("secret"), second.keyed_hash("secret"));
}

#[test]
fn the_same_seed_gives_the_same_id() {
    let ids: BTreeSet<String> = (0..2)
        .map(|_| {
            let (_folder, path) = folder();
            let (journal, _) = Journal::open(&path, NOW, Some(7)).expect("it opens");
            journal.controller_id().to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 1);
}

#[test]
fn only_its_user_may_read_the_file() {
    let (_folder, path) = folder();
    let journal = open(&path);
    journal.begin_attempt(&stack("acme", "network")).expect("written");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&path.with_extension("db-wal")), 0o600);
    assert_eq!(mode(path.parent().expect("a folder")), 0o700);
}

#[test]
fn an_attempt_survives_a_process_that_is_killed() {
    let (_folder, path) = folder();
    let journal = open(&path);
    let record = stack("acme", "network");
    journal.begin_attempt(&record).expect("written");
    // What a killed process leaves behind: the files as they are, nothing closed.
    let after = path.with_file_name("after.db");
    fs::copy(&path, &after).expect("copied");
    fs::copy(path.with_extension("db-wal"), after.with_extension("db-wal")).expect("copied");
    assert_eq!(open(&after).stack(&record.key).expect("read"), Some(record));
}

#[test]
fn a_stack_that_is_gone_leaves_no_row() {
    let journal = Journal::in_memory().expect("a journal");
    let record = stack("acme", "network");
    let target = looked(&record.key.target);
    journal.record_pass(&target, std::slice::from_ref(&record), &[], &[], &[]).expect("written");
    assert_eq!(journal.targets_with_stacks().expect("read"), [target.target.clone()].into());
    journal
        .record_pass(&target, &[], std::slice::from_ref(&record.key.name), &[], &[])
        .expect("written");
    assert!(journal.stacks_in(&target.target).expect("read").is_empty());
    assert!(journal.targets_with_stacks().expect("read").is_empty());
}

#[test]
fn targets_with_stacks_leaves_out_what_is_absent_or_not_ours() {
    let journal = Journal::in_memory().expect("a journal");
    let mut absent = stack("acme", "network");
    absent.seen = None;
    let mut foreign = stack("bolt", "network");
    foreign.memory.tenant = None;
    let ours = stack("crow", "network");
    for record in [&absent, &foreign, &ours] {
        journal.begin_attempt(record).expect("written");
    }
    assert_eq!(journal.targets_with_stacks().expect("read"), [ours.key.target].into());
}

#[test]
fn a_blind_target_keeps_its_reason() {
    let journal = Journal::in_memory().expect("a journal");
    let blind = Blind { reason: BlindReason::Throttled, message: "Rate exceeded".to_owned() };
    let record = TargetRecord {
        target: stack("acme", "network").key.target,
        looked_at: None,
        blind: Some((blind, minutes_ago(3))),
        blind_looks: 2,
    };
    journal.record_pass(&record, &[], &[], &[], &[]).expect("written");
    assert_eq!(journal.target(&record.target).expect("read"), Some(record));
}

#[test]
fn a_damaged_file_is_set_aside_and_a_new_one_started() {
    let (_folder, path) = folder();
    let journal = open(&path);
    for number in 0..200 {
        journal.begin_attempt(&stack("acme", &format!("service-{number}"))).expect("written");
    }
    drop(journal);
    let mut bytes = fs::read(&path).expect("read");
    for byte in bytes.iter_mut().skip(4_096 * 3).take(4_096 * 20) {
        *byte = 0x55;
    }
    fs::write(&path, &bytes).expect("written");

    let (journal, aside) = Journal::open(&path, NOW, None).expect("it opens");
    let aside = aside.expect("it was set aside");
    assert_eq!(aside.from, path);
    assert_eq!(fs::read(&aside.to).expect("kept"), bytes);
    assert!(aside.to.to_string_lossy().ends_with("journal.db.corrupt-2026-11-23T20-21-00-000Z"));
    assert!(journal.all_stacks(&Filter::default()).expect("read").is_empty());
    drop(journal);
    open(&path);
}

#[test]
fn a_file_that_is_no_database_is_set_aside_but_never_by_a_command_that_only_reads() {
    let (_folder, path) = folder();
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, [0x55, 0, 0xFF].repeat(2_000)).expect("written");
    let error = Journal::open_existing(&path, NOW).expect_err("damaged");
    assert!(matches!(error, JournalError::Corrupt { .. }), "{error}");
    let (_journal, aside) = Journal::open(&path, NOW, None).expect("it opens");
    assert!(aside.is_some());
}

#[test]
fn a_text_of_somebody_is_left_where_it_is() {
    let (_folder, path) = folder();
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, "kind: Fleet\n").expect("written");
    let error = Journal::open(&path, NOW, None).expect_err("no journal");
    assert!(matches!(error, JournalError::NotAJournal { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("there"), "kind: Fleet\n");
}

#[test]
fn a_damaged_file_is_not_taken_from_a_process_that_acts() {
    let (_folder, path) = folder();
    let journal = open(&path);
    let _lock = journal.lock_for_acting().expect("free");
    drop(journal);
    fs::write(&path, [0_u8; 5_000]).expect("written");
    let error = Journal::open(&path, NOW, None).expect_err("another acts");
    assert!(matches!(error, JournalError::AnotherActs { .. }), "{error}");
    assert!(path.exists());
}

#[test]
fn a_file_of_a_newer_format_or_of_another_program_is_left_alone() {
    let (_folder, path) = folder();
    drop(open(&path));
    let connection = rusqlite::Connection::open(&path).expect("open");
    connection.pragma_update(None, "user_version", 99).expect("set");
    drop(connection);
    let error = Journal::open(&path, NOW, None).expect_err("newer");
    assert!(matches!(error, JournalError::Newer { found: 99, .. }), "{error}");

    let other = path.with_file_name("other.db");
    let connection = rusqlite::Connection::open(&other).expect("open");
    connection.execute_batch("CREATE TABLE theirs (x)").expect("made");
    drop(connection);
    let error = Journal::open(&other, NOW, None).expect_err("foreign");
    assert!(matches!(error, JournalError::NotAJournal { .. }), "{error}");
}

#[test]
fn whoever_acts_notices_that_its_file_was_removed_or_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let (journal, _) = Journal::open(&path, Moment::default(), Some(1)).expect("opened");
    journal.still_there().expect("it is");
    fs::rename(&path, folder.path().join("moved.db")).expect("moved");
    let error = journal.still_there().expect_err("gone");
    assert!(error.to_string().contains("was removed or replaced"), "{error}");
    let (other, _) = Journal::open(&path, Moment::default(), Some(2)).expect("opened");
    assert!(journal.still_there().is_err(), "another one is there");
    other.still_there().expect("its own");
}

#[test]
fn a_missing_journal_is_not_made_by_a_command_that_reads() {
    let (_folder, path) = folder();
    assert!(Journal::open_existing(&path, NOW).expect("no error").is_none());
    assert!(!path.exists());
}

#[test]
fn a_path_that_cannot_be_a_file_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Journal::open(folder.path(), NOW, None).expect_err("a folder is no file");
    assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
}

#[test]
fn a_writer_that_never_ends_is_an_error_that_says_so() {
    let (_folder, path) = folder();
    let journal = open(&path);
    journal.connection().busy_timeout(Duration::from_millis(50)).expect("set");
    let other = rusqlite::Connection::open(&path).expect("open");
    other.execute_batch("BEGIN IMMEDIATE").expect("begun");
    let error = journal.suspend(&suspension("fleet")).expect_err("locked");
    assert!(matches!(error, JournalError::Locked { .. }), "{error}");
    other.execute_batch("ROLLBACK").expect("ended");
    journal.suspend(&suspension("fleet")).expect("free again");
}

#[test]
fn a_full_disk_is_an_error_and_nothing_is_written_by_half() {
    let (_folder, path) = folder();
    let journal = open(&path);
    let pages: u32 =
        journal.connection().query_row("PRAGMA page_count", [], |row| row.get(0)).expect("a count");
    journal.connection().pragma_update(None, "max_page_count", pages + 2).expect("set");
    let first = stack("acme", "network");
    let many: Vec<StackRecord> =
        (0..100).map(|number| stack("acme", &format!("service-{number}"))).collect();
    let error = journal
        .record_pass(&looked(&first.key.target), &many, &[], &[], &[])
        .expect_err("there is no room");
    assert!(matches!(error, JournalError::Full { .. }), "{error}");
    assert!(journal.targets().expect("read").is_empty());
}

#[test]
fn a_row_that_does_not_read_is_an_error_not_an_absence() {
    let (_folder, path) = folder();
    let journal = open(&path);
    let record = stack("acme", "network");
    journal.begin_attempt(&record).expect("written");
    journal.connection().execute("UPDATE stacks SET record = '{}'", []).expect("broken");
    let error = journal.stacks_in(&record.key.target).expect_err("unreadable");
    assert!(matches!(error, JournalError::Row { .. }), "{error}");
}

#[test]
fn one_process_acts_at_a_time_and_the_other_is_told_who() {
    let (_folder, path) = folder();
    let (first, second) = (open(&path), open(&path));
    let lock = first.lock_for_acting().expect("free");
    let error = second.lock_for_acting().expect_err("taken").to_string();
    let holder = format!("process {}, since {NOW}", std::process::id());
    assert!(error.contains(&holder), "{error}");
    drop(lock);
    second.lock_for_acting().expect("free again");
}

#[test]
fn what_people_say_reaches_another_open_journal() {
    let (_folder, path) = folder();
    let (controller, person) = (open(&path), open(&path));
    let before = controller.changes().expect("a count");
    person.suspend(&suspension("tenant/acme")).expect("written");
    person.suspend(&suspension("tenant/acme")).expect("again");
    let after = controller.changes().expect("a count");
    assert!(after > before);
    assert_eq!(controller.steering(NOW).expect("read").suspensions, [suspension("tenant/acme")]);

    assert!(!person.resume(&Scope::Fleet).expect("no such suspension"));
    assert_eq!(controller.changes().expect("a count"), after);
    assert!(person.resume(&"tenant/acme".parse().expect("a scope")).expect("ended"));
    assert!(controller.changes().expect("a count") > after);
    assert!(controller.steering(NOW).expect("read").suspensions.is_empty());
}

#[test]
fn an_approval_counts_until_it_expires() {
    let journal = Journal::in_memory().expect("a journal");
    let asked = request(&["arn:a"]);
    journal.put_request(&asked, minutes_ago(5)).expect("written");
    let approval = journal.approve(&asked.id, "anna", "agreed", NOW, NOW + HOUR).expect("approved");
    assert_eq!(approval.members, asked.members);
    assert_eq!(journal.steering(NOW).expect("read").approvals, [approval]);
    assert!(journal.steering(NOW + HOUR).expect("read").approvals.is_empty());
}

#[test]
fn an_unknown_request_lists_those_that_wait() {
    let journal = Journal::in_memory().expect("a journal");
    let approve = || journal.approve("0123", "anna", "", NOW, NOW + HOUR);
    assert!(approve().expect_err("none").to_string().starts_with("nothing waits for approval"));
    journal.put_request(&request(&["arn:a"]), NOW).expect("written");
    let error = approve().expect_err("unknown").to_string();
    assert!(error.contains(&request(&["arn:a"]).id), "{error}");
    assert!(journal.steering(NOW).expect("read").approvals.is_empty());
}

#[test]
fn requests_that_go_on_waiting_keep_their_time() {
    let journal = Journal::in_memory().expect("a journal");
    let (stays, goes, comes) = (request(&["a"]), request(&["b"]), request(&["c"]));
    journal.replace_requests(&[stays.clone(), goes], minutes_ago(9)).expect("written");
    journal.replace_requests(&[stays.clone(), comes.clone()], NOW).expect("written");
    let waiting: BTreeSet<(String, Moment)> = journal
        .requests()
        .expect("read")
        .into_iter()
        .map(|(request, since)| (request.id, since))
        .collect();
    assert_eq!(waiting, [(stays.id.clone(), minutes_ago(9)), (comes.id, NOW)].into());
    journal.withdraw_request(&stays.id).expect("written");
    assert_eq!(journal.requests().expect("read").len(), 1);
}

#[test]
fn two_processes_never_both_take_the_last_deletion() {
    let (_folder, path) = folder();
    for round in 0..10 {
        let at = NOW + HOUR * 25 * round;
        let wins: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = ["one", "two"]
                .map(|name| {
                    let journal = open(&path);
                    scope.spawn(move || {
                        journal
                            .reserve_deletion(&deletion(name, at), at_most(1))
                            .expect("no error")
                            .is_ok()
                    })
                })
                .into();
            threads.into_iter().map(|thread| usize::from(thread.join().expect("no panic"))).sum()
        });
        assert_eq!(wins, 1, "round {round}");
    }
}

#[test]
fn deleting_the_same_stack_again_counts_once() {
    let journal = Journal::in_memory().expect("a journal");
    let reserve =
        |name, at| journal.reserve_deletion(&deletion(name, at), at_most(1)).expect("no error");
    assert_eq!(reserve("one", NOW), Ok(()));
    assert_eq!(reserve("one", NOW + HOUR), Ok(()));
    assert_eq!(reserve("two", NOW + HOUR), Err(1));
    let book = journal.deletion_book(NOW + HOUR).expect("read");
    assert_eq!(book.last_day, [deletion("one", NOW + HOUR)]);
}

#[test]
fn a_deletion_is_forgotten_after_a_day() {
    let journal = Journal::in_memory().expect("a journal");
    let reserve =
        |name, at| journal.reserve_deletion(&deletion(name, at), at_most(1)).expect("no error");
    assert_eq!(reserve("one", NOW), Ok(()));
    assert_eq!(reserve("two", NOW + HOUR * 23), Err(1));
    assert_eq!(reserve("two", NOW + HOUR * 24), Ok(()));
}

#[test]
fn a_clock_that_was_a_day_ahead_takes_nothing_from_the_book() {
    let journal = Journal::in_memory().expect("a journal");
    let reserve =
        |name, at| journal.reserve_deletion(&deletion(name, at), at_most(1)).expect("no error");
    assert_eq!(reserve("one", NOW), Ok(()));
    assert_eq!(reserve("two", NOW + HOUR * 30), Ok(()), "by that clock it is another day");
    assert_eq!(reserve("three", NOW + HOUR), Err(2), "both went within the day");
}

#[test]
fn a_deletion_sees_the_approvals_that_count() {
    let journal = Journal::in_memory().expect("a journal");
    let asked = request(&["arn:one"]);
    journal.put_request(&asked, NOW).expect("written");
    journal.approve(&asked.id, "anna", "", NOW, NOW + HOUR).expect("approved");
    let approved = |book: &DeletionBook| if book.approvals.is_empty() { Err(()) } else { Ok(()) };
    let reserve = |at| journal.reserve_deletion(&deletion("one", at), approved).expect("no error");
    assert_eq!(reserve(NOW), Ok(()));
    assert_eq!(reserve(NOW + HOUR), Err(()));
}

#[test]
fn when_a_fleet_was_fetched_last_outlives_a_restart_unless_it_is_fetched_from_elsewhere() {
    let journal = Journal::in_memory().expect("a journal");
    let origin = |from: &str, fetched_at| crate::report::Origin {
        from: from.to_owned(),
        fetched_at,
        trouble: None,
    };
    let at = Some(Moment::from_millis(7));
    journal.note_origin(Some(&origin("here", at))).expect("written");
    journal.note_origin(Some(&origin("here", None))).expect("written");
    assert_eq!(journal.origin().expect("read"), Some(origin("here", at)));
    journal.note_origin(Some(&origin("elsewhere", None))).expect("written");
    assert_eq!(journal.origin().expect("read"), Some(origin("elsewhere", None)));
    journal.note_origin(None).expect("written");
    assert_eq!(journal.origin().expect("read"), None);
}

#[test]
fn a_refused_revision_is_kept_until_one_is_accepted() {
    let journal = Journal::in_memory().expect("a journal");
    let accepted = AcceptedRevision {
        revision: Revision::of("0123"),
        committed_at: Some(minutes_ago(3)),
        at: NOW,
    };
    let refused = RefusedRevision {
        revision: Revision::of("4567"),
        findings: "a finding".to_owned(),
        count: 1,
        at: NOW,
    };
    journal.accept_revision(&accepted, BTreeMap::new()).expect("written");
    journal.refuse_revision(&refused).expect("written");
    assert_eq!(journal.accepted_revision().expect("read"), Some(accepted.clone()));
    assert_eq!(journal.refused_revision().expect("read"), Some(refused.clone()));
    journal.accept_revision(&accepted, BTreeMap::new()).expect("written");
    assert_eq!(journal.refused_revision().expect("read"), None);
    journal.refuse_revision(&refused).expect("written");
    journal.clear_refused_revision().expect("written");
    assert_eq!(journal.refused_revision().expect("read"), None);
}

#[test]
fn a_large_fleet_streams_in_the_order_of_its_keys() {
    let journal = Journal::in_memory().expect("a journal");
    let target = stack("acme", "network").key.target;
    let many: Vec<StackRecord> = (0..1_300)
        .map(|number| {
            let mut record = stack("acme", &format!("service-{number:04}"));
            if number % 2 == 1 {
                record.memory.tenant = Some("bolt".parse().expect("a name"));
            }
            record
        })
        .collect();
    journal.record_pass(&looked(&target), &many, &[], &[], &[]).expect("written");
    let read = |filter: &Filter| {
        let mut keys = Vec::new();
        // The journal may be used while it streams: no lock is held here.
        journal
            .for_each_stack(filter, |record| {
                assert!(journal.changes().is_ok());
                keys.push(record.key);
            })
            .expect("read");
        keys
    };
    let all: Vec<StackKey> = many.iter().map(|record| record.key.clone()).collect();
    assert_eq!(read(&Filter::default()), all);
    let tenant = Some("bolt".parse().expect("a name"));
    assert_eq!(read(&Filter { tenant, ..Filter::default() }).len(), 650);
    let service = Some("service-0007".parse().expect("a name"));
    assert_eq!(read(&Filter { service, ..Filter::default() }), [all[7].clone()]);
    let name = Some("service-0008".parse().expect("a name"));
    assert_eq!(read(&Filter { name, ..Filter::default() }), [all[8].clone()]);
    let tenant = Some("nobody".parse().expect("a name"));
    assert!(!journal.knows(&Filter { tenant, ..Filter::default() }).expect("read"));
}

#[test]
fn a_new_journal_knows_what_went_in_a_day_once_it_has_seen_all_and_found_nothing_of_an_earlier_one()
{
    let folder = tempfile::tempdir().expect("a folder");
    let journal = open(&folder.path().join("state.db"));
    let gap = |at| journal.deletion_book(at).expect("read").gap_until;
    assert_eq!(gap(NOW + HOUR), Some(NOW + HOUR * 25), "nobody has looked around yet");
    journal.note_round(NOW).expect("written");
    journal.note_round(NOW + HOUR).expect("written");
    assert_eq!(gap(NOW + HOUR), Some(NOW + HOUR * 24), "a part of the fleet was never seen");
    assert!(!journal.knows_fleet(NOW + HOUR).expect("read"));
    journal.note_fleet_known(NOW + HOUR).expect("written");
    assert!(journal.knows_fleet(NOW + HOUR).expect("read"));
    assert_eq!(gap(NOW + HOUR), None);
    assert!(journal.note_inherited(NOW + HOUR * 2).expect("written"));
    assert!(!journal.note_inherited(NOW + HOUR * 3).expect("written"), "said once");
    assert_eq!(gap(NOW + HOUR * 23), Some(NOW + HOUR * 24), "a day from the first round");
    assert_eq!(gap(NOW + HOUR * 24), None);
}

#[test]
fn what_an_earlier_journal_started_has_ended_a_day_after_the_first_round() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = open(&folder.path().join("state.db"));
    let knows = |at| journal.knows_fleet(at).expect("read");
    assert!(!knows(NOW + HOUR * 1_000), "a file alone knows nothing");
    journal.note_round(NOW + HOUR * 1_000).expect("written");
    assert!(!knows(NOW + HOUR * 1_023));
    assert!(knows(NOW + HOUR * 1_024));
    journal.note_round(NOW).expect("written");
    assert!(knows(NOW + HOUR * 24), "that clock was wrong");
}

#[test]
fn a_journal_of_the_first_format_is_not_taken_for_one_that_was_just_begun() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let connection = rusqlite::Connection::open(&path).expect("open");
    connection.execute_batch(schema::STEPS[0]).expect("as it was made then");
    let old = "INSERT INTO targets (account, region, record) VALUES ('1', 'r', '{}')";
    connection.execute_batch(old).expect("made old");
    for (name, value) in [("application_id", schema::APPLICATION_ID), ("user_version", 1)] {
        connection.pragma_update(None, name, value).expect("set");
    }
    drop(connection);
    let journal = open(&path);
    assert!(journal.knows_fleet(NOW).expect("read"));
    assert_eq!(journal.deletion_book(NOW).expect("read").gap_until, None);
}
