//! `driftless status`: where every stack stands and why, from the journal alone.

use std::collections::BTreeSet;
use std::io::Write;

use clap::Args;

use crate::cli::context::{CommandError, Context, Ending, Format};
use crate::drift::signatures;
use crate::ids::{ServiceName, Target, TenantName};
use crate::journal::{Filter, Journal};
use crate::moment::Moment;
use crate::plan::Scope;
use crate::report::{Counting, Detail, HaltedRollout, Status, Surroundings};

/// Where every stack stands and why.
#[derive(Args, Clone, Debug, Default)]
pub struct StatusArgs {
    /// Only this tenant; each of its stacks is listed
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<TenantName>,
    /// Only this service; each of its stacks is listed
    #[arg(long, value_name = "NAME")]
    pub service: Option<ServiceName>,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Writes the status. It needs attention when a stack is stuck, a target cannot be seen, a channel
/// cannot be told, or the newest revision was refused.
pub fn run(
    args: &StatusArgs,
    context: &Context,
    out: &mut dyn Write,
) -> Result<Ending, CommandError> {
    let journal = context.known_journal()?;
    let status = status(args, &journal, context.now())?;
    if args.narrowed() && status.total == 0 {
        return Err(CommandError::NotFound(format!(
            "no stack {} is known: check the name, or wait until the controller has looked",
            args.of_what()
        )));
    }
    match args.format {
        Format::Text => out.write_all(status.text().as_bytes())?,
        Format::Json => writeln!(out, "{:#}", status.json())?,
    }
    Ok(if status.needs_attention() { Ending::NeedsAttention } else { Ending::Good })
}

impl StatusArgs {
    fn narrowed(&self) -> bool {
        self.tenant.is_some() || self.service.is_some()
    }

    fn detail(&self) -> Detail {
        match self.format {
            Format::Json => Detail::EveryStack,
            Format::Text if self.narrowed() => Detail::EveryStack,
            Format::Text => Detail::Groups,
        }
    }

    fn of_what(&self) -> String {
        let tenant = self.tenant.as_ref().map(|tenant| format!("of tenant {tenant}"));
        let service = self.service.as_ref().map(|service| format!("of service {service}"));
        tenant.into_iter().chain(service).collect::<Vec<_>>().join(" ")
    }

    /// Whether a suspension of this scope stops some of what is asked for.
    fn concerns(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Fleet => true,
            Scope::Tenant(name) => self.tenant.as_ref().is_none_or(|tenant| tenant == name),
            Scope::Service(name) => self.service.as_ref().is_none_or(|service| service == name),
        }
    }
}

fn status(args: &StatusArgs, journal: &Journal, now: Moment) -> Result<Status, CommandError> {
    let mut counting = Counting::new(args.detail());
    let mut targets = BTreeSet::new();
    let mut requests = BTreeSet::new();
    let filter = Filter { tenant: args.tenant.clone(), service: args.service.clone(), name: None };
    journal.for_each_stack(&filter, |record| {
        if args.narrowed() {
            targets.insert(record.key.target.clone());
            requests.extend(record.verdict.approval.clone());
        }
        counting.add(record);
    })?;
    let mut around = surroundings(journal, now)?;
    around.drifted = signatures(journal.drifts(&filter, true)?.iter());
    if args.narrowed() {
        narrow(&mut around, args, &targets, &requests);
    }
    Ok(counting.status(around, now))
}

fn surroundings(journal: &Journal, now: Moment) -> Result<Surroundings, CommandError> {
    Ok(Surroundings {
        targets: journal.targets()?,
        accepted: journal.accepted_revision()?,
        origin: journal.origin()?,
        refused: journal.refused_revision()?,
        requests: journal.requests()?,
        steering: journal.steering(now)?,
        halted: halted(journal)?,
        silent: journal.silent_channels()?,
        drifted: Vec::new(),
    })
}

fn halted(journal: &Journal) -> Result<Vec<HaltedRollout>, CommandError> {
    let (kept, _) = journal.rollouts()?;
    let halted = kept.into_iter().filter_map(|(service, rollout)| {
        let run = rollout.running?;
        Some(HaltedRollout { service, release: run.release, halt: run.halt? })
    });
    Ok(halted.collect())
}

