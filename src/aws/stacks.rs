//! Looking at the stacks of one target. Every listing is read to its end or is an error: a short
//! one would look like deleted stacks.

use std::collections::BTreeSet;
use std::error::Error;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{ChangeType, TemplateStage};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::aws::TargetApi;
use crate::aws::error::AwsError;
use crate::aws::pace::{Api, BucketKey};
use crate::aws::words;
use crate::ids::StackId;
use crate::moment::Moment;
use crate::observed::{ChangeSetSeen, ResourceSeen, Seen, StackEvent, StackStatus};

/// A target has 2,000 root stacks at most; nested ones and short pages multiply that.
const MAX_LIST_PAGES: usize = 400;
/// 2,500 resources are the most of one operation; a page holds at least a few of them.
const MAX_RESOURCE_PAGES: usize = 200;
/// 10,000 events: the largest operation with four events for each resource.
const MAX_EVENT_PAGES: usize = 100;

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
            let stacks = output
                .stacks
                .ok_or_else(|| AwsError::malformed(Api::DescribeStacks, "a page without Stacks"))?;
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
        let mut pages = Pages::new(Api::DescribeChangeSet, MAX_RESOURCE_PAGES);
        let mut changes = Vec::new();
        let mut first = None;
        while let Some(token) = pages.upcoming() {
            let result = self
                .call(Api::DescribeChangeSet, |client| {
                    let request = client.describe_change_set().stack_name(stack.as_str());
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
            for change in output.changes.take().unwrap_or_default() {
                if change.r#type() == Some(&ChangeType::Resource) {
                    changes.push(words::planned(change.resource_change())?);
                }
            }
            let next = output.next_token.take();
            first.get_or_insert(output);
            pages.turn(next)?;
        }
        first.map(|output| words::change_set(&output, changes)).transpose()
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
            let page = output.stack_events();
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
            for resource in output.stack_resource_summaries() {
                resources.push(words::resource(resource)?);
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
        let sessions = &self.aws.0.sessions;
        let session = sessions.session(&self.session).await?;
        sessions.check(&self.session, &session).await
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
            Err(ended) if ended.session_ended() && ended.answer().api == api => self
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
        let session = shared.sessions.session(&self.session).await?;
        if api.changes() {
            shared.sessions.check(&self.session, &session).await?;
        }
        let region = self.target.region.clone();
        let client = shared.connection.cloudformation(&region, &session.credentials);
        let bucket = BucketKey { account: Some(self.target.account), region, api };
        let result = shared.caller.call(&bucket, self.permission.as_ref(), || send(&client)).await;
        if result.as_ref().is_err_and(AwsError::session_ended) {
            shared.sessions.forget(&self.session, &session).await;
        }
        result
    }
}

/// The pages of one listing: the token of the next one, and what must not happen with it.
struct Pages {
    api: Api,
    limit: usize,
    tokens: BTreeSet<String>,
    next: Option<Option<String>>,
}

impl Pages {
    fn new(api: Api, limit: usize) -> Self {
        Self { api, limit, tokens: BTreeSet::new(), next: Some(None) }
    }

    /// The token to ask for the next page with; `None` when all are read.
    fn upcoming(&self) -> Option<Option<String>> {
        self.next.clone()
    }

    fn is_last(&self) -> bool {
        self.tokens.len() + 1 >= self.limit
    }

    /// A page was read, which names the token of the one that follows it.
    fn turn(&mut self, token: Option<String>) -> Result<(), AwsError> {
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
