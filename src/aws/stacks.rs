//! Looking at the stacks of one target. Every listing is read to its end or is an error: a short
//! one would look like deleted stacks.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{ExecutionStatus, TemplateStage};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::aws::TargetApi;
use crate::aws::access::Session;
use crate::aws::error::AwsError;
use crate::aws::pace::{Api, BucketKey};
use crate::aws::words;
use crate::ids::StackId;
use crate::moment::Moment;
use crate::observed::{
    ChangeSetSeen, ChangeSetStatus, PlannedChange, ResourceSeen, Seen, StackEvent, StackStatus,
};

/// A target has 2,000 root stacks at most; nested ones and short pages multiply that.
const MAX_LIST_PAGES: usize = 400;
/// 2,500 resources are the most of one operation; a page holds at least a few of them.
pub(super) const MAX_RESOURCE_PAGES: usize = 200;
/// 10,000 events: the largest operation with four events for each resource.
const MAX_EVENT_PAGES: usize = 100;

/// An operation changes 2,500 resources at most, and so no more nested stacks.
const MAX_NESTED_SETS: usize = 500;

/// Change sets in nested stacks: logical id and ARN of the set.
type NestedSets = Vec<(String, String)>;

impl TargetApi {
    /// All root stacks of the target, from all pages.
    pub async fn list(&self) -> Result<Vec<Seen>, AwsError> {
        let mut pages = Pages::new(Api::DescribeStacks, MAX_LIST_PAGES);
        let mut seen = Vec::new();
        while let Some(token) = pages.upcoming() {
            let output = self
                .call(Api::DescribeStacks, |client| {
                    client.describe_stacks().set_next_token(token.clone()).send()
                })
                .await?;
            let stacks = list_of(Api::DescribeStacks, "Stacks", output.stacks)?;
            for stack in stacks.iter().filter(|stack| !words::is_nested(stack)) {
                let stack = words::seen(&self.target, stack)?;
                // AWS leaves deleted stacks out; should one slip in, it is not there.
                if stack.status != StackStatus::DeleteComplete {
                    seen.push(stack);
                }
            }
            pages.turn(output.next_token)?;
        }
        Ok(seen)
    }

    /// One stack by its ARN or name. `None` only when AWS says in its own words that there is none;
    /// by ARN a deleted stack is still shown, as deleted, for 90 days.
    pub async fn describe(&self, id_or_name: &str) -> Result<Option<Seen>, AwsError> {
        let result = self
            .call(Api::DescribeStacks, |client| {
                client.describe_stacks().stack_name(id_or_name).send()
            })
            .await;
        let output = match result {
            Ok(output) => output,
            Err(error) if error.does_not_exist() => return Ok(None),
            Err(error) => return Err(error),
        };
        let [stack] = output.stacks() else {
            let text = format!("{} stacks where one was asked for", output.stacks().len());
            return Err(AwsError::malformed(Api::DescribeStacks, text));
        };
        words::seen(&self.target, stack).map(Some)
    }

    /// The template as it was given to AWS, with non-ASCII characters mangled to `?`.
    pub async fn template(&self, id: &StackId) -> Result<String, AwsError> {
        let output = self
            .call(Api::GetTemplate, |client| {
                let stage = TemplateStage::Original;
                client.get_template().stack_name(id.as_str()).template_stage(stage).send()
            })
            .await?;
        output.template_body.ok_or_else(|| AwsError::malformed(Api::GetTemplate, "no TemplateBody"))
    }

    /// The stack policy, if the stack has one.
    pub async fn stack_policy(&self, id: &StackId) -> Result<Option<String>, AwsError> {
        let output = self
            .call(Api::GetStackPolicy, |client| {
                client.get_stack_policy().stack_name(id.as_str()).send()
            })
            .await?;
        Ok(output.stack_policy_body.filter(|body| !body.trim().is_empty()))
    }

    /// A change set with its changes from all pages; `None` when there is none of that name, or no
    /// such stack.
    pub async fn change_set(
        &self,
        stack: &StackId,
        name: &str,
    ) -> Result<Option<ChangeSetSeen>, AwsError> {
        Ok(self.one_change_set(Some(stack), name).await?.map(|(found, _)| found))
    }

