//! Stands in until the template module lands; the merge takes that one whole.

/// A CloudFormation template.
#[derive(Debug)]
pub struct Template;
