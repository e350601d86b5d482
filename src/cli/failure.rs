//! The one place that turns errors into words, a hint and an exit code.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

use crate::announce::hosts::HostError;
use crate::cli::bootstrap::CannotPrepare;
use crate::cli::context::CommandError;
use crate::controller::ControllerError;
use crate::git::{FetchError, GitError};
use crate::journal::JournalError;
use crate::sim::{CloudError, ConsoleError};

/// The exit code of an error. Usage errors have it too: 2 says that a plan has changes.
pub(super) const ERROR_CODE: u8 = 1;

/// Why a command came to nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// What happened, and where.
    pub what: String,
    /// What others say about it, the nearest first.
    pub causes: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// Nobody reads the answer any more, so there is nobody to tell.
    pub is_silent: bool,
}

impl Failure {
    /// A failure with what to do about it.
    pub fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: Some(help.into()), ..Self::default() }
    }

    /// An error of ours. Their messages say what happened, and after the first colon what to do.
    fn of(error: &dyn Error) -> Self {
        let text = error.to_string();
        let (what, help) = split_help(&text);
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(error) = source {
            causes.push(error.to_string());
            source = error.source();
        }
        Self { what, causes, help, is_silent: false }
    }

    /// `error: ...`, `cause: ...` and `help: ...`, a line each.
    pub fn text(&self, colour: bool) -> String {
        let paint = |code: &str, text: &str| {
            if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
        };
        let mut text = format!("{} {}\n", paint("1;31", "error:"), indented(&self.what));
        for cause in &self.causes {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {} {}", paint("1", "cause:"), indented(cause));
        }
        if let Some(help) = &self.help {
            let _ = writeln!(text, "  {} {}", paint("1;36", "help:"), indented(help));
        }
        text
    }
}

/// `text` with further lines below its first one.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

/// What happened and what to do, from a message of the form `what: help`. A colon between backticks
/// or brackets belongs to what is quoted there.
fn split_help(message: &str) -> (String, Option<String>) {
    let (mut quoted, mut depth) = (false, 0_usize);
    for (at, character) in message.char_indices() {
        match character {
            '`' => quoted = !quoted,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ':' if !quoted && depth == 0 && message[at..].starts_with(": ") => {
                return (message[..at].to_owned(), Some(message[at + 2..].to_owned()));
            }
            _ => {}
        }
    }
    (message.to_owned(), None)
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        Self::of(&error)
    }
}

impl From<&FetchError> for Failure {
    fn from(error: &FetchError) -> Self {
        Self::of(error)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::of(&error)
    }
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        Self::of(&error)
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        let HostError { what, said, help, .. } = error;
        Self { what, causes: vec![said], help: Some(help), is_silent: false }
    }
}

impl From<ConsoleError> for Failure {
    fn from(error: ConsoleError) -> Self {
        match error {
            ConsoleError::Refused { code, message } => Self {
                what: "the simulated cloud refused that, as AWS would".into(),
                causes: vec![format!("{code}: {message}")],
                ..Self::default()
            },
            ConsoleError::Cloud(error) => error.into(),
        }
    }
}

impl From<ControllerError> for Failure {
    fn from(error: ControllerError) -> Self {
        match error {
            ControllerError::Journal(error) => error.into(),
            ControllerError::Git(error) => error.into(),
            ControllerError::Refused(refusal) => {
                let help = match &refusal.request {
                    Some(request) => format!(
                        "`driftless approve {}` if that is meant; `driftless run` goes on with the \
                         last good revision",
                        request.id
                    ),
                    None => "`driftless validate` shows all of it".into(),
                };
                Self {
                    what: "the newest revision is refused, and nothing was done".into(),
                    causes: vec![refusal.text()],
                    help: Some(help),
                    is_silent: false,
                }
            }
        }
    }
}

impl From<CannotPrepare> for Failure {
    fn from(error: CannotPrepare) -> Self {
        Self::of(&error)
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Journal(error) => error.into(),
            CommandError::Output(error) => error.into(),
            CommandError::NothingKnown(_) | CommandError::NotFound(_) => Self::of(&error),
        }
    }
}

/// Only for errors of writing the answer: those of files say which file before they get here.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self {
            is_silent: error.kind() == io::ErrorKind::BrokenPipe,
            what: "cannot write the answer".into(),
            causes: vec![error.to_string()],
            help: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_happened_why_and_what_to_do() {
        let error = GitError::Unreadable {
            path: "a: b".into(),
            source: io::Error::from(io::ErrorKind::PermissionDenied),
        };
        assert_eq!(
            Failure::from(error).text(false),
            "error: cannot read `a: b`\n  cause: permission denied\n  help: see that it exists and \
             that this user may read it\n"
        );
    }

    #[test]
    fn what_is_quoted_is_not_taken_for_help() {
        let text = "another driftless (process 1, since: now) acts: wait";
        let (what, help) = split_help(text);
        assert_eq!(what, "another driftless (process 1, since: now) acts");
        assert_eq!(help.as_deref(), Some("wait"));
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_to_tell() {
        assert!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).is_silent);
    }
}
