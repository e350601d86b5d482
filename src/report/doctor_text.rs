//! What `driftless doctor` tells as text: what is wrong first, then what the settings cost.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::plan::toll::{DAYS_A_MONTH, EVENTS_A_DAY, Toll};
use crate::report::doctor::{Complaints, DoctorReport, Examined, Gravity};
use crate::report::words::{counted, indented, number, span};

/// Targets that are named of those with the same complaint.
const EXAMPLES: usize = 3;

impl DoctorReport {
    /// The whole report for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        if let Some(examined) = &self.examined {
            self.write_health(out, examined)?;
            writeln!(out)?;
        }
        write_toll(out, &self.toll)
    }

    fn write_health(&self, out: &mut String, examined: &Examined) -> fmt::Result {
        let wrong = match self.targets - self.well {
            0 => "all can be worked in".to_owned(),
            _ if self.well == 0 => "none can be worked in".to_owned(),
            wrong => format!("{} can be worked in, {} cannot", number(self.well), number(wrong)),
        };
        let (targets, accounts) =
            (counted(self.targets, "target"), counted(self.accounts, "account"));
        writeln!(out, "{targets} in {accounts}: {wrong}")?;
        writeln!(out, "{}", clock(examined.clock_ahead_s))?;
        for (gravity, title) in [(Gravity::Wrong, "Wrong"), (Gravity::Warning, "Warnings")] {
            let is_of_it = |one: &&Complaints| one.complaint.gravity == gravity;
            let mut of_it = self.complaints.iter().filter(is_of_it).peekable();
            if of_it.peek().is_some() {
                writeln!(out, "\n{title}")?;
            }
            of_it.try_for_each(|one| write_complaint(out, one))?;
        }
        let rights = match examined.rights {
            true => {
                "the right to CreateStack, which can only be asked for a stack that could come to be, \
                 and the\nrights on the resources of stacks. The first create shows both."
            }
            false => "rights, which were not probed.",
        };
        writeln!(out, "\nNot proven: {rights}")
    }
}

fn clock(ahead_s: Option<i64>) -> String {
    let Some(ahead_s) = ahead_s else { return "AWS's clock is not known".to_owned() };
    let length = Duration::from_secs(ahead_s.unsigned_abs());
    match ahead_s {
        // The time of an answer is told to the second, and an answer takes a while.
        -2..=2 => "the clock of this machine is AWS's".to_owned(),
        3.. => format!("the clock of this machine is {} ahead of AWS's", span(length)),
        i64::MIN..=-3 => format!("the clock of this machine is {} behind AWS's", span(length)),
    }
}

fn write_complaint(out: &mut String, one: &Complaints) -> fmt::Result {
    let complaint = &one.complaint;
    let cause = indented(&complaint.cause, 4);
    match one.targets.len() {
        0 => writeln!(out, "  {cause}")?,
        count => {
            let (targets, accounts) =
                (counted(count, "target"), counted(one.accounts(), "account"));
            writeln!(out, "  {targets} in {accounts}: {cause}")?;
        }
    }
    if let Some(detail) = &complaint.detail {
        let first = if one.targets.len() > 1 { "the first: " } else { "" };
        writeln!(out, "    {first}{}", indented(detail, 6))?;
    }
    if let Some(help) = &complaint.help {
        writeln!(out, "    what to do: {}", indented(help, 6))?;
    }
    if one.targets.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = one
        .targets
        .iter()
        .take(EXAMPLES)
        .map(|(target, tenant)| match tenant {
            Some(tenant) => format!("{tenant} {target}"),
            None => target.to_string(),
        })
        .collect();
    let (word, more) = match one.targets.len() - named.len() {
        0 => ("which", String::new()),
        more => ("for example", format!(" and {} more", number(more))),
    };
    writeln!(out, "    {word}: {}{more}", named.join(", "))
}

fn write_toll(out: &mut String, toll: &Toll) -> fmt::Result {
    writeln!(out, "What the settings of the whole fleet cost while nothing changes")?;
    let others = match toll.swept {
        0 => String::new(),
        swept => format!(", {} without stacks once a day", number(swept)),
    };
    let (targets, resync) = (counted(toll.targets, "target"), span(toll.resync));
    writeln!(out, "  {targets} looked at once in {resync}, or up to a tenth sooner{others}")?;
    let nested = match toll.nested {
        0 => String::new(),
        nested => format!(", with {}", counted(nested, "nested stack")),
    };
    let (stacks, resources) = (counted(toll.stacks, "stack"), counted(toll.resources, "resource"));
    writeln!(out, "  {stacks} of {resources}{nested}")?;
    writeln!(out, "\n  {:<40} {:>10} {:>12}", "calls", "a day", "a month")?;
    for (api, calls) in &toll.calls {
        write_calls(out, &format!("  {api}"), *calls)?;
    }
    write_calls(out, "  in all", toll.a_day())?;
    let columns = ["least", "middle", "most"];
    write_columns(out, "read events in an account and day", &columns.map(str::to_owned))?;
    for (what, reads) in [
        ("  by these calls", toll.spread(|account| account.reads)),
        ("  by CloudFormation looking for drift", toll.spread(|account| account.by_cloudformation)),
    ] {
        let Some((least, middle, most)) = reads else { continue };
        write_columns(out, what, &[least, middle, most].map(rounded))?;
    }
    write_excess(out, toll)
}

fn write_columns(out: &mut String, what: &str, [a, b, c]: &[String; 3]) -> fmt::Result {
    writeln!(out, "  {what:<40} {a:>10} {b:>12} {c:>8}")
}

/// What a person may want to set otherwise.
fn write_excess(out: &mut String, toll: &Toll) -> fmt::Result {
    let many = toll.busy_accounts();
    if many > 0 {
        let accounts = counted(many, "account");
        writeln!(
            out,
            "  in {accounts} that is more than {EVENTS_A_DAY} and one for each resource: look less \
             often\n  (`resync`, `drift.every`)"
        )?;
    }
    if toll.short > 0 {
        let accounts = counted(toll.short, "account");
        writeln!(
            out,
            "  in {accounts} `limits.driftCalls` is too little for `drift.every`: stacks are looked \
             into\n  less often than it says; raise the one or the other"
        )?;
    }
    Ok(())
}

fn write_calls(out: &mut String, what: &str, a_day: f64) -> fmt::Result {
    let (day, month) = (rounded(a_day), rounded(a_day * DAYS_A_MONTH));
    writeln!(out, "  {what:<40} {day:>10} {month:>12}")
}

/// To whole calls, `1,990`; what is less than one is some.
fn rounded(calls: f64) -> String {
    if calls > 0.0 && calls < 0.5 {
        return "<1".to_owned();
    }
    let digits = format!("{calls:.0}");
    digits.parse().map_or(digits, number)
}