fn narrow(
    around: &mut Surroundings,
    args: &StatusArgs,
    targets: &BTreeSet<Target>,
    requests: &BTreeSet<String>,
) {
    around.targets.retain(|record| targets.contains(&record.target));
    around.requests.retain(|(request, _)| requests.contains(&request.id));
    around.silent.clear();
    around.halted.retain(|one| args.service.as_ref().is_none_or(|only| *only == one.service));
    around.steering.suspensions.retain(|suspension| args.concerns(&suspension.scope));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::context::tests::{context, without_journal};
    use crate::observed::{Blind, BlindReason};
    use crate::plan::{StackRecord, TargetRecord, Weight};
    use crate::report::sample::{minutes_ago, record, target};

    fn ask(args: &StatusArgs, context: &Context) -> (String, Result<Ending, CommandError>) {
        let mut out = Vec::new();
        let ending = run(args, context, &mut out);
        (String::from_utf8(out).expect("text"), ending)
    }

    fn tenant(name: &str) -> StatusArgs {
        StatusArgs { tenant: Some(name.parse().expect("a name")), ..StatusArgs::default() }
    }

    fn in_sync(tenant: &str) -> StackRecord {
        record(tenant, "scan-api", Weight::Settled, "in-sync", "as git says")
    }

    #[test]
    fn a_fleet_in_sync_ends_well() {
        let (_folder, context, _journal) = context(&[in_sync("acme"), in_sync("bolt")]);
        let (text, ending) = ask(&StatusArgs::default(), &context);
        assert!(text.starts_with("2 stacks in 2 tenants: all in sync\n"), "{text}");
        assert_eq!(ending.expect("an ending"), Ending::Good);
    }

    #[test]
    fn a_stuck_stack_or_a_blind_target_needs_attention() {
        let stuck = record("bolt", "scan-api", Weight::Stuck, "failed", "failed: x");
        let (_folder, first, _journal) = context(&[in_sync("acme"), stuck]);
        assert_eq!(ask(&StatusArgs::default(), &first).1.expect("an ending").code(), 3);

        let (_folder, second, journal) = context(&[in_sync("acme")]);
        let blind = Blind { reason: BlindReason::AccessDenied, message: "no".to_owned() };
        let record = TargetRecord {
            target: target("acme"),
            looked_at: None,
            blind: Some((blind, minutes_ago(3))),
            blind_looks: 1,
        };
        journal.record_pass(&record, &[], &[], &[], &[]).expect("written");
        let (text, ending) = ask(&StatusArgs::default(), &second);
        assert!(text.contains("; 1 target cannot be seen"), "{text}");
        assert_eq!(ending.expect("an ending").code(), 3);
    }

    #[test]
    fn one_tenant_shows_only_its_own() {
        let stuck = record("bolt", "scan-api", Weight::Stuck, "failed", "failed: x");
        let (_folder, context, _journal) = context(&[in_sync("acme"), stuck]);
        let (text, ending) = ask(&tenant("acme"), &context);
        insta::assert_snapshot!(text);
        assert_eq!(ending.expect("an ending"), Ending::Good);
        let error = ask(&tenant("nobody"), &context).1.expect_err("unknown");
        assert!(error.to_string().starts_with("no stack of tenant nobody is known"), "{error}");
    }

    #[test]
    fn json_has_a_version_and_every_stack() {
        let records: Vec<_> = (0..30).map(|n| in_sync(&format!("tenant-{n:02}"))).collect();
        let records: Vec<_> = records
            .into_iter()
            .enumerate()
            .map(|(n, mut record)| {
                record.key.name = format!("scan-api-{n}").parse().expect("a name");
                record
            })
            .collect();
        let (_folder, context, _journal) = context(&records);
        let args = StatusArgs { format: Format::Json, ..StatusArgs::default() };
        let json: serde_json::Value = serde_json::from_str(&ask(&args, &context).0).expect("json");
        assert_eq!(json["version"], 1);
        assert_eq!(json["counts"]["settled"], 30);
        assert_eq!(json["stacks"].as_array().map(Vec::len), Some(30));
    }

    #[test]
    fn without_a_journal_it_says_what_to_start() {
        let (_folder, context) = without_journal();
        let error = ask(&StatusArgs::default(), &context).1.expect_err("no journal");
        assert!(error.to_string().contains("start `driftless run` or `driftless apply` first"));
        assert!(!context.journal_path.exists());
    }
}
