//! Finding out what a role may do without doing anything: each call is about a stack that cannot
//! exist, so that AWS says either that there is none, or that the role may not even ask.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::types::{ChangeSetType, StackStatus};

use crate::aws::TargetApi;
use crate::aws::error::AwsError;
use crate::aws::pace::Api;
use crate::aws::stacks::{Pages, list_of};
use crate::aws::words;
use crate::ids::StackName;

/// The name of the stack, of the change set and of everything else that is asked for.
const NAME: &str = "driftless-doctor";
/// AWS makes its ids at random, and this one is not random: no stack ever had it.
const NO_ID: &str = "00000000-0000-0000-0000-000000000000";
/// A target has 2,000 root stacks at most unless AWS raised that; nested ones and short pages multiply
/// it.
const MAX_PAGES: usize = 400;

/// What is probed, in order: every call of CloudFormation that this program makes in a target, but
/// three. A look shows whether DescribeStacks is allowed. CreateStack is left out because it takes no id: it can only
/// be asked for a stack that could come to be. DescribeAccountLimits is asked in earnest.
pub const PROBED: [Api; 16] = [
    Api::DescribeStackEvents,
    Api::ListStackResources,
    Api::DescribeChangeSet,
    Api::GetTemplate,
    Api::GetStackPolicy,
    Api::DetectStackDrift,
    Api::DescribeStackDriftDetectionStatus,
    Api::DescribeStackResourceDrifts,
    Api::CreateChangeSet,
    Api::ExecuteChangeSet,
    Api::DeleteChangeSet,
    Api::DeleteStack,
    Api::ContinueUpdateRollback,
    Api::RollbackStack,
    Api::UpdateTerminationProtection,
    Api::SetStackPolicy,
];

/// What a probe found.
#[derive(Clone, Debug)]
pub enum Probed {
    /// AWS looked for the stack: the right is there.
    Allowed,
    /// The role may not: AWS's answer.
    Missing(AwsError),
    /// Nobody knows: the call came to nothing for another reason, or was not made.
    Unproven(Option<AwsError>),
}

/// What stands in a target, as far as quotas count it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// All stacks, nested ones too.
    pub stacks: usize,
    /// The names of the root stacks.
    pub names: BTreeSet<StackName>,
}

impl Census {
    /// Whether a stack has the name that probes use.
    fn has_namesake(&self) -> bool {
        self.names.iter().any(|name| name.as_str() == NAME)
    }
}

impl TargetApi {
    /// Counts the stacks of the target.
    pub async fn census(&self) -> Result<Census, AwsError> {
        let mut pages = Pages::new(Api::DescribeStacks, MAX_PAGES);
        let mut census = Census::default();
        while let Some(token) = pages.upcoming() {
            let output = self
                .call(Api::DescribeStacks, |client| {
                    client.describe_stacks().set_next_token(token.clone()).send()
                })
                .await?;
            let stacks = list_of(Api::DescribeStacks, "Stacks", output.stacks)?;
            let stands =
                |status: Option<&StackStatus>| status != Some(&StackStatus::DeleteComplete);
            for stack in stacks.iter().filter(|stack| stands(stack.stack_status())) {
                census.stacks += 1;
                if !words::is_nested(stack) {
                    census.names.extend(stack.stack_name().and_then(|name| name.parse().ok()));
                }
            }
            pages.turn(output.next_token)?;
        }
        Ok(census)
    }

    /// How many stacks AWS lets the account have here; `None` where it does not say.
    pub async fn stack_limit(&self) -> Result<Option<usize>, AwsError> {
        let output = self
            .call(Api::DescribeAccountLimits, |client| client.describe_account_limits().send())
            .await?;
        let limits = list_of(Api::DescribeAccountLimits, "AccountLimits", output.account_limits)?;
        let limit = limits.iter().find(|limit| limit.name() == Some("StackLimit"));
        Ok(limit.and_then(|limit| usize::try_from(limit.value()?).ok()))
    }

    /// Whether the role may make this call, which is one of [`PROBED`]. Of calls that change something
    /// nothing is found out where the census knows a stack of the name that is asked for: should AWS
    /// take the id for that name, it must not meet one.
    pub async fn probe(&self, api: Api, census: &Census) -> Probed {
        if api.changes() && census.has_namesake() {
            return Probed::Unproven(None);
        }
        match self.ask(api).await {
            Ok(()) | Err(AwsError::Refused(_)) => Probed::Allowed,
            Err(error @ AwsError::Denied(_)) if is_about_rights(&error) => Probed::Missing(error),
            Err(error) => Probed::Unproven(Some(error)),
        }
    }

