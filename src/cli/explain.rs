//! `driftless explain STACK`: all that is known of one stack.

use std::io::Write;

use clap::Args;

use crate::cli::context::{CommandError, Context, Ending, Format};
use crate::ids::{ServiceName, StackKey, StackName, TenantName};
use crate::journal::{About, Filter, Journal, JournalError};
use crate::moment::Moment;
use crate::package::Package;
use crate::plan::{StackRecord, Suspension};
use crate::report::{Explanation, InWave, NestedStack, counted};

/// Events shown: the last few attempts.
const EVENTS: u32 = 20;
/// Stacks named where the name fits several.
const CANDIDATES: usize = 10;

/// One stack: wanted, seen, decision, why it waits, what failed.
#[derive(Args, Clone, Debug)]
pub struct ExplainArgs {
    /// ACCOUNT/REGION/NAME, TENANT/SERVICE, or a stack name that is unique
    #[arg(value_name = "STACK")]
    pub stack: String,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Tells the wave of a stack, if the documents say it: all else that is explained is in the journal.
pub type WaveOf<'a> = dyn Fn(&StackRecord, &Journal) -> Option<InWave> + 'a;

/// Writes the explanation.
pub fn run(
    args: &ExplainArgs,
    context: &Context,
    wave: &WaveOf<'_>,
    out: &mut dyn Write,
) -> Result<Ending, CommandError> {
    let journal = context.known_journal()?;
    let record = the_one(&args.stack, candidates(&args.stack, &journal)?)?;
    let mut explanation = explanation(record, &journal, context.now())?;
    explanation.wave = wave(&explanation.record, &journal);
    match args.format {
        Format::Text => out.write_all(explanation.text().as_bytes())?,
        Format::Json => writeln!(out, "{:#}", explanation.json())?,
    }
    Ok(Ending::Good)
}

fn candidates(text: &str, journal: &Journal) -> Result<Vec<StackRecord>, JournalError> {
    if let Ok(key) = text.parse::<StackKey>() {
        if let Some(record) = journal.stack(&key)? {
            return Ok(vec![record]);
        }
        let here = journal.stacks_in(&key.target)?.into_values();
        return Ok(here.filter(|record| is_called(record, &key.name)).collect());
    }
    let filter = match text.split_once('/') {
        Some((tenant, service)) => {
            match (tenant.parse::<TenantName>(), service.parse::<ServiceName>()) {
                (Ok(tenant), Ok(service)) => {
                    Filter { tenant: Some(tenant), service: Some(service), name: None }
                }
                _ => return Ok(Vec::new()),
            }
        }
        None => match text.parse::<StackName>() {
            Ok(name) => {
                let filter = Filter { name: Some(name.clone()), ..Filter::default() };
                let found = journal.all_stacks(&filter)?;
                return if found.is_empty() { called(&name, journal) } else { Ok(found) };
            }
            Err(_) => return Ok(Vec::new()),
        },
    };
    journal.all_stacks(&filter)
}

/// Stacks that AWS calls so, as they were taken over.
fn called(name: &StackName, journal: &Journal) -> Result<Vec<StackRecord>, JournalError> {
    let mut found = Vec::new();
    journal.for_each_stack(&Filter::default(), |record| {
        if is_called(&record, name) {
            found.push(record);
        }
    })?;
    Ok(found)
}

fn is_called(record: &StackRecord, name: &StackName) -> bool {
    record.seen.as_ref().is_some_and(|seen| seen.own_name() == *name)
}

fn the_one(text: &str, mut found: Vec<StackRecord>) -> Result<StackRecord, CommandError> {
    match (found.pop(), found.len()) {
        (Some(record), 0) => Ok(record),
        (None, _) => Err(CommandError::NotFound(format!(
            "no stack `{text}` is known: write ACCOUNT/REGION/NAME, TENANT/SERVICE or a stack \
             name; `driftless status --tenant NAME` lists the stacks of a tenant"
        ))),
        (Some(last), _) => {
            found.push(last);
            Err(CommandError::NotFound(several(text, &found)))
        }
    }
}

fn several(text: &str, found: &[StackRecord]) -> String {
    let mut lines: Vec<String> = found.iter().take(CANDIDATES).map(named).collect();
    if found.len() > CANDIDATES {
        lines.push(format!("and {} more", found.len() - CANDIDATES));
    }
    let count = counted(found.len(), "stack");
    format!("`{text}` fits {count}: name one of them\n  {}", lines.join("\n  "))
}

fn named(record: &StackRecord) -> String {
    match (&record.memory.tenant, &record.memory.service) {
        (Some(tenant), Some(service)) => format!("{}  ({tenant}/{service})", record.key),
        (Some(_), None) | (None, Some(_)) | (None, None) => record.key.to_string(),
    }
}

fn explanation(
    record: StackRecord,
    journal: &Journal,
    now: Moment,
) -> Result<Explanation, JournalError> {
    let requests = journal.requests()?.into_iter().map(|(request, _)| request);
    let request = match &record.verdict.approval {
        Some(id) => requests.into_iter().find(|request| request.id == *id),
        None => None,
    };
    let drift = journal.drift_in(&record.key.target)?.remove(&record.key.name);
    let package = released(&record, journal)?;
    let nested = package.map(|package| NestedStack::all_of(&package, &record, drift.as_ref()));
    Ok(Explanation {
        now,
        target: journal.target(&record.key.target)?,
        accepted: journal.accepted_revision()?,
        request,
        suspension: suspension(&record, journal, now)?,
        drift,
        wave: None,
        nested: nested.unwrap_or_default(),
        history: journal.history(EVENTS, &About::Stack(record.key.clone()))?,
        record,
    })
}

/// What the release is made of that the stack has, or was given last.
fn released(record: &StackRecord, journal: &Journal) -> Result<Option<Package>, JournalError> {
    let memory = &record.memory;
    let (Some(service), Some(release)) = (&memory.service, memory.release.or(memory.taking)) else {
        return Ok(None);
    };
    let (_, bodies) = journal.rollouts()?;
    let of_service = bodies.get(service).into_iter().flatten();
    let mut body = of_service.filter(|(id, _)| *id == release).map(|(_, body)| body);
    Ok(body.next().and_then(|body| body.package.with(&body.template)))
}

fn suspension(
    record: &StackRecord,
    journal: &Journal,
    now: Moment,
) -> Result<Option<Suspension>, JournalError> {
    let (Some(tenant), Some(service)) = (&record.memory.tenant, &record.memory.service) else {
        return Ok(None);
    };
    Ok(journal.steering(now)?.suspended(tenant, service).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::context::tests::{context, without_journal};
    use crate::plan::Weight;
    use crate::report::sample::{minutes_ago, record};
    use crate::report::{Event, Subject};

    fn ask(stack: &str, context: &Context) -> Result<String, CommandError> {
        let mut out = Vec::new();
        let args = ExplainArgs { stack: stack.to_owned(), format: Format::Text };
        run(&args, context, &|_, _| None, &mut out)?;
        Ok(String::from_utf8(out).expect("text"))
    }

    fn in_sync(tenant: &str, service: &str) -> StackRecord {
        record(tenant, service, Weight::Settled, "in-sync", "as git says")
    }

    #[test]
    fn a_stack_is_found_by_key_by_tenant_and_service_and_by_a_unique_name() {
        let records = [in_sync("acme", "scan-api"), in_sync("bolt", "network")];
        let (_folder, context, _journal) = context(&records);
        let by_key = ask(&records[0].key.to_string(), &context).expect("by key");
        assert!(by_key.starts_with("acme/scan-api is in sync"), "{by_key}");
        assert_eq!(ask("acme/scan-api", &context).expect("by tenant and service"), by_key);
        assert_eq!(ask("scan-api", &context).expect("by name"), by_key);
    }

    #[test]
    fn a_name_that_fits_several_lists_them() {
        let records = [in_sync("acme", "scan-api"), in_sync("bolt", "scan-api")];
        let (_folder, context, _journal) = context(&records);
        let error = ask("scan-api", &context).expect_err("two of them").to_string();
        assert!(error.starts_with("`scan-api` fits 2 stacks: name one of them\n"), "{error}");
        assert!(error.contains("(acme/scan-api)") && error.contains("(bolt/scan-api)"), "{error}");
    }

    #[test]
    fn an_unknown_or_malformed_name_says_how_to_write_one() {
        let (_folder, context, _journal) = context(&[in_sync("acme", "scan-api")]);
        for name in ["nothing", "no/body", "a/b/c/d", "Ä", "", "111122223333/eu-central-1"] {
            let error = ask(name, &context).expect_err(name).to_string();
            assert!(error.contains("write ACCOUNT/REGION/NAME"), "{error}");
        }
    }

    #[test]
    fn the_history_of_the_stack_is_shown() {
        let record = in_sync("acme", "scan-api");
        let (_folder, context, journal) = context(std::slice::from_ref(&record));
        let event = Event {
            at: minutes_ago(5),
            about: Subject::Stack(record.key.clone()),
            kind: "created".to_owned(),
            text: "CREATE_COMPLETE after 3 minutes".to_owned(),
        };
        journal.note(&event).expect("written");
        let text = ask("scan-api", &context).expect("explained");
        assert!(text.contains("5 minutes ago   created          CREATE_COMPLETE"), "{text}");
    }

    #[test]
    fn without_a_journal_it_says_what_to_start() {
        let (_folder, context) = without_journal();
        assert!(matches!(ask("x", &context), Err(CommandError::NothingKnown(_))));
    }
}
