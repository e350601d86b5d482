//! Whom AWS takes this program for: before it assumes any role, and anew after the role was changed.

use crate::aws::error::AwsError;
use crate::aws::{Aws, TargetApi};

impl Aws {
    /// The ARN of whom the credentials that this program was started with belong to: a user, or a
    /// session of a role, whose path it does not tell.
    pub async fn caller_arn(&self) -> Result<String, AwsError> {
        self.0.sessions.base_arn().await
    }
}

impl TargetApi {
    /// Forgets the session of the account, and that there was none: the next call assumes the role
    /// anew.
    pub async fn end_session(&self) {
        self.aws.0.sessions.begin_anew(&self.session).await;
    }
}