    /// A change set with its changes and those of the sets that it has in nested stacks, each within
    /// the path of its own.
    pub async fn change_set_through(
        &self,
        stack: &StackId,
        name: &str,
    ) -> Result<Option<ChangeSetSeen>, AwsError> {
        let Some((mut whole, children)) = self.one_change_set(Some(stack), name).await? else {
            return Ok(None);
        };
        if whole.status != ChangeSetStatus::Ready {
            return Ok(Some(whole));
        }
        let mut waiting = children;
        let mut sets = 0;
        while let Some((path, id)) = waiting.pop() {
            sets += 1;
            if sets > MAX_NESTED_SETS {
                let text = format!("more than {MAX_NESTED_SETS} nested change sets");
                whole.status = ChangeSetStatus::Unknown(text);
                return Ok(Some(whole));
            }
            // One that is gone hides what the whole set does: it is of no use any more.
            let Some((found, children)) = self.one_change_set(None, &id).await? else {
                whole.status = ChangeSetStatus::Obsolete;
                return Ok(Some(whole));
            };
            let below = |name: &str| match name {
                "" => path.clone(),
                name => format!("{path}/{name}"),
            };
            whole.changes.extend(
                found
                    .changes
                    .into_iter()
                    .map(|change| PlannedChange { within: below(&change.within), ..change }),
            );
            waiting.extend(children.into_iter().map(|(name, id)| (below(&name), id)));
        }
        Ok(Some(whole))
    }

    /// One set, by its name and stack or by its ARN alone, and the sets in stacks nested in it by
    /// their logical ids.
    async fn one_change_set(
        &self,
        stack: Option<&StackId>,
        name: &str,
    ) -> Result<Option<(ChangeSetSeen, NestedSets)>, AwsError> {
        let mut pages = Pages::new(Api::DescribeChangeSet, MAX_RESOURCE_PAGES);
        let (mut changes, mut nested) = (Vec::new(), NestedSets::new());
        let mut first = None;
        while let Some(token) = pages.upcoming() {
            let result = self
                .call(Api::DescribeChangeSet, |client| {
                    let request = client.describe_change_set();
                    let request =
                        request.set_stack_name(stack.map(|stack| stack.as_str().to_owned()));
                    request.change_set_name(name).set_next_token(token.clone()).send()
                })
                .await;
            let mut output = match result {
                Ok(output) => output,
                Err(error) if error.change_set_not_found() || error.does_not_exist() => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            // A set that can be executed without its changes would seem to change nothing.
            let page = match output.execution_status() {
                Some(ExecutionStatus::Available) => {
                    list_of(Api::DescribeChangeSet, "Changes", output.changes.take())?
                }
                _ => output.changes.take().unwrap_or_default(),
            };
            for change in &page {
                changes.extend(words::planned(change)?);
                nested.extend(words::nested_set(change));
            }
            let next = output.next_token.take();
            first.get_or_insert(output);
            pages.turn(next)?;
        }
        let found = first.map(|output| words::change_set(&output, changes)).transpose()?;
        Ok(found.map(|found| (found, nested)))
    }

    /// What happened to the stack from `since` on, oldest first. Of more than 10,000 events only
    /// the latest are read.
    pub async fn events_since(
        &self,
        id: &StackId,
        since: Moment,
    ) -> Result<Vec<StackEvent>, AwsError> {
        let mut pages = Pages::new(Api::DescribeStackEvents, MAX_EVENT_PAGES);
        let mut events = Vec::new();
        while let Some(token) = pages.upcoming() {
            let output = self
                .call(Api::DescribeStackEvents, |client| {
                    let request = client.describe_stack_events().stack_name(id.as_str());
                    request.set_next_token(token.clone()).send()
                })
                .await?;
            let page = list_of(Api::DescribeStackEvents, "StackEvents", output.stack_events)?;
            let page = page.iter().map(words::event).collect::<Result<Vec<_>, _>>()?;
            let reached_end = page.iter().any(|event| event.at < since);
            events.extend(page.into_iter().filter(|event| event.at >= since));
            if reached_end || pages.is_last() {
                break;
            }
            pages.turn(output.next_token)?;
        }
        events.reverse();
        Ok(events)
    }

    /// All resources of a stack, those that AWS remembers as deleted among them.
    pub async fn resources(&self, id: &StackId) -> Result<Vec<ResourceSeen>, AwsError> {
        let mut pages = Pages::new(Api::ListStackResources, MAX_RESOURCE_PAGES);
        let mut resources = Vec::new();
        while let Some(token) = pages.upcoming() {
            let output = self
                .call(Api::ListStackResources, |client| {
                    let request = client.list_stack_resources().stack_name(id.as_str());
                    request.set_next_token(token.clone()).send()
                })
                .await?;
            let page = output.stack_resource_summaries;
            for resource in list_of(Api::ListStackResources, "StackResourceSummaries", page)? {
                resources.push(words::resource(&resource)?);
            }
            pages.turn(output.next_token)?;
        }
        Ok(resources)
    }

    /// Logical ids and types of the resources that could not be deleted: what a delete of a stack
    /// in DELETE_FAILED may retain.
    pub async fn failed_resources(&self, id: &StackId) -> Result<Vec<(String, String)>, AwsError> {
        let resources = self.resources(id).await?.into_iter();
        let failed = resources.filter(|resource| resource.status == "DELETE_FAILED");
        Ok(failed.map(|resource| (resource.logical_id, resource.kind)).collect())
    }

    /// Whether the session really is one of the target's account; asked once per session, and by
    /// itself before each call that changes something.
    pub async fn check_account(&self) -> Result<(), AwsError> {
        match self.checked_session(true).await {
            Err(ended) if ended.session_ended() => self.checked_session(true).await,
            result => result,
        }
        .map(drop)
    }

    async fn checked_session(&self, checked: bool) -> Result<Arc<Session>, AwsError> {
        let sessions = &self.aws.0.sessions;
        let session = sessions.session(&self.session).await?;
        if checked {
            let result = sessions.check(&self.session, &session).await;
            self.forget_ended(&session, &result).await;
            result?;
        }
        Ok(session)
    }

    /// Makes a call in the session of the account. A session that ended is dropped, and the call
    /// made once more with a new one.
    pub(super) async fn call<T, E, F, Fut>(&self, api: Api, send: F) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Fn(&Client) -> Fut,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        match self.call_once(api, &send).await {
            Err(ended) if ended.session_ended() => self
                .call_once(api, &send)
                .await
                .map_err(|error| error.after(ended.may_have_happened())),
            result => result,
        }
    }

