//! Git hosts get one comment of a plan, kept up to date, and one status of a commit.

mod change;
mod command;
mod stand_in;
mod statuses;
mod trouble;

use driftless::announce::hosts::{GitHost, Interrupted, Kept, PlanPost, post};
use driftless::clock::Clock;
use driftless::report::plan::{MARKER, part_of};
use driftless::report::{CommitState, CommitStatus};

use crate::world::START;
use stand_in::{Fault, Forge};

const HOSTS: [GitHost; 2] = [GitHost::GitHub, GitHost::GitLab];

/// Part `number` of `of`, as plans are headed.
fn part(number: usize, of: usize, text: &str) -> String {
    let marker = match number {
        1 => MARKER.to_owned(),
        number => MARKER.replace(" -->", &format!(", part {number} -->")),
    };
    format!("{marker}\n### Plan (part {number} of {of})\n\n{text}\n")
}

fn parts(of: usize, text: &str) -> Vec<String> {
    (1..=of).map(|number| part(number, of, text)).collect()
}

fn forge(host: GitHost) -> (Forge, Clock) {
    let clock = Clock::starting_at(START);
    (Forge::new(host, &clock), clock)
}

async fn posted(forge: &Forge, clock: &Clock, parts: &[String]) -> Result<Kept, Interrupted> {
    let status = CommitStatus::new("driftless/plan", CommitState::Success, "2 to update");
    let plan = PlanPost { parts, part_of: &|comment| part_of(comment, "fleet"), status: &status };
    post(&forge.means(), clock, &forge.change(), &plan).await
}

