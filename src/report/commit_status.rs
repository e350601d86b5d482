//! What stands beside a commit at a git host: a state and a line. Hosts keep only so many of them,
//! so one is sent seldom.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::Revision;
use crate::moment::Moment;
use crate::report::number;

/// GitHub's limit for the line, in characters; GitLab takes 255.
const MAX_TEXT: usize = 140;
/// GitHub keeps 1,000 statuses of a commit and context, and refuses more.
const MOST: u32 = 990;
/// The shortest pause between two statuses of a commit while the counts move.
const EVERY: Duration = Duration::from_secs(5 * 60);
/// After so many the pause doubles: whatever moves without end, [`MOST`] is a year away.
const DOUBLES_AFTER: u32 = 100;
/// What came to rest is told once it has rested so long: one operation follows another.
const SETTLES: Duration = Duration::from_secs(30);

/// How a commit fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommitState {
    /// It is not known yet.
    Pending,
    /// Well.
    Success,
    /// Not well.
    Failure,
    /// It was refused.
    Error,
}

/// One status of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitStatus {
    /// What it is about: statuses of the same context replace each other.
    pub context: String,
    /// How it fares.
    pub state: CommitState,
    /// A line for people, within every host's limit.
    pub text: String,
}

/// How the stacks of a fleet stand, in numbers of stacks and of targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FleetCounts {
    /// Stacks that are to stand.
    pub wanted: usize,
    /// Stacks as git says.
    pub settled: usize,
    /// Stacks left alone on purpose.
    pub left_alone: usize,
    /// Stacks being worked on, or waiting for something that comes by itself.
    pub waiting: usize,
    /// Stacks that wait for a person or for a change in git.
    pub stuck: usize,
    /// Targets that cannot be observed.
    pub blind: usize,
    /// Targets that have not been looked at since the revision changed them.
    pub unseen: usize,
    /// Operations that run in AWS.
    pub in_flight: usize,
}

/// What was told of a commit, for the next time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldCommit {
    /// Which commit.
    pub revision: Revision,
    /// What was said.
    pub status: CommitStatus,
    /// When.
    pub at: Moment,
    /// How many statuses it has got from us.
    pub count: u32,
}

impl CommitStatus {
    /// A status whose text is cut to what hosts take.
    pub fn new(context: &str, state: CommitState, text: &str) -> Self {
        let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if line.chars().count() > MAX_TEXT {
            line = line.chars().take(MAX_TEXT - 1).collect();
            line = format!("{}…", line.trim_end());
        }
        Self { context: context.to_owned(), state, text: line }
    }

    /// How a fleet stands that follows the commit.
    pub fn of_fleet(context: &str, counts: &FleetCounts) -> Self {
        let FleetCounts { wanted, settled, left_alone, waiting, stuck, blind, .. } = *counts;
        // Those that are to go stand as well, until they are gone.
        let all = wanted.max(settled + left_alone + waiting + stuck);
        let mut text = format!("{} of {} in sync", number(settled), number(all));
        let rest = [
            (stuck, "failed"),
            (waiting, "waiting"),
            (left_alone, "left alone"),
            (blind, if blind == 1 { "place out of sight" } else { "places out of sight" }),
        ];
        for (count, what) in rest.into_iter().filter(|(count, _)| *count > 0) {
            text.push_str(&format!(", {} {what}", number(count)));
        }
        let state = if counts.moves() {
            CommitState::Pending
        } else if stuck > 0 || blind > 0 {
            CommitState::Failure
        } else if waiting > 0 {
            CommitState::Pending
        } else {
            CommitState::Success
        };
        Self::new(context, state, &text)
    }

    /// A revision that was refused; `findings` are lines, the first of which is shown.
    pub fn of_refusal(context: &str, findings: &str, count: usize) -> Self {
        let first = findings.lines().next().unwrap_or_default();
        let text = match count {
            0 | 1 => format!("Refused: {first}"),
            count => format!("Refused, {} errors: {first}", number(count)),
        };
        Self::new(context, CommitState::Error, &text)
    }
}

impl FleetCounts {
    /// Whether something runs or has still to be looked at: what is counted is not the end.
    fn moves(&self) -> bool {
        self.in_flight > 0 || self.unseen > 0
    }
}

