//! One message as a request: where to, drawn for its receiver, signed where there is a key.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::announce::http::{Method, Request};
use crate::announce::secrets::{Environment, Hidden, reveal};
use crate::fleet::{Address, Channel, Receiver, Secret, why_not_a_url};
use crate::moment::Moment;
use crate::report::announcements::Message;
use crate::report::chat;

/// What is read of a chat's answer: a word about what is wrong.
const MAX_ANSWER: usize = 2_048;

/// The request that tells `message` to a channel. The error is a sentence without any secret.
pub fn request(
    channel: &Channel,
    message: &Message,
    environment: &Environment,
    now: Moment,
) -> Result<Request, String> {
    let (url, key) = target(&channel.receiver, environment)?;
    let json = "application/json; charset=utf-8";
    let (body, kind) = match &channel.receiver {
        Receiver::Slack { .. } => (chat::slack(message), json),
        Receiver::Teams { .. } => (chat::teams(message), json),
        Receiver::Webhook { .. } => {
            (chat::cloudevent(message), "application/cloudevents+json; charset=utf-8")
        }
    };
    let mut headers = vec![("content-type", Hidden::of(kind))];
    if let Receiver::Webhook { .. } = channel.receiver {
        headers.push(("x-driftless-key", Hidden::of(&message.key)));
        let timestamp = (now.as_millis() / 1_000).to_string();
        if let Some(key) = key {
            let signed = signature(key.reveal().as_bytes(), &timestamp, &body);
            let signed = Hidden::of(format!("sha256={signed}"));
            headers.push(("x-driftless-signature", signed));
        }
        headers.push(("x-driftless-timestamp", Hidden::of(timestamp)));
    }
    let max_answer = MAX_ANSWER;
    Ok(Request { method: Method::Post, url, headers, body, max_answer })
}

/// Where a channel is, and the key of its signatures. The error is a sentence without any secret.
pub(super) fn target(
    receiver: &Receiver,
    environment: &Environment,
) -> Result<(Hidden, Option<Hidden>), String> {
    let hidden = |secret: &Secret| -> Result<Hidden, String> {
        let url = reveal(secret, environment)?;
        match why_not_a_url(url.reveal()) {
            Some(why) => Err(format!("what {secret} holds cannot be used as a URL: {why}")),
            None => Ok(url),
        }
    };
    match receiver {
        Receiver::Slack { url } | Receiver::Teams { url } => Ok((hidden(url)?, None)),
        Receiver::Webhook { url, secret } => {
            let url = match url {
                Address::Plain(url) => Hidden::of(url),
                Address::Secret(url) => hidden(url)?,
            };
            let key = secret.as_ref().map(|secret| reveal(secret, environment)).transpose()?;
            Ok((url, key))
        }
    }
}

/// HMAC-SHA256 of `TIMESTAMP.BODY`, in hexadecimal. The receiver computes the same, compares in
/// constant time, and refuses what is older than a few minutes.
pub fn signature(key: &[u8], timestamp: &str, body: &str) -> String {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hmac_sha256_of_timestamp_dot_body() {
        // `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key`
        assert_eq!(
            signature(b"key", "1700000000", "{\"a\":1}"),
            "a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03"
        );
    }
}
