//! Reading stack sets with the credentials that this program was started with: those of their
//! administrator, or of a delegated one. Nothing is changed here.

use std::collections::BTreeMap;
use std::error::Error;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types as sdk;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::aws::call::Caller;
use crate::aws::error::AwsError;
use crate::aws::pace::{Api, BucketKey};
use crate::aws::stacks::{Pages, list_of};
use crate::aws::{Aws, TargetApi};
use crate::ids::{Region, StackId, Target};
use crate::import::{InstanceSeen, StackSet};

/// 100,000 instances are the most of one stack set; a page holds 100 of them at most.
const MAX_INSTANCE_PAGES: usize = 2_000;
/// 1,000 stack sets are the most of one administrator.
const MAX_SET_PAGES: usize = 200;

/// The stack sets of one region, as one administrator sees them.
#[derive(Clone, Debug)]
pub struct StackSets {
    aws: Aws,
    client: Client,
    region: Region,
    call_as: Option<sdk::CallAs>,
}

impl Aws {
    /// The stack sets of a region, or of the one that the environment names; `is_delegated` where the
    /// credentials are of a delegated administrator of the organisation.
    pub fn stack_sets(&self, region: Option<&Region>, is_delegated: bool) -> StackSets {
        let connection = &self.0.connection;
        let region = region.unwrap_or(&connection.home).clone();
        let client = connection.own_cloudformation(&region);
        let call_as = is_delegated.then_some(sdk::CallAs::DelegatedAdmin);
        StackSets { aws: self.clone(), client, region, call_as }
    }
}

impl StackSets {
    /// The region that is asked.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// One stack set; `None` where there is none of that name.
    pub async fn describe(&self, name: &str) -> Result<Option<StackSet>, AwsError> {
        let api = Api::DescribeStackSet;
        let result = self
            .call(api, |client| {
                let request = client.describe_stack_set().stack_set_name(name);
                request.set_call_as(self.call_as.clone()).send()
            })
            .await;
        let output = match result {
            Ok(output) => output,
            Err(error) if error.stack_set_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let set = output.stack_set.ok_or_else(|| AwsError::malformed(api, "no StackSet"))?;
        if set.status() == Some(&sdk::StackSetStatus::Deleted) {
            return Ok(None);
        }
        stack_set(api, name, set).map(Some)
    }

    /// The names of all stack sets that are in use.
    pub async fn names(&self) -> Result<Vec<String>, AwsError> {
        let api = Api::ListStackSets;
        let mut pages = Pages::new(api, MAX_SET_PAGES);
        let mut names = Vec::new();
        while let Some(token) = pages.upcoming() {
            let output = self
                .call(api, |client| {
                    let request = client.list_stack_sets().set_next_token(token.clone());
                    let request = request.status(sdk::StackSetStatus::Active);
                    request.set_call_as(self.call_as.clone()).send()
                })
                .await?;
            let page = list_of(api, "Summaries", output.summaries)?.into_iter();
            let page = page.filter(|one| one.status() != Some(&sdk::StackSetStatus::Deleted));
            names.extend(page.filter_map(|one| one.stack_set_name));
            pages.turn(output.next_token)?;
        }
        Ok(names)
    }

    /// All instances of a stack set, from all pages.
    pub async fn instances(&self, name: &str) -> Result<Vec<InstanceSeen>, AwsError> {
        let api = Api::ListStackInstances;
        let mut pages = Pages::new(api, MAX_INSTANCE_PAGES);
        let mut instances = Vec::new();
        while let Some(token) = pages.upcoming() {
            let output = self
                .call(api, |client| {
                    let request = client.list_stack_instances().stack_set_name(name);
                    let request = request.set_next_token(token.clone());
                    request.set_call_as(self.call_as.clone()).send()
                })
                .await?;
            for summary in list_of(api, "Summaries", output.summaries)? {
                instances.push(instance(api, summary)?);
            }
            pages.turn(output.next_token)?;
        }
        Ok(instances)
    }

    /// The values that one instance has otherwise than its stack set. No listing shows them.
    pub async fn overrides(
        &self,
        name: &str,
        target: &Target,
    ) -> Result<BTreeMap<String, String>, AwsError> {
        let api = Api::DescribeStackInstance;
        let output = self
            .call(api, |client| {
                let request = client.describe_stack_instance().stack_set_name(name);
                let request = request.stack_instance_account(target.account.to_string());
                let request = request.stack_instance_region(target.region.as_str());
                request.set_call_as(self.call_as.clone()).send()
            })
            .await?;
        let instance = output.stack_instance();
        let instance = instance.ok_or_else(|| AwsError::malformed(api, "no StackInstance"))?;
        values(api, instance.parameter_overrides())
    }

    async fn call<T, E, F, Fut>(&self, api: Api, send: F) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Fn(&Client) -> Fut,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let bucket = BucketKey { account: None, region: self.region.clone(), api };
        let caller: &Caller = &self.aws.0.caller;
        caller.call(&bucket, None, || send(&self.client)).await
    }
}

