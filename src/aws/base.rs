//! Whom AWS takes this program for, before it assumes any role.

use crate::aws::Aws;
use crate::aws::error::AwsError;

impl Aws {
    /// The ARN of whom the credentials that this program was started with belong to: a user, or a
    /// session of a role, whose path it does not tell.
    pub async fn caller_arn(&self) -> Result<String, AwsError> {
        self.0.sessions.base_arn().await
    }
}
