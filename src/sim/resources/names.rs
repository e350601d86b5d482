//! Physical ids and attributes from the forms of the table.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::ids::{AccountId, Region};
use crate::sim::resources::table::{Kind, kind};

/// Where a resource stands.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
}

/// The property at a path with `/` between the levels.
pub(crate) fn at_path<'a>(properties: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut names = path.split('/');
    let first = properties.get(names.next().unwrap_or_default());
    names.fold(first, |value, name| value?.get(name))
}

/// The name that the template gives, for a type that can be named.
pub(crate) fn named_by_template(kind: &Kind, properties: &Map<String, Value>) -> Option<String> {
    at_path(properties, kind.named_by).and_then(Value::as_str).map(str::to_owned)
}

/// The physical id of a resource of a known type under `name`; types of other makers
/// (`Custom::…`, opaque ones) are called by their name.
pub(crate) fn physical_id(kind: Option<&Kind>, name: &str, at: &Surroundings) -> String {
    kind.map_or_else(|| name.to_owned(), |kind| fill(kind.id, name, "", at))
}

/// What `GetAtt` gives; `None` when the type has no such attribute. A type that is taken without
/// knowing it has any.
pub(crate) fn attribute(
    kind_name: &str,
    name: &str,
    physical_id: &str,
    at: &Surroundings,
) -> Option<String> {
    let form = match kind(kind_name) {
        Some(kind) => {
            let of = |wanted| kind.attributes.iter().find(|(attribute, _)| *attribute == wanted);
            of(name).or_else(|| of("*")).map(|(_, form)| *form)?
        }
        None => "",
    };
    Some(match form {
        "" if name.ends_with("Arn") => fill(
            &format!("arn:{{partition}}:{}:{{region}}:{{account}}:{{tail}}", service_of(kind_name)),
            tail(physical_id),
            physical_id,
            at,
        ),
        "" => format!("{}-{}", name.replace('.', "-"), digest_of(physical_id, name)),
        form => fill(form, tail(physical_id), physical_id, at),
    })
}

/// `AWS::Lambda::Function` -> `lambda`
fn service_of(kind_name: &str) -> String {
    kind_name.split("::").nth(1).unwrap_or("custom").to_lowercase()
}

fn tail(physical_id: &str) -> &str {
    physical_id.rsplit(['/', ':']).next().unwrap_or(physical_id)
}

fn fill(form: &str, name: &str, id: &str, at: &Surroundings) -> String {
    let hex = digest_of(name, form);
    let account = at.account.to_string();
    let lower = name.to_lowercase();
    let upper = hex.to_uppercase();
    let uuid = [&hex[..8], &hex[8..12], &hex[..4], &hex[4..8], &hex[..12]].join("-");
    let values = [
        ("{name}", name),
        ("{lower}", &lower),
        ("{id}", id),
        ("{tail}", tail(id)),
        ("{account}", &account),
        ("{region}", at.region.as_str()),
        ("{partition}", at.region.partition()),
        ("{hex}", &hex),
        ("{HEX}", &upper),
        ("{uuid}", &uuid),
    ];
    values.iter().fold(form.to_owned(), |text, (mark, value)| text.replace(mark, value))
}

/// Twelve digits that depend on both texts.
fn digest_of(name: &str, purpose: &str) -> String {
    hex::encode(&Sha256::digest(format!("{name}\n{purpose}"))[..6])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_known_by_its_url_and_gives_its_arn() {
        let at = Surroundings {
            account: "111122223333".parse().expect("an account"),
            region: "eu-central-1".parse().expect("a region"),
        };
        let id = physical_id(kind("AWS::SQS::Queue"), "jobs", &at);
        assert_eq!(id, "https://sqs.eu-central-1.amazonaws.com/111122223333/jobs");
        let attribute = |kind, name| attribute(kind, name, &id, &at);
        let arn = "arn:aws:sqs:eu-central-1:111122223333:jobs";
        assert_eq!(attribute("AWS::SQS::Queue", "Arn").as_deref(), Some(arn));
        assert_eq!(attribute("AWS::IAM::Role", "RoleName"), None);
        assert!(attribute("Our::Opaque::Thing", "Whatever").is_some());
    }
}
