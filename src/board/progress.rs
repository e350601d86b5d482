//! What a controller says while it works. Whoever listens turns it into bars, lines or log events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use crate::board::{Board, Filling, Stocked};
use crate::fleet::Finding;
use crate::ids::{Revision, ServiceName, StackName, Target};
use crate::moment::Moment;
use crate::observed::Blind;
use crate::outcome::Outcome;
use crate::plan::{ApprovalKind, ApprovalRequest, StackRecord, Step, Weight};
use crate::rollout::{Change, Order, Stage};

/// One piece of news.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "news are few at a time and soon forgotten")]
pub enum Progress {
    /// A revision is what is converged from now on.
    Accepted {
        /// Which.
        revision: Revision,
        /// How many stacks are to stand; those asked to go are left out.
        stacks: usize,
        /// How many tenants have them.
        tenants: usize,
        /// In how many targets something is wanted otherwise than before.
        changed: BTreeSet<Target>,
        /// Warnings about it.
        warnings: Vec<Finding>,
    },
    /// A revision was refused; the last good one stays.
    Refused {
        /// Which; unknown when it could not be read.
        revision: Option<Revision>,
        /// What is wrong with it.
        findings: Vec<Finding>,
        /// Why, in a sentence.
        why: String,
    },
    /// A call was made for a step, or could not be made.
    Step {
        /// The stack's row afterwards.
        record: StackRecord,
        /// The step.
        step: Step,
        /// What became of the call.
        outcome: Outcome,
    },
    /// What is decided about a stack is something else than before.
    Verdict {
        /// The stack's row.
        record: StackRecord,
        /// How much the last verdict mattered; `None` for a stack that is new to us.
        earlier: Option<Weight>,
    },
    /// A stack that nobody wants is not there any more.
    Gone {
        /// Where it was.
        target: Target,
        /// What it was called.
        name: StackName,
    },
    /// The account of an offboarded tenant cannot be entered, and nothing of ours was ever known there.
    NeverEntered {
        /// Which target.
        target: Target,
    },
    /// A target cannot be observed.
    Blind {
        /// Which.
        target: Target,
        /// Why.
        blind: Blind,
    },
    /// The journal is new, and stacks of ours stand here that it knows nothing of: an earlier one is
    /// lost. Said once.
    Inherited {
        /// Where the first of them were found.
        target: Target,
    },
    /// Something happened in the rollout of a service.
    Rollout {
        /// Which service.
        service: ServiceName,
        /// What.
        change: Change,
    },
    /// A person's order could not be obeyed.
    Disobeyed {
        /// What was said.
        order: Order,
        /// Why it cannot be done, a sentence.
        why: String,
    },
    /// What templates point to is looked for in buckets, and uploaded.
    Artifacts(Stocked),
    /// Something waits for a person.
    Asked(ApprovalRequest),
    /// A person suspended, resumed or approved something.
    Steered {
        /// How many suspensions there are now.
        suspensions: usize,
        /// How many approvals count now.
        approvals: usize,
    },
    /// How the fleet stands, after some targets were looked at.
    Standing(Standing),
    /// The controller waits for running calls and ends.
    Stopping {
        /// How many targets are being reconciled.
        busy: usize,
    },
}

/// How the stacks of the fleet stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// When it was counted.
    pub at: Moment,
    /// By service: stacks that are as git says, left alone, waiting, stuck.
    pub services: BTreeMap<String, Tally>,
    /// Targets that cannot be observed.
    pub blind: usize,
    /// Targets that have not been looked at since the start, or since a revision changed them.
    pub unseen: usize,
    /// Operations that run in AWS.
    pub in_flight: usize,
    /// How far what templates point to is uploaded; `None` while nothing is.
    pub filling: Option<Filling>,
    /// How far the releases have come that go out in waves, by service.
    pub stages: BTreeMap<String, Stage>,
}

/// How many stacks stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// As git says.
    pub settled: usize,
    /// Left alone on purpose.
    pub left_alone: usize,
    /// Being worked on, or waiting for something that comes by itself.
    pub waiting: usize,
    /// Waiting for a person or for a change in git.
    pub stuck: usize,
}

impl Tally {
    /// Counts one stack more.
    pub fn count(&mut self, weight: Weight) {
        match weight {
            Weight::Settled => self.settled += 1,
            Weight::LeftAlone => self.left_alone += 1,
            Weight::Waiting => self.waiting += 1,
            Weight::Stuck => self.stuck += 1,
        }
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.settled + self.left_alone + self.waiting + self.stuck
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.settled += other.settled;
        self.left_alone += other.left_alone;
        self.waiting += other.waiting;
        self.stuck += other.stuck;
    }
}

impl std::ops::SubAssign for Tally {
    fn sub_assign(&mut self, other: Self) {
        self.settled -= other.settled;
        self.left_alone -= other.left_alone;
        self.waiting -= other.waiting;
        self.stuck -= other.stuck;
    }
}

impl Board {
    /// The fleet stands otherwise than before.
    pub fn note_moved(&self) {
        self.0.moves.fetch_add(1, Ordering::SeqCst);
        self.0.moved.store(true, Ordering::SeqCst);
    }

    /// A number that moves whenever the fleet may stand otherwise than before.
    pub fn moves(&self) -> u64 {
        self.0.moves.load(Ordering::SeqCst)
    }

    /// Whether the fleet may stand otherwise than when this was asked last.
    pub fn has_moved(&self) -> bool {
        self.0.moved.swap(false, Ordering::SeqCst)
    }

    /// How far the releases have come that go out in waves.
    pub(super) fn stages(&self, now: Moment) -> BTreeMap<String, Stage> {
        let steering = self.view().steering;
        let rollouts = self.rollouts();
        let stages = rollouts.courses().filter_map(|(service, course)| {
            let approves = |member: &str| {
                steering.approves(ApprovalKind::Wave, &format!("{service}: {member}"), now)
            };
            Some((service.to_string(), course.stage(now, &approves)?))
        });
        stages.collect()
    }
}

impl Standing {
    /// The stacks of all services.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for tally in self.services.values() {
            total += *tally;
        }
        total
    }
}
