//! What policies say to a call: Allow, Deny, wildcards, and the conditions that roles are made with.
//! Whatever is not understood here is refused, never taken for harmless.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::sim::refusal::{Answer, Refusal};

/// The keys of conditions that a call has a value for, or is known to have none.
const KEYS: [&str; 5] = [
    "aws:CalledVia",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:RequestedRegion",
    "sts:ExternalId",
];
/// What a statement may be made of.
const ELEMENTS: [&str; 8] =
    ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "Condition"];

/// What somebody wants to do.
pub(crate) struct Wish<'a> {
    /// Such as `cloudformation:CreateStack`.
    pub(crate) action: &'a str,
    /// The ARN of what it is done to.
    pub(crate) resource: &'a str,
    /// Account and ARN of who wants it, as principals are written in policies.
    pub(crate) who: (&'a str, &'a str),
    /// The values of the keys of conditions; of a direct call `aws:CalledVia` has none.
    pub(crate) context: BTreeMap<&'static str, String>,
}

/// What all statements say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    /// By a statement of its own.
    Denied,
    /// No statement is about it.
    Silent,
}

/// Weighs policies of an identity, or the one policy of a resource.
pub(crate) fn weigh<'p>(
    policies: impl IntoIterator<Item = &'p Value>,
    wish: &Wish<'_>,
) -> Answer<Verdict> {
    let mut verdict = Verdict::Silent;
    for policy in policies {
        for statement in statements(policy)? {
            if !fits(statement, wish)? {
                continue;
            }
            match statement.get("Effect").and_then(Value::as_str) {
                Some("Deny") => return Ok(Verdict::Denied),
                Some("Allow") => verdict = Verdict::Allowed,
                other => return Err(unknown(format!("the effect {other:?}"))),
            }
        }
    }
    Ok(verdict)
}

fn unknown(what: String) -> Refusal {
    Refusal::not_simulated(format!("{what} in a policy"))
}

fn statements(policy: &Value) -> Answer<Vec<&Map<String, Value>>> {
    let statements = match policy.get("Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        other => return Err(unknown(format!("the statement {other:?}"))),
    };
    let object = |one: &'_ Value| one.is_object();
    if !statements.iter().all(|one| object(one)) {
        return Err(unknown("a statement that is no object".to_owned()));
    }
    Ok(statements.into_iter().filter_map(Value::as_object).collect())
}

fn fits(statement: &Map<String, Value>, wish: &Wish<'_>) -> Answer<bool> {
    if let Some(element) = statement.keys().find(|key| !ELEMENTS.contains(&key.as_str())) {
        return Err(unknown(format!("the element `{element}`")));
    }
    let of = |name: &str| statement.get(name).map(texts).transpose();
    let action =
        |pattern: &String| like(&pattern.to_ascii_lowercase(), &wish.action.to_ascii_lowercase());
    let resource = |pattern: &String| like(pattern, wish.resource);
    let applies = match (of("Action")?, of("NotAction")?) {
        (Some(actions), None) => actions.iter().any(action),
        (None, Some(actions)) => !actions.iter().any(action),
        (_, _) => return Err(unknown("neither or both of `Action` and `NotAction`".to_owned())),
    } && match (of("Resource")?, of("NotResource")?) {
        (Some(resources), None) => resources.iter().any(resource),
        (None, Some(resources)) => !resources.iter().any(resource),
        // What trusts somebody is about itself.
        (None, None) if statement.contains_key("Principal") => true,
        (_, _) => return Err(unknown("neither or both of `Resource`, `NotResource`".to_owned())),
    };
    let principal = statement.get("Principal").map_or(Ok(true), |one| is_one(one, wish.who))?;
    // Conditions are read whether they count or not, so that none is missed.
    Ok(conditions(statement.get("Condition"), &wish.context)? && applies && principal)
}

