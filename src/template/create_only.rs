//! Which property changes replace a resource, from AWS's resource schemas. `create_only/table.txt`
//! says where it comes from; types that are not in it are unknown.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The schema's words about each type, by type.
static TABLE: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
    let lines = include_str!("create_only/table.txt").lines();
    let lines = lines.filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').unwrap_or((line, ""))).collect()
});

/// Whether another resource takes the place of one that changes; what is worse is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Replaces {
    /// It is changed in place.
    #[default]
    Never,
    /// Its type is not in the table.
    Unknown,
    /// It hangs on more than the change of this property.
    Perhaps,
    /// Another resource takes its place.
    Always,
}

/// Where the tags of a type stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tags {
    /// In this property.
    In(&'static str),
    /// It has none.
    Nowhere,
    /// Nobody says.
    Unknown,
}

/// What a change of the value at a JSON pointer below a resource's entry does to the resource, such as
/// `/Properties/TableName` or `/Properties/KeySchema/0/AttributeName`. A pointer into a function counts
/// for the value that the function gives.
pub fn replacement(kind: &str, path_below_resource: &str) -> Replaces {
    let mut path = path_below_resource.split('/').skip(1).map(plain);
    match path.next().as_deref() {
        Some("Type") => return Replaces::Always,
        // An empty pointer is the whole entry.
        Some("Properties" | "") | None => {}
        Some(_) => return Replaces::Never,
    }
    let path: Vec<String> = path.take_while(|part| !is_function(part)).collect();
    if is_custom(kind) {
        // Its own code decides by the id that it answers with.
        return Replaces::Perhaps;
    }
    let Some(words) = TABLE.get(kind) else { return Replaces::Unknown };
    properties(words)
        .map(|(fixed, most)| touched(fixed, most, &path))
        .max()
        .unwrap_or(Replaces::Never)
}

/// Whether the old resource of a type goes before the one that replaces it comes, so that there is
/// none in between. Of a type that is not in the table nobody knows; the answer is no.
pub fn is_deleted_first(kind: &str) -> bool {
    TABLE.get(kind).is_some_and(|words| words.split(' ').any(|word| word == DELETED_FIRST))
}

/// Where the tags of a type stand.
pub(super) fn tags_of(kind: &str) -> Tags {
    let words = TABLE.get(kind).into_iter().flat_map(|words| words.split(' '));
    match words.filter_map(|word| word.strip_prefix(TAGS)).next() {
        Some("-") => Tags::Nowhere,
        Some(property) => Tags::In(property),
        None => Tags::Unknown,
    }
}

/// Whether somebody's own code makes the resource.
pub(super) fn is_custom(kind: &str) -> bool {
    kind.starts_with("Custom::") || kind == "AWS::CloudFormation::CustomResource"
}

const DELETED_FIRST: &str = "delete-first";
const TAGS: &str = "tags=";

/// The properties that are not simply changed in place, and what their change does at most.
fn properties(words: &'static str) -> impl Iterator<Item = (&'static str, Replaces)> {
    let is_property =
        |word: &&str| !word.is_empty() && *word != DELETED_FIRST && !word.starts_with(TAGS);
    words.split(' ').filter(is_property).map(|word| match word.strip_prefix('?') {
        Some(property) => (property, Replaces::Perhaps),
        None => (word, Replaces::Always),
    })
}

/// What a change at `path` does if that of `fixed` does `most`.
fn touched(fixed: &str, most: Replaces, path: &[String]) -> Replaces {
    let mut most = most;
    let mut path = path.iter();
    for part in fixed.split('/') {
        let mut next = path.next();
        if part == "*" {
            // One item of a list may be another one only because the list has shifted.
            most = most.min(Replaces::Perhaps);
        } else if next.is_some_and(|next| is_index(next)) {
            // Some schemas leave the star out.
            most = most.min(Replaces::Perhaps);
            next = path.next();
        }
        match next {
            // The change is of something around it.
            None => return most.min(Replaces::Perhaps),
            Some(next) if part != "*" && next != part => return Replaces::Never,
            Some(_) => {}
        }
    }
    most
}

