//! Writes to git hosts: one comment on a pull request that is kept up to date, and the status of a
//! commit.

mod calls;
mod change;
mod error;
mod github;
mod gitlab;
mod posting;
mod sticky;

use std::fmt;

use crate::announce::secrets::{Environment, Hidden, reveal};
use crate::fleet::HostProject;
use crate::ids::Revision;
use crate::report::CommitStatus;

pub use crate::fleet::GitHost;
pub use calls::Client;
pub use change::{Change, Unposted};
pub use error::{HostError, Trouble};
pub use posting::{Interrupted, PlanPost, post};
pub use sticky::{Kept, keep};

/// A repository at a git host, and the token that may write there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which kind of host.
    pub host: GitHost,
    /// Its API, without a slash at the end.
    pub api: String,
    /// `owner/name` at GitHub; a number or `group/name` at GitLab.
    pub project: String,
    /// The token.
    pub token: Hidden,
}

impl Place {
    /// Where the Fleet document wants statuses of commits. The error is a sentence without any
    /// secret.
    pub fn of(project: &HostProject, environment: &Environment) -> Result<Self, String> {
        let token = reveal(&project.token, environment)?;
        let HostProject { host, project, api, .. } = project.clone();
        Ok(Self { host, api, project, token })
    }
}

/// `acme/fleet`, as errors name it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.project)
    }
}

/// A comment on a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The host's number of it; younger ones have higher numbers.
    pub id: u64,
    /// Who wrote it: a login at GitHub, a number at GitLab.
    pub author: String,
    /// Its text as it was written.
    pub body: String,
}

/// A status as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentStatus<'a> {
    /// Of which commit.
    pub revision: &'a Revision,
    /// What it says.
    pub status: &'a CommitStatus,
    /// Where more can be read.
    pub link: Option<&'a str>,
    /// The pipeline that it belongs to, at GitLab: it is put into another one otherwise.
    pub pipeline: Option<&'a str>,
}
