//! `driftless suspend`: stop new steps in the fleet, a service or a tenant until `resume`.

use std::io::Write;

use clap::Args;

use crate::cli::context::{CommandError, Context, Ending, Format};
use crate::journal::{Filter, Journal, JournalError};
use crate::moment::Moment;
use crate::plan::{Scope, Suspension};
use crate::report::ago;
use crate::report::output::{self, Suspensions};

/// Stop new steps in a scope; running operations finish. Without a scope, list what is suspended.
#[derive(Args, Clone, Debug)]
pub struct SuspendArgs {
    /// fleet, service/NAME or tenant/NAME
    #[arg(value_name = "SCOPE")]
    pub scope: Option<Scope>,
    /// Why, for those who find it stopped
    #[arg(long, value_name = "TEXT", default_value = "", requires = "scope")]
    pub reason: String,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Suspends a scope, or lists what is suspended. A running controller notices within a second.
pub fn run(
    args: &SuspendArgs,
    context: &Context,
    out: &mut dyn Write,
) -> Result<Ending, CommandError> {
    match &args.scope {
        Some(scope) => suspend(scope, args, context, out)?,
        None => list(&context.known_journal()?, args.format, context.now(), out)?,
    }
    Ok(Ending::Good)
}

fn suspend(
    scope: &Scope,
    args: &SuspendArgs,
    context: &Context,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let journal = context.journal()?;
    let suspension = Suspension {
        scope: scope.clone(),
        by: context.user.clone(),
        reason: args.reason.clone(),
        at: context.now(),
    };
    journal.suspend(&suspension)?;
    journal.note(&context.event("suspended", sentence(&suspension)))?;
    if args.format == Format::Json {
        return list(&journal, args.format, context.now(), out);
    }
    writeln!(
        out,
        "{}; nothing new starts there until `driftless resume {scope}`, running operations finish",
        sentence(&suspension)
    )?;
    if !is_known(scope, &journal)? {
        writeln!(out, "note: no stack of {scope} is known yet: check the name")?;
    }
    Ok(())
}

/// Everything that is suspended.
pub(super) fn list(
    journal: &Journal,
    format: Format,
    now: Moment,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let suspensions = journal.steering(now)?.suspensions;
    if format == Format::Json {
        let all = Suspensions::of(&suspensions, now);
        return Ok(out.write_all(output::text(&all).as_bytes())?);
    }
    if suspensions.is_empty() {
        writeln!(out, "nothing is suspended")?;
    }
    for suspension in &suspensions {
        writeln!(out, "{} ({})", sentence(suspension), ago(now, suspension.at))?;
    }
    Ok(())
}

fn sentence(suspension: &Suspension) -> String {
    let reason = match suspension.reason.as_str() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    format!("{} is suspended by {}{reason}", suspension.scope, suspension.by)
}

/// Whether the journal knows a stack in this scope.
fn is_known(scope: &Scope, journal: &Journal) -> Result<bool, JournalError> {
    let filter = match scope {
        Scope::Fleet => return Ok(true),
        Scope::Service(name) => Filter { service: Some(name.clone()), ..Filter::default() },
        Scope::Tenant(name) => Filter { tenant: Some(name.clone()), ..Filter::default() },
    };
    journal.knows(&filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::context::tests::{context, without_journal};
    use crate::journal::About;
    use crate::plan::Weight;
    use crate::report::sample::record;

    fn ask(scope: Option<&str>, context: &Context) -> String {
        let args = SuspendArgs {
            scope: scope.map(|scope| scope.parse().expect("a scope")),
            reason: "audit".to_owned(),
            format: Format::Text,
        };
        let mut out = Vec::new();
        assert_eq!(run(&args, context, &mut out).expect("done"), Ending::Good);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_suspension_is_kept_told_and_listed() {
        let stack = record("acme", "scan-api", Weight::Settled, "in-sync", "as git says");
        let (_folder, context, journal) = context(&[stack]);
        assert_eq!(ask(None, &context), "nothing is suspended\n");
        let before = journal.changes().expect("a count");
        assert_eq!(
            ask(Some("tenant/acme"), &context),
            "tenant/acme is suspended by anna: audit; nothing new starts there until `driftless \
             resume tenant/acme`, running operations finish\n"
        );
        assert!(journal.changes().expect("a count") > before);
        assert_eq!(ask(None, &context), "tenant/acme is suspended by anna: audit (just now)\n");
        assert_eq!(journal.history(1, &About::Fleet).expect("history")[0].kind, "suspended");
    }

    #[test]
    fn a_name_that_nothing_is_known_of_is_pointed_out() {
        let (_folder, context, _journal) = context(&[]);
        let text = ask(Some("service/scan-apy"), &context);
        assert!(text.contains("no stack of service/scan-apy is known yet"), "{text}");
    }

    #[test]
    fn the_fleet_can_be_suspended_before_the_first_run() {
        let (_folder, context) = without_journal();
        ask(Some("fleet"), &context);
        let journal = context.known_journal().expect("it was made");
        assert_eq!(journal.steering(context.now()).expect("steering").suspensions.len(), 1);
    }
}
