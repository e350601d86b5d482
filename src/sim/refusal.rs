//! How AWS says no: an HTTP status, an error code and a text.

use crate::sim::folder::CloudError;
use crate::sim::xml::Xml;

/// One error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    /// What S3 says beside the text, by the names of its elements.
    pub(crate) details: Vec<(&'static str, String)>,
}

/// Errors about who asks have status 403.
const ABOUT_ACCESS: [&str; 5] = [
    "AccessDenied",
    "ExpiredToken",
    "InvalidClientTokenId",
    "OptInRequired",
    "SignatureDoesNotMatch",
];

/// What a request is answered with inside the simulation.
pub(crate) type Answer<T> = Result<T, Refusal>;

impl Refusal {
    /// Any error with status 400.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        Self { status: 400, code, message, details: Vec::new() }
    }

    /// An error that any service may answer, with the status that it has at AWS.
    pub(crate) fn of_any_service(code: &str, message: &str) -> Self {
        let status = if ABOUT_ACCESS.contains(&code) { 403 } else { 400 };
        Self::new(code, message).with_status(status)
    }

    /// CloudFormation's answer to nearly everything.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationError", message)
    }

    /// A member of a request that is not as AWS's model of the API says.
    pub(crate) fn constraint(value: &str, member: &str, rule: &str) -> Self {
        Self::validation(format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy \
             constraint: {rule}"
        ))
    }

    /// Something that this simulation does not know; the code is its own, so that no caller
    /// mistakes it for an answer of AWS.
    pub(crate) fn not_simulated(what: impl Into<String>) -> Self {
        Self::new("NotSimulated", format!("the simulated cloud does not know {}", what.into()))
    }

    /// The same error with another HTTP status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The same error with something beside its text.
    pub(crate) fn with_detail(mut self, name: &'static str, value: &str) -> Self {
        self.details.push((name, value.to_owned()));
        self
    }

    /// The body of the answer.
    pub(crate) fn body(&self, request_id: &str) -> String {
        let mut xml = Xml::default();
        xml.element("ErrorResponse", |xml| {
            xml.element("Error", |xml| {
                xml.text("Type", if self.status < 500 { "Sender" } else { "Receiver" });
                xml.text("Code", &self.code);
                xml.text("Message", &self.message);
            });
            xml.text("RequestId", request_id);
        });
        xml.into_string()
    }
}

impl From<CloudError> for Refusal {
    fn from(error: CloudError) -> Self {
        Self::new("InternalFailure", error.to_string()).with_status(500)
    }
}