/// A part of a JSON pointer without its escapes.
fn plain(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

pub(super) fn is_function(key: &str) -> bool {
    key == "Ref" || key.starts_with("Fn::")
}

fn is_index(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemas_say_what_a_change_replaces() {
        use Replaces::{Always, Never, Perhaps, Unknown};
        for (kind, path, expected) in [
            ("AWS::DynamoDB::Table", "/Properties/TableName", Always),
            ("AWS::DynamoDB::Table", "/Properties/TableName/Fn::Sub/0", Always),
            ("AWS::DynamoDB::Table", "/Properties/KeySchema", Perhaps),
            ("AWS::DynamoDB::Table", "/Properties/KeySchema/0/AttributeName", Perhaps),
            ("AWS::DynamoDB::Table", "/Properties/BillingMode", Never),
            ("AWS::DynamoDB::Table", "/Properties", Perhaps),
            ("AWS::DynamoDB::Table", "/Properties/Fn::If/1/TableName", Perhaps),
            ("AWS::DynamoDB::Table", "", Perhaps),
            ("AWS::DynamoDB::Table", "/Type", Always),
            ("AWS::DynamoDB::Table", "/DeletionPolicy", Never),
            ("AWS::Budgets::Budget", "/Properties/Budget/BudgetName", Always),
            ("AWS::Budgets::Budget", "/Properties/Budget/BudgetLimit/Amount", Never),
            ("AWS::Budgets::Budget", "/Properties/Budget", Perhaps),
            ("AWS::Lambda::Version", "/Properties/ProvisionedConcurrencyConfig/X", Always),
            ("AWS::SQS::QueuePolicy", "/Properties/PolicyDocument", Never),
            ("AWS::AppSync::GraphQLSchema", "/Properties/ApiId", Always),
            ("AWS::Route53::RecordSet", "/Properties/Name", Always),
            ("Custom::Thing", "/Properties/Anything", Perhaps),
            ("Custom::Thing", "/Metadata/a", Never),
            ("Other::Made::Up", "/Properties/Name", Unknown),
            ("Other::Made::Up", "/UpdateReplacePolicy", Never),
        ] {
            assert_eq!(replacement(kind, path), expected, "{kind} {path}");
        }
    }

    #[test]
    fn an_item_of_a_list_replaces_perhaps() {
        let path = |text: &str| text.split('/').map(plain).collect::<Vec<_>>();
        let touched = |fixed, at| touched(fixed, Replaces::Always, &path(at));
        assert_eq!(touched("A/*/B", "A/0/B/C"), Replaces::Perhaps);
        assert_eq!(touched("A/*/B", "A/0/C"), Replaces::Never);
        assert_eq!(touched("A/*/B", "A/0"), Replaces::Perhaps);
        assert_eq!(touched("A/B", "A/0/B"), Replaces::Perhaps);
        assert_eq!(touched("A/B", "A/B"), Replaces::Always);
        assert_eq!(touched("A", "AB"), Replaces::Never);
        assert_eq!(touched("A/B", "A/C/B"), Replaces::Never);
    }

    #[test]
    fn the_table_is_whole() {
        assert!(TABLE.len() > 300, "{}", TABLE.len());
        for (kind, words) in TABLE.iter() {
            assert_eq!(kind.split("::").count(), 3, "{kind}");
            for (property, _) in properties(words) {
                let path = format!("/Properties/{}", property.replace('*', "0"));
                assert!(replacement(kind, &path) >= Replaces::Perhaps, "{kind} {path}");
            }
        }
    }

    #[test]
    fn tags_and_the_order_of_a_replacement_are_told() {
        assert_eq!(tags_of("AWS::SQS::Queue"), Tags::In("Tags"));
        assert_eq!(tags_of("AWS::Cognito::UserPool"), Tags::In("UserPoolTags"));
        assert_eq!(tags_of("AWS::SQS::QueuePolicy"), Tags::Nowhere);
        assert_eq!(tags_of("Other::Made::Up"), Tags::Unknown);
        assert!(is_deleted_first("AWS::Logs::AccountPolicy"));
        assert!(!is_deleted_first("AWS::SQS::Queue"));
    }
}
