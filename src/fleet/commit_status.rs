//! The repository at a git host whose commits are told how the fleet fares. Its token is a secret:
//! documents name the variable or the file that holds it.

use std::rc::Rc;

use schemars::JsonSchema;

use crate::fleet::channel::{SECRET_IN_GIT, Secret, why_not_a_url};
use crate::fleet::document::documents;
use crate::fleet::reader::{Read, Reader};
use crate::fleet::yaml::Node;

documents! {
    /// A git host: exactly one of `github` and `gitlab`.
    struct CommitStatusSpec {
        /// GitHub, or an enterprise server of it.
        github as "github": Option<GitHubSpec>,
        /// GitLab, or an own server of it.
        gitlab as "gitlab": Option<GitLabSpec>,
    }

    /// A repository at GitHub.
    struct GitHubSpec {
        /// `owner/name`
        repository as "repository": String,
        /// Where the API is; `https://api.github.com` unless given.
        api as "api": Option<String>,
        /// A token that may write statuses of commits (`statuses: write`).
        token as "token": Secret,
    }

    /// A project at GitLab.
    struct GitLabSpec {
        /// Its number, quoted, or its path such as `group/name`.
        project as "project": String,
        /// Where the API is; `https://gitlab.com/api/v4` unless given.
        api as "api": Option<String>,
        /// A token with the scope `api` and the role Developer.
        token as "token": Secret,
    }
}

/// The kinds of git hosts that can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitHost {
    /// GitHub, or an enterprise server of it.
    GitHub,
    /// GitLab, or an own server of it.
    GitLab,
}

impl GitHost {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
        }
    }

    /// The API of the public host.
    pub fn usual_api(self) -> &'static str {
        match self {
            Self::GitHub => "https://api.github.com",
            Self::GitLab => "https://gitlab.com/api/v4",
        }
    }

    /// The variable in which its own CI says where the API is.
    pub fn api_variable(self) -> &'static str {
        match self {
            Self::GitHub => "GITHUB_API_URL",
            Self::GitLab => "CI_API_V4_URL",
        }
    }

    /// Characters of a comment at most.
    pub fn comment_limit(self) -> usize {
        match self {
            Self::GitHub => 65_536,
            Self::GitLab => 1_000_000,
        }
    }
}

/// A repository at a git host, and where the token for it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostProject {
    /// Which kind of host.
    pub host: GitHost,
    /// `owner/name` at GitHub; a number or `group/name` at GitLab.
    pub project: String,
    /// Its API, without a slash at the end.
    pub api: String,
    /// Where the token is.
    pub token: Secret,
}

/// The repository of `commitStatus`; `None` after an error, which is then recorded.
pub(super) fn project(
    spec: CommitStatusSpec,
    node: &Node,
    reader: &mut Reader<'_>,
) -> Option<HostProject> {
    let here = ["spec", "commitStatus"];
    let (host, field, project, api, token) = match (spec.github, spec.gitlab) {
        (Some(GitHubSpec { repository, api, token }), None) => {
            (GitHost::GitHub, ["github", "repository"], repository, api, token)
        }
        (None, Some(GitLabSpec { project, api, token })) => {
            (GitHost::GitLab, ["gitlab", "project"], project, api, token)
        }
        (Some(_), Some(_)) | (None, None) => {
            let message = "a commit is told of at one git host";
            let help = "write exactly one of `github` and `gitlab`".to_owned();
            reader.error(node.find(&here), "bad-commit-status", message, Some(help));
            return None;
        }
    };
    let mut errors = 0;
    let mut complain = |field: &str, code, message: String, help: String| {
        let place = node.find(&[here[0], here[1], host_key(host), field]);
        reader.error(place, code, message, Some(help));
        errors += 1;
    };
    if let Some(help) = why_not_a_project(host, &project) {
        let message = format!("`{project}` names no repository of {}", host.name());
        complain(field[1], "bad-repository", message, help.to_owned());
    }
    let api = api.unwrap_or_else(|| host.usual_api().to_owned());
    if api.contains('@') {
        let help =
            "take it out of git and its history, and make a new one; `token` proves who calls";
        let message = "a user or a password stands in git, where everybody can read it";
        complain("api", SECRET_IN_GIT, message.to_owned(), help.to_owned());
    } else if let Some(why) = why_not_a_url(&api) {
        let help = format!("write one such as `{}`", host.usual_api());
        complain("api", "bad-url", format!("the URL cannot be used: {why}"), help);
    }
    let api = api.trim_end_matches('/').to_owned();
    (errors == 0).then_some(HostProject { host, project, api, token })
}

fn host_key(host: GitHost) -> &'static str {
    match host {
        GitHost::GitHub => "github",
        GitHost::GitLab => "gitlab",
    }
}

/// How a repository is written, if this is none.
fn why_not_a_project(host: GitHost, text: &str) -> Option<&'static str> {
    let is_name = |part: &str| {
        let is_tame = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !part.is_empty() && part.bytes().any(|byte| byte != b'.') && part.bytes().all(is_tame)
    };
    let parts = text.split('/').count();
    let is_path = parts > 1 && text.split('/').all(is_name);
    match host {
        GitHost::GitHub if is_path && parts == 2 => None,
        GitHost::GitHub => Some("write it as in its address: `owner/name`"),
        GitHost::GitLab if is_path => None,
        GitHost::GitLab if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => None,
        GitHost::GitLab => Some("write its number, or its path such as `group/name`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_written_as_its_host_does() {
        let is_good = |host, text: &str| why_not_a_project(host, text).is_none();
        for good in ["acme/fleet", "a-b/c.d_e"] {
            assert!(is_good(GitHost::GitHub, good) && is_good(GitHost::GitLab, good), "{good}");
        }
        assert!(is_good(GitHost::GitLab, "123") && is_good(GitHost::GitLab, "a/b/c"));
        for bad in ["", "fleet", "acme/", "/fleet", "acme/../x", "a b/c", "https://github.com/a/b"]
        {
            assert!(!is_good(GitHost::GitHub, bad) && !is_good(GitHost::GitLab, bad), "{bad}");
        }
        assert!(!is_good(GitHost::GitHub, "a/b/c") && !is_good(GitHost::GitHub, "123"));
    }
}
