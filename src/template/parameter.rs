//! Parameters of a template and the constraints on their values.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

/// CloudFormation's limit for one parameter value, in bytes.
pub const MAX_PARAMETER_BYTES: usize = 4_096;
/// How much memory one compiled pattern may take, in bytes; a longer one is left to AWS.
const MAX_PATTERN_BYTES: usize = 1_000_000;

/// One entry of the section `Parameters`.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// AWS's `Type`, such as `String` or `List<Number>`; empty where it is missing.
    pub kind: String,
    /// The default as CloudFormation reads it: numbers and booleans as text.
    pub default: Option<String>,
    /// The only values that are accepted; empty: all.
    pub allowed_values: Vec<String>,
    /// A Java regular expression that the whole value must match.
    pub allowed_pattern: Option<String>,
    /// Least number of characters.
    pub min_length: Option<u64>,
    /// Largest number of characters.
    pub max_length: Option<u64>,
    /// Least number.
    pub min_value: Option<f64>,
    /// Largest number.
    pub max_value: Option<f64>,
    /// Whether the value is a secret.
    pub no_echo: bool,
    /// What the template's author tells who breaks a constraint.
    pub constraint_description: Option<String>,
    /// The pattern, compiled once; none where there is none or it cannot be compiled.
    pattern: Option<Regex>,
}

impl Parameter {
    pub(super) fn of(section: &Value) -> Self {
        let text = |key: &str| section.get(key).and_then(scalar_text);
        let allowed_pattern = text("AllowedPattern");
        let allowed_values = section.get("AllowedValues").and_then(Value::as_array);
        Self {
            kind: text("Type").unwrap_or_default(),
            default: text("Default"),
            allowed_values: allowed_values.into_iter().flatten().filter_map(scalar_text).collect(),
            pattern: allowed_pattern.as_deref().and_then(compile),
            allowed_pattern,
            min_length: text("MinLength").and_then(|text| text.parse().ok()),
            max_length: text("MaxLength").and_then(|text| text.parse().ok()),
            min_value: text("MinValue").and_then(|text| number(&text)),
            max_value: text("MaxValue").and_then(|text| number(&text)),
            no_echo: text("NoEcho").is_some_and(|text| text.eq_ignore_ascii_case("true")),
            constraint_description: text("ConstraintDescription"),
        }
    }

    /// Whether the value names an SSM parameter, whose value CloudFormation looks up itself.
    pub fn is_ssm(&self) -> bool {
        self.kind.starts_with("AWS::SSM::Parameter::Value<")
    }

    /// Whether the value is a list with commas between its items.
    pub fn is_list(&self) -> bool {
        self.kind == "CommaDelimitedList" || self.kind.starts_with("List<")
    }

    /// Whether [`Self::check`] can tell if a value matches the pattern. Patterns are Java's; those
    /// with look-around or back references are left to AWS.
    pub fn pattern_is_checkable(&self) -> bool {
        self.allowed_pattern.is_none() || self.pattern.is_some()
    }

    /// Whether CloudFormation would take this value; the error is a sentence that names the
    /// constraint, and never holds the value of a `NoEcho` parameter. Of an SSM parameter only the
    /// size is checked: the constraints are about what AWS finds there.
    pub fn check(&self, value: &str) -> Result<(), String> {
        if value.len() > MAX_PARAMETER_BYTES {
            return Err(format!(
                "the value has {} bytes; {MAX_PARAMETER_BYTES} is CloudFormation's limit",
                value.len()
            ));
        }
        if self.is_ssm() {
            return if value.is_empty() {
                Err("the value is empty; it must be the name of an SSM parameter".to_owned())
            } else {
                Ok(())
            };
        }
        self.check_constraints(value).map_err(|broken| match &self.constraint_description {
            Some(description) => format!("{broken} (the template says: {description})"),
            None => broken,
        })
    }

    fn check_constraints(&self, value: &str) -> Result<(), String> {
        if self.is_list() {
            return value.split(',').try_for_each(|item| self.check_item(item.trim()));
        }
        self.check_item(value)?;
        self.check_length(value)
    }

    /// What holds for a single value and for each item of a list.
    fn check_item(&self, item: &str) -> Result<(), String> {
        let shown = self.shown(item);
        if matches!(self.kind.as_str(), "Number" | "List<Number>") {
            let number = number(item).ok_or_else(|| format!("{shown} is not a number"))?;
            self.check_range(number, &shown)?;
        }
        if !self.allowed_values.is_empty() && !self.allowed_values.iter().any(|one| one == item) {
            return Err(if self.no_echo {
                format!("{shown} is not one of its AllowedValues")
            } else {
                format!(
                    "{shown} is not one of its AllowedValues: {}",
                    self.allowed_values.join(", ")
                )
            });
        }
        match (&self.pattern, &self.allowed_pattern) {
            (Some(pattern), Some(text)) if !pattern.is_match(item) => {
                Err(format!("{shown} does not match its AllowedPattern `{text}`"))
            }
            (Some(_) | None, _) => Ok(()),
        }
    }

    fn check_range(&self, number: f64, shown: &str) -> Result<(), String> {
        match (self.min_value, self.max_value) {
            (Some(least), _) if number < least => {
                Err(format!("{shown} is below its MinValue {least}"))
            }
            (_, Some(most)) if number > most => {
                Err(format!("{shown} is above its MaxValue {most}"))
            }
            _ => Ok(()),
        }
    }

