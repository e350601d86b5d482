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
    "AccountProblem",
    "Blocked",
    "InvalidClientTokenId",
    "LimitExceededException",
    "OptInRequired",
    "RegionDisabledException",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
    "WrongAccount",
];

/// The codes of resource handlers, as events bring them in `HandlerErrorCode: ...`, that tell of
/// AWS's own trouble.
const TRANSIENT_HANDLER_CODES: &[&str] = &[
    "Throttling",
    "ServiceInternalError",
    "InternalFailure",
    "NetworkFailure",
    "NotStabilized",
    "ServiceTimeout",
    "ResourceConflict",
];

/// Texts of failed events by which one service says that it has not heard of what another has just
/// made, in lower case. Handlers call them invalid requests.
const NOT_HEARD_YET: &[&str] = &[
    "cannot be assumed by",
    "is not authorized to assume",
    "invalid principal in policy",
    "eventual consistency",
];

/// Texts by which a service asks to slow down, whatever code its handler makes of it.
const THROTTLED_TEXTS: &[&str] = &["rate exceeded", "throttl"];

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
    let lower = text.to_lowercase();
    let has = |texts: &[&str]| texts.iter().any(|known| lower.contains(known));
    let is_transient = has(NOT_HEARD_YET)
        // What the handler says is more than what its text happens to mention.
        || handler_code(text).map_or_else(
            || has(TRANSIENT_TEXTS),
            |code| TRANSIENT_HANDLER_CODES.contains(&code) || has(THROTTLED_TEXTS),
        );
    if is_transient { CauseClass::Transient } else { CauseClass::Release }
}

/// The code in `(RequestToken: ..., HandlerErrorCode: InvalidRequest)`.
fn handler_code(text: &str) -> Option<&str> {
    let (_, rest) = text.rsplit_once("HandlerErrorCode: ")?;
    let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
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
            ("Blocked", "", CauseClass::Account),
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
            (
                "Rate exceeded (Service: Lambda, Status Code: 429) (RequestToken: 1, \
                 HandlerErrorCode: GeneralServiceException)",
                CauseClass::Transient,
            ),
            (
                "no answer (RequestToken: 1, HandlerErrorCode: NetworkFailure)",
                CauseClass::Transient,
            ),
            ("x (RequestToken: 1, HandlerErrorCode: ServiceInternalError)", CauseClass::Transient),
            ("x (RequestToken: 1, HandlerErrorCode: InternalFailure)", CauseClass::Transient),
            ("x (RequestToken: 1, HandlerErrorCode: NotStabilized)", CauseClass::Transient),
            ("x (RequestToken: 1, HandlerErrorCode: ServiceTimeout)", CauseClass::Transient),
            ("x (RequestToken: 1, HandlerErrorCode: ResourceConflict)", CauseClass::Transient),
            ("x (RequestToken: 1, HandlerErrorCode: Throttling)", CauseClass::Transient),
            (
                "The role defined for the function cannot be assumed by Lambda. (RequestToken: 1, \
                 HandlerErrorCode: InvalidRequest)",
                CauseClass::Transient,
            ),
            ("arn:aws:iam::1:role/x is not authorized to assume role y", CauseClass::Transient),
            ("Invalid principal in policy: \"AWS\":\"x\"", CauseClass::Transient),
            (
                "Timeout must say when it timed out (RequestToken: 1, HandlerErrorCode: \
                 InvalidRequest)",
                CauseClass::Release,
            ),
            ("x (RequestToken: 1, HandlerErrorCode: AlreadyExists)", CauseClass::Release),
            ("x (RequestToken: 1, HandlerErrorCode: AccessDenied)", CauseClass::Release),
            ("x (RequestToken: 1, HandlerErrorCode: ServiceLimitExceeded)", CauseClass::Release),
            ("Queue already exists", CauseClass::Release),
            ("not authorized to perform: sqs:CreateQueue", CauseClass::Release),
        ];
        for (text, class) in table {
            assert_eq!(of_event(text), class, "{text}");
        }
    }
}
