//! Changing the stacks of one target. Whatever may be repeated by accident carries a token or asks
//! for a state; the account behind the session is checked before the first of these calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use aws_sdk_cloudformation::types::{
    Capability, ChangeSetType, DeploymentConfig, DeploymentConfigMode, DeploymentMode, Parameter,
    Tag,
};

use crate::aws::TargetApi;
use crate::aws::error::AwsError;
use crate::aws::pace::Api;
use crate::fleet::Deployment;
use crate::ids::{StackId, StackName};
use crate::package::{address, filled};
use crate::plan::Rendered;

/// How a template is given.
#[derive(Clone, PartialEq, Eq)]
pub enum GivenTemplate {
    /// Its text, 51,200 bytes at most.
    Body(Arc<str>),
    /// Where its text is in a bucket, over https.
    Address(String),
}

impl GivenTemplate {
    fn body(&self) -> Option<String> {
        match self {
            Self::Body(text) => Some(text.to_string()),
            Self::Address(_) => None,
        }
    }

    fn address(&self) -> Option<String> {
        match self {
            Self::Body(_) => None,
            Self::Address(address) => Some(address.clone()),
        }
    }

    /// That of a stack whose holes are filled, with the bucket of its region.
    fn of(rendered: &Rendered) -> Self {
        // A template that points to something is refused for a fleet without buckets.
        let Some(bucket) = &rendered.bucket else {
            return Self::Body(rendered.template.body().into());
        };
        match rendered.package.stored() {
            Some(name) => Self::Address(address(&name, bucket, &rendered.region)),
            None => Self::Body(filled(rendered.template.body(), bucket, &rendered.region).into()),
        }
    }
}

/// What a stack is made or updated from. Parameters may be secrets: they are never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct StackInputs {
    /// The template.
    pub template: GivenTemplate,
    /// Values of parameters by name.
    pub parameters: BTreeMap<String, String>,
    /// Parameters that keep the value that the stack has. None for a create.
    pub kept_parameters: BTreeSet<String>,
    /// Tags of the stack, which AWS hands on to its resources.
    pub tags: BTreeMap<String, String>,
    /// Such as `CAPABILITY_IAM`.
    pub capabilities: Vec<String>,
    /// Whether the stack refuses to be deleted. Set by a create only.
    pub termination_protection: bool,
    /// The stack policy, JSON. Set by a create only.
    pub stack_policy: Option<String>,
    /// Whether to wait until resources are ready.
    pub deployment: Deployment,
}

impl fmt::Debug for StackInputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackInputs")
            .field("parameters", &self.parameters.keys())
            .finish_non_exhaustive()
    }
}

impl StackInputs {
    /// Those of a stack whose holes are filled.
    pub fn of(rendered: &Rendered) -> Self {
        Self {
            template: GivenTemplate::of(rendered),
            parameters: rendered.parameters.clone(),
            kept_parameters: rendered.kept.clone(),
            tags: rendered.tags.clone(),
            capabilities: rendered.capabilities.clone(),
            termination_protection: rendered.termination_protection,
            stack_policy: rendered.stack_policy.as_ref().map(|policy| policy.body.clone()),
            deployment: rendered.deployment,
        }
    }

    fn sdk_parameters(&self) -> Option<Vec<Parameter>> {
        let parameter = |(key, value): (&String, &String)| {
            Parameter::builder().parameter_key(key).parameter_value(value).build()
        };
        let kept =
            |key: &String| Parameter::builder().parameter_key(key).use_previous_value(true).build();
        let kept = self.kept_parameters.iter().map(kept);
        Some(self.parameters.iter().map(parameter).chain(kept).collect())
    }

    fn sdk_tags(&self) -> Option<Vec<Tag>> {
        let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
        Some(self.tags.iter().map(tag).collect())
    }

