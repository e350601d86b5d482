//! What it means that AWS does not let us in: the same code means another thing from STS than from a
//! region, and texts about signatures are read without being repeated.

use crate::aws::error::Answer;
use crate::aws::pace::Api;
use crate::ids::Region;
use crate::observed::BlindReason;

/// Codes that say: these keys are not known here.
const UNKNOWN_KEYS: &[&str] =
    &["AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException"];
/// Codes that say: the keys are known and of no use, or there are none.
const USELESS_KEYS: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "NoCredentials",
    "SignatureDoesNotMatch",
];
/// Codes of suspended and closed accounts.
const SUSPENDED: &[&str] = &["AccountProblem", "Blocked"];
/// Texts of those, in lower case.
const SUSPENDED_TEXTS: &[&str] =
    &["is suspended", "has been suspended", "account is currently blocked", "account is closed"];
/// How texts about a signature of another time begin, and what they mean.
const OTHER_TIMES: [(&str, &str); 2] =
    [("Signature expired", "behind"), ("Signature not yet current", "ahead of")];
/// The longest word of such a text is a time: `20261123T202100Z`. Keys, tokens and signatures are
/// longer.
const LONGEST_WORD: usize = 16;
const LONGEST_TEXT: usize = 200;

/// Why a target in `region` cannot be looked at, when AWS answered so.
pub(super) fn reason(answer: &Answer, region: &Region) -> BlindReason {
    let Answer { api, code, text, .. } = answer;
    let code = code.as_str();
    let by_us = *api == Api::AssumeRole;
    let lower = text.to_lowercase();
    if is_of_another_time(code, text) {
        BlindReason::ClockSkew
    } else if SUSPENDED.contains(&code) || SUSPENDED_TEXTS.iter().any(|one| lower.contains(one)) {
        BlindReason::AccountSuspended
    } else if by_us && (UNKNOWN_KEYS.contains(&code) || USELESS_KEYS.contains(&code)) {
        BlindReason::BaseCredentials
    } else if by_us && code == "AccessDenied" {
        BlindReason::RoleRefused
    } else if by_us {
        // STS is asked in one region: what it says of a region is no word about the target's.
        BlindReason::AccessNotReady
    } else if code == "RegionDisabledException" {
        BlindReason::RegionOff
    } else if code == "OptInRequired" || UNKNOWN_KEYS.contains(&code) {
        // STS has just made these keys, so it is the region that does not know them: for good where
        // an account must ask for it, else for as long as the account is new.
        if region.is_opt_in() { BlindReason::RegionOff } else { BlindReason::AccessNotReady }
    } else {
        BlindReason::AccessDenied
    }
}

fn is_of_another_time(code: &str, text: &str) -> bool {
    ["RequestExpired", "RequestTimeTooSkewed"].contains(&code)
        || OTHER_TIMES.iter().any(|(start, _)| text.starts_with(start))
}

/// What may be repeated of a text about a signature: AWS's own words about times, which show how far
/// the clocks are apart, and nothing that could hold a key.
pub(super) fn of_signature(text: &str) -> String {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let is_plain =
        text.len() <= LONGEST_TEXT && words.map(str::len).max().unwrap_or_default() <= LONGEST_WORD;
    match OTHER_TIMES.iter().find(|(start, _)| text.starts_with(start)) {
        Some((start, side)) => {
            let told = if is_plain { text } else { start };
            let told = told.trim_end_matches('.');
            format!("{told}: the clock of this machine is {side} AWS's by more than AWS accepts")
        }
        None => "the signature was not accepted".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason_of(api: Api, code: &str, text: &str, region: &str) -> BlindReason {
        reason(&Answer::new(api, code, text), &region.parse().expect("a region"))
    }

    #[test]
    fn the_same_code_means_another_thing_from_sts_than_from_a_region() {
        use BlindReason::*;
        let (sts, look) = (Api::AssumeRole, Api::DescribeStacks);
        let (usual, opt_in) = ("eu-central-1", "eu-central-2");
        for (api, code, text, region, expected) in [
            (sts, "AccessDenied", "not authorized to perform: sts:AssumeRole", usual, RoleRefused),
            (sts, "ExpiredToken", "", usual, BaseCredentials),
            (sts, "NoCredentials", "", usual, BaseCredentials),
            (sts, "InvalidClientTokenId", "", usual, BaseCredentials),
            (
                sts,
                "SignatureDoesNotMatch",
                "the signature was not accepted",
                usual,
                BaseCredentials,
            ),
            (sts, "SignatureDoesNotMatch", "Signature expired: a", usual, ClockSkew),
            (sts, "RequestExpired", "", usual, ClockSkew),
            (sts, "OptInRequired", "", usual, AccessNotReady),
            (sts, "RegionDisabledException", "STS is not activated", opt_in, AccessNotReady),
            (look, "AccessDenied", "not authorized to perform", usual, AccessDenied),
            (look, "AccessDenied", "The account 1 is suspended", usual, AccountSuspended),
            (look, "Blocked", "", usual, AccountSuspended),
            (look, "InvalidClientTokenId", "", opt_in, RegionOff),
            (look, "UnrecognizedClientException", "", opt_in, RegionOff),
            (look, "AuthFailure", "", opt_in, RegionOff),
            (look, "InvalidClientTokenId", "", usual, AccessNotReady),
            (look, "OptInRequired", "", usual, AccessNotReady),
            (look, "OptInRequired", "", opt_in, RegionOff),
            (look, "RegionDisabledException", "", usual, RegionOff),
            (look, "RequestTimeTooSkewed", "", usual, ClockSkew),
            (look, "ExpiredToken", "", usual, AccessDenied),
            (look, "SignatureDoesNotMatch", "", opt_in, AccessDenied),
        ] {
            assert_eq!(
                reason_of(api, code, text, region),
                expected,
                "{api} {code} {text} {region}"
            );
        }
    }

    #[test]
    fn of_a_signature_only_times_are_told() {
        let text = "Signature expired: 20261123T202100Z is now earlier than 20261123T202101Z \
                    (20261123T202601Z - 5 min.)";
        let told = of_signature(text);
        assert!(told.contains("20261123T202601Z - 5 min"), "{told}");
        assert!(told.ends_with("is behind AWS's by more than AWS accepts"), "{told}");
        let secret = format!("Signature not yet current: {}", "a".repeat(17));
        assert!(!of_signature(&secret).contains("aaa"), "{}", of_signature(&secret));
        assert_eq!(of_signature("t0k3n"), "the signature was not accepted");
    }
}
