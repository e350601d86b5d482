//! What came of a call that did not succeed. The variant says what to do next; the SDK's errors are
//! translated here and nowhere else, and no text that may hold a signature or a token gets through.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::aws::denial;
use crate::aws::pace::Api;
use crate::ids::Region;
use crate::observed::{BlindReason, StackStatus};
use crate::outcome::{Cause, CauseClass, is_throttling};

/// More of an error text than this says nothing more to a reader.
const MAX_TEXT_BYTES: usize = 4_000;
/// A server that asks for a longer pause than this is not waited for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Codes that say: these credentials may not do this, here and now.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AccountProblem",
    "AuthFailure",
    "Blocked",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "OptInRequired",
    "RegionDisabledException",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
];
/// Codes that say: the credentials were good and have ended.
const SESSION_ENDED: &[&str] = &["ExpiredToken", "ExpiredTokenException", "RequestExpired"];
/// Codes of trouble inside AWS that may come with a status below 500.
const UNREACHABLE: &[&str] = &[
    "InternalError",
    "InternalFailure",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
];
/// Codes whose text repeats the signed request, session token and all.
const TELLING: &[&str] =
    &["IncompleteSignature", "InvalidSignatureException", "SignatureDoesNotMatch"];

/// Why a call came to nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AwsError {
    /// AWS asked us to slow down until our patience ended: ask again later.
    #[error("{0}")]
    Throttled(Answer),
    /// No answer, or one of AWS's own failures: ask again later. A changing call may have happened.
    #[error("{0}")]
    Unreachable(Answer),
    /// The role cannot be assumed, or may not do this: a person gives access.
    #[error("{0}")]
    Denied(Answer),
    /// The session belongs to another account than the one asked for: nothing was done with it.
    #[error("{0}")]
    WrongAccount(Answer),
    /// The answer is not what AWS's protocol says, so nothing may be concluded from it.
    #[error("{0}")]
    Malformed(Answer),
    /// AWS understood and said no: the same call will be refused again.
    #[error("{0}")]
    Refused(Answer),
    /// We were told to stop before the call was made (again): decide anew.
    #[error("{0}")]
    Stopped(Answer),
}

/// What was asked and what came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{api}: {code}: {text}")]
pub struct Answer {
    /// Which call.
    pub api: Api,
    /// AWS's error code, or a word of ours where AWS gave none.
    pub code: String,
    /// AWS's text, or a sentence of ours where AWS gave none.
    pub text: String,
    /// Whether this changing call, or an earlier try of it, may have had its effect.
    pub may_have_happened: bool,
    /// How long the server asked us to wait.
    pub retry_after: Option<Duration>,
}

impl Answer {
    pub(super) fn new(api: Api, code: &str, text: impl Into<String>) -> Self {
        let (code, text) = (code.to_owned(), text.into());
        Self { api, code, text, may_have_happened: false, retry_after: None }
    }
}

impl AwsError {
    pub(super) fn malformed(api: Api, text: impl Into<String>) -> Self {
        let (may_have_happened, text) = (api.changes(), shortened(&text.into()));
        Self::Malformed(Answer { may_have_happened, ..Answer::new(api, "Malformed", text) })
    }

    pub(super) fn wrong_account(api: Api, text: impl Into<String>) -> Self {
        Self::WrongAccount(Answer::new(api, "WrongAccount", shortened(&text.into())))
    }

    pub(super) fn stopped(api: Api) -> Self {
        Self::Stopped(Answer::new(api, "Stopped", "told to stop before the call was made"))
    }

    /// What was asked and what came back.
    pub fn answer(&self) -> &Answer {
        match self {
            Self::Throttled(answer)
            | Self::Unreachable(answer)
            | Self::Denied(answer)
            | Self::WrongAccount(answer)
            | Self::Malformed(answer)
            | Self::Refused(answer)
            | Self::Stopped(answer) => answer,
        }
    }

    fn answer_mut(&mut self) -> &mut Answer {
        match self {
            Self::Throttled(answer)
            | Self::Unreachable(answer)
            | Self::Denied(answer)
            | Self::WrongAccount(answer)
            | Self::Malformed(answer)
            | Self::Refused(answer)
            | Self::Stopped(answer) => answer,
        }
    }

