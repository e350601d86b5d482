//! What CloudFormation would refuse in a template that reads well.

use crate::template::Template;

/// The most that a call takes inline, in bytes (CloudFormation; through S3 it takes 1 MB).
pub const MAX_INLINE_BYTES: usize = 51_200;

/// One reason for which CloudFormation would refuse a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// JSON pointer into the canonical form; [`Template::position`] says where that is.
    pub pointer: String,
    /// What is wrong, a whole sentence.
    pub message: String,
    /// How to fix it, a whole sentence.
    pub help: String,
}

/// Everything that CloudFormation would refuse, as far as a template alone shows it, by pointer.
pub fn limits(template: &Template) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    if template.body().len() > MAX_INLINE_BYTES {
        flaws.push(Flaw {
            pointer: String::new(),
            message: format!(
                "The template has {} bytes; {MAX_INLINE_BYTES} is CloudFormation's limit.",
                template.body().len()
            ),
            help: "Remove comments, or split it into two services.".to_owned(),
        });
    }
    flaws
}