    async fn call_once<T, E, F, Fut>(&self, api: Api, send: &F) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Fn(&Client) -> Fut,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let shared = &self.aws.0;
        let session = self.checked_session(api.changes()).await?;
        let region = self.target.region.clone();
        let client = shared.connection.cloudformation(&region, &session.credentials);
        let bucket = BucketKey { account: Some(self.target.account), region, api };
        let result = shared.caller.call(&bucket, self.permission.as_ref(), || send(&client)).await;
        self.forget_ended(&session, &result).await;
        result
    }

    async fn forget_ended<T>(&self, session: &Arc<Session>, result: &Result<T, AwsError>) {
        if result.as_ref().is_err_and(AwsError::session_ended) {
            self.aws.0.sessions.forget(&self.session, session, None).await;
        }
    }
}

/// A list of a page. AWS writes empty ones too: one that is missing says nothing.
pub(super) fn list_of<T>(api: Api, name: &str, list: Option<Vec<T>>) -> Result<Vec<T>, AwsError> {
    list.ok_or_else(|| AwsError::malformed(api, format!("a page without {name}")))
}

/// The pages of one listing: the token of the next one, and what must not happen with it.
pub(super) struct Pages {
    api: Api,
    limit: usize,
    tokens: BTreeSet<String>,
    next: Option<Option<String>>,
}

impl Pages {
    pub(super) fn new(api: Api, limit: usize) -> Self {
        Self { api, limit, tokens: BTreeSet::new(), next: Some(None) }
    }

    /// The token to ask for the next page with; `None` when all are read.
    pub(super) fn upcoming(&self) -> Option<Option<String>> {
        self.next.clone()
    }

    fn is_last(&self) -> bool {
        self.tokens.len() + 1 >= self.limit
    }

    /// A page was read, which names the token of the one that follows it.
    pub(super) fn turn(&mut self, token: Option<String>) -> Result<(), AwsError> {
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            self.next = None;
            return Ok(());
        };
        if self.is_last() {
            let text = format!("more than {} pages", self.limit);
            return Err(AwsError::malformed(self.api, text));
        }
        if !self.tokens.insert(token.clone()) {
            return Err(AwsError::malformed(self.api, "a page names an earlier one as the next"));
        }
        self.next = Some(Some(token));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::aws::fake::{
        Asked, Reply, STACK, Server, error_body, ok, refusal, stack, stacks, whole,
    };
    use crate::aws::{CallEnd, Patience};
    use crate::observed::{BlindReason, ChangeAction, ChangeSetStatus, Replacement};

