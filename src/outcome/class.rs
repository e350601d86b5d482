//! The classification table: which codes and texts mean whose trouble.

use crate::outcome::CauseClass;

/// Error codes by which AWS asks us to slow down.
const THROTTLING_CODES: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "SlowDown",
    "PriorRequestNotComplete",
];

/// Error codes of trouble inside AWS, of lost answers, and of sessions that ended.
const TRANSIENT_CODES: &[&str] = &[
    "InternalFailure",
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
    "RequestTimeoutException",
    "Unreachable",
    "Malformed",
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "OperationInProgressException",
    "TokenAlreadyExistsException",
];

/// Error codes that tell of this account or of our access to it.
const ACCOUNT_CODES: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "InvalidClientTokenId",
    "LimitExceededException",
    "OptInRequired",
    "RegionDisabledException",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
    "WrongAccount",
];

/// Texts of failed events that tell of AWS's own trouble, in lower case.
const TRANSIENT_TEXTS: &[&str] = &[
    "rate exceeded",
    "throttl",
    "internal failure",
    "internalfailure",
    "internal error",
    "service unavailable",
    "did not stabilize",
    "not stabilized",
    "please try again",
    "timed out",
    "eventual consistency",
];

/// The class of a call of ours that failed.
pub(super) fn of_call(code: &str, text: &str) -> CauseClass {
    if THROTTLING_CODES.contains(&code) || TRANSIENT_CODES.contains(&code) {
        CauseClass::Transient
    } else if ACCOUNT_CODES.contains(&code) {
        CauseClass::Account
    } else if text.contains(" is in ") && text.contains("_IN_PROGRESS state") {
        // Somebody else's operation began between our look and our call.
        CauseClass::Transient
    } else {
        CauseClass::Release
    }
}

/// The class of an operation that failed, by the text of its first failed event. Missing rights
/// of the execution role count against the release here: they are missing everywhere.
pub(super) fn of_event(text: &str) -> CauseClass {
    let text = text.to_lowercase();
    if TRANSIENT_TEXTS.iter().any(|known| text.contains(known)) {
        return CauseClass::Transient;
    }
    CauseClass::Release
}

/// Whether an error code asks us to slow down.
pub fn is_throttling(code: &str) -> bool {
    THROTTLING_CODES.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_classified_by_code() {
        let table = [
            ("Throttling", "Rate exceeded", CauseClass::Transient),
            ("InternalFailure", "", CauseClass::Transient),
            ("ExpiredToken", "", CauseClass::Transient),
            ("AccessDenied", "not authorized to perform sts:AssumeRole", CauseClass::Account),
            ("OptInRequired", "", CauseClass::Account),
            ("LimitExceededException", "stack limit", CauseClass::Account),
            ("InsufficientCapabilitiesException", "", CauseClass::Release),
            ("ValidationError", "Template format error", CauseClass::Release),
            (
                "ValidationError",
                "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.",
                CauseClass::Transient,
            ),
        ];
        for (code, text, class) in table {
            assert_eq!(of_call(code, text), class, "{code}: {text}");
        }
    }

    #[test]
    fn events_are_classified_by_text() {
        let table = [
            ("Resource handler returned message: \"Rate exceeded\"", CauseClass::Transient),
            ("Internal Failure", CauseClass::Transient),
            ("Resource of type 'AWS::SQS::Queue' did not stabilize.", CauseClass::Transient),
            ("Queue already exists", CauseClass::Release),
            ("not authorized to perform: sqs:CreateQueue", CauseClass::Release),
        ];
        for (text, class) in table {
            assert_eq!(of_event(text), class, "{text}");
        }
    }
}
