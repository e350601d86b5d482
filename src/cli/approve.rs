//! `driftless approve`: list what waits for a person, or say yes to one of them.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;

use crate::cli::context::{CommandError, Context, Ending, Format, length};
use crate::journal::Journal;
use crate::moment::Moment;
use crate::plan::{Approval, ApprovalRequest};
use crate::report::output::{self, Approvals};
use crate::report::{ago, ahead, counted, indented};

/// How long an approval counts unless somebody says otherwise.
pub(super) const LASTS: Duration = Duration::from_secs(24 * 60 * 60);

/// List what waits for approval, or approve one of them.
#[derive(Args, Clone, Debug)]
pub struct ApproveArgs {
    /// Which request; without it, all of them are listed with what each would allow
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Why, for those who read the history
    #[arg(long, value_name = "TEXT", default_value = "", requires = "id")]
    pub reason: String,
    /// How long the approval counts, such as 30m, 24h or 7d
    #[arg(long = "for", value_name = "LENGTH", value_parser = length, default_value = "24h")]
    pub lasts: Duration,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Lists the requests, or approves one. A running controller notices within a second.
pub fn run(
    args: &ApproveArgs,
    context: &Context,
    out: &mut dyn Write,
) -> Result<Ending, CommandError> {
    let journal = context.known_journal()?;
    match &args.id {
        Some(id) => approve(id, args, context, &journal, out)?,
        None => list(&journal, args.format, context.now(), out)?,
    }
    Ok(Ending::Good)
}

fn approve(
    id: &str,
    args: &ApproveArgs,
    context: &Context,
    journal: &Journal,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let now = context.now();
    let asked = journal.requests()?.into_iter().find(|(request, _)| request.id == id);
    let approval = journal.approve(id, &context.user, &args.reason, now, now + args.lasts)?;
    let members = counted(approval.members.len(), "member");
    let text = format!("{} ({}, {members}) approved by {}", id, approval.kind, approval.by);
    let reason = match args.reason.as_str() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    journal.note(&context.event("approved", format!("{text}{reason}")))?;
    if args.format == Format::Json {
        let summary = asked.as_ref().map_or("", |(request, _)| &request.summary);
        let since = asked.as_ref().map(|(_, since)| *since);
        let given = Approvals::given(&approval, summary, since);
        return Ok(out.write_all(output::text(&given).as_bytes())?);
    }
    writeln!(out, "{text}; it ends {} and is for exactly this:", ahead(now, approval.expires_at))?;
    approval.members.iter().try_for_each(|member| writeln!(out, "  - {member}"))?;
    Ok(())
}

fn list(
    journal: &Journal,
    format: Format,
    now: Moment,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let requests = journal.requests()?;
    let approvals = journal.steering(now)?.approvals;
    if format == Format::Json {
        let all = Approvals::of(&requests, &approvals, now);
        return Ok(out.write_all(output::text(&all).as_bytes())?);
    }
    if requests.is_empty() {
        writeln!(out, "nothing waits for approval")?;
    }
    for (request, since) in &requests {
        let given = approvals.iter().find(|approval| approval.id == request.id);
        write_request(request, *since, given, now, out)?;
    }
    Ok(())
}

fn write_request(
    request: &ApprovalRequest,
    since: Moment,
    given: Option<&Approval>,
    now: Moment,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "{}  {}, since {}", request.id, request.kind, ago(now, since))?;
    writeln!(out, "  {}", indented(&request.summary, 2))?;
    match given {
        Some(approval) => writeln!(
            out,
            "  approved by {} {}, ends {}; it allows exactly this:",
            approval.by,
            ago(now, approval.at),
            ahead(now, approval.expires_at)
        )?,
        None => writeln!(out, "  `driftless approve {}` allows exactly this:", request.id)?,
    }
    request.members.iter().try_for_each(|member| writeln!(out, "  - {}", indented(member, 4)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::context::tests::{context, without_journal};
    use crate::journal::About;
    use crate::plan::ApprovalKind;
    use crate::report::sample::minutes_ago;

    fn ask(id: Option<&str>, context: &Context) -> Result<String, CommandError> {
        let args = ApproveArgs {
            id: id.map(str::to_owned),
            reason: "agreed with the customer".to_owned(),
            lasts: Duration::from_secs(3_600),
            format: Format::Text,
        };
        let mut out = Vec::new();
        run(&args, context, &mut out)?;
        Ok(String::from_utf8(out).expect("text"))
    }

    fn deletions() -> ApprovalRequest {
        ApprovalRequest::of(
            ApprovalKind::Deletions,
            ["arn:a".to_owned(), "arn:b".to_owned()].into(),
            "2 stacks of 2 tenants would be deleted; 1 tenant a day may be".to_owned(),
        )
    }

    #[test]
    fn without_an_id_the_requests_are_listed_with_their_members() {
        let (_folder, context, journal) = context(&[]);
        assert_eq!(ask(None, &context).expect("listed"), "nothing waits for approval\n");
        journal.put_request(&deletions(), minutes_ago(7)).expect("written");
        insta::assert_snapshot!(ask(None, &context).expect("listed"));
    }

    #[test]
    fn an_approval_is_for_exactly_the_members_and_is_remembered() {
        let (_folder, context, journal) = context(&[]);
        let request = deletions();
        journal.put_request(&request, minutes_ago(7)).expect("written");
        let before = journal.changes().expect("a count");
        insta::assert_snapshot!(ask(Some(&request.id), &context).expect("approved"));

        let steering = journal.steering(context.now()).expect("steering");
        assert!(steering.approves(ApprovalKind::Deletions, "arn:a", context.now()));
        assert!(!steering.approves(ApprovalKind::Deletions, "arn:c", context.now()));
        assert_eq!(steering.approvals[0].by, "anna");
        assert!(journal.changes().expect("a count") > before);
        let noted = journal.history(1, &About::Fleet).expect("history");
        assert!(noted[0].text.ends_with("approved by anna: agreed with the customer"));
        assert!(ask(None, &context).expect("listed").contains("approved by anna just now"));
    }

    #[test]
    fn an_unknown_id_lists_what_waits() {
        let (_folder, context, journal) = context(&[]);
        let request = deletions();
        journal.put_request(&request, minutes_ago(7)).expect("written");
        let error = ask(Some("0123"), &context).expect_err("unknown").to_string();
        assert!(error.contains(&request.id) && error.contains("2 stacks"), "{error}");
    }

    #[test]
    fn without_a_journal_it_says_what_to_start() {
        let (_folder, context) = without_journal();
        assert!(matches!(ask(None, &context), Err(CommandError::NothingKnown(_))));
    }
}
