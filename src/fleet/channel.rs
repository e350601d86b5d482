//! Where announcements go, and which. A URL of a chat is a secret: documents name the variable or
//! the file that holds it.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fleet::document::{ChannelSpec, documents};
use crate::fleet::reader::{Read, Reader, Scalar, one_of, scalar};
use crate::fleet::values::length_within;
use crate::fleet::yaml::{Content, Node};
use crate::ids::{DocumentName, InvalidName};

documents! {
    /// A chat.
    struct ChatSpec {
        /// Where its webhook is. Whoever knows the URL can write there: it is a secret.
        url as "url": Secret,
    }

    /// Anything that takes CloudEvents.
    struct WebhookSpec {
        /// Its URL, or where that is kept.
        url as "url": Address,
        /// The key of its signatures (HMAC-SHA256); messages are not signed unless given.
        secret as "secret": Option<Secret>,
    }

    /// Where a secret is kept: exactly one of `env` and `file`.
    struct SecretSpec {
        /// An environment variable of the controller.
        env as "env": Option<String>,
        /// A file that the controller can read, such as `/run/secrets/slack`.
        file as "file": Option<String>,
    }
}

/// What is collected for one message, unless a channel says otherwise.
const DIGEST: Duration = Duration::from_secs(15 * 60);
/// A shorter digest is none, and after a longer one people have heard it from their customers.
const DIGESTS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(10)..=Duration::from_secs(86_400);
/// Each channel gets every message by calls of its own.
const MAX_CHANNELS: usize = 20;
/// The code of the finding about a URL that stands in git; its line is not shown again.
pub(crate) const SECRET_IN_GIT: &str = "secret-in-git";

/// How the place of a secret is written.
const PLACES: &str = "`{ env: NAME }` or `{ file: /path }`";

/// What announcements are about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(rename_all = "lowercase")]
pub enum Topic {
    /// What is otherwise than git says without our doing.
    Drift,
    /// Releases that go out in waves: begun, at their last wave, complete, halted.
    Rollout,
    /// Stacks that need a person, and accounts that cannot be looked at.
    Failure,
    /// Revisions that were refused.
    Revision,
    /// What waits for a person's word.
    Approval,
}

impl Topic {
    /// All of them, with their words.
    pub const ALL: [(&'static str, Self); 5] = [
        ("drift", Self::Drift),
        ("rollout", Self::Rollout),
        ("failure", Self::Failure),
        ("revision", Self::Revision),
        ("approval", Self::Approval),
    ];

    /// Its word in documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::Rollout => "rollout",
            Self::Failure => "failure",
            Self::Revision => "revision",
            Self::Approval => "approval",
        }
    }
}

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// In this variable of the environment.
    Environment(String),
    /// In this file, read anew each time.
    File(String),
}

/// `the variable SLACK_WEBHOOK`, `the file /run/secrets/slack`
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "the variable {name}"),
            Self::File(path) => write!(f, "the file {path}"),
        }
    }
}

/// Where a webhook is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A URL that is no secret: what proves who calls is the signature.
    Plain(String),
    /// A URL that is one.
    Secret(Secret),
}

/// What kind of receiver a channel has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// An incoming webhook of Slack.
    Slack {
        /// Its URL.
        url: Secret,
    },
    /// A Workflows webhook of Microsoft Teams.
    Teams {
        /// Its URL.
        url: Secret,
    },
    /// Anything that takes CloudEvents.
    Webhook {
        /// Its URL.
        url: Address,
        /// The key of its signatures.
        secret: Option<Secret>,
    },
}

impl Receiver {
    /// The word of its kind.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Slack { .. } => "slack",
            Self::Teams { .. } => "teams",
            Self::Webhook { .. } => "webhook",
        }
    }
}

/// One place that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Unique in the fleet: what is remembered of it goes by this name.
    pub name: DocumentName,
    /// Who receives it, and where.
    pub receiver: Receiver,
    /// What it is told of; never empty.
    pub on: BTreeSet<Topic>,
    /// What is not urgent is collected for so long.
    pub digest: Duration,
}

