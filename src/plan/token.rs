//! ClientRequestTokens: the same attempt has the same token after any crash, and no other has it.

use crate::ids::{Digest, StackKey};
use crate::moment::Moment;
use crate::observed::StackVersion;
use crate::outcome::StepKind;

/// What every token of ours starts with, before the controller's id.
pub const PREFIX: &str = "driftless-";

/// The token of one attempt: 128 characters at most, a letter first, as AWS wants it.
///
/// `round` tells apart the stacks of one name that are made one after the other, before they have
/// an id of their own.
pub fn token(
    controller: &str,
    key: &StackKey,
    version: Option<&StackVersion>,
    round: u32,
    kind: &StepKind,
    digest: &Digest,
    attempt: u32,
) -> String {
    let subject =
        version.map_or_else(|| format!("{key}#{round}"), |version| version.id.to_string());
    let updated_at = version.and_then(|version| version.updated_at).map(Moment::as_millis);
    let parts = [
        controller.as_bytes().to_vec(),
        subject.into_bytes(),
        updated_at.unwrap_or_default().to_be_bytes().to_vec(),
        kind.word().as_bytes().to_vec(),
        digest.as_bytes().to_vec(),
        attempt.to_be_bytes().to_vec(),
    ];
    let hash = Digest::of_parts(parts.iter().map(Vec::as_slice)).to_string();
    format!("{PREFIX}{controller}-{}", &hash[..32])
}

/// The name of the change set that an attempt with this token makes.
pub fn change_set_name(token: &str) -> String {
    token.to_owned()
}

/// The controller whose token this is; `None` when no driftless made it.
pub fn controller_of(token: &str) -> Option<&str> {
    let (controller, hash) = token.strip_prefix(PREFIX)?.rsplit_once('-')?;
    (hash.len() == 32 && !controller.is_empty()).then_some(controller)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::StackId;

    #[test]
    fn going_back_to_an_old_digest_makes_a_new_token() {
        let key = "111122223333/eu-central-1/a".parse().expect("a key");
        let version = |millis| StackVersion {
            id: StackId::of("arn"),
            updated_at: Some(Moment::from_millis(millis)),
        };
        let of = |version: &StackVersion| {
            token("c0ffee", &key, Some(version), 0, &StepKind::Create, &Digest::of(b"a"), 1)
        };
        assert_eq!(of(&version(1)), of(&version(1)));
        assert_ne!(of(&version(1)), of(&version(2)));
        assert_eq!(controller_of(&of(&version(1))), Some("c0ffee"));
        assert_eq!(controller_of("Console-CreateStack-1"), None);
    }

    #[test]
    fn a_token_of_ours_names_its_controller_and_no_other_text_does() {
        let hash = "0123456789abcdef0123456789abcdef";
        let of = |controller: &str, hash: &str| {
            controller_of(&format!("{PREFIX}{controller}-{hash}")).map(str::to_owned)
        };
        assert_eq!(of("c0ffee", hash).as_deref(), Some("c0ffee"));
        assert_eq!(of("c0ffee", &hash[1..]), None);
        assert_eq!(of("", hash), None);
    }

    #[test]
    fn a_change_set_is_known_by_the_token_that_made_it() {
        assert_eq!(change_set_name("driftless-one-0"), "driftless-one-0");
    }
}