    /// AWS's error code, or `Unreachable`, `Malformed`, `WrongAccount`, `Stopped`.
    pub fn code(&self) -> &str {
        &self.answer().code
    }

    /// AWS's text, or a sentence of ours.
    pub fn text(&self) -> &str {
        &self.answer().text
    }

    /// Who the failure counts against.
    pub fn cause(&self) -> Cause {
        let cause = Cause::of_call(self.code(), self.text());
        let class = match self {
            Self::Throttled(_) | Self::Unreachable(_) | Self::Malformed(_) | Self::Stopped(_) => {
                CauseClass::Transient
            }
            Self::WrongAccount(_) => CauseClass::Account,
            Self::Denied(_) if cause.class == CauseClass::Release => CauseClass::Account,
            Self::Denied(_) | Self::Refused(_) => cause.class,
        };
        Cause { class, ..cause }
    }

    /// Why a target in this region that could not be listed cannot be observed.
    pub fn blind_reason(&self, region: &Region) -> BlindReason {
        match self {
            Self::Throttled(_) => BlindReason::Throttled,
            Self::Unreachable(_) | Self::Stopped(_) => BlindReason::Unreachable,
            Self::Denied(answer) => denial::reason(answer, region),
            Self::WrongAccount(_) => BlindReason::WrongAccount,
            Self::Malformed(_) | Self::Refused(_) => BlindReason::Malformed,
        }
    }

    /// Whether this changing call, or an earlier try of it whose answer was lost, may have had its
    /// effect: look again before anything is concluded, whatever the variant.
    pub fn may_have_happened(&self) -> bool {
        self.answer().may_have_happened
    }

    pub(super) fn after(mut self, may_have_happened: bool) -> Self {
        self.answer_mut().may_have_happened |= may_have_happened;
        self
    }

    /// Whether the same call may succeed if it is made again in a moment.
    pub(super) fn is_worth_repeating(&self) -> bool {
        match self {
            Self::Throttled(_) | Self::Unreachable(_) | Self::Malformed(_) => true,
            Self::Denied(_) | Self::WrongAccount(_) | Self::Refused(_) | Self::Stopped(_) => false,
        }
    }

    /// Whether the session that made the call has ended, so that a new one may do better.
    pub(super) fn session_ended(&self) -> bool {
        let Self::Denied(answer) = self else { return false };
        SESSION_ENDED.contains(&answer.code.as_str()) && answer.api != Api::AssumeRole
    }

    fn is_refused(&self, code: &str) -> bool {
        matches!(self, Self::Refused(answer) if answer.code == code)
    }

    /// AWS knows no such stack.
    pub fn does_not_exist(&self) -> bool {
        self.is_refused("ValidationError") && self.text().trim_end().ends_with("does not exist")
    }

    /// The stack already is what was asked for.
    pub fn no_updates(&self) -> bool {
        self.is_refused("ValidationError") && says_no_updates(self.text())
    }

    /// A stack or change set of that name exists.
    pub fn already_exists(&self) -> bool {
        self.is_refused("AlreadyExistsException")
    }

    /// The token was used for another call: look again, this is never a success.
    pub fn token_already_exists(&self) -> bool {
        self.is_refused("TokenAlreadyExistsException")
    }

    /// The stack refuses to be deleted.
    pub fn termination_protected(&self) -> bool {
        self.is_refused("ValidationError")
            && self.text().contains("cannot be deleted while TerminationProtection is enabled")
    }

    /// AWS knows no such change set.
    pub fn change_set_not_found(&self) -> bool {
        self.is_refused("ChangeSetNotFound") || self.is_refused("ChangeSetNotFoundException")
    }

    /// AWS knows no such stack set, in this region and for these credentials.
    pub fn stack_set_not_found(&self) -> bool {
        self.is_refused("StackSetNotFoundException") || self.is_refused("StackSetNotFound")
    }

    /// The state that keeps the stack from being changed, as in `Stack:ARN is in STATE state and
    /// can not be updated.`; the word is taken whole, never matched by a part of it.
    pub fn busy(&self) -> Option<StackStatus> {
        let Self::Refused(answer) = self else { return None };
        let (_, rest) = answer.text.split_once(" is in ")?;
        let (state, _) = rest.split_once(" state")?;
        let is_word = state.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        (is_word && !state.is_empty()).then(|| StackStatus::from(state.to_owned()))
    }
}

