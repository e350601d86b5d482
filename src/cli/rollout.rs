//! `driftless rollout`: how releases go out, and what people say about them.

use std::collections::BTreeMap;
use std::io::Write;

use clap::{Args, Subcommand};

use crate::cli::Failure;
use crate::cli::context::{CommandError, Context, Ending, Format};
use crate::controller::checked;
use crate::ids::{ServiceName, StackKey};
use crate::journal::{Filter, Journal};
use crate::outcome::Mark;
use crate::plan::{ApprovalKind, StackRecord};
use crate::report::output::{self, Approvals, FORMAT_VERSION, Ordered};
use crate::report::{InWave, rollouts};
use crate::rollout::{Order, OrderWord, Rollouts};
use crate::settings::Settings;

/// What to do with rollouts.
#[derive(Subcommand, Clone, Debug)]
pub enum RolloutCommand {
    /// Show in a line for each service which release it has or gets
    List {
        /// How it is written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show the waves of one service
    Show {
        /// Its name
        service: ServiceName,
        /// How it is written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Let the wave begin that waits for a person
    Approve(Said),
    /// Let no more stacks take the release that goes out
    Halt(Said),
    /// Let a halted rollout go on; what has failed so far counts no more
    Resume(Said),
    /// Take the release back from the stacks that have it
    Revert(Said),
    /// Let the waiting release go out at once instead of the running one
    Supersede(Said),
}

/// About which service, and why.
#[derive(Args, Clone, Debug)]
pub struct Said {
    /// The service
    pub service: ServiceName,
    /// Why, for those who read the history
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Shows rollouts, or leaves an order, which a running controller obeys within a second.
pub(super) fn run(
    command: &RolloutCommand,
    settings: &Settings,
    context: &Context,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let journal = context.known_journal()?;
    match command {
        RolloutCommand::List { format } => show(None, *format, settings, context, &journal, out),
        RolloutCommand::Show { service, format } => {
            show(Some(service), *format, settings, context, &journal, out)
        }
        RolloutCommand::Approve(said) => Ok(approve(said, context, &journal, out)?),
        RolloutCommand::Halt(said) => {
            order(OrderWord::Halt, said, settings, context, &journal, out)
        }
        RolloutCommand::Resume(said) => {
            order(OrderWord::Resume, said, settings, context, &journal, out)
        }
        RolloutCommand::Revert(said) => {
            order(OrderWord::Revert, said, settings, context, &journal, out)
        }
        RolloutCommand::Supersede(said) => {
            order(OrderWord::Supersede, said, settings, context, &journal, out)
        }
    }
}

fn show(
    service: Option<&ServiceName>,
    format: Format,
    settings: &Settings,
    context: &Context,
    journal: &Journal,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let now = context.now();
    let found = recall(service, settings, context, journal)?;
    if let Some(service) = service
        && found.course(service).is_none()
    {
        return Err(unknown(service, found.courses().map(|(name, _)| name)).into());
    }
    let steering = journal.steering(now).map_err(CommandError::from)?;
    let approves = |member: &str| steering.approves(ApprovalKind::Wave, member, now);
    let shown = rollouts::shown(&found, service, now, &approves);
    let text = match (format, service) {
        (Format::Json, _) => rollouts::json(&shown),
        (Format::Text, None) => rollouts::list(&shown),
        (Format::Text, Some(_)) => rollouts::details(&shown, now),
    };
    out.write_all(text.as_bytes())?;
    let is_halted = shown.iter().any(|one| one.halted.is_some());
    Ok(if is_halted { Ending::NeedsAttention } else { Ending::Good })
}

/// The wave of one stack; `None` where the documents cannot be read or no longer give it.
pub(super) fn wave_of(
    record: &StackRecord,
    settings: &Settings,
    context: &Context,
    journal: &Journal,
) -> Option<InWave> {
    let service = record.memory.service.as_ref()?;
    let now = context.now();
    let found = recall(Some(service), settings, context, journal).ok()?;
    let steering = journal.steering(now).ok()?;
    let approves =
        |member: &str| steering.approves(ApprovalKind::Wave, &format!("{service}: {member}"), now);
    InWave::of(found.course(service)?, &record.key, now, &approves)
}

/// The rollouts as the journal knows them, with the waves of the revision that is followed. How
/// stacks stand is read for those of `only`.
fn recall(
    only: Option<&ServiceName>,
    settings: &Settings,
    context: &Context,
    journal: &Journal,
) -> Result<Rollouts, Failure> {
    let source = settings.source()?;
    let accepted = journal.accepted_revision().map_err(CommandError::from)?;
    let accepted = accepted.filter(|_| source.follows_git());
    // Files that were converged as they lay are in no commit.
    let followed = accepted.and_then(|one| source.read_at(one.revision.as_str()).ok());
    let snapshot = followed.map_or_else(|| source.read(), Ok)?;
    let desired = checked(&snapshot).desired.ok_or_else(|| {
        Failure::new("the fleet has errors", "`driftless validate` shows all findings")
    })?;
    let (kept, bodies) = journal.rollouts().map_err(CommandError::from)?;
    let mut marks: BTreeMap<StackKey, Mark> = BTreeMap::new();
    let filter = Filter { service: only.cloned(), ..Filter::default() };
    let mark = |row: StackRecord| drop(marks.insert(row.key, row.memory.mark));
    journal.for_each_stack(&filter, mark).map_err(CommandError::from)?;
    let mut rollouts = Rollouts::recall(kept, bodies);
    let mark = |key: &StackKey| marks.get(key).cloned().unwrap_or_default();
    rollouts.want(&desired, context.now(), &mark);
    Ok(rollouts)
}

fn unknown<'n>(
    service: &ServiceName,
    known: impl Iterator<Item = &'n ServiceName>,
) -> CommandError {
    let known: Vec<&str> = known.map(ServiceName::as_str).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    CommandError::NotFound(format!("there is no rollout of {service}; there are: {known}"))
}

fn order(
    word: OrderWord,
    said: &Said,
    settings: &Settings,
    context: &Context,
    journal: &Journal,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let Said { service, reason, format } = said.clone();
    let (kept, _) = journal.rollouts().map_err(CommandError::from)?;
    let Some(rollout) = kept.get(&service) else {
        return Err(unknown(&service, kept.keys()).into());
    };
    let Some(run) = &rollout.running else {
        let text = format!("no release of {service} goes out: there is nothing to {word}");
        return Err(CommandError::NotFound(text).into());
    };
    let (meant, release) = (Some(run.release), run.release.short());
    let by = context.user.clone();
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let text = format!("{by} asks to {word} release {release} of {service}{because}");
    let order = Order { service, release: meant, word, by, reason, at: context.now() };
    // What would be refused is refused here, where somebody reads it.
    if let Ok(mut found) = recall(Some(&order.service), settings, context, journal)
        && let Err(why) = found.obey(&order, context.now())
    {
        let text = format!("{} is not asked to {word}: {why}", order.service);
        return Err(CommandError::NotFound(text).into());
    }
    journal.give_order(&order).map_err(CommandError::from)?;
    let ordered = Ordered {
        version: FORMAT_VERSION,
        order: word.to_string(),
        service: Some(order.service.to_string()),
        release: Some(release),
        by: order.by,
        reason: order.reason,
        text: text.clone(),
    };
    journal.note(&context.event("ordered", text.clone())).map_err(CommandError::from)?;
    if format == Format::Json {
        out.write_all(output::text(&ordered).as_bytes())?;
        return Ok(Ending::Good);
    }
    writeln!(
        out,
        "{text}; a running controller obeys within a second, or the next when it starts"
    )?;
    Ok(Ending::Good)
}

fn approve(
    said: &Said,
    context: &Context,
    journal: &Journal,
    out: &mut dyn Write,
) -> Result<Ending, CommandError> {
    let prefix = format!("{}: ", said.service);
    let requests = journal.requests()?;
    let found = requests.iter().find(|(request, _)| {
        request.kind == ApprovalKind::Wave
            && request.members.iter().any(|member| member.starts_with(&prefix))
    });
    let Some((request, since)) = found else {
        let text = format!("no wave of {} waits for approval now", said.service);
        return Err(CommandError::NotFound(text));
    };
    let now = context.now();
    let until = ApprovalKind::Wave.expires_at(now);
    let given = journal.approve(&request.id, &context.user, &said.reason, now, until)?;
    let text = format!("{} ({}): approved by {}", request.id, request.summary, given.by);
    journal.note(&context.event("approved", text.clone()))?;
    match said.format {
        Format::Text => writeln!(out, "{text}")?,
        Format::Json => {
            let given = Approvals::given(&given, &request.summary, Some(*since));
            out.write_all(output::text(&given).as_bytes())?;
        }
    }
    Ok(Ending::Good)
}