/// When a commit shall get this status, which is what holds since `since`; `None`: not before
/// something else holds.
pub fn due_at(
    told: Option<&ToldCommit>,
    revision: &Revision,
    status: &CommitStatus,
    since: Moment,
) -> Option<Moment> {
    let Some(told) = told.filter(|told| told.revision == *revision) else { return Some(since) };
    if told.status == *status || told.count >= MOST {
        return None;
    }
    let doubled = (told.count / DOUBLES_AFTER).min(16);
    let seldom = told.at + EVERY.saturating_mul(1 << doubled);
    let is_end = told.status.state == CommitState::Pending && status.state != CommitState::Pending;
    Some(if is_end { (since + SETTLES).min(seldom.max(since)) } else { seldom.max(since) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(settled: usize, stuck: usize, waiting: usize) -> FleetCounts {
        FleetCounts { wanted: 2_000, settled, stuck, waiting, ..FleetCounts::default() }
    }

    fn said(counts: &FleetCounts) -> (CommitState, String) {
        let status = CommitStatus::of_fleet("driftless/test", counts);
        (status.state, status.text)
    }

    #[test]
    fn a_fleet_is_counted_in_one_line() {
        let (state, text) = said(&counts(1_990, 3, 7));
        assert_eq!(text, "1,990 of 2,000 in sync, 3 failed, 7 waiting");
        assert_eq!(
            state,
            CommitState::Failure,
            "what waits for what failed does not come by itself"
        );
        assert_eq!(
            said(&counts(2_000, 0, 0)),
            (CommitState::Success, "2,000 of 2,000 in sync".into())
        );
        assert_eq!(said(&counts(1_999, 0, 1)).0, CommitState::Pending);
        let moving = FleetCounts { in_flight: 1, ..counts(1_999, 1, 0) };
        assert_eq!(said(&moving).0, CommitState::Pending);
        let fresh = FleetCounts { unseen: 2_000, ..counts(0, 0, 0) };
        assert_eq!(said(&fresh), (CommitState::Pending, "0 of 2,000 in sync".into()));
        let blind = FleetCounts { blind: 2, left_alone: 1, ..counts(1_997, 0, 0) };
        assert_eq!(said(&blind).1, "1,997 of 2,000 in sync, 1 left alone, 2 places out of sight");
        assert_eq!(said(&blind).0, CommitState::Failure);
    }

    #[test]
    fn a_refusal_shows_its_first_finding_within_the_limit() {
        let findings = format!("fleet.yaml:3:1: {}\nsecond", "ü".repeat(300));
        let status = CommitStatus::of_refusal("driftless/test", &findings, 2);
        assert!(status.text.starts_with("Refused, 2 errors: fleet.yaml:3:1: ü"), "{}", status.text);
        assert_eq!(status.text.chars().count(), MAX_TEXT);
        assert_eq!((status.state, status.text.contains("second")), (CommitState::Error, false));
    }

    const START: Moment = Moment::from_millis(1_795_000_000_000);

    fn told(state: CommitState, count: u32) -> ToldCommit {
        let status = CommitStatus::new("driftless/test", state, "before");
        ToldCommit { revision: Revision::of("aaaa"), status, at: START, count }
    }

    fn due(told: &ToldCommit, revision: &str, state: CommitState, since: Moment) -> Option<Moment> {
        let status = CommitStatus::new("driftless/test", state, "after");
        due_at(Some(told), &Revision::of(revision), &status, since)
    }

    #[test]
    fn a_new_commit_is_told_at_once_a_moving_one_seldom_and_its_end_when_it_rests() {
        let (pending, success) = (CommitState::Pending, CommitState::Success);
        let soon = START + Duration::from_secs(1);
        let before = told(pending, 1);
        assert_eq!(due(&before, "bbbb", pending, soon), Some(soon));
        assert_eq!(due(&before, "aaaa", pending, soon), Some(START + EVERY));
        assert_eq!(due(&before, "aaaa", success, soon), Some(soon + SETTLES));
        assert_eq!(due(&told(success, 2), "aaaa", pending, soon), Some(START + EVERY));
        assert_eq!(due(&told(success, 2), "aaaa", CommitState::Failure, soon), Some(START + EVERY));
        let late = START + EVERY * 3;
        assert_eq!(due(&before, "aaaa", pending, late), Some(late), "the pause has passed");
        assert_eq!(due_at(Some(&before), &before.revision, &before.status, late), None);
    }

    #[test]
    fn however_long_it_moves_the_limit_of_the_host_is_not_reached() {
        let mut before = told(CommitState::Pending, 1);
        let mut at = START;
        let year = START + Duration::from_secs(365 * 86_400);
        while at < year {
            before.at = at;
            let Some(next) = due(&before, "aaaa", CommitState::Pending, at) else { break };
            assert!(next > at);
            (at, before.count) = (next, before.count + 1);
        }
        assert!(before.count <= MOST, "{}", before.count);
        assert!(before.count > 500, "{}", before.count);
    }
}
