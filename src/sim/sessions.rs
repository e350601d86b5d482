//! Credentials that describe themselves, so that several processes accept each other's sessions:
//! the access key carries account and end, the session token carries role and session name.

use sha2::{Digest as _, Sha256};

use crate::ids::AccountId;
use crate::moment::Moment;
use crate::sim::refusal::{Answer, Refusal};

/// Digits of the numbers inside an access key.
const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) account: AccountId,
    /// Role and session name; `None` for the long-lived key of an account.
    pub(crate) role: Option<(String, String)>,
}

/// A set of keys as AssumeRole gives them.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) token: String,
}

/// The long-lived access key and secret of an account.
pub(crate) fn account_keys(account: AccountId) -> (String, String) {
    let access_key = format!("AKIA{}{}", base_36(account_number(account), 8), "SIMULATE");
    let secret = secret_of(&access_key);
    (access_key, secret)
}

/// Keys of one assumed role that end at `ends_at`.
pub(crate) fn session_keys(account: AccountId, ends_at: Moment, role: &str, session: &str) -> Keys {
    let seconds = ends_at.as_millis() / 1_000;
    let access_key = format!("ASIA{}{}S", base_36(account_number(account), 8), base_36(seconds, 7));
    let secret = secret_of(&access_key);
    let names = hex::encode(format!("{role}\n{session}"));
    let token = format!("{names}.{}", seal(&access_key, &names));
    Keys { access_key, secret, token }
}

/// Whose keys these are; refused when they are unknown, altered or have ended.
pub(crate) fn caller(access_key: &str, token: Option<&str>, now: Moment) -> Answer<Caller> {
    let unknown = || {
        Refusal::new(
            "InvalidClientTokenId",
            "The security token included in the request is invalid",
        )
        .with_status(403)
    };
    let account = access_key.get(4..12).and_then(number).ok_or_else(unknown)?;
    let account: AccountId = format!("{account:012}").parse().map_err(|_| unknown())?;
    if access_key.starts_with("AKIA") && access_key.len() == 20 && token.is_none() {
        return Ok(Caller { account, role: None });
    }
    let ends_s = access_key.get(12..19).and_then(number).ok_or_else(unknown)?;
    let (names, sealed) = token.and_then(|token| token.split_once('.')).ok_or_else(unknown)?;
    if !access_key.starts_with("ASIA") || sealed != seal(access_key, names) {
        return Err(unknown());
    }
    if now.as_millis() / 1_000 >= ends_s {
        let text = "The security token included in the request is expired";
        return Err(Refusal::new("ExpiredToken", text).with_status(403));
    }
    let names = hex::decode(names).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let names = names.ok_or_else(unknown)?;
    let (role, session) = names.split_once('\n').ok_or_else(unknown)?;
    Ok(Caller { account, role: Some((role.to_owned(), session.to_owned())) })
}

fn account_number(account: AccountId) -> u64 {
    account.to_string().parse().unwrap_or_default()
}

fn base_36(mut value: u64, width: usize) -> String {
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[usize::try_from(value % 36).unwrap_or_default()];
        value /= 36;
    }
    digits.into_iter().map(char::from).collect()
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 36).ok()
}

/// Not a secret: it only makes a token that belongs to another key noticeable.
fn seal(access_key: &str, names: &str) -> String {
    hex::encode(&Sha256::digest(format!("{access_key}/{names}"))[..8])
}

/// The secret that belongs to an access key, whoever's it is.
pub(crate) fn secret_of(access_key: &str) -> String {
    hex::encode(&Sha256::digest(format!("secret of {access_key}"))[..20])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_says_whose_it_is_until_it_ends() {
        let account: AccountId = "111122223333".parse().expect("an account");
        let end = Moment::from_millis(1_795_465_260_000);
        let keys = session_keys(account, end, "deploy/driftless", "one");
        assert_eq!(keys.access_key.len(), 20);
        let before = Moment::from_millis(end.as_millis() - 1);
        let caller_now = |token, now| caller(&keys.access_key, token, now);
        let found = caller_now(Some(keys.token.as_str()), before).expect("a valid session");
        assert_eq!(found.account, account);
        assert_eq!(found.role, Some(("deploy/driftless".to_owned(), "one".to_owned())));
        let ended = caller_now(Some(keys.token.as_str()), end).expect_err("it has ended");
        assert_eq!(ended.code, "ExpiredToken");
        assert_eq!(caller_now(None, before).expect_err("no token").code, "InvalidClientTokenId");
    }
}