fn is_one(principal: &Value, (account, arn): (&str, &str)) -> Answer<bool> {
    if principal.as_str() == Some("*") {
        return Ok(true);
    }
    let kinds =
        principal.as_object().ok_or_else(|| unknown(format!("the principal {principal}")))?;
    for (kind, named) in kinds {
        let is_ours = |one: &String| {
            let is_root = one.ends_with(":root") && one.split(':').nth(4) == Some(account);
            one == "*" || one == account || one == arn || is_root
        };
        match kind.as_str() {
            "AWS" if texts(named)?.iter().any(is_ours) => return Ok(true),
            // Neither a service of AWS nor somebody from elsewhere calls here.
            "AWS" | "Service" | "Federated" => {}
            other => return Err(unknown(format!("the principal `{other}`"))),
        }
    }
    Ok(false)
}

fn conditions(conditions: Option<&Value>, context: &BTreeMap<&str, String>) -> Answer<bool> {
    let Some(conditions) = conditions else { return Ok(true) };
    let operators =
        conditions.as_object().ok_or_else(|| unknown(format!("the condition {conditions}")))?;
    let mut all = true;
    for (operator, tests) in operators {
        let tests = tests.as_object().ok_or_else(|| unknown(format!("the condition {tests}")))?;
        for (key, values) in tests {
            all &= holds(operator, key, &texts(values)?, context)?;
        }
    }
    Ok(all)
}

fn holds(
    operator: &str,
    key: &str,
    values: &[String],
    context: &BTreeMap<&str, String>,
) -> Answer<bool> {
    let key = KEYS
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(key))
        .ok_or_else(|| unknown(format!("the key `{key}`")))?;
    let (any_of, plain) = match operator.strip_prefix("ForAnyValue:") {
        Some(plain) => (true, plain),
        None => (false, operator),
    };
    // A set of values is there where one is asked for, and the other way round: AWS takes neither.
    if any_of != (key == "aws:CalledVia") {
        return Err(unknown(format!("the operator `{operator}` on `{key}`")));
    }
    let (plain, if_there) = match plain.strip_suffix("IfExists") {
        Some(plain) => (plain, true),
        None => (plain, false),
    };
    let (test, negated): (fn(&str, &str) -> bool, bool) = match plain {
        "StringEquals" => (|pattern, value| pattern == value, false),
        "StringNotEquals" => (|pattern, value| pattern == value, true),
        "StringLike" => (like, false),
        "StringNotLike" => (like, true),
        "ArnEquals" | "ArnLike" => (arn_like, false),
        "ArnNotEquals" | "ArnNotLike" => (arn_like, true),
        _ => return Err(unknown(format!("the operator `{operator}`"))),
    };
    Ok(match context.get(key) {
        Some(value) => values.iter().any(|pattern| test(pattern, value)) != negated,
        None => if_there || (negated && !any_of),
    })
}

/// One text or a list of them.
fn texts(value: &Value) -> Answer<Vec<String>> {
    let items = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            vec![value]
        }
    };
    let text = |one: &&Value| one.as_str().map(str::to_owned);
    let texts: Option<Vec<String>> = items.iter().map(text).collect();
    let texts = texts.ok_or_else(|| unknown(format!("{value} for a text")))?;
    // Variables such as `${aws:username}` would have to be filled in.
    match texts.iter().find(|text| text.contains("${")) {
        Some(text) => Err(unknown(format!("the variable in `{text}`"))),
        None => Ok(texts),
    }
}

/// Each of the six parts of an ARN by itself.
fn arn_like(pattern: &str, arn: &str) -> bool {
    let (pattern, arn) = (pattern.splitn(6, ':'), arn.splitn(6, ':'));
    let (pattern, arn): (Vec<&str>, Vec<&str>) = (pattern.collect(), arn.collect());
    pattern.len() == arn.len() && pattern.iter().zip(&arn).all(|(one, other)| like(one, other))
}

