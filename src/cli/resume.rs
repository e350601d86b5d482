//! `driftless resume SCOPE`: end a suspension.

use std::io::Write;

use clap::Args;

use crate::cli::context::{CommandError, Context, Ending, Format};
use crate::cli::suspend;
use crate::plan::{Scope, Suspension};

/// End the suspension of a scope.
#[derive(Args, Clone, Debug)]
pub struct ResumeArgs {
    /// fleet, service/NAME or tenant/NAME, as it was suspended
    #[arg(value_name = "SCOPE")]
    pub scope: Scope,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Ends the suspension. A running controller notices within a second.
pub fn run(
    args: &ResumeArgs,
    context: &Context,
    out: &mut dyn Write,
) -> Result<Ending, CommandError> {
    let journal = context.known_journal()?;
    let scope = &args.scope;
    let ended = journal.resume(scope)?;
    let rest = journal.steering(context.now())?.suspensions;
    if !ended {
        return Err(CommandError::NotFound(not_suspended(scope, &rest)));
    }
    journal.note(&context.event("resumed", format!("{scope} is resumed by {}", context.user)))?;
    if args.format == Format::Json {
        suspend::list(&journal, args.format, context.now(), out)?;
        return Ok(Ending::Good);
    }
    writeln!(out, "{scope} is resumed")?;
    if !rest.is_empty() {
        writeln!(out, "still suspended: {}", scopes(&rest))?;
    }
    Ok(Ending::Good)
}

fn not_suspended(scope: &Scope, rest: &[Suspension]) -> String {
    if rest.is_empty() {
        return format!("{scope} is not suspended by a command, and nothing else is");
    }
    format!("{scope} is not suspended by a command; what is: {}", scopes(rest))
}

fn scopes(suspensions: &[Suspension]) -> String {
    let scopes: Vec<String> =
        suspensions.iter().map(|suspension| suspension.scope.to_string()).collect();
    scopes.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::context::tests::context;

    fn ask(scope: &str, context: &Context) -> Result<String, CommandError> {
        let mut out = Vec::new();
        let scope = scope.parse().expect("a scope");
        run(&ResumeArgs { scope, format: Format::Text }, context, &mut out)?;
        Ok(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn a_suspension_ends_and_what_is_left_is_named() {
        let (_folder, context, journal) = context(&[]);
        for scope in ["fleet", "tenant/acme"] {
            let suspension = Suspension {
                scope: scope.parse().expect("a scope"),
                by: "anna".to_owned(),
                reason: String::new(),
                at: context.now(),
            };
            journal.suspend(&suspension).expect("written");
        }
        let text = ask("fleet", &context).expect("resumed");
        assert_eq!(text, "fleet is resumed\nstill suspended: tenant/acme\n");
        let error = ask("fleet", &context).expect_err("not any more").to_string();
        assert_eq!(error, "fleet is not suspended by a command; what is: tenant/acme");
        assert_eq!(ask("tenant/acme", &context).expect("resumed"), "tenant/acme is resumed\n");
    }
}