/// Whether a text is one of those by which AWS says that there is nothing to do.
pub(super) fn says_no_updates(text: &str) -> bool {
    text.starts_with("The submitted information didn't contain changes")
        || text.starts_with("No updates are to be performed")
}

/// An error of the SDK in our words.
pub(super) fn translate<E>(api: Api, error: &SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => of_answer(api, service.raw(), service.err()),
        SdkError::ResponseError(response) if response.raw().status().is_server_error() => {
            of_server_error(api, response.raw(), "", "")
        }
        SdkError::ResponseError(_) => {
            AwsError::malformed(api, format!("the answer cannot be read: {}", root_of(error)))
        }
        SdkError::TimeoutError(_) => no_answer(api, "no answer in time"),
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => of_request(api, error),
        other => no_answer(api, &root_of(other)),
    }
}

/// The request was not answered: there were no credentials for it, or no way through.
fn of_request<E: Error + 'static>(api: Api, error: &SdkError<E, HttpResponse>) -> AwsError {
    if let Some(credentials) = found_in::<CredentialsError>(error) {
        let text = format!(
            "this machine has no AWS credentials ({}): set AWS_PROFILE or give it a role",
            root_of(credentials)
        );
        return AwsError::Denied(Answer::new(api, "NoCredentials", text));
    }
    if matches!(error, SdkError::ConstructionFailure(_)) {
        let text = format!("the request cannot be written: {}", root_of(error));
        return AwsError::Refused(Answer::new(api, "InvalidRequest", shortened(&text)));
    }
    no_answer(api, &root_of(error))
}

fn of_answer(api: Api, raw: &HttpResponse, said: &impl ProvideErrorMetadata) -> AwsError {
    let (code, text) = (said.code().unwrap_or_default(), said.message().unwrap_or_default());
    let status = raw.status();
    if is_throttling(code) || status.as_u16() == 429 {
        let code = if code.is_empty() { "TooManyRequestsException" } else { code };
        let retry_after = retry_after(raw);
        return AwsError::Throttled(Answer {
            retry_after,
            ..Answer::new(api, code, shortened(text))
        });
    }
    if status.is_server_error() || UNREACHABLE.contains(&code) {
        return of_server_error(api, raw, code, text);
    }
    if code.is_empty() || status.is_success() {
        let text = format!("HTTP {} with a body that is not AWS's", status.as_u16());
        return AwsError::malformed(api, text);
    }
    let text = if TELLING.contains(&code) { denial::of_signature(text) } else { text.to_owned() };
    let answer = Answer::new(api, code, shortened(&text));
    if DENIED.contains(&code) { AwsError::Denied(answer) } else { AwsError::Refused(answer) }
}

fn of_server_error(api: Api, raw: &HttpResponse, code: &str, text: &str) -> AwsError {
    let status = raw.status().as_u16();
    let code = if code.is_empty() { "Unreachable" } else { code };
    let text = if text.is_empty() { format!("HTTP {status}") } else { shortened(text) };
    let answer = Answer::new(api, code, text);
    let retry_after = retry_after(raw);
    AwsError::Unreachable(Answer { may_have_happened: api.changes(), retry_after, ..answer })
}

fn no_answer(api: Api, text: &str) -> AwsError {
    let answer = Answer::new(api, "Unreachable", shortened(text));
    AwsError::Unreachable(Answer { may_have_happened: api.changes(), ..answer })
}

/// Only the form in seconds: AWS does not send dates here.
fn retry_after(raw: &HttpResponse) -> Option<Duration> {
    let seconds = raw.headers().get("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

fn found_in<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain_of(error).find_map(|error| error.downcast_ref::<T>())
}

/// The text of the innermost error: the outer ones only say that something failed.
fn root_of(error: &(dyn Error + 'static)) -> String {
    chain_of(error).last().map_or_else(String::new, ToString::to_string)
}

fn chain_of<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

fn shortened(text: &str) -> String {
    let end = (0..=MAX_TEXT_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_longer_than_a_reader_bears() {
        let long = "x".repeat(1_000_000);
        let api = Api::DescribeStacks;
        for error in [AwsError::malformed(api, long.as_str()), AwsError::wrong_account(api, long)] {
            assert_eq!(error.text().len(), MAX_TEXT_BYTES);
        }
    }
}