/// What is wrong with a URL that is not one to send to; never says the URL itself.
pub fn why_not_a_url(url: &str) -> Option<&'static str> {
    let Ok(uri) = url.parse::<http::Uri>() else { return Some("it is not a URL") };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Some("it is not a whole URL such as https://host/path");
    };
    if authority.as_str().contains('@') {
        return Some("it has a user or a password before its host");
    }
    let host = authority.host();
    let is_loopback = host == "localhost"
        || host == "[::1]"
        || (host.starts_with("127.") && host.split('.').all(|part| part.parse::<u8>().is_ok()));
    match scheme {
        "https" => None,
        "http" if is_loopback => None,
        "http" => Some("it begins with http://, so that everybody on the way could read it"),
        _ => Some("it does not begin with https://"),
    }
}

impl Read for Topic {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        one_of(node, reader, &Self::ALL)
    }
}

/// How long a digest is.
#[derive(Clone, Copy, Debug)]
pub(super) struct DigestLength(pub(super) Duration);

impl Read for DigestLength {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        length_within(&DIGESTS, "write a length from `10s` to `1d`", node, reader).map(Self)
    }
}

impl Read for Secret {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        if let Content::Scalar { .. } = node.content {
            return in_git(node, reader, PLACES);
        }
        let SecretSpec { env, file } = SecretSpec::read(node, reader)?;
        let refuse = |reader: &mut Reader<'_>, key: &str, code, message: String, help: &str| {
            let place = if key.is_empty() { node.place } else { node.find(&[key]) };
            reader.error(place, code, message, Some(help.to_owned()));
            None
        };
        match (env, file) {
            (Some(text), None) | (None, Some(text)) if text.contains("://") => {
                in_git(node, reader, PLACES)
            }
            (Some(name), None) if name.is_empty() => refuse(
                reader,
                "env",
                "bad-env-name",
                "the variable has no name".to_owned(),
                "write one such as `SLACK_WEBHOOK`",
            ),
            (Some(name), None) if is_variable(&name) => Some(Self::Environment(name)),
            (Some(name), None) => refuse(
                reader,
                "env",
                "bad-env-name",
                format!("`{name}` is not the name of an environment variable"),
                "write letters, digits and underscores, such as `SLACK_WEBHOOK`",
            ),
            (None, Some(path)) if path.starts_with('/') => Some(Self::File(path)),
            (None, Some(path)) => refuse(
                reader,
                "file",
                "bad-secret-file",
                format!("`{path}` depends on where the controller is started"),
                "write a path from the root, such as `/run/secrets/slack`",
            ),
            (Some(_), Some(_)) | (None, None) => refuse(
                reader,
                "",
                "bad-secret",
                "a secret is in a variable or in a file".to_owned(),
                "write either `{ env: NAME }` or `{ file: /path }`",
            ),
        }
    }
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A secret itself stands where only its place may; `instead` is how that is written.
fn in_git<T>(node: &Node, reader: &mut Reader<'_>, instead: &str) -> Option<T> {
    let help = format!("take it out of git and its history, make a new one, and write {instead}");
    let message = "a secret stands in git: whoever can read the repository can use it";
    reader.error(node.place, SECRET_IN_GIT, message, Some(help));
    None
}

/// A chat whose URL may have been written where its map belongs.
#[derive(Clone, Debug)]
pub(super) struct Chat(pub(super) ChatSpec);

impl Read for Chat {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        match node.content {
            Content::Scalar { .. } => in_git(node, reader, "`{ url: { env: NAME } }`"),
            Content::List(_) | Content::Map(_) => ChatSpec::read(node, reader).map(Self),
        }
    }
}

/// A webhook whose URL may have been written where its map belongs.
#[derive(Clone, Debug)]
pub(super) struct Webhook(pub(super) WebhookSpec);

impl Read for Webhook {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        match node.content {
            Content::Scalar { .. } => in_git(node, reader, "`{ url: { env: NAME } }`"),
            Content::List(_) | Content::Map(_) => WebhookSpec::read(node, reader).map(Self),
        }
    }
}

impl Read for Address {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        if let Some(Scalar::Text(url)) = scalar(node) {
            if url.contains('@') {
                return in_git(node, reader, PLACES);
            }
            if let Some(why) = why_not_a_url(url) {
                let help = "write one such as `https://hooks.example.com/driftless`, or \
                            `{ env: NAME }` or `{ file: /path }` for one that is secret";
                let message = format!("the URL cannot be used: {why}");
                reader.error(node.place, "bad-url", message, Some(help.into()));
                return None;
            }
            return Some(Self::Plain(url.to_owned()));
        }
        Secret::read(node, reader).map(Self::Secret)
    }
}

