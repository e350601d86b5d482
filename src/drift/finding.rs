//! One thing about one resource that is not as the template made it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::observed::Direction;

/// One thing about one resource that is not as the template made it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// The nested stacks that it stands in, by their logical ids: `Child/Inner`; empty in the stack
    /// itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub within: String,
    /// Its name in the template.
    pub logical_id: String,
    /// Its type, such as `AWS::SQS::Queue`.
    pub kind: String,
    /// The resource itself.
    pub physical_id: Option<String>,
    /// What is not as it was made.
    pub what: What,
}

/// What about a resource is not as it was made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It is gone.
    Deleted,
    /// A property differs.
    Property {
        /// A JSON pointer.
        path: String,
        /// In which direction.
        direction: Direction,
        /// What the template gives, where that may be shown and is short.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<String>,
        /// What is there, where that may be shown and is short.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        actual: Option<String>,
    },
}

impl Finding {
    /// The resource within the stack: `Queue` or `Child/Queue`.
    pub fn place(&self) -> String {
        match self.within.as_str() {
            "" => self.logical_id.clone(),
            within => format!("{within}/{}", self.logical_id),
        }
    }

    /// What this is about, whatever the values are: two findings of one stack that share it are the
    /// same drift at two times.
    pub fn subject(&self) -> String {
        let place = self.place();
        match &self.what {
            What::Deleted => format!("{place} deleted"),
            What::Property { path, direction, .. } => {
                format!("{place} {} {}", general(path), word(*direction))
            }
        }
    }

    /// The property, without the numbers of list items.
    pub fn property(&self) -> Option<String> {
        match &self.what {
            What::Deleted => None,
            What::Property { path, .. } => Some(general(path)),
        }
    }
}

/// `/MemorySize changed: 512, now 1024`
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Property { path, direction, expected, actual } = self else {
            return f.write_str("deleted");
        };
        write!(f, "{path} {}", word(*direction))?;
        match (direction, expected, actual) {
            (Direction::Changed, Some(expected), Some(actual)) => {
                write!(f, ": {expected}, now {actual}")
            }
            (Direction::Added, _, Some(value)) | (Direction::Removed, Some(value), _) => {
                write!(f, ": {value}")
            }
            (Direction::Changed | Direction::Added | Direction::Removed, _, _) => Ok(()),
        }
    }
}

/// The word for a direction.
pub(super) fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Added => "added",
        Direction::Removed => "removed",
        Direction::Changed => "changed",
    }
}

/// A pointer in which each number is a `*`: what is item 3 here is item 5 there.
fn general(path: &str) -> String {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = path.split('/').map(|part| if is_number(part) { "*" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_in_a_list_says_nothing() {
        let finding = |path: &str| Finding {
            within: "Child".to_owned(),
            logical_id: "Role".to_owned(),
            kind: "AWS::IAM::Role".to_owned(),
            physical_id: None,
            what: What::Property {
                path: path.to_owned(),
                direction: Direction::Changed,
                expected: None,
                actual: None,
            },
        };
        assert_eq!(finding("/Tags/3/Value").subject(), "Child/Role /Tags/*/Value changed");
        assert_eq!(finding("/Tags/3/Value").subject(), finding("/Tags/5/Value").subject());
    }
}