    fn check_length(&self, value: &str) -> Result<(), String> {
        let length = value.chars().count() as u64;
        let shown = self.shown(value);
        match (self.min_length, self.max_length) {
            (Some(least), _) if length < least => {
                Err(format!("{shown} is shorter than its MinLength of {least} characters"))
            }
            (_, Some(most)) if length > most => {
                Err(format!("{shown} is longer than its MaxLength of {most} characters"))
            }
            _ => Ok(()),
        }
    }

    fn shown(&self, value: &str) -> String {
        if self.no_echo { "the value (NoEcho)".to_owned() } else { format!("`{value}`") }
    }
}

/// Strings, numbers and booleans as CloudFormation turns them into text.
pub(super) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A decimal number; `inf` and `nan`, which Rust reads as numbers, are none here.
fn number(text: &str) -> Option<f64> {
    let legal =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.bytes().all(legal) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Java matches the whole value. Inside brackets Rust knows `--` and `~~` as operators and Java
/// does not, so such a pattern would mean something else here.
fn compile(pattern: &str) -> Option<Regex> {
    if pattern.contains("--") || pattern.contains("~~") {
        return None;
    }
    let whole = format!(r"\A(?:{pattern})\z");
    RegexBuilder::new(&whole).size_limit(MAX_PATTERN_BYTES).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_constraint_is_checked_and_named() {
        let text = |rest: Value| {
            let mut section = json!({ "Type": "String" });
            if let (Some(section), Value::Object(rest)) = (section.as_object_mut(), rest) {
                section.extend(rest);
            }
            section
        };
        for (section, good, bad, constraint) in [
            (
                text(json!({ "AllowedValues": ["a", 1, true] })),
                "true",
                "b",
                "AllowedValues: a, 1, true",
            ),
            (text(json!({ "AllowedPattern": "[a-z]+" })), "abc", "abc1", "AllowedPattern `[a-z]+`"),
            (text(json!({ "AllowedPattern": "a|b" })), "b", "ab", "AllowedPattern"),
            (text(json!({ "MinLength": "2" })), "ab", "a", "MinLength of 2"),
            (text(json!({ "MaxLength": 2 })), "\u{e4}\u{e4}", "abc", "MaxLength of 2"),
            (json!({ "Type": "Number" }), "-1.5e3", "nan", "not a number"),
            (json!({ "Type": "Number", "MinValue": 3 }), "3", "2.9", "MinValue 3"),
            (json!({ "Type": "Number", "MaxValue": 3.5 }), "3.5", "4", "MaxValue 3.5"),
            (json!({ "Type": "List<Number>" }), "1, 2", "1,x", "`x` is not a number"),
            (
                json!({ "Type": "CommaDelimitedList", "AllowedValues": ["a", "b"] }),
                "a, b,a",
                "a,c",
                "`c` is not one of",
            ),
            (json!({ "Type": "AWS::SSM::Parameter::Value<String>" }), "/a", "", "SSM parameter"),
        ] {
            let parameter = Parameter::of(&section);
            assert_eq!(parameter.check(good), Ok(()), "{section}");
            let broken = parameter.check(bad).expect_err("a broken constraint");
            assert!(broken.contains(constraint), "{section}: {broken}");
        }
        let large = "x".repeat(MAX_PARAMETER_BYTES + 1);
        assert!(Parameter::of(&text(json!({}))).check(&large).is_err());
    }

    #[test]
    fn the_value_of_a_secret_is_never_shown() {
        for constraint in [
            json!({ "AllowedValues": ["hunter1"] }),
            json!({ "AllowedPattern": "[0-9]" }),
            json!({ "MinLength": 20 }),
            json!({ "MaxLength": 2 }),
            json!({ "Type": "Number" }),
            json!({ "Type": "List<Number>" }),
        ] {
            let mut section = json!({ "Type": "String", "NoEcho": "true" });
            if let (Some(section), Value::Object(more)) = (section.as_object_mut(), constraint) {
                section.extend(more);
            }
            let broken = Parameter::of(&section).check("hunter2").expect_err("a broken constraint");
            assert!(!broken.contains("hunter"), "{broken}");
        }
    }

    #[test]
    fn a_pattern_that_only_java_knows_is_left_to_aws() {
        for pattern in ["(?!-)[a-z]+", "(a)\\1", "[a--b]", "((a{1000}){1000}){1000}"] {
            let section = json!({ "Type": "String", "AllowedPattern": pattern });
            let parameter = Parameter::of(&section);
            assert!(!parameter.pattern_is_checkable(), "{pattern}");
            assert_eq!(parameter.check("anything"), Ok(()));
        }
        assert!(Parameter::of(&json!({ "Type": "String" })).pattern_is_checkable());
    }

    #[test]
    fn the_words_of_the_author_are_passed_on() {
        let section = json!({ "Type": "String", "MinLength": 3, "ConstraintDescription": "an id" });
        let broken = Parameter::of(&section).check("x").expect_err("too short");
        assert!(broken.ends_with("(the template says: an id)"), "{broken}");
    }
}
