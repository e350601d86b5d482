//! `spec.adopt` of a Service: the pattern of the stacks that exist already and are taken over under
//! their own names.

use std::rc::Rc;

use schemars::JsonSchema;

use crate::fleet::document::documents;
use crate::fleet::reader::{Read, Reader};
use crate::fleet::yaml::Node;
use crate::fleet::{Glob, Part, Text};

/// A pattern with fewer letters and digits than this fits stacks of anybody.
const FEWEST_LETTERS: usize = 3;
/// A stack of a stack set with no name that there is: what fits it fits those of every stack set.
const ANY_STACK_SET: &str = "StackSet-\0-\0";
/// How the pattern of a stack set's instances is written.
const EXAMPLE: &str = "write one such as `StackSet-scan-api-*`";

documents! {
    /// Stacks that exist already and are taken over under their own names.
    struct AdoptSpec {
        /// The name of the stack, in which `*` stands for anything: `StackSet-scan-api-*`. Exactly one
        /// stack that belongs to nobody may fit in an account and region; of two services whose
        /// patterns fit one stack it belongs to the one whose pattern is narrower. Variables as in
        /// `stackName`, but no outputs.
        name as "match": Text,
        /// Whether a new stack is made under `stackName` where none fits; no unless given: it is held
        /// instead, so that a pattern that is wrong makes no twins. For tenants that come later, write
        /// `true` when all stacks are taken over.
        or_create as "orCreate": Option<bool>,
    }
}

/// Which stacks that exist already a service takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// The pattern of their names, with variables still in it.
    pub pattern: Text,
    /// Whether a stack is made where none fits.
    pub or_create: bool,
}

impl Adoption {
    /// What is wrong with a pattern whose variables are filled in, and how to mend it.
    pub fn check(pattern: &str) -> Result<Glob, (String, &'static str)> {
        let letters = pattern.chars().filter(char::is_ascii_alphanumeric).count();
        if letters < FEWEST_LETTERS {
            return Err((format!("`{pattern}` fits nearly every stack"), EXAMPLE));
        }
        if let Some(wrong) = pattern.chars().find(|one| !may_stand(*one)) {
            let message = format!("`{pattern}` fits no stack: no name has `{wrong}` in it");
            return Err((message, EXAMPLE));
        }
        let pattern = Glob::of(pattern);
        if pattern.fits(ANY_STACK_SET) {
            return Err((format!("`{pattern}` fits the stacks of every stack set"), EXAMPLE));
        }
        Ok(pattern)
    }
}

/// Whether a character may stand in the name of a stack, or in a pattern of names.
fn may_stand(one: char) -> bool {
    one.is_ascii_alphanumeric() || "-*".contains(one)
}

/// Reads `spec.adopt` of a Service; errors are recorded.
pub(super) fn adoption(spec: AdoptSpec, node: &Node, reader: &mut Reader<'_>) -> Adoption {
    let pointer = ["spec", "adopt", "match"];
    let mut complain = |code, (message, help): (String, &str)| {
        reader.error(node.find(&pointer), code, message, Some(help.to_owned()));
    };
    if spec.name.services_used().next().is_some() {
        let help = "names are known before any deployment: use other variables";
        complain("bad-variable", ("a stack name cannot use outputs of stacks".to_owned(), help));
    } else if let Some(pattern) = spec.name.as_literal() {
        if let Err(wrong) = Adoption::check(pattern) {
            complain("bad-adopt-pattern", wrong);
        }
    } else {
        // What variables stand for is looked at where they are filled in.
        let literals = spec.name.parts().iter().filter_map(|part| match part {
            Part::Literal(text) => Some(text.as_str()),
            Part::Variable(_) => None,
        });
        if let Some(wrong) = literals.flat_map(str::chars).find(|one| !may_stand(*one)) {
            let message = format!("`{}` fits no stack: no name has `{wrong}` in it", spec.name);
            complain("bad-adopt-pattern", (message, EXAMPLE));
        }
    }
    Adoption { pattern: spec.name, or_create: spec.or_create.unwrap_or(false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_fits_everything_or_nothing_is_refused() {
        let wrong = |pattern| Adoption::check(pattern).map_err(|(message, _)| message);
        assert_eq!(wrong("*"), Err("`*` fits nearly every stack".to_owned()));
        assert_eq!(wrong("*-a*"), Err("`*-a*` fits nearly every stack".to_owned()));
        let message = "`StackSet_api*` fits no stack: no name has `_` in it".to_owned();
        assert_eq!(wrong("StackSet_api*"), Err(message));
        for every in ["StackSet*", "StackSet-*", "Stac*", "StackSet-*-*", "*Set-*"] {
            assert_eq!(wrong(every), Err(format!("`{every}` fits the stacks of every stack set")));
        }
        assert_eq!(wrong("StackSet-*-api-*"), Ok(Glob::of("StackSet-*-api-*")));
        assert_eq!(wrong("StackSet-api-*"), Ok(Glob::of("StackSet-api-*")));
    }
}