impl TargetApi {
    /// The capabilities that a stack was made with.
    pub async fn capabilities(&self, id: &StackId) -> Result<Vec<String>, AwsError> {
        let api = Api::DescribeStacks;
        let output = self
            .call(api, |client| client.describe_stacks().stack_name(id.as_str()).send())
            .await?;
        let [stack] = output.stacks() else {
            let text = format!("{} stacks where one was asked for", output.stacks().len());
            return Err(AwsError::malformed(api, text));
        };
        Ok(words_of(stack.capabilities()))
    }
}

fn words_of(capabilities: &[sdk::Capability]) -> Vec<String> {
    let mut words: Vec<String> =
        capabilities.iter().map(|capability| capability.as_str().to_owned()).collect();
    words.sort();
    words
}

fn stack_set(api: Api, name: &str, set: sdk::StackSet) -> Result<StackSet, AwsError> {
    let model = set.permission_model();
    let is_service_managed = model == Some(&sdk::PermissionModels::ServiceManaged);
    let enabled = set.auto_deployment().and_then(sdk::AutoDeployment::enabled);
    let tags = set.tags().iter().filter_map(|tag| {
        let (key, value) = (tag.key()?, tag.value().unwrap_or_default());
        (!key.starts_with("aws:")).then(|| (key.to_owned(), value.to_owned()))
    });
    Ok(StackSet {
        name: set.stack_set_name().unwrap_or(name).to_owned(),
        description: set.description().filter(|text| !text.trim().is_empty()).map(str::to_owned),
        is_service_managed,
        auto_deployment: enabled.unwrap_or(false),
        parameters: values(api, set.parameters())?,
        capabilities: words_of(set.capabilities()),
        tags: tags.collect(),
        template_body: set
            .template_body
            .clone()
            .filter(|body| !body.is_empty())
            .ok_or_else(|| AwsError::malformed(api, "no TemplateBody"))?,
    })
}

/// Values by name. AWS leaves an empty one out.
fn values(api: Api, parameters: &[sdk::Parameter]) -> Result<BTreeMap<String, String>, AwsError> {
    let pair = |one: &sdk::Parameter| {
        let key = one.parameter_key().filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| AwsError::malformed(api, "no ParameterKey"))?;
        Ok((key.to_owned(), one.parameter_value().unwrap_or_default().to_owned()))
    };
    parameters.iter().map(pair).collect()
}