    async fn ask(&self, api: Api) -> Result<(), AwsError> {
        let (account, region) = (self.target.account, &self.target.region);
        let partition = region.partition();
        let stack =
            format!("arn:{partition}:cloudformation:{region}:{account}:stack/{NAME}/{NO_ID}");
        let changes = api.changes();
        if changes {
            self.ask_to_change(api, &stack).await
        } else {
            self.ask_to_read(api, &stack).await
        }
    }

    async fn ask_to_read(&self, api: Api, stack: &str) -> Result<(), AwsError> {
        macro_rules! ask {
            ($operation:ident $(, $field:ident: $value:expr)*) => {
                self.call(api, |client| client.$operation()$(.$field($value))*.send()).await.map(drop)
            };
        }
        match api {
            Api::DescribeStackEvents => ask!(describe_stack_events, stack_name: stack),
            Api::ListStackResources => ask!(list_stack_resources, stack_name: stack),
            Api::DescribeChangeSet => {
                ask!(describe_change_set, stack_name: stack, change_set_name: NAME)
            }
            Api::GetTemplate => ask!(get_template, stack_name: stack),
            Api::GetStackPolicy => ask!(get_stack_policy, stack_name: stack),
            Api::DetectStackDrift => ask!(detect_stack_drift, stack_name: stack),
            Api::DescribeStackDriftDetectionStatus => {
                ask!(describe_stack_drift_detection_status, stack_drift_detection_id: NO_ID)
            }
            Api::DescribeStackResourceDrifts => {
                ask!(describe_stack_resource_drifts, stack_name: stack)
            }
            Api::AssumeRole
            | Api::GetCallerIdentity
            | Api::DescribeStacks
            | Api::DescribeAccountLimits
            | Api::DescribeStackSet
            | Api::ListStackSets
            | Api::ListStackInstances
            | Api::DescribeStackInstance
            | Api::CreateStack
            | Api::CreateChangeSet
            | Api::ExecuteChangeSet
            | Api::DeleteChangeSet
            | Api::DeleteStack
            | Api::ContinueUpdateRollback
            | Api::RollbackStack
            | Api::UpdateTerminationProtection
            | Api::SetStackPolicy
            | Api::HeadBucket
            | Api::HeadObject
            | Api::GetObject
            | Api::PutObject => Err(AwsError::stopped(api)),
        }
    }

    /// Asks for a change of a stack that cannot exist. What is asked is the least besides: an update, so
    /// that no shell is made, of a template that CloudFormation never takes; protection switched on.
    async fn ask_to_change(&self, api: Api, stack: &str) -> Result<(), AwsError> {
        macro_rules! ask {
            ($operation:ident $(, $field:ident: $value:expr)*) => {
                self.call(api, |client| client.$operation()$(.$field($value))*.send()).await.map(drop)
            };
        }
        match api {
            Api::CreateChangeSet => ask!(
                create_change_set,
                stack_name: stack,
                change_set_name: NAME,
                change_set_type: ChangeSetType::Update,
                template_body: "{}"
            ),
            Api::ExecuteChangeSet => {
                ask!(execute_change_set, stack_name: stack, change_set_name: NAME)
            }
            Api::DeleteChangeSet => {
                ask!(delete_change_set, stack_name: stack, change_set_name: NAME)
            }
            Api::DeleteStack => ask!(delete_stack, stack_name: stack),
            Api::ContinueUpdateRollback => ask!(continue_update_rollback, stack_name: stack),
            Api::RollbackStack => ask!(rollback_stack, stack_name: stack),
            Api::UpdateTerminationProtection => ask!(
                update_termination_protection,
                stack_name: stack,
                enable_termination_protection: true
            ),
            Api::SetStackPolicy => {
                ask!(set_stack_policy, stack_name: stack, stack_policy_body: "{\"Statement\": []}")
            }
            Api::AssumeRole
            | Api::GetCallerIdentity
            | Api::DescribeStacks
            | Api::DescribeStackEvents
            | Api::ListStackResources
            | Api::DescribeChangeSet
            | Api::GetTemplate
            | Api::GetStackPolicy
            | Api::DescribeAccountLimits
            | Api::DescribeStackSet
            | Api::ListStackSets
            | Api::ListStackInstances
            | Api::DescribeStackInstance
            | Api::DetectStackDrift
            | Api::DescribeStackDriftDetectionStatus
            | Api::DescribeStackResourceDrifts
            | Api::CreateStack
            | Api::HeadBucket
            | Api::HeadObject
            | Api::GetObject
            | Api::PutObject => Err(AwsError::stopped(api)),
        }
    }
}

/// Whether the role itself may not, other than that its session or the region is of no use.
fn is_about_rights(error: &AwsError) -> bool {
    let codes = ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"];
    error.answer().api != Api::AssumeRole && codes.contains(&error.code())
}
