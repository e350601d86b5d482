//! One binary for all integration tests: linking it once is what takes time. One file a behaviour.

#![allow(clippy::unwrap_used, reason = "all of this is tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one piece of news")]

mod access;
mod adopt;
mod announce;
mod artifacts;
mod bootstrap;
mod buckets;
mod converge;
mod create_only;
mod decisions;
mod deletion_limit;
mod deployment;
mod doctor;
mod drift;
mod effects;
mod failures;
mod freeze;
mod formats;
mod fuzz;
mod handover;
mod home;
mod hosts;
mod import;
mod interleavings;
mod kill;
mod lost_journal;
mod makespan;
mod ministack;
mod moto;
mod nested;
mod nested_inside;
mod outputs;
mod package;
mod plan;
mod python;
mod remote;
mod removal;
mod repair;
mod reviewed;
mod revisions;
mod rollout;
mod running;
mod sample;
mod scale;
mod schemas;
mod scripts;
mod secrets;
mod serve;
mod stall;
mod swarm;
mod tidy;
mod transform;
mod world;