    /// Rollback is off by default in express mode. Standard mode is the default, and not said: not
    /// everything that speaks CloudFormation's protocol knows the field.
    fn sdk_deployment(&self) -> Option<DeploymentConfig> {
        let express = DeploymentConfig::builder().mode(DeploymentConfigMode::Express);
        match self.deployment {
            Deployment::Standard => None,
            Deployment::Express => Some(express.disable_rollback(false).build()),
        }
    }

    /// Rollback is always asked for, and once.
    fn sdk_disable_rollback(&self) -> Option<bool> {
        (self.deployment == Deployment::Standard).then_some(false)
    }

    fn sdk_capabilities(&self) -> Option<Vec<Capability>> {
        Some(self.capabilities.iter().map(|name| Capability::from(name.as_str())).collect())
    }
}

impl TargetApi {
    /// Starts to create a stack and returns its ARN.
    pub async fn create(
        &self,
        name: &StackName,
        inputs: &StackInputs,
        token: &str,
    ) -> Result<StackId, AwsError> {
        let output = self
            .call(Api::CreateStack, |client| {
                client
                    .create_stack()
                    .stack_name(name.as_str())
                    .set_template_body(inputs.template.body())
                    .set_template_url(inputs.template.address())
                    .set_parameters(inputs.sdk_parameters())
                    .set_tags(inputs.sdk_tags())
                    .set_capabilities(inputs.sdk_capabilities())
                    .enable_termination_protection(inputs.termination_protection)
                    .set_stack_policy_body(inputs.stack_policy.clone())
                    .set_deployment_config(inputs.sdk_deployment())
                    .set_disable_rollback(inputs.sdk_disable_rollback())
                    .client_request_token(token)
                    .send()
            })
            .await?;
        let id = output.stack_id();
        id.map(StackId::of).ok_or_else(|| AwsError::malformed(Api::CreateStack, "no StackId"))
    }

    /// Has an update of a stack computed that brings its resources back to what `inputs` make of them,
    /// whatever somebody else did to them, in nested stacks too if `nested` says so; look at it with
    /// `change_set_through`.
    pub async fn create_reverting_change_set(
        &self,
        stack: &StackId,
        name: &str,
        inputs: &StackInputs,
        token: &str,
        nested: bool,
    ) -> Result<(), AwsError> {
        let mode = Some((DeploymentMode::RevertDrift, nested.then_some(true)));
        self.create_update_set(stack, name, inputs, token, mode).await
    }

    /// Has an update of a stack computed; look at it with `change_set`.
    pub async fn create_change_set(
        &self,
        stack: &StackId,
        name: &str,
        inputs: &StackInputs,
        token: &str,
    ) -> Result<(), AwsError> {
        self.create_update_set(stack, name, inputs, token, None).await
    }

    async fn create_update_set(
        &self,
        stack: &StackId,
        name: &str,
        inputs: &StackInputs,
        token: &str,
        mode: Option<(DeploymentMode, Option<bool>)>,
    ) -> Result<(), AwsError> {
        let (mode, nested) = mode.unzip();
        self.call(Api::CreateChangeSet, |client| {
            client
                .create_change_set()
                .change_set_type(ChangeSetType::Update)
                .stack_name(stack.as_str())
                .change_set_name(name)
                .set_template_body(inputs.template.body())
                .set_template_url(inputs.template.address())
                .set_parameters(inputs.sdk_parameters())
                .set_tags(inputs.sdk_tags())
                .set_capabilities(inputs.sdk_capabilities())
                .set_deployment_config(inputs.sdk_deployment())
                .set_deployment_mode(mode.clone())
                .set_include_nested_stacks(nested.flatten())
                .client_token(token)
                .send()
        })
        .await
        .map(drop)
    }

    /// Starts the update that a change set describes, to be rolled back should it fail, whatever the
    /// default is.
    pub async fn execute_change_set(
        &self,
        stack: &StackId,
        name: &str,
        token: &str,
    ) -> Result<(), AwsError> {
        self.call(Api::ExecuteChangeSet, |client| {
            let request = client.execute_change_set().stack_name(stack.as_str());
            let request = request.change_set_name(name).disable_rollback(false);
            request.client_request_token(token).send()
        })
        .await
        .map(drop)
    }