/// The channels of a Fleet document.
pub(super) fn channels(
    specs: Vec<ChannelSpec>,
    node: &Node,
    reader: &mut Reader<'_>,
) -> Vec<Channel> {
    if specs.len() > MAX_CHANNELS {
        let message = format!("there are {} channels; {MAX_CHANNELS} at most", specs.len());
        let help = "let one receiver hand on what it gets".to_owned();
        reader.error(node.find(&["spec", "notify"]), "too-many-channels", message, Some(help));
        return Vec::new();
    }
    let mut channels: Vec<Channel> = Vec::new();
    for (index, spec) in specs.into_iter().enumerate() {
        let index = index.to_string();
        let Some(channel) = channel(spec, &index, &channels, node, reader) else { continue };
        if channels.iter().any(|other| other.name == channel.name) {
            let message = format!("two channels are called `{}`", channel.name);
            let help = "give one of them another `name`: what it was told is remembered by it";
            let place = node.find(&["spec", "notify", &index, "name"]);
            reader.error(place, "duplicate-channel", message, Some(help.into()));
            continue;
        }
        channels.push(channel);
    }
    channels
}

fn channel(
    spec: ChannelSpec,
    index: &str,
    before: &[Channel],
    node: &Node,
    reader: &mut Reader<'_>,
) -> Option<Channel> {
    let here = ["spec", "notify", index];
    let ChannelSpec { name, slack, teams, webhook, on, digest } = spec;
    let receiver = match (slack, teams, webhook) {
        (Some(slack), None, None) => Receiver::Slack { url: slack.0.url },
        (None, Some(teams), None) => Receiver::Teams { url: teams.0.url },
        (None, None, Some(Webhook(hook))) => {
            Receiver::Webhook { url: hook.url, secret: hook.secret }
        }
        (slack, teams, webhook) => {
            let given = usize::from(slack.is_some())
                + usize::from(teams.is_some())
                + usize::from(webhook.is_some());
            let message = match given {
                0 => "this channel goes nowhere".to_owned(),
                given => format!("this channel has {given} receivers"),
            };
            let help = "write exactly one of `slack`, `teams` and `webhook` in each item";
            reader.error(node.find(&here), "bad-channel", message, Some(help.into()));
            return None;
        }
    };
    if on.as_ref().is_some_and(Vec::is_empty) {
        let help = "name what it is told of, or leave out `on` for everything";
        let place = node.find(&[&here[..], &["on"]].concat());
        reader.error(place, "no-topics", "this channel is told of nothing", Some(help.into()));
    }
    let all = || Topic::ALL.into_iter().map(|(_, topic)| topic).collect();
    let name = match name {
        Some(name) => name,
        None => default_name(&receiver, before).ok()?,
    };
    Some(Channel {
        name,
        receiver,
        on: on.map_or_else(all, |on| on.into_iter().collect()),
        digest: digest.map_or(DIGEST, |length| length.0),
    })
}

/// `slack-1` for the first channel of Slack that has no name of its own.
fn default_name(receiver: &Receiver, before: &[Channel]) -> Result<DocumentName, InvalidName> {
    let same = before.iter().filter(|other| other.receiver.word() == receiver.word());
    format!("{}-{}", receiver.word(), same.count() + 1).parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_sent_to_only_where_nobody_on_the_way_can_read_it() {
        for good in [
            "https://hooks.slack.com/services/T0/B0/x",
            "https://localhost:8443",
            "http://localhost:8080/x",
            "http://127.0.0.1:9/",
            "http://[::1]:9/",
        ] {
            assert_eq!(why_not_a_url(good), None, "{good}");
        }
        for bad in [
            "",
            "hooks.slack.com/services",
            "/services/T0",
            "http://hooks.slack.com/x",
            "http://127.0.0.1.evil.example/",
            "http://10.0.0.1/",
            "ftp://host/",
            "https://user:word@host/",
            "https://ho st/",
        ] {
            assert!(why_not_a_url(bad).is_some(), "{bad}");
        }
    }
}