#[tokio::test(start_paused = true)]
async fn one_comment_is_made_then_kept_up_to_date_in_place() {
    for host in HOSTS {
        let (forge, clock) = forge(host);
        let kept = posted(&forge, &clock, &parts(1, "first")).await.expect("posted");
        assert_eq!((kept.created, forge.bodies()), (1, parts(1, "first")));
        let kept = posted(&forge, &clock, &parts(1, "second")).await.expect("posted");
        assert_eq!((kept.updated, forge.bodies()), (1, parts(1, "second")));
        assert_eq!(forge.comments().len(), 1, "{host:?}");
        forge.calls();
        let kept = posted(&forge, &clock, &parts(1, "second")).await.expect("posted");
        assert_eq!(kept.unchanged, 1);
        let writes = forge.writing_calls();
        assert!(writes.len() == 1 && writes[0].1.contains("/statuses/"), "{writes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_grows_gets_further_comments_and_loses_them_when_it_shrinks() {
    for host in HOSTS {
        let (forge, clock) = forge(host);
        posted(&forge, &clock, &parts(1, "small")).await.expect("posted");
        posted(&forge, &clock, &parts(3, "large")).await.expect("posted");
        assert_eq!(forge.bodies(), parts(3, "large"));
        forge.calls();
        let kept = posted(&forge, &clock, &parts(1, "small again")).await.expect("posted");
        assert_eq!((kept.updated, kept.removed), (1, 2));
        assert_eq!(forge.bodies(), parts(1, "small again"));
        let writes = forge.writing_calls();
        let methods: Vec<&str> =
            writes.iter().map(|(_, call)| call.split(' ').next().expect("a word")).collect();
        assert_eq!(methods[1..], ["DELETE", "DELETE", "POST"], "what is too many goes last");
    }
}

#[tokio::test(start_paused = true)]
async fn ours_is_found_behind_hundreds_of_others() {
    for host in HOSTS {
        let (forge, clock) = forge(host);
        for _ in 0..230 {
            forge.writes("5", "a question");
        }
        posted(&forge, &clock, &parts(1, "first")).await.expect("posted");
        for _ in 0..30 {
            forge.writes("5", "an answer");
        }
        let kept = posted(&forge, &clock, &parts(1, "second")).await.expect("posted");
        assert_eq!((kept.updated, forge.bodies()), (1, parts(1, "second")));
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_wrote_is_never_touched() {
    for host in HOSTS {
        let (forge, clock) = forge(host);
        let text = part(1, 1, "a copy of the plan");
        forge.writes("5", &text);
        forge.writes("6", &part(3, 3, "another copy"));
        // Ours, but none of the plan: an answer that quotes it, and the plan of another fleet.
        forge.writes(forge.me(), &format!("see\n\n{text}"));
        forge.writes(forge.me(), &text.replace(" plan -->", " plan of staging -->"));
        let before = forge.comments();
        for text in ["first", "second"] {
            posted(&forge, &clock, &parts(1, text)).await.expect("posted");
        }
        assert_eq!(forge.comments()[..4], before[..]);
        assert_eq!(forge.comments().len(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn two_runs_at_once_leave_one_comment() {
    for host in HOSTS {
        let (forge, clock) = forge(host);
        let (one, other) = (parts(2, "one"), parts(2, "other"));
        let both = tokio::join!(posted(&forge, &clock, &one), posted(&forge, &clock, &other));
        both.0.expect("posted");
        both.1.expect("posted");
        let bodies = forge.bodies();
        assert!(bodies == one || bodies == other, "{bodies:#?}");
        // The same when one of them begins later, while the other is between two of its calls.
        let later = async {
            clock.sleep(std::time::Duration::from_millis(150)).await;
            posted(&forge, &clock, &other).await
        };
        let (first, second) = tokio::join!(posted(&forge, &clock, &one), later);
        first.expect("posted");
        second.expect("posted");
        assert_eq!(forge.bodies().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn comments_that_are_there_twice_become_one() {
    let (forge, clock) = forge(GitHost::GitHub);
    let oldest = forge.writes(forge.me(), &part(1, 1, "old"));
    forge.writes(forge.me(), &part(1, 1, "old"));
    let kept = posted(&forge, &clock, &parts(1, "new")).await.expect("posted");
    assert_eq!((kept.updated, kept.removed), (1, 1));
    let comments = forge.comments();
    assert_eq!((comments.len(), comments[0].id), (1, oldest));
}

#[tokio::test(start_paused = true)]
async fn a_comment_that_somebody_removed_meanwhile_is_made_again() {
    let (forge, clock) = forge(GitHost::GitHub);
    posted(&forge, &clock, &parts(1, "first")).await.expect("posted");
    forge.fails("PATCH ", &[Fault::Answers(404, vec![], "{}")]);
    posted(&forge, &clock, &parts(1, "second")).await.expect("posted");
    assert_eq!(forge.bodies(), parts(1, "second"), "and the old one is not there twice");
}

#[tokio::test(start_paused = true)]
async fn a_status_says_what_the_plan_says_and_where_the_job_is() {
    for host in HOSTS {
        let (forge, clock) = forge(host);
        posted(&forge, &clock, &parts(1, "first")).await.expect("posted");
        let statuses = forge.statuses();
        let [(_, status)] = statuses.as_slice() else { panic!("one status, not {statuses:?}") };
        let name = if host == GitHost::GitHub { "context" } else { "name" };
        assert_eq!(status[name], "driftless/plan");
        assert_eq!(
            (&status["state"], &status["description"]),
            (&"success".into(), &"2 to update".into())
        );
        assert_eq!(status["target_url"], "https://ci.example/run/1");
        assert_eq!(status["sha"], "c0ffee".repeat(7)[..40]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_not_told_the_commit_is_asked_for_it() {
    let (forge, clock) = forge(GitHost::GitHub);
    let status = CommitStatus::new("driftless/plan", CommitState::Failure, "2 errors");
    let texts = parts(1, "first");
    let part_of = |comment: &str| part_of(comment, "fleet");
    let plan = PlanPost { parts: &texts, part_of: &part_of, status: &status };
    let change = driftless::announce::hosts::Change { head: None, ..forge.change() };
    post(&forge.means(), &clock, &change, &plan).await.expect("posted");
    let (_, status) = &forge.statuses()[0];
    assert_eq!((&status["state"], &status["sha"]), (&"failure".into(), &"d".repeat(40).into()));
}