    /// A server that answers one action so, and gives sessions.
    fn answering(
        action: &'static str,
        reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Server {
        Server::of(move |asked| if asked.action == action { reply(asked) } else { Reply::Usual })
    }

    fn id() -> StackId {
        StackId::of(STACK)
    }

    #[tokio::test(start_paused = true)]
    async fn a_listing_reads_all_pages_and_leaves_nested_stacks_out() {
        let server = answering("DescribeStacks", |asked| match asked.field("NextToken") {
            "" => stacks(&stack("one", ""), Some("t1")),
            "t1" => {
                let parent = format!("<ParentId>{STACK}</ParentId><RootId>{STACK}</RootId>");
                stacks(&(stack("child", &parent) + &stack("two", "")), Some("t2"))
            }
            _ => stacks(&stack("three", ""), None),
        });
        let seen = server.api().list().await.expect("a listing");
        let names: Vec<_> = seen.iter().map(|seen| seen.key.name.as_str()).collect();
        assert_eq!(names, ["one", "two", "three"]);
        assert_eq!(server.count("DescribeStacks"), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stack_is_told_in_our_words() {
        let more = "<LastUpdatedTime>2026-11-02T10:00:00.123Z</LastUpdatedTime>\
            <EnableTerminationProtection>true</EnableTerminationProtection>\
            <Parameters><member><ParameterKey>A</ParameterKey><ParameterValue>1</ParameterValue>\
            </member><member><ParameterKey>Vpc</ParameterKey><ParameterValue>/vpc</ParameterValue>\
            <ResolvedValue>vpc-1</ResolvedValue></member></Parameters>\
            <Outputs><member><OutputKey>O</OutputKey><OutputValue>x</OutputValue></member></Outputs>\
            <Tags><member><Key>aws:a</Key><Value>1</Value></member>\
            <member><Key>b</Key><Value></Value></member></Tags>";
        let body = stack("scan-api", more).replace("CREATE_COMPLETE", "UPDATE_SOMETHING_NEW");
        let server = answering("DescribeStacks", move |_| stacks(&body, None));
        let seen = server.api().describe("scan-api").await.expect("told").expect("there");
        assert_eq!(seen.id, StackId::of(STACK));
        assert_eq!(seen.status, StackStatus::Unknown("UPDATE_SOMETHING_NEW".into()));
        assert_eq!(seen.created_at.to_string(), "2026-11-01T10:00:00.000Z");
        assert_eq!(
            seen.updated_at.map(|at| at.to_string()).as_deref(),
            Some("2026-11-02T10:00:00.123Z")
        );
        assert!(seen.termination_protection);
        assert_eq!(seen.parameters["Vpc"], "/vpc");
        assert_eq!(seen.outputs["O"], "x");
        assert_eq!(seen.tags.into_iter().collect::<Vec<_>>(), [("b".into(), String::new())]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_target_is_empty_only_when_aws_says_so() {
        let empty = answering("DescribeStacks", |_| stacks("", None));
        assert!(empty.api().list().await.expect("a listing").is_empty());
        let full = whole(
            "DescribeStacks",
            &format!("<Stacks>{}{}</Stacks>", stack("one", ""), stack("two", "")),
        );
        let cut = |at: &str| full[..full.find(at).unwrap() + at.len()].to_owned();
        let wrong = "<html><body>All is well</body></html>".to_owned();
        let bodies = [
            String::new(),
            cut("<Stacks>"),
            cut("<member>"),
            cut("</member>"),
            cut("</Stacks>"),
            cut("</DescribeStacksResult>"),
            wrong.clone(),
            "{}".into(),
            whole("DescribeStacks", ""),
            whole("ListStacks", "<Stacks></Stacks>"),
            full.replace("<StackName>two</StackName>", ""),
            full.replace("<CreationTime>2026-11-01", "<CreationTime>yesterday"),
            full.replace(":eu-central-1:", ":eu-west-3:"),
        ];
        for body in bodies {
            let answer = body.clone();
            let server = answering("DescribeStacks", move |_| Reply::Body(200, answer.clone()));
            let error = server.api().list().await.expect_err(&body);
            assert!(matches!(error, AwsError::Malformed(_)), "{body}: {error}");
            assert_eq!(error.blind_reason(&server.api().target().region), BlindReason::Malformed);
            assert!(!error.text().contains("<html>"), "{error}");
            assert!(!error.may_have_happened());
        }
        for status in [500, 503] {
            let wrong = wrong.clone();
            let server = answering("DescribeStacks", move |_| Reply::Body(status, wrong.clone()));
            let error = server.api().list().await.expect_err("html");
            assert!(matches!(error, AwsError::Unreachable(_)), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stacks_of_another_account_are_never_taken_for_ours() {
        let other = stack("one", "").replace("111122223333", "999900001111");
        let server = answering("DescribeStacks", move |_| stacks(&other, None));
        let error = server.api().list().await.expect_err("not ours");
        assert!(matches!(error, AwsError::WrongAccount(_)), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_reason_is_none() {
        let given = stack("one", "<StackStatusReason></StackStatusReason>");
        let server = answering("DescribeStacks", move |_| stacks(&given, None));
        assert_eq!(server.api().list().await.expect("a listing")[0].status_reason, None);
    }

    #[tokio::test(start_paused = true)]
    async fn pages_that_go_round_or_never_end_are_malformed() {
        let round = answering("DescribeStacks", |asked| {
            stacks("", Some(if asked.field("NextToken") == "a" { "b" } else { "a" }))
        });
        let error = round.api().list().await.expect_err("a circle");
        assert!(matches!(error, AwsError::Malformed(_)), "{error}");
        assert_eq!(round.count("DescribeStacks"), 3);
        let endless =
            answering("DescribeStacks", |asked| stacks("", Some(&asked.before.to_string())));
        let error = endless.api().list().await.expect_err("endless");
        assert!(error.text().contains("more than 400 pages"), "{error}");
        assert_eq!(endless.count("DescribeStacks"), MAX_LIST_PAGES);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stack_is_absent_only_when_aws_says_that_it_does_not_exist() {
        for text in ["Stack with id x does not exist", "Stack [x] does not exist"] {
            let server =
                answering("DescribeStacks", move |_| refusal(400, "ValidationError", text));
            assert_eq!(server.api().describe("x").await.expect("an answer"), None);
            assert_eq!(server.count("DescribeStacks"), 1);
        }
        let others: [fn() -> Reply; 5] = [
            || refusal(400, "ValidationError", "Role x does not exist or cannot be used"),
            || refusal(403, "AccessDenied", "Stack with id x does not exist"),
            || refusal(500, "InternalFailure", "Stack with id x does not exist"),
            || stacks("", None),
            || Reply::Body(404, "<html>not found: does not exist</html>".into()),
        ];
        for reply in others {
            let server = answering("DescribeStacks", move |_| reply());
            server.api().describe("x").await.expect_err("not an absence");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_of_aws_is_waited_out() {
        let server = answering("DescribeStacks", |asked| match asked.before {
            0 => refusal(500, "InternalFailure", "oops"),
            1 => Reply::Lost,
            2 => Reply::Body(200, "<Desc".into()),
            3 => Reply::Body(502, "<html>Bad gateway</html>".into()),
            _ => stacks("", None),
        });
        server.api().list().await.expect("a listing in the end");
        assert_eq!(server.count("DescribeStacks"), 5);
        let counters = server.aws.counters();
        let count = |end| counters.calls.get(&(Api::DescribeStacks, end)).copied();
        assert_eq!(count(CallEnd::Done), Some(1));
        assert_eq!(count(CallEnd::Unreachable), Some(3));
        assert_eq!(count(CallEnd::Malformed), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_never_answers_is_given_up_within_its_patience() {
        let server = answering("DescribeStacks", |_| Reply::Silent);
        let error = server.api().list().await.expect_err("silence");
        assert!(matches!(error, AwsError::Unreachable(_)), "{error}");
        let asked = server.asked("DescribeStacks");
        let took = asked[asked.len() - 1].at.since(asked[0].at);
        assert!(asked.len() > 1 && took <= Patience::default().length, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn final_answers_are_not_asked_for_again() {
        for (status, code) in
            [(400, "ValidationError"), (400, "LimitExceededException"), (403, "AccessDenied")]
        {
            let server = answering("GetTemplate", move |_| refusal(status, code, "no"));
            let error = server.api().template(&id()).await.expect_err("no");
            assert_eq!((error.code(), error.text()), (code, "no"));
            assert_eq!(server.count("GetTemplate"), 1);
        }
    }

    /// A server that bears two looks a second.
    fn two_a_second() -> Server {
        let taken = std::sync::Mutex::new(Vec::<Moment>::new());
        answering("DescribeStacks", move |asked| {
            let mut taken = taken.lock().unwrap();
            taken.retain(|at| asked.at.since(*at) < Duration::from_secs(1));
            if taken.len() >= 2 {
                return Reply::Body(400, error_body("Throttling", "Rate exceeded"));
            }
            taken.push(asked.at);
            stacks("", None)
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_pace_adapts_to_throttling_until_all_are_served() {
        let server = two_a_second();
        let began_at = server.clock.now();
        let tasks: Vec<_> = (0..60)
            .map(|_| {
                let api = server.api();
                tokio::spawn(async move { api.list().await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().expect("served in the end");
        }
        let took = server.clock.now().since(began_at);
        assert!(took < Duration::from_secs(120), "30 s at best, took {took:?}");
        let throttled = server.count("DescribeStacks") - 60;
        assert!(throttled > 0 && throttled < 60, "{throttled} throttled");
        assert!(server.aws.counters().waited_for[&Api::DescribeStacks] > Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_names_a_pause_is_not_asked_before() {
        let server = answering("DescribeStacks", |asked| match asked.before {
            0 => Reply::Later(429, 17, String::new()),
            _ => stacks("", None),
        });
        server.api().list().await.expect("a listing");
        let asked = server.asked("DescribeStacks");
        assert!(asked[1].at.since(asked[0].at) >= Duration::from_secs(17));
        let busy = answering("DescribeStacks", |_| Reply::Later(429, 100, String::new()));
        let error = busy.api().list().await.expect_err("too long");
        assert!(matches!(error, AwsError::Throttled(_)), "{error}");
        assert_eq!(busy.count("DescribeStacks"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn signatures_and_tokens_stay_out_of_errors() {
        let text = "The Canonical String should have been 'x-amz-security-token:t0k3n'";
        let server =
            answering("DescribeStacks", move |_| refusal(403, "SignatureDoesNotMatch", text));
        let error = server.api().list().await.expect_err("refused");
        assert!(matches!(error, AwsError::Denied(_)), "{error}");
        assert!(!format!("{error:?} {error}").contains("t0k3n"), "{error:?}");
    }

    fn change_set(status: &str, execution: &str, reason: &str, more: &str) -> Reply {
        ok(
            "DescribeChangeSet",
            &format!(
                "<ChangeSetName>c</ChangeSetName><Status>{status}</Status>\
                 <ExecutionStatus>{execution}</ExecutionStatus>\
                 <StatusReason>{reason}</StatusReason>{more}"
            ),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn change_sets_are_told_by_status_and_reason_exactly() {
        let no_changes = "The submitted information didn&apos;t contain changes. Submit different \
                          information to create a change set.";
        let failed = "Transform failed: No updates are to be performed";
        let table = [
            ("CREATE_PENDING", "UNAVAILABLE", "", ChangeSetStatus::Pending),
            ("CREATE_IN_PROGRESS", "UNAVAILABLE", "", ChangeSetStatus::Pending),
            ("FAILED", "UNAVAILABLE", no_changes, ChangeSetStatus::Empty),
            ("FAILED", "UNAVAILABLE", "No updates are to be performed.", ChangeSetStatus::Empty),
            ("FAILED", "UNAVAILABLE", failed, ChangeSetStatus::Failed(failed.into())),
            ("CREATE_COMPLETE", "AVAILABLE", "", ChangeSetStatus::Ready),
            ("CREATE_COMPLETE", "OBSOLETE", "", ChangeSetStatus::Obsolete),
            ("CREATE_COMPLETE", "EXECUTE_COMPLETE", "", ChangeSetStatus::Obsolete),
            ("DELETE_COMPLETE", "AVAILABLE", "", ChangeSetStatus::Obsolete),
            ("PAINTED", "RED", "", ChangeSetStatus::Unknown("PAINTED, RED".into())),
        ];
        for (status, execution, reason, expected) in table {
            let server = answering("DescribeChangeSet", move |_| {
                change_set(status, execution, reason, "<Changes/>")
            });
            let seen = server.api().change_set(&id(), "c").await.expect("told").expect("there");
            assert_eq!(seen.status, expected, "{status} {reason}");
        }
        let server = answering("DescribeChangeSet", |_| refusal(404, "ChangeSetNotFound", "gone"));
        assert_eq!(server.api().change_set(&id(), "c").await.expect("told"), None);
    }

    fn change(logical_id: &str, action: &str, replacement: &str) -> String {
        format!(
            "<member><Type>Resource</Type><ResourceChange><Action>{action}</Action>\
             <LogicalResourceId>{logical_id}</LogicalResourceId>{replacement}\
             <ResourceType>AWS::SQS::Queue</ResourceType></ResourceChange></member>"
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_set_has_the_changes_of_all_its_pages() {
        let server = answering("DescribeChangeSet", |asked| {
            let (members, token) = match asked.field("NextToken") {
                "" => (change("A", "Add", ""), "<NextToken>2</NextToken>"),
                _ => (
                    change("B", "Modify", "<Replacement>True</Replacement>")
                        + &change("C", "Modify", "<Replacement>Perhaps</Replacement>")
                        + &change("D", "Vanish", ""),
                    "",
                ),
            };
            let more = format!("<Changes>{members}</Changes>{token}");
            change_set("CREATE_COMPLETE", "AVAILABLE", "", &more)
        });
        let seen = server.api().change_set(&id(), "c").await.expect("told").expect("there");
        let told: Vec<_> = seen
            .changes
            .iter()
            .map(|change| (change.logical_id.as_str(), change.action.clone(), change.replacement))
            .collect();
        assert_eq!(
            told,
            [
                ("A", ChangeAction::Add, Replacement::Never),
                ("B", ChangeAction::Modify, Replacement::Always),
                ("C", ChangeAction::Modify, Replacement::Conditional),
                ("D", ChangeAction::Unknown("Vanish".into()), Replacement::Never),
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_says_so_of_all_of_itself_changes_nothing_but_tags() {
        let tags = "<Scope><member>Tags</member></Scope>";
        let detail = |attribute: &str| {
            format!(
                "<Details><member><Target><Attribute>{attribute}</Attribute></Target>\
                 <Evaluation>Static</Evaluation></member></Details>"
            )
        };
        let queue = "AWS::SQS::Queue";
        for (kind, said, expected) in [
            (queue, format!("{tags}{}", detail("Tags")), true),
            (queue, tags.to_owned(), true),
            (queue, format!("{tags}{}", detail("Properties")), false),
            (
                queue,
                "<Scope><member>Tags</member><member>Properties</member></Scope>".into(),
                false,
            ),
            (queue, format!("<Replacement>Conditional</Replacement>{tags}"), false),
            (queue, String::new(), false),
            // Its template may be another one by now.
            ("AWS::CloudFormation::Stack", format!("{tags}{}", detail("Tags")), false),
        ] {
            let server = answering("DescribeChangeSet", move |_| {
                let change = change("A", "Modify", &said).replace(queue, kind);
                let changes = format!("<Changes>{change}</Changes>");
                change_set("CREATE_COMPLETE", "AVAILABLE", "", &changes)
            });
            let seen = server.api().change_set(&id(), "c").await.expect("told").expect("there");
            assert_eq!(seen.changes[0].only_tags, expected, "{kind} {:?}", seen.changes[0]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_is_told_of_badly_is_not_passed_over() {
        let answer = |more: &'static str| {
            answering("DescribeChangeSet", move |_| {
                change_set("CREATE_COMPLETE", "AVAILABLE", "", more)
            })
        };
        let removal = "<ResourceChange><Action>Remove</Action><LogicalResourceId>A\
            </LogicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType></ResourceChange>";
        let of = |kind: &str, rest: &str| {
            let text = format!("<Changes><member>{kind}{rest}</member></Changes>");
            answer(Box::leak(text.into_boxed_str()))
        };
        for server in [answer(""), of("", removal), of("<Type></Type>", "")] {
            let error = server.api().change_set(&id(), "c").await.expect_err("no changes");
            assert!(matches!(error, AwsError::Malformed(_)), "{error}");
        }
        for (kind, rest, count) in [
            ("<Type>Resource</Type>", removal, 1),
            ("<Type>Novelty</Type>", removal, 1),
            ("<Type>Hook</Type>", "", 0),
        ] {
            let seen = of(kind, rest).api().change_set(&id(), "c").await.expect("told");
            assert_eq!(seen.expect("there").changes.len(), count, "{kind}");
        }
        let pending =
            answering("DescribeChangeSet", |_| change_set("CREATE_PENDING", "UNAVAILABLE", "", ""));
        pending.api().change_set(&id(), "c").await.expect("nothing to tell yet");
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_without_its_list_is_not_an_empty_page() {
        let server = answering("DescribeStackEvents", |_| ok("DescribeStackEvents", ""));
        let error = server.api().events_since(&id(), Moment::default()).await.expect_err("none");
        assert!(matches!(error, AwsError::Malformed(_)), "{error}");
        let server = answering("ListStackResources", |_| ok("ListStackResources", ""));
        let error = server.api().failed_resources(&id()).await.expect_err("none");
        assert!(matches!(error, AwsError::Malformed(_)), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_parent_does_not_make_a_stack_a_nested_one() {
        let members = stack("one", "<ParentId></ParentId>") + &stack("two", "<RootId></RootId>");
        let server = answering("DescribeStacks", move |_| stacks(&members, None));
        assert_eq!(server.api().list().await.expect("a listing").len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn events_come_oldest_first_and_no_further_back_than_asked() {
        let event = |second: usize, name: &str| {
            format!(
                "<member><StackId>{STACK}</StackId><EventId>e</EventId><StackName>s</StackName>\
                 <LogicalResourceId>{name}</LogicalResourceId><ResourceType>T</ResourceType>\
                 <Timestamp>2026-11-01T10:00:{second:02}.000Z</Timestamp>\
                 <ResourceStatus>CREATE_FAILED</ResourceStatus>\
                 <ResourceStatusReason>because</ResourceStatusReason>\
                 <ClientRequestToken>k</ClientRequestToken></member>"
            )
        };
        let server = answering("DescribeStackEvents", move |asked| {
            let newest = 50 - 2 * asked.before;
            let members = event(newest, "B") + &event(newest - 1, "A");
            ok(
                "DescribeStackEvents",
                &format!(
                    "<StackEvents>{members}</StackEvents><NextToken>{}</NextToken>",
                    asked.before
                ),
            )
        });
        let since = Moment::from(SystemTimeOf::parse("2026-11-01T10:00:46Z").expect("a time"));
        let events = server.api().events_since(&id(), since).await.expect("events");
        let told: Vec<_> =
            events.iter().map(|event| event.at.to_string()[17..19].to_owned()).collect();
        assert_eq!(told, ["46", "47", "48", "49", "50"]);
        assert_eq!(events[1].reason.as_deref(), Some("because"));
        assert_eq!(events[1].token.as_deref(), Some("k"));
        assert_eq!(server.count("DescribeStackEvents"), 3);
    }

    struct SystemTimeOf;

    impl SystemTimeOf {
        fn parse(text: &str) -> Option<std::time::SystemTime> {
            let format = aws_smithy_types::date_time::Format::DateTime;
            let time = aws_smithy_types::DateTime::from_str(text, format).ok()?;
            time.try_into().ok()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failed_resources_are_those_that_could_not_be_deleted() {
        let server = answering("ListStackResources", |_| {
            let member = |name: &str, status: &str| {
                format!(
                    "<member><LogicalResourceId>{name}</LogicalResourceId>\
                     <ResourceType>AWS::S3::Bucket</ResourceType>\
                     <LastUpdatedTimestamp>2026-11-01T10:00:00Z</LastUpdatedTimestamp>\
                     <ResourceStatus>{status}</ResourceStatus></member>"
                )
            };
            let members = member("Kept", "DELETE_FAILED") + &member("Gone", "DELETE_COMPLETE");
            let list = format!("<StackResourceSummaries>{members}</StackResourceSummaries>");
            ok("ListStackResources", &list)
        });
        let failed = server.api().failed_resources(&id()).await.expect("a list");
        assert_eq!(failed, [("Kept".to_owned(), "AWS::S3::Bucket".to_owned())]);
    }
}
