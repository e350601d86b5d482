//! `driftless approve`: list what waits for a person, or say yes to one of them.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::context::{CommandError, Context, Ending, Format, length};
use crate::cli::{Failure, plan_file};
use crate::ids::Revision;
use crate::journal::Journal;
use crate::moment::Moment;
use crate::plan::{Approval, ApprovalKind, ApprovalRequest};
use crate::report::output::{self, Approvals};
use crate::report::{ago, ahead, counted, indented};

/// List what waits for approval, or approve one of them.
#[derive(Args, Clone, Debug)]
pub struct ApproveArgs {
    /// Which request; without it, all of them are listed with what each would allow
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// A reviewed plan, as `driftless plan --from REV --format json` wrote it: where the Fleet document
    /// says `requirePlan`, resources are touched as it says and not otherwise
    #[arg(long, value_name = "FILE", conflicts_with = "id")]
    pub plan: Option<PathBuf>,
    /// Why, for those who read the history
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    /// How long the approval counts, such as 30m or 7d; 24h unless given, and that of a plan as long as
    /// its releases are wanted
    #[arg(long = "for", value_name = "LENGTH", value_parser = length, requires = "id")]
    pub lasts: Option<Duration>,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Lists the requests, or approves one. A running controller notices within a second.
pub fn run(args: &ApproveArgs, context: &Context, out: &mut dyn Write) -> Result<Ending, Failure> {
    if let Some(path) = &args.plan {
        let (plan, of) = plan_file::read(path)?;
        // What a person says must be kept even before the first run.
        let journal = context.journal()?;
        let approvals = plan_file::approve(&plan, &of, &journal, context, &args.reason)?;
        if args.format == Format::Json {
            let now = context.now();
            let all = Approvals::of(&journal.requests()?, &journal.steering(now)?.approvals, now);
            out.write_all(output::text(&all).as_bytes())?;
        } else {
            write_plan(&approvals, &of, out)?;
        }
        return Ok(Ending::Good);
    }
    let journal = context.known_journal()?;
    match &args.id {
        Some(id) => approve(id, args, context, &journal, out)?,
        None => list(&journal, args.format, context.now(), out)?,
    }
    Ok(Ending::Good)
}

fn write_plan(approvals: &[Approval], of: &Revision, out: &mut dyn Write) -> io::Result<()> {
    let by = approvals.first().map_or("", |approval| &approval.by);
    writeln!(out, "the plan of {} approved by {by}; it allows exactly this:", of.short())?;
    let mut members = approvals.iter().flat_map(|approval| &approval.members);
    members.try_for_each(|member| writeln!(out, "  - {}", indented(member, 4)))?;
    let changes = |member: &String| member.contains(": ") || member.starts_with("delete ");
    if !approvals.iter().flat_map(|approval| &approval.members).any(changes) {
        writeln!(out, "no change of any resource is among them: was it made with `--from`?")?;
    }
    Ok(())
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
    // One that is not there is refused with all that are.
    let kind = asked.as_ref().map_or(ApprovalKind::Deletions, |(request, _)| request.kind);
    let expires_at = args.lasts.map_or(kind.expires_at(now), |lasts| now + lasts);
    let approval = journal.approve(id, &context.user, &args.reason, now, expires_at)?;
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
    writeln!(out, "{text}; it {} and is for exactly this:", ends(&approval, now))?;
    approval.members.iter().try_for_each(|member| writeln!(out, "  - {member}"))?;
    Ok(())
}

/// `ends in 24 hours`; that of a plan does not.
fn ends(approval: &Approval, now: Moment) -> String {
    if approval.expires_at >= approval.kind.expires_at(approval.at)
        && approval.kind == ApprovalKind::Plan
    {
        return "holds as long as its release is wanted".to_owned();
    }
    format!("ends {}", ahead(now, approval.expires_at))
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
            "  approved by {} {}, {}; it allows exactly this:",
            approval.by,
            ago(now, approval.at),
            ends(approval, now)
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

    fn ask(id: Option<&str>, context: &Context) -> Result<String, Failure> {
        let args = ApproveArgs {
            id: id.map(str::to_owned),
            reason: "agreed with the customer".to_owned(),
            lasts: Some(Duration::from_secs(3_600)),
            plan: None,
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
        let error = ask(Some("0123"), &context).expect_err("unknown").text(false);
        assert!(error.contains(&request.id) && error.contains("2 stacks"), "{error}");
    }

    #[test]
    fn without_a_journal_it_says_what_to_start() {
        let (_folder, context) = without_journal();
        let error = ask(None, &context).expect_err("nothing is known").text(false);
        assert!(error.contains("nothing is known yet"), "{error}");
    }
}