    /// Removes a change set. One that is gone already is no error.
    pub async fn delete_change_set(&self, stack: &StackId, name: &str) -> Result<(), AwsError> {
        let result = self
            .call(Api::DeleteChangeSet, |client| {
                let request = client.delete_change_set().stack_name(stack.as_str());
                request.change_set_name(name).send()
            })
            .await;
        match result {
            Err(error) if error.change_set_not_found() => Ok(()),
            result => result.map(drop),
        }
    }

    /// Starts to delete a stack, leaving the resources of the logical ids in `retain` behind, which
    /// AWS allows for a stack in DELETE_FAILED only.
    pub async fn delete_stack(
        &self,
        id: &StackId,
        retain: &[String],
        token: &str,
    ) -> Result<(), AwsError> {
        self.call(Api::DeleteStack, |client| {
            let retained = (!retain.is_empty()).then(|| retain.to_vec());
            let request = client.delete_stack().stack_name(id.as_str());
            request.set_retain_resources(retained).client_request_token(token).send()
        })
        .await
        .map(drop)
    }

    /// Continues a rollback that failed, leaving the resources of the logical ids in `skip` as they
    /// are; AWS allows only those that could not be rolled back.
    pub async fn continue_rollback(
        &self,
        id: &StackId,
        skip: &[String],
        token: &str,
    ) -> Result<(), AwsError> {
        self.call(Api::ContinueUpdateRollback, |client| {
            let skipped = (!skip.is_empty()).then(|| skip.to_vec());
            let request = client.continue_update_rollback().stack_name(id.as_str());
            request.set_resources_to_skip(skipped).client_request_token(token).send()
        })
        .await
        .map(drop)
    }

    /// Rolls back an update that failed and was not rolled back.
    pub async fn roll_back(&self, id: &StackId, token: &str) -> Result<(), AwsError> {
        self.call(Api::RollbackStack, |client| {
            let request = client.rollback_stack().stack_name(id.as_str());
            request.client_request_token(token).send()
        })
        .await
        .map(drop)
    }

    /// Switches termination protection.
    pub async fn set_termination_protection(&self, id: &StackId, on: bool) -> Result<(), AwsError> {
        self.call(Api::UpdateTerminationProtection, |client| {
            let request = client.update_termination_protection().stack_name(id.as_str());
            request.enable_termination_protection(on).send()
        })
        .await
        .map(drop)
    }

