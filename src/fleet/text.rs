//! Text with variables: `${tenant.name}-scans`. `$${` is a literal `${`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::ServiceName;

/// Text in which variables may stand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(Arc<[Part]>);

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Text that stands for itself.
    Literal(String),
    /// What is replaced.
    Variable(Variable),
}

/// What a variable stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// `${tenant.name}`
    TenantName,
    /// `${labels.X}`: the value of the tenant's label X.
    Label(String),
    /// `${account.id}`
    AccountId,
    /// `${region}`
    Region,
    /// `${partition}`: `aws`, `aws-cn` or `aws-us-gov`.
    Partition,
    /// `${fleet.name}`
    FleetName,
    /// `${service.name}`
    ServiceName,
    /// `${services.S.outputs.O}`: the output O of service S in the same target.
    Output {
        /// S.
        service: ServiceName,
        /// O.
        output: String,
    },
}

/// The list of variables for people.
const VARIABLES: &str = "`${tenant.name}`, `${labels.LABEL}`, `${account.id}`, `${region}`, \
                         `${partition}`, `${fleet.name}`, `${service.name}` and \
                         `${services.SERVICE.outputs.OUTPUT}`";

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TextError {
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    pub help: String,
}

impl Text {
    /// Text without variables, whatever it contains.
    pub fn literal(text: &str) -> Self {
        let parts = if text.is_empty() { Vec::new() } else { vec![Part::Literal(text.to_owned())] };
        Self(parts.into())
    }

    /// The pieces in order; never two literals in a row.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The variables in order.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.0.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Variable(variable) => Some(variable),
        })
    }

    /// The services whose outputs are used, in order.
    pub fn services_used(&self) -> impl Iterator<Item = &ServiceName> {
        self.variables().filter_map(|variable| match variable {
            Variable::Output { service, .. } => Some(service),
            Variable::TenantName
            | Variable::Label(_)
            | Variable::AccountId
            | Variable::Region
            | Variable::Partition
            | Variable::FleetName
            | Variable::ServiceName => None,
        })
    }

    /// The text itself, when no variable stands in it.
    pub fn as_literal(&self) -> Option<&str> {
        match &*self.0 {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The text with every variable replaced; the first error of `value` ends it.
    pub fn resolve<E>(
        &self,
        mut value: impl FnMut(&Variable, &mut String) -> Result<(), E>,
    ) -> Result<String, E> {
        let mut resolved = String::new();
        for part in self.0.iter() {
            match part {
                Part::Literal(text) => resolved.push_str(text),
                Part::Variable(variable) => value(variable, &mut resolved)?,
            }
        }
        Ok(resolved)
    }
}

impl TryFrom<String> for Text {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        text.parse()
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.to_string()
    }
}

impl FromStr for Text {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, after) = (&rest[..at], &rest[at + 2..]);
            if let Some(before) = before.strip_suffix('$') {
                literal.push_str(before);
                literal.push_str("${");
                rest = after;
                continue;
            }
            literal.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                return Err(unfinished(text));
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Variable(name.parse()?));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self(parts.into()))
    }
}

fn unfinished(text: &str) -> TextError {
    TextError {
        message: format!("a variable in `{text}` has no closing `}}`"),
        help: "close it, or write `$${` for a literal `${`".into(),
    }
}

impl FromStr for Variable {
    type Err = TextError;

    fn from_str(name: &str) -> Result<Self, TextError> {
        // Variables do not stand inside variables, and a missing brace is not part of a name.
        if name.contains(|letter: char| "${".contains(letter) || letter.is_control()) {
            return Err(unknown(name));
        }
        let parts: Vec<&str> = name.split('.').collect();
        Ok(match parts.as_slice() {
            ["tenant", "name"] => Self::TenantName,
            ["account", "id"] => Self::AccountId,
            ["region"] => Self::Region,
            ["partition"] => Self::Partition,
            ["fleet", "name"] => Self::FleetName,
            ["service", "name"] => Self::ServiceName,
            ["labels", ..] if name.len() > "labels.".len() => {
                Self::Label(name["labels.".len()..].to_owned())
            }
            ["services", service, "outputs", output] if !output.is_empty() => {
                let service = service.parse().map_err(|_| unknown(name))?;
                Self::Output { service, output: (*output).to_owned() }
            }
            _ => return Err(unknown(name)),
        })
    }
}

fn unknown(name: &str) -> TextError {
    let help = match name.strip_prefix("tenant.") {
        Some(label) if label.starts_with("labels.") => format!("write `${{{label}}}`"),
        _ => format!("there are {VARIABLES}; write `$${{` for a literal `${{`"),
    };
    TextError { message: format!("there is no variable `${{{name}}}`"), help }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TenantName => f.write_str("tenant.name"),
            Self::Label(label) => write!(f, "labels.{label}"),
            Self::AccountId => f.write_str("account.id"),
            Self::Region => f.write_str("region"),
            Self::Partition => f.write_str("partition"),
            Self::FleetName => f.write_str("fleet.name"),
            Self::ServiceName => f.write_str("service.name"),
            Self::Output { service, output } => write!(f, "services.{service}.outputs.{output}"),
        }
    }
}

/// As it is written in a document.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0.iter() {
            match part {
                Part::Literal(text) => f.write_str(&text.replace("${", "$${"))?,
                Part::Variable(variable) => write!(f, "${{{variable}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn variables_and_literals_are_told_apart() {
        let text: Text = "$5 $${x} ${tenant.name}-${labels.a.b/c}".parse().expect("a text");
        assert_eq!(
            text.parts(),
            [
                Part::Literal("$5 ${x} ".into()),
                Part::Variable(Variable::TenantName),
                Part::Literal("-".into()),
                Part::Variable(Variable::Label("a.b/c".into())),
            ]
        );
    }

    #[test]
    fn an_unknown_variable_is_answered_with_those_that_exist() {
        let error = "${tenant.id}".parse::<Text>().expect_err("unknown");
        insta::assert_snapshot!(format!("{}\n{}", error.message, error.help), @r"
        there is no variable `${tenant.id}`
        there are `${tenant.name}`, `${labels.LABEL}`, `${account.id}`, `${region}`, `${partition}`, `${fleet.name}`, `${service.name}` and `${services.SERVICE.outputs.OUTPUT}`; write `$${` for a literal `${`
        ");
        let error = "${tenant.labels.ring}".parse::<Text>().expect_err("unknown");
        assert_eq!(error.help, "write `${labels.ring}`");
        for nested in ["${labels.a${region}}", "${labels.a\n}", "${labels.${region}"] {
            let error = nested.parse::<Text>().expect_err("nested");
            assert!(error.message.starts_with("there is no variable"), "{error}");
        }
        assert_eq!(Text::literal(""), "".parse().expect("a text"));
        let error = "a ${region".parse::<Text>().expect_err("unfinished");
        assert_eq!(error.message, "a variable in `a ${region` has no closing `}`");
    }

    proptest! {
        #[test]
        fn a_text_reads_back_what_it_prints(text in r"([$}{a]|\$\{(region|labels\.x|services\.s\.outputs\.O)\}){0,12}") {
            if let Ok(parsed) = text.parse::<Text>() {
                prop_assert_eq!(parsed.to_string().parse::<Text>(), Ok(parsed));
            }
        }
    }
}