/// `*` stands for any characters, `?` for one.
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(letter) if *letter == '?' || *letter == text[from] => {
                at += 1;
                from += 1;
            }
            Some(_) | None => {
                let Some((before, taken)) = star else { return false };
                star = Some((before, taken + 1));
                at = before + 1;
                from = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:iam::111122223333:role/ci/deployer";

    fn verdict(statement: &Value) -> Answer<Verdict> {
        let context = [("aws:PrincipalArn", ARN), ("aws:RequestedRegion", "eu-central-1")];
        let wish = Wish {
            action: "cloudformation:CreateStack",
            resource: "arn:aws:cloudformation:eu-central-1:1:stack/api/*",
            who: ("111122223333", ARN),
            context: context.map(|(key, value)| (key, value.to_owned())).into(),
        };
        weigh([&json!({ "Statement": statement })], &wish)
    }

    fn allowing(more: &Value) -> Value {
        let mut all = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
        let (Some(all_of), Some(more)) = (all.as_object_mut(), more.as_object()) else {
            unreachable!("objects")
        };
        all_of.extend(more.clone());
        all
    }

    #[test]
    fn actions_and_resources_are_patterns_and_a_denial_wins() {
        let says = |more: Value| verdict(&allowing(&more)).expect("understood");
        assert_eq!(says(json!({ "Action": "CloudFormation:create*" })), Verdict::Allowed);
        assert_eq!(says(json!({ "Action": ["s3:*", "iam:*"] })), Verdict::Silent);
        let other = json!({ "Resource": "arn:aws:cloudformation:*:1:stack/other/*" });
        assert_eq!(says(other), Verdict::Silent);
        let both = json!([allowing(&json!({})), allowing(&json!({ "Effect": "Deny" }))]);
        assert_eq!(verdict(&both).expect("understood"), Verdict::Denied);
    }

    #[test]
    fn a_statement_about_calls_through_cloudformation_is_about_no_direct_call() {
        let via = json!({ "aws:CalledVia": ["cloudformation.amazonaws.com"] });
        let condition = json!({ "Condition": { "ForAnyValue:StringEquals": via } });
        assert_eq!(verdict(&allowing(&condition)).expect("understood"), Verdict::Silent);
    }

    #[test]
    fn a_pattern_of_arns_is_matched_part_by_part() {
        let like = |pattern: &str| {
            let condition = json!({ "ArnLike": { "aws:PrincipalArn": pattern } });
            verdict(&allowing(&json!({ "Condition": condition }))).expect("understood")
        };
        assert_eq!(like("arn:aws:iam::111122223333:role/*/deployer"), Verdict::Allowed);
        assert_eq!(like("arn:aws:iam::111122223333:role/deployer"), Verdict::Silent);
        assert_eq!(like("arn:*:role/ci/deployer"), Verdict::Silent);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (more, name) in [
            (json!({ "NotPrincipal": "*" }), "NotPrincipal"),
            (json!({ "Condition": { "DateLessThan": { "aws:PrincipalArn": "x" } } }), "DateLess"),
            (json!({ "Condition": { "StringEquals": { "aws:SourceIp": "x" } } }), "aws:SourceIp"),
            (json!({ "Condition": { "StringEquals": { "aws:CalledVia": "x" } } }), "CalledVia"),
            (json!({ "Resource": "arn:aws:s3:::${aws:username}" }), "variable"),
            (json!({ "Effect": "Maybe" }), "Maybe"),
            (json!({ "Principal": { "Martian": "x" } }), "Martian"),
        ] {
            let refusal = verdict(&allowing(&more)).expect_err(name);
            assert_eq!(refusal.code, "NotSimulated");
            assert!(refusal.message.contains(name), "{}", refusal.message);
        }
    }

    #[test]
    fn stars_match_any_length() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*b*d", "abcbd", true),
            ("", "a", false),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern} {text}");
        }
    }
}
