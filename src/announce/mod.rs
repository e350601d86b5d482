//! Delivers messages from the outbox to chats and webhooks: at least once, one a second and channel,
//! as slowly as the receiver asks. Plans and statuses go to git hosts ([`hosts`]).

mod answer;
pub mod hosts;
mod http;
mod outgoing;
mod secrets;

use std::time::Duration;

use tracing::{info, warn};

use crate::clock::Clock;
use crate::fleet::{Channel, Receiver};
use crate::journal::{Claimed, Journal, JournalError, Next, Retry};
use crate::moment::Moment;
use crate::report::announcements::Message;

pub use answer::{Verdict, retry_after};
pub use http::{Answer, Method, Post, Posting, Request, Unsent, over_https};
pub use outgoing::{request, signature};
pub use secrets::{Environment, Hidden};

/// Slack takes one message a second and webhook, and the others no more.
pub const PACE: Duration = Duration::from_secs(1);
/// Longer than a call may take: then the process that had the message is gone.
pub const LEASE: Duration = Duration::from_secs(60);
/// When what is missing here is looked for again; a file may come, the environment does not change.
const UNREADY: Duration = Duration::from_secs(60);

/// What announcements need of the world outside.
#[derive(Clone)]
pub struct Means {
    /// Sends one request.
    pub post: Post,
    /// The environment's variables.
    pub environment: Environment,
}

/// Delivers what waits in the outbox of a journal.
#[derive(Clone)]
pub struct Postman {
    /// The world outside.
    pub means: Means,
    /// Where messages wait.
    pub journal: Journal,
    /// The time.
    pub clock: Clock,
}

impl Postman {
    /// Sends the next message of a channel if one is due, and says when to ask again; `None`: not
    /// before something new is said.
    pub async fn deliver(&self, channel: &Channel) -> Result<Option<Moment>, JournalError> {
        let name = channel.name.as_str();
        match self.journal.claim_message(name, self.clock.now(), PACE, LEASE)? {
            Next::Nothing => Ok(None),
            Next::Later(at) => Ok(Some(at)),
            Next::Now(claimed) => {
                self.send(channel, &claimed).await?;
                Ok(Some(self.clock.now()))
            }
        }
    }

    async fn send(&self, channel: &Channel, claimed: &Claimed) -> Result<(), JournalError> {
        let name = channel.name.as_str();
        let Claimed { number, attempt, message } = claimed;
        let verdict = try_once(&self.means, &self.clock, channel, message, *attempt).await;
        let now = self.clock.now();
        let retry = match verdict {
            Verdict::Delivered => {
                if let Some(trouble) = self.journal.note_delivered(name, *number, now)? {
                    info!(channel = name, "{name} can be told again, after: {}", trouble.text);
                }
                return Ok(());
            }
            Verdict::Unready(text) => Retry {
                at: now + UNREADY,
                channel_at: now + UNREADY,
                is_refused: false,
                is_here: true,
                text,
            },
            Verdict::Later { pause, text } => {
                let at = now + pause;
                Retry { at, channel_at: at, is_refused: false, is_here: false, text }
            }
            Verdict::Refused { text } => {
                let refusals = self.journal.channel(name)?.refusals;
                answer::after_refusal(refusals, text, now)
            }
        };
        if self.journal.note_undelivered(name, *number, &retry, now)? {
            warn!(
                channel = name,
                "{name} cannot be told: {}; it is tried again, and nothing else waits for it",
                retry.text
            );
        }
        Ok(())
    }

    /// Says which channels lack their secrets here.
    pub fn check(&self, channels: &[Channel]) -> Result<(), JournalError> {
        for channel in channels {
            let (name, now) = (channel.name.as_str(), self.clock.now());
            let found = outgoing::target(&channel.receiver, &self.means.environment);
            let ready = found.as_ref().map(drop).map_err(String::as_str);
            let is_news = self.journal.note_readiness(name, ready, now)?;
            if let (Err(text), true) = (&found, is_news) {
                warn!(channel = name, "{name} cannot be told: {text}");
            }
        }
        Ok(())
    }
}

/// Sends one message, without the outbox. `attempt` says how often it was tried, this time counted.
pub async fn try_once(
    means: &Means,
    clock: &Clock,
    channel: &Channel,
    message: &Message,
    attempt: u32,
) -> Verdict {
    let request = match request(channel, message, &means.environment, clock.now()) {
        Ok(request) => request,
        Err(text) => return Verdict::Unready(text),
    };
    let url = request.url.clone();
    let answer = (means.post)(request).await;
    answer::verdict(answer, attempt, &message.key, url.reveal(), clock.now())
}

/// What kind of receiver it is, for people.
pub fn kind(receiver: &Receiver) -> &'static str {
    match receiver {
        Receiver::Slack { .. } => "Slack",
        Receiver::Teams { .. } => "Microsoft Teams",
        Receiver::Webhook { .. } => "a webhook",
    }
}
