//! driftless is GitOps for a fleet of AWS accounts: it reads from git which CloudFormation stacks
//! every tenant's account shall have, looks at what is there, and converges the difference, for
//! ever, a bounded number of operations at a time.
//!
//! # The flow
//!
//! ```text
//! git ──▶ Snapshot ──▶ Fleet ──▶ Desired ─┐
//!                                         ├─▶ plan (pure) ──▶ act ──▶ Outcome ──▶ journal ──▶ report
//! aws ──▶ observe ──▶ Look ───────────────┘       ▲                                  │
//!                                   Memory ───────┴──────────────────────────────────┘
//! ```
//!
//! [`reconcile`] is this picture for one target (an account in a region), once. [`controller`] does
//! it for all targets, each at its own time. Handling a target never waits for AWS to finish
//! anything: it looks, decides, starts what may start, and says when to look again. A crash at any
//! point loses nothing, because an operation that runs in AWS is found again by looking.
//!
//! # Layout
//!
//! The modules below stand in order: **a module imports only modules above it**. A test
//! (`tests/it/tidy.rs`) holds the code to this and to the other rules of this page.
//!
//! Values: pure and synchronous, without I/O, clock, randomness or logging.
//!
//! | module | what it is |
//! |---|---|
//! | [`ids`] | names that exist only if they are well formed; digests |
//! | [`moment`] | an instant as a value |
//! | [`snapshot`] | the files of one commit |
//! | [`template`] | CloudFormation templates: canonical form, parameters, comparison |
//! | [`package`] | what templates point to: nested templates and code, named by content |
//! | [`observed`] | what AWS shows: stacks, statuses, change sets, events |
//! | [`outcome`] | what became of steps, and the [`outcome::Memory`] of one stack |
//! | [`fleet`] | the documents, and findings on each of them |
//! | [`desired`] | tenants joined with services: who gets what where |
//! | [`cost`] | what resources cost while nothing runs, and what a change adds to it |
//! | [`rollout`] | releases, waves and gates: which release each stack may take now |
//! | [`check`] | findings on the joined fleet |
//! | [`import`] | documents written from stacks that somebody else deployed |
//! | [`drift`] | resources that are not as they were made: what counts, how bad, the same in many accounts |
//! | [`plan`] | what to do: the decision table, limits, cooldowns, holds |
//! | [`report`] | values in, text out |
//!
//! Effects: each touches one part of the world.
//!
//! | module | what it touches |
//! |---|---|
//! | [`clock`] | time |
//! | [`git`] | the repository: fetched where it is remote, revisions into snapshots, the hint that a ref moved |
//! | [`aws`] | sessions in many accounts, paced and repeated CloudFormation calls |
//! | [`artifacts`] | buckets: what templates point to, by content, uploaded once |
//! | [`journal`] | SQLite: what survives a restart |
//! | [`observe`] | one look at one target |
//! | [`act`] | one step on one stack |
//! | [`announce`] | chats, webhooks and git hosts: messages from the outbox of the journal, plans, statuses |
//!
//! Loops:
//!
//! | module | what it does |
//! |---|---|
//! | [`board`] | what all workers share: what is wanted, which places are taken, how the fleet stands |
//! | [`reconcile`] | one target, once: observe, decide, reserve, act, record |
//! | [`controller`] | the queue, the workers, and what wakes targets |
//!
//! Doors:
//!
//! | module | who comes in |
//! |---|---|
//! | [`sim`] | a simulated AWS behind the real SDK or on a port, for demos and tests |
//! | [`settings`] | flags and environment, resolved once |
//! | [`cli`] | people: one file a command |
//!
//! `http` has its place in this list reserved by the design and comes with the features that need
//! it.
//!
//! # What must never happen
//!
//! The seeded runs in `tests/it/swarm.rs` check the first seven at every call, and the last in the
//! journal's files and in all that a controller says.
//!
//! 1. A mutating call on a stack that is not ours, that moves, or whose decision is stale: calls
//!    name the stack by its id, and a create or a delete is confirmed by asking for that very stack.
//! 2. A deletion caused by an error that was read as absence. Errors make a target *blind*, and
//!    nothing is decided for a blind target; a revision with an error is refused as a whole.
//! 3. More deletions in a day than the limit, without an approval of exactly that set
//!    ([`plan::deletions`]).
//! 4. More operations in flight than the limits ([`plan::Ledger`]), or calls faster than AWS takes
//!    them ([`aws`]).
//! 5. A release given to a stack before its wave has begun ([`rollout`]).
//! 6. A stack that ever was complete deleted to be made again; a protected resource removed or
//!    replaced without approval.
//! 7. A new mutating call after a suspension or a shutdown was seen, or in a freeze window.
//! 8. A secret in a log, a report, a message or the journal.
//! 9. A resource brought back that our own detection did not find drifted, or in more than that; what
//!    nobody could look into taken for in sync ([`drift`], `tests/it/drift.rs`).
//! 10. Where the fleet requires plans, a resource touched otherwise than an approved plan of its release
//!     allows (`plan/reviewed.rs`, `tests/it/reviewed.rs`). `driftless plan` changes nothing but the
//!     change sets that `--preview` makes and removes.
//! 11. A stack that belongs to nobody deleted, or changed otherwise than in its tags unless a person said
//!     yes to that, because it is to be taken over (`plan/adoption.rs`, `tests/it/adopt.rs`).
//! 12. A template given to CloudFormation before all that it points to is in the bucket of its region
//!     (`plan/lack.rs`, `tests/it/artifacts.rs`).

pub mod ids;
pub mod moment;
pub mod snapshot;
pub mod template;
pub mod package;
pub mod observed;
pub mod outcome;
pub mod fleet;
pub mod desired;
pub mod cost;
pub mod rollout;
pub mod check;
pub mod import;
pub mod drift;
pub mod plan;
pub mod report;

pub mod clock;
pub mod git;
pub mod aws;
pub mod artifacts;
pub mod journal;
pub mod observe;
pub mod act;
pub mod announce;

pub mod board;
pub mod reconcile;
pub mod controller;

pub mod sim;
pub mod settings;
pub mod cli;