fn instance(api: Api, summary: sdk::StackInstanceSummary) -> Result<InstanceSeen, AwsError> {
    let account = summary.account().unwrap_or_default().parse();
    let account = account.map_err(|error| AwsError::malformed(api, format!("{error}")))?;
    let region = summary.region().unwrap_or_default().parse();
    let region = region.map_err(|error| AwsError::malformed(api, format!("{error}")))?;
    let operation = summary.stack_instance_status().and_then(|status| status.detailed_status());
    Ok(InstanceSeen {
        target: Target { account, region },
        status: summary.status().map_or("", |status| status.as_str()).to_owned(),
        operation: operation.map(|status| status.as_str().to_owned()),
        stack_id: summary.stack_id.filter(|id| !id.is_empty()),
        reason: summary.status_reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::fake::{Asked, Reply, STACK, Server, ok, refusal};

    fn answering(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Server, StackSets) {
        let server = Server::of(reply);
        let sets = server.aws.stack_sets(None, false);
        (server, sets)
    }

    fn summary(account: u64, more: &str) -> String {
        format!(
            "<member><Account>{account:012}</Account><Region>eu-central-1</Region>{more}</member>"
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_stack_set_is_read_with_the_credentials_of_this_process() {
        let body = "<StackSet><StackSetName>scan-api</StackSetName><Status>ACTIVE</Status>\
                    <TemplateBody>Resources: {}\n</TemplateBody>\
                    <PermissionModel>SERVICE_MANAGED</PermissionModel>\
                    <AutoDeployment><Enabled>true</Enabled></AutoDeployment>\
                    <Parameters><member><ParameterKey>A</ParameterKey><ParameterValue>1</ParameterValue></member>\
                    <member><ParameterKey>B</ParameterKey></member></Parameters>\
                    <Capabilities><member>CAPABILITY_NAMED_IAM</member><member>CAPABILITY_IAM</member></Capabilities>\
                    <Tags><member><Key>team</Key><Value>scan</Value></member></Tags></StackSet>";
        let (server, _) = answering(move |_| ok("DescribeStackSet", body));
        let region = "us-east-1".parse().unwrap();
        let sets = server.aws.stack_sets(Some(&region), true);
        let set = sets.describe("scan-api").await.expect("read").expect("there");
        assert!(set.is_service_managed && set.auto_deployment);
        assert_eq!(set.template_body, "Resources: {}\n");
        assert_eq!(set.capabilities, ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]);
        assert_eq!(
            set.parameters,
            BTreeMap::from([("A".into(), "1".into()), ("B".into(), String::new())])
        );
        assert_eq!(set.tags, BTreeMap::from([("team".into(), "scan".into())]));
        let asked = &server.asked("DescribeStackSet")[0];
        assert_eq!((asked.key.as_str(), asked.field("CallAs")), ("BASE", "DELEGATED_ADMIN"));
        assert_eq!(asked.host, "cloudformation.us-east-1.amazonaws.com");
        assert_eq!(server.count("AssumeRole"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stack_set_that_is_not_there_and_one_that_may_not_be_read_are_told_apart() {
        let (_, sets) =
            answering(|_| refusal(404, "StackSetNotFoundException", "StackSet scan-api not found"));
        assert_eq!(sets.describe("scan-api").await.expect("an answer"), None);
        let (_, sets) = answering(|_| refusal(403, "AccessDenied", "not authorized to perform"));
        let error = sets.describe("scan-api").await.expect_err("denied");
        assert!(matches!(error, AwsError::Denied(_)), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn instances_are_read_from_all_pages_with_their_states() {
        let (server, sets) = answering(|asked| {
            let page = |members: String, token: &str| {
                ok("ListStackInstances", &format!("<Summaries>{members}</Summaries>{token}"))
            };
            let well = format!("<StackId>{STACK}</StackId><Status>CURRENT</Status>");
            let ill = "<Status>OUTDATED</Status><StatusReason>no role</StatusReason>\
                       <StackInstanceStatus><DetailedStatus>FAILED</DetailedStatus></StackInstanceStatus>";
            match asked.field("NextToken") {
                "" => page(summary(1, &well), "<NextToken>t1</NextToken>"),
                "t1" => page(String::new(), "<NextToken>t2</NextToken>"),
                _ => page(summary(2, ill), ""),
            }
        });
        let found = sets.instances("scan-api").await.expect("a listing");
        assert_eq!(server.count("ListStackInstances"), 3);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].stack_id.as_deref(), Some(STACK));
        assert_eq!(found[1].target.to_string(), "000000000002/eu-central-1");
        assert_eq!(found[1].operation.as_deref(), Some("FAILED"));
        assert_eq!(found[1].reason.as_deref(), Some("no role"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_is_missing_its_list_is_no_empty_page() {
        let (_, sets) = answering(|_| ok("ListStackInstances", ""));
        let error = sets.instances("scan-api").await.expect_err("malformed");
        assert!(matches!(error, AwsError::Malformed(_)), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn overrides_are_asked_for_one_instance() {
        let (server, sets) = answering(|_| {
            let one =
                "<member><ParameterKey>A</ParameterKey><ParameterValue>2</ParameterValue></member>";
            let instance = format!(
                "<StackInstance><ParameterOverrides>{one}</ParameterOverrides></StackInstance>"
            );
            ok("DescribeStackInstance", &instance)
        });
        let target = "000000000007/us-east-1".parse().unwrap();
        let found = sets.overrides("scan-api", &target).await.expect("read");
        assert_eq!(found, BTreeMap::from([("A".into(), "2".into())]));
        let asked = &server.asked("DescribeStackInstance")[0];
        assert_eq!(asked.field("StackInstanceAccount"), "000000000007");
        assert_eq!(asked.field("StackInstanceRegion"), "us-east-1");
    }

    #[tokio::test(start_paused = true)]
    async fn deleted_stack_sets_are_not_named() {
        let (_, sets) = answering(|_| {
            let one = |name: &str, status: &str| {
                format!(
                    "<member><StackSetName>{name}</StackSetName><Status>{status}</Status></member>"
                )
            };
            let both = one("a", "ACTIVE") + &one("b", "DELETED");
            ok("ListStackSets", &format!("<Summaries>{both}</Summaries>"))
        });
        assert_eq!(sets.names().await.expect("names"), ["a"]);
    }
}