    /// Sets the stack policy, JSON.
    pub async fn set_stack_policy(&self, id: &StackId, body: &str) -> Result<(), AwsError> {
        self.call(Api::SetStackPolicy, |client| {
            let request = client.set_stack_policy().stack_name(id.as_str());
            request.stack_policy_body(body).send()
        })
        .await
        .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::aws::fake::{Asked, Reply, STACK, Server, ok, refusal};
    use crate::observed::StackStatus;
    use crate::outcome::CauseClass;

    fn inputs() -> StackInputs {
        StackInputs {
            template: GivenTemplate::Body("Resources: {}".into()),
            parameters: BTreeMap::from([("Password".into(), "hunter2".into())]),
            kept_parameters: BTreeSet::new(),
            tags: BTreeMap::from([("driftless:fleet".into(), "gloves".into())]),
            capabilities: vec!["CAPABILITY_IAM".into()],
            termination_protection: true,
            stack_policy: Some("{}".into()),
            deployment: Deployment::Standard,
        }
    }

    fn answering(
        action: &'static str,
        reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Server {
        Server::of(move |asked| if asked.action == action { reply(asked) } else { Reply::Usual })
    }

    fn id() -> StackId {
        StackId::of(STACK)
    }

    fn created() -> Reply {
        ok("CreateStack", &format!("<StackId>{STACK}</StackId>"))
    }

    async fn create(server: &Server) -> Result<StackId, AwsError> {
        server.api().create(&"scan-api".parse().unwrap(), &inputs(), "token-1").await
    }

    #[tokio::test(start_paused = true)]
    async fn a_create_says_all_that_the_stack_is_made_from() {
        let server = answering("CreateStack", |_| created());
        assert_eq!(create(&server).await.expect("created"), id());
        let asked = &server.asked("CreateStack")[0];
        for (field, value) in [
            ("StackName", "scan-api"),
            ("TemplateBody", "Resources: {}"),
            ("Parameters.member.1.ParameterKey", "Password"),
            ("Parameters.member.1.ParameterValue", "hunter2"),
            ("Tags.member.1.Key", "driftless:fleet"),
            ("Capabilities.member.1", "CAPABILITY_IAM"),
            ("EnableTerminationProtection", "true"),
            ("StackPolicyBody", "{}"),
            ("DisableRollback", "false"),
            ("ClientRequestToken", "token-1"),
        ] {
            assert_eq!(asked.field(field), value, "{field}");
        }
        assert!(!format!("{:?}", inputs()).contains("hunter2"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_express_deployment_says_so_and_asks_for_the_rollback() {
        let server = Server::of(|asked| match asked.action.as_str() {
            "CreateStack" => created(),
            "CreateChangeSet" => ok("CreateChangeSet", ""),
            _ => Reply::Usual,
        });
        let express = StackInputs { deployment: Deployment::Express, ..inputs() };
        let api = server.api();
        api.create(&"scan-api".parse().unwrap(), &express, "t").await.expect("created");
        api.create_change_set(&id(), "c", &express, "t").await.expect("created");
        for action in ["CreateStack", "CreateChangeSet"] {
            let asked = &server.asked(action)[0];
            assert_eq!(asked.field("DeploymentConfig.Mode"), "EXPRESS", "{action}");
            assert_eq!(asked.field("DeploymentConfig.DisableRollback"), "false", "{action}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_create_whose_answer_is_lost_is_repeated_with_the_same_token() {
        let server = answering("CreateStack", |asked| match asked.before {
            0 => Reply::Lost,
            1 => Reply::Body(504, "<html>timeout</html>".into()),
            _ => created(),
        });
        assert_eq!(create(&server).await.expect("created"), id());
        let asked = server.asked("CreateStack");
        assert_eq!(asked.len(), 3);
        assert!(asked.iter().all(|asked| asked.field("ClientRequestToken") == "token-1"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_follows_a_lost_answer_never_reads_as_nothing_happened() {
        let server = answering("ExecuteChangeSet", |asked| match asked.before {
            0 => Reply::Lost,
            _ => refusal(400, "InvalidChangeSetStatus", "[EXECUTE_COMPLETE]"),
        });
        let error = server.api().execute_change_set(&id(), "c", "t").await.expect_err("refused");
        assert!(matches!(error, AwsError::Refused(_)), "{error}");
        assert!(error.may_have_happened());
        let clear = answering("ExecuteChangeSet", |_| refusal(400, "ValidationError", "no"));
        let error = clear.api().execute_change_set(&id(), "c", "t").await.expect_err("refused");
        assert!(!error.may_have_happened());
        let garbled = answering("CreateStack", |_| Reply::Body(200, "<html/>".into()));
        let error = create(&garbled).await.expect_err("garbled");
        assert!(matches!(error, AwsError::Malformed(_)) && error.may_have_happened(), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_are_told_apart_and_made_once() {
        let server = answering("DeleteStack", |asked| {
            let (code, text) = match asked.before {
                0 => ("AlreadyExistsException", "Stack [x] already exists"),
                1 => ("TokenAlreadyExistsException", "Token already exists"),
                2 => ("ValidationError", "No updates are to be performed."),
                3 => (
                    "ValidationError",
                    "Stack [x] cannot be deleted while TerminationProtection is enabled",
                ),
                4 => (
                    "ValidationError",
                    "Stack:arn is in UPDATE_ROLLBACK_COMPLETE state and can not be updated.",
                ),
                _ => (
                    "ValidationError",
                    "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.",
                ),
            };
            refusal(400, code, text)
        });
        let api = server.api();
        let mut errors = Vec::new();
        for _ in 0..6 {
            errors.push(api.delete_stack(&id(), &[], "t").await.expect_err("refused"));
        }
        let told = |error: &AwsError| {
            [
                error.already_exists(),
                error.token_already_exists(),
                error.no_updates(),
                error.termination_protected(),
            ]
        };
        for (number, error) in errors.iter().enumerate() {
            let expected: Vec<bool> = (0..4).map(|place| place == number).collect();
            assert_eq!(told(error).to_vec(), expected, "{error}");
        }
        assert_eq!(errors[4].busy(), Some(StackStatus::UpdateRollbackComplete));
        assert_eq!(errors[5].busy(), Some(StackStatus::UpdateInProgress));
        assert_eq!(errors[5].cause().class, CauseClass::Transient);
        assert_eq!(errors[0].busy(), None);
        assert_eq!(server.count("DeleteStack"), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn no_change_is_made_or_repeated_once_we_are_told_to_stop() {
        let server = answering("DeleteStack", |_| Reply::Lost);
        let asks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asks);
        let twice: crate::aws::Permission =
            Arc::new(move || counted.fetch_add(1, Ordering::Relaxed) < 2);
        let api = server.api().while_allowed(twice);
        let error = api.delete_stack(&id(), &[], "t").await.expect_err("stopped");
        assert!(matches!(error, AwsError::Stopped(_)) && error.may_have_happened(), "{error}");
        assert_eq!(server.count("DeleteStack"), 2);
        let error = api.delete_stack(&id(), &[], "t").await.expect_err("stopped");
        assert!(!error.may_have_happened());
        assert_eq!(server.count("DeleteStack"), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn every_change_names_the_stack_and_what_is_asked_for() {
        let server = Server::of(|asked| match asked.action.as_str() {
            "AssumeRole" | "GetCallerIdentity" => Reply::Usual,
            "DeleteChangeSet" if asked.before > 0 => refusal(404, "ChangeSetNotFound", "gone"),
            action => ok(action, ""),
        });
        let api = server.api();
        api.create_change_set(&id(), "c", &inputs(), "t").await.expect("done");
        api.execute_change_set(&id(), "c", "t").await.expect("done");
        api.delete_change_set(&id(), "c").await.expect("done");
        api.delete_change_set(&id(), "c").await.expect("gone already");
        api.delete_stack(&id(), &["Kept".into()], "t").await.expect("done");
        api.continue_rollback(&id(), &["Left".into()], "t").await.expect("done");
        api.roll_back(&id(), "t").await.expect("done");
        api.set_termination_protection(&id(), false).await.expect("done");
        api.set_stack_policy(&id(), "{}").await.expect("done");
        for (action, field, value) in [
            ("CreateChangeSet", "ChangeSetType", "UPDATE"),
            ("CreateChangeSet", "ChangeSetName", "c"),
            ("CreateChangeSet", "ClientToken", "t"),
            ("CreateChangeSet", "Parameters.member.1.ParameterValue", "hunter2"),
            ("ExecuteChangeSet", "ClientRequestToken", "t"),
            ("ExecuteChangeSet", "DisableRollback", "false"),
            ("DeleteChangeSet", "ChangeSetName", "c"),
            ("DeleteStack", "RetainResources.member.1", "Kept"),
            ("DeleteStack", "ClientRequestToken", "t"),
            ("ContinueUpdateRollback", "ResourcesToSkip.member.1", "Left"),
            ("ContinueUpdateRollback", "ClientRequestToken", "t"),
            ("RollbackStack", "ClientRequestToken", "t"),
            ("UpdateTerminationProtection", "EnableTerminationProtection", "false"),
            ("SetStackPolicy", "StackPolicyBody", "{}"),
        ] {
            let asked = &server.asked(action)[0];
            assert_eq!(asked.field("StackName"), STACK, "{action}");
            assert_eq!(asked.field(field), value, "{action} {field}");
        }
    }
}
