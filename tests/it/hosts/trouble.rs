//! What a host may answer instead: what goes away is waited for, what does not is said, and what was
//! written until then can be read.

use std::time::Duration;

use driftless::announce::hosts::{GitHost, Interrupted, Trouble};
use driftless::clock::Clock;

use crate::hosts::stand_in::{Fault, Forge, TOKEN};
use crate::hosts::{HOSTS, forge, part, parts, posted};

const SECOND: Duration = Duration::from_secs(1);

fn answers(status: u16, headers: &[(&'static str, &str)], body: &'static str) -> Fault {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
    Fault::Answers(status, headers.collect(), body)
}

async fn interrupted(forge: &Forge, clock: &Clock, of: usize) -> Interrupted {
    let error = posted(forge, clock, &parts(of, "text")).await.expect_err("it fails");
    let text = format!("{error:?}");
    assert!(!text.contains(TOKEN), "{text}");
    error
}

/// How long posting one new comment takes.
async fn time_of(forge: &Forge, clock: &Clock) -> Duration {
    let before = clock.now();
    posted(forge, clock, &parts(1, "text")).await.expect("posted");
    assert_eq!(forge.bodies(), parts(1, "text"));
    clock.now().since(before)
}

#[tokio::test(start_paused = true)]
async fn writes_are_a_second_apart() {
    for host in HOSTS {
        let (forge, clock) = forge(host);
        posted(&forge, &clock, &parts(5, "text")).await.expect("posted");
        let times: Vec<_> = forge.writing_calls().into_iter().map(|(at, _)| at).collect();
        assert_eq!(times.len(), 6);
        assert!(times.windows(2).all(|two| two[1].since(two[0]) >= SECOND), "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_asked_for_is_made() {
    for host in HOSTS {
        let (forge, clock) = forge(host);
        forge.fails("comments", &[answers(429, &[("retry-after", "7")], "")]);
        forge.fails("notes", &[answers(429, &[("retry-after", "7")], "")]);
        let took = time_of(&forge, &clock).await;
        assert!(took >= 7 * SECOND && took < 12 * SECOND, "{host:?}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_used_up_limit_is_a_pause_until_it_begins_anew_and_no_refusal() {
    let (forge, clock) = forge(GitHost::GitHub);
    let reset = (clock.now().as_millis() / 1_000 + 20).to_string();
    let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset.as_str())];
    forge.fails("GET ", &[answers(403, &headers, r#"{"message":"API rate limit exceeded"}"#)]);
    let secondary = r#"{"message":"You have exceeded a secondary rate limit. Please wait"}"#;
    forge.fails("statuses", &[answers(403, &[], secondary)]);
    let took = time_of(&forge, &clock).await;
    assert!(took >= 80 * SECOND && took < 90 * SECOND, "20 s and a minute, not {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_too_long_is_said_instead_of_made() {
    let (forge, clock) = forge(GitHost::GitHub);
    let reset = (clock.now().as_millis() / 1_000 + 1_790).to_string();
    let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset.as_str())];
    forge.fails("GET ", &[answers(403, &headers, r#"{"message":"API rate limit exceeded"}"#)]);
    let before = clock.now();
    let Interrupted { error, .. } = interrupted(&forge, &clock, 1).await;
    assert_eq!(error.trouble, Trouble::Busy);
    assert_eq!(
        error.to_string(),
        "GitHub could not be asked to list the comments (403: API rate limit exceeded)"
    );
    assert_eq!(error.help, "try again in 30 min or later");
    assert!(clock.now().since(before) < 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_stumbles_is_asked_again_and_nothing_is_there_twice() {
    for host in HOSTS {
        let (forge, clock) = forge(host);
        let stumbles = [answers(502, &[], "<html>"), Fault::Loses, answers(500, &[], "")];
        forge.fails("comments", &stumbles);
        forge.fails("notes", &stumbles);
        time_of(&forge, &clock).await;
        // The comment is written, and nobody hears of it.
        let lost = [Fault::Loses, Fault::Loses, Fault::Loses];
        forge.fails("POST /repos/acme/fleet/issues", &lost);
        forge.fails("POST /projects/acme%2Ffleet/merge_requests", &lost);
        posted(&forge, &clock, &parts(3, "long")).await.expect("posted");
        assert_eq!(forge.bodies(), parts(3, "long"), "{host:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_down_is_given_up_after_two_minutes() {
    for host in HOSTS {
        let (forge, clock) = forge(host);
        forge.fails("GET ", &vec![answers(503, &[], "<html>"); 100]);
        forge.fails("POST ", &vec![Fault::Loses; 100]);
        let before = clock.now();
        let Interrupted { error, kept } = interrupted(&forge, &clock, 1).await;
        assert_eq!((error.trouble, kept.created), (Trouble::Busy, 0));
        let took = clock.now().since(before);
        assert!(took > 30 * SECOND && took < 130 * SECOND, "{host:?}: {took:?}");
        assert!(forge.calls().len() <= 12);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_host_does_not_take_is_said_in_its_words_and_not_tried_again() {
    let (github, clock) = forge(GitHost::GitHub);
    let long = vec![part(1, 1, &"x".repeat(70_000))];
    let error = posted(&github, &clock, &long).await.expect_err("too long").error;
    assert_eq!(error.trouble, Trouble::Invalid);
    assert_eq!(
        error.to_string(),
        "GitHub refused to write the comment in acme/fleet (422: Validation Failed; Body is too \
         long (maximum is 65536 characters))"
    );
    let writes = github.writing_calls();
    assert_eq!((writes.len(), github.statuses().len()), (1, 0), "no status without the comment");
    let (gitlab, clock) = forge(GitHost::GitLab);
    let long = vec![part(1, 1, &"x".repeat(1_100_000))];
    let error = posted(&gitlab, &clock, &long).await.expect_err("too long").error;
    assert!(error.said.contains("is too long"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn who_lacks_a_right_is_told_which_one() {
    let body = r#"{"message":"Resource not accessible by integration"}"#;
    let (forge, clock) = forge(GitHost::GitHub);
    forge.fails("POST /repos/acme/fleet/issues", &[answers(403, &[], body)]);
    let error = interrupted(&forge, &clock, 1).await.error;
    assert!(error.help.contains("`pull-requests: write`"), "{error:?}");
    forge.fails("POST /repos/acme/fleet/statuses", &[answers(403, &[], body)]);
    let Interrupted { error, kept } = interrupted(&forge, &clock, 1).await;
    assert!(error.help.contains("`statuses: write`"), "{error:?}");
    assert_eq!((error.trouble, kept.created), (Trouble::Rights, 1));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_none_and_a_repository_that_is_elsewhere_are_told_apart() {
    for host in HOSTS {
        let (forge, clock) = forge(host);
        let bad = answers(401, &[], r#"{"message":"Bad credentials"}"#);
        forge.fails("user", std::slice::from_ref(&bad));
        forge.fails("graphql", std::slice::from_ref(&bad));
        let error = interrupted(&forge, &clock, 1).await.error;
        assert_eq!(error.trouble, Trouble::Rights);
        assert!(error.what.ends_with(" does not accept the token"), "{error}");
        let missing = [answers(404, &[], r#"{"message":"Not Found"}"#)];
        forge.fails("comments", &missing);
        forge.fails("notes", &missing);
        let error = interrupted(&forge, &clock, 1).await.error;
        assert_eq!(error.trouble, Trouble::Missing);
        assert!(error.what.contains("acme/fleet") && error.what.contains("not there, or hidden"));
    }
}

#[tokio::test(start_paused = true)]
async fn something_else_that_answers_is_not_taken_for_the_host() {
    for host in HOSTS {
        for (status, body) in [(200, "<html>hello</html>"), (302, ""), (200, "{}")] {
            let (forge, clock) = forge(host);
            forge.fails("comments", &[answers(status, &[], body)]);
            forge.fails("notes", &[answers(status, &[], body)]);
            let error = interrupted(&forge, &clock, 1).await.error;
            assert_eq!(error.trouble, Trouble::Odd, "{status} {body}");
            assert_eq!(forge.comments().len(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_written_before_a_failure_says_itself_that_more_was_to_come() {
    for host in HOSTS {
        let (forge, clock) = forge(host);
        let refused = answers(400, &[], r#"{"message":"no"}"#);
        posted(&forge, &clock, &parts(1, "before")).await.expect("posted");
        forge.fails("POST /repos/acme/fleet/issues", std::slice::from_ref(&refused));
        forge.fails("POST /projects/acme%2Ffleet/merge_requests", std::slice::from_ref(&refused));
        let Interrupted { kept, .. } = interrupted(&forge, &clock, 3).await;
        assert_eq!((kept.updated, kept.created), (1, 0));
        assert_eq!(forge.bodies(), [part(1, 3, "text")]);
        posted(&forge, &clock, &parts(3, "text")).await.expect("the next run mends it");
        assert_eq!(forge.bodies(), parts(3, "text"));
    }
}
