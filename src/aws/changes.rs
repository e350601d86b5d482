//! Changing the stacks of one target. Whatever may be repeated by accident carries a token or asks
//! for a state; the account behind the session is checked before the first of these calls.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_sdk_cloudformation::types::{Capability, ChangeSetType, Parameter, Tag};

use crate::aws::TargetApi;
use crate::aws::error::AwsError;
use crate::aws::pace::Api;
use crate::ids::{StackId, StackName};

/// What a stack is made or updated from. Parameters may be secrets: they are never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct StackInputs {
    /// The template, 51,200 bytes at most.
    pub template_body: Arc<str>,
    /// Values of parameters by name.
    pub parameters: BTreeMap<String, String>,
    /// Tags of the stack, which AWS hands on to its resources.
    pub tags: BTreeMap<String, String>,
    /// Such as `CAPABILITY_IAM`.
    pub capabilities: Vec<String>,
    /// Whether the stack refuses to be deleted. Set by a create only.
    pub termination_protection: bool,
    /// The stack policy, JSON. Set by a create only.
    pub stack_policy: Option<String>,
}

impl fmt::Debug for StackInputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackInputs")
            .field("template_bytes", &self.template_body.len())
            .field("parameters", &self.parameters.keys())
            .finish_non_exhaustive()
    }
}

impl StackInputs {
    fn sdk_parameters(&self) -> Option<Vec<Parameter>> {
        let parameter = |(key, value): (&String, &String)| {
            Parameter::builder().parameter_key(key).parameter_value(value).build()
        };
        Some(self.parameters.iter().map(parameter).collect())
    }

    fn sdk_tags(&self) -> Option<Vec<Tag>> {
        let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
        Some(self.tags.iter().map(tag).collect())
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
                    .template_body(&*inputs.template_body)
                    .set_parameters(inputs.sdk_parameters())
                    .set_tags(inputs.sdk_tags())
                    .set_capabilities(inputs.sdk_capabilities())
                    .enable_termination_protection(inputs.termination_protection)
                    .set_stack_policy_body(inputs.stack_policy.clone())
                    .client_request_token(token)
                    .send()
            })
            .await?;
        let id = output.stack_id();
        id.map(StackId::of).ok_or_else(|| AwsError::malformed(Api::CreateStack, "no StackId"))
    }

    /// Has an update of a stack computed; look at it with `change_set`.
    pub async fn create_change_set(
        &self,
        stack: &StackId,
        name: &str,
        inputs: &StackInputs,
        token: &str,
    ) -> Result<(), AwsError> {
        self.call(Api::CreateChangeSet, |client| {
            client
                .create_change_set()
                .change_set_type(ChangeSetType::Update)
                .stack_name(stack.as_str())
                .change_set_name(name)
                .template_body(&*inputs.template_body)
                .set_parameters(inputs.sdk_parameters())
                .set_tags(inputs.sdk_tags())
                .set_capabilities(inputs.sdk_capabilities())
                .client_token(token)
                .send()
        })
        .await
        .map(drop)
    }

    /// Starts the update that a change set describes.
    pub async fn execute_change_set(
        &self,
        stack: &StackId,
        name: &str,
        token: &str,
    ) -> Result<(), AwsError> {
        self.call(Api::ExecuteChangeSet, |client| {
            let request = client.execute_change_set().stack_name(stack.as_str());
            request.change_set_name(name).client_request_token(token).send()
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
