//! A request: who signed it, for which service and region, and what it asks. The query protocol asks
//! with the fields of a form.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{Digest, Region};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::s3::Wish;

/// An HTTP request.
pub(crate) struct Message<'a> {
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    /// Path and query as they were sent.
    pub(crate) target: &'a str,
    /// By their names in small letters.
    pub(crate) headers: BTreeMap<&'a str, &'a str>,
    pub(crate) body: Vec<u8>,
}

/// How a caller speaks, and wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// A form in, XML out.
    Query,
    /// S3's own; without a body out when it is `head`.
    S3 { head: bool },
}

impl Protocol {
    /// The protocol of a request; what does not say which service it wants is told so in the query
    /// protocol.
    pub(crate) fn of(method: &str, authorization: Option<&str>) -> Self {
        match authorization.and_then(scope) {
            Some([_, _, _, "s3", _]) => Self::S3 { head: method == "HEAD" },
            Some(_) | None => Self::Query,
        }
    }
}

/// What is asked of which service.
pub(crate) enum Ask {
    Sts(Form),
    CloudFormation(Form),
    S3(Box<Wish>),
}

/// One signed request, taken apart.
pub(crate) struct Request {
    pub(crate) region: Region,
    pub(crate) access_key: String,
    pub(crate) session_token: Option<String>,
    pub(crate) ask: Ask,
}

impl Request {
    /// Takes a message apart.
    pub(crate) fn parse(message: Message<'_>) -> Answer<Self> {
        let Some(authorization) = message.headers.get("authorization").copied() else {
            return Err(unsigned());
        };
        if !authorization.contains("Credential=") {
            return Err(unsigned());
        }
        let [access_key, _date, region, service, _] = scope(authorization).ok_or_else(|| {
            let text = "Credential must have exactly 5 slash-delimited elements";
            Refusal::new("IncompleteSignature", text)
        })?;
        let form = |message: &Message<'_>| Form::parse(&message.body);
        let region: Region =
            region.parse().map_err(|error| Refusal::validation(format!("{error}")))?;
        let session_token = message.headers.get("x-amz-security-token").map(|&one| one.to_owned());
        let access_key = access_key.to_owned();
        if service != "s3" {
            host_fits(message.host, &region)?;
        }
        let ask = match service {
            "sts" => Ask::Sts(form(&message)),
            "cloudformation" => Ask::CloudFormation(form(&message)),
            "s3" => Ask::S3(Box::new(Wish::parse(message)?)),
            other => return Err(Refusal::not_simulated(format!("the service `{other}`"))),
        };
        Ok(Self { region, access_key, session_token, ask })
    }
}

fn unsigned() -> Refusal {
    Refusal::new("MissingAuthenticationToken", "Missing Authentication Token").with_status(403)
}

/// The access key that a signature names; empty when there is none.
pub(crate) fn access_key(authorization: &str) -> &str {
    scope(authorization).map_or("", |[key, ..]| key)
}

/// Access key, date, region, service and closing word of a signature.
fn scope(authorization: &str) -> Option<[&str; 5]> {
    let scope = authorization.split("Credential=").nth(1)?.split(',').next()?;
    scope.split('/').collect::<Vec<&str>>().try_into().ok()
}

/// A request signed for one region and sent to another is refused, as AWS does.
fn host_fits(host: &str, region: &Region) -> Answer<()> {
    let Some(endpoint) = host.split(':').next().and_then(|host| {
        host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))
    }) else {
        return Ok(());
    };
    match endpoint.split_once('.') {
        Some((_, of_host)) if of_host != region.as_str() => Err(Refusal::new(
            "SignatureDoesNotMatch",
            format!("Credential should be scoped to a valid region, not '{region}'."),
        )
        .with_status(403)),
        Some(_) | None => Ok(()),
    }
}

/// Fields that say how a request is sent, not what it asks for. A stack goes by its name or its ARN.
const OF_THE_REQUEST: &[&str] = &["Action", "Version", "ClientRequestToken", "StackName"];

/// The fields of a request. Each action takes those it knows; what is left over is refused.
#[derive(Debug, Default)]
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// A form with these fields.
    pub(crate) fn of(fields: Vec<(String, String)>) -> Self {
        Self(fields.into_iter().collect())
    }

    /// All fields that are left.
    pub(crate) fn fields(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// What is asked for, whoever asks it of whichever stack: two requests of one token must ask
    /// for the same.
    pub(crate) fn fingerprint(&self) -> String {
        let asked = self.0.iter().filter(|(name, _)| !OF_THE_REQUEST.contains(&name.as_str()));
        let parts = asked.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        hex::encode(&Digest::of_parts(parts).as_bytes()[..8])
    }

    /// A text that may be missing.
    pub(crate) fn optional(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// A text that must be there and not be empty.
    pub(crate) fn required(&mut self, name: &str) -> Answer<String> {
        self.optional(name).filter(|text| !text.is_empty()).ok_or_else(|| {
            let member = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
            Refusal::validation(format!(
                "1 validation error detected: Value null at '{member}' failed to satisfy \
                 constraint: Member must not be null"
            ))
        })
    }

    /// A boolean that may be missing.
    pub(crate) fn boolean(&mut self, name: &str) -> Answer<Option<bool>> {
        match self.optional(name).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => {
                Err(Refusal::new("MalformedInput", format!("`{other}` is not a boolean: {name}")))
            }
        }
    }

    /// A list of texts, in order; `None` when the field was not sent at all.
    pub(crate) fn list(&mut self, name: &str) -> Option<Vec<String>> {
        let empty = self.0.remove(name).is_some();
        let mut items = Vec::new();
        while let Some(item) = self.0.remove(&format!("{name}.member.{}", items.len() + 1)) {
            items.push(item);
        }
        (empty || !items.is_empty()).then_some(items)
    }

    /// A list of structures, each as its fields; `None` when the field was not sent at all.
    pub(crate) fn structures(&mut self, name: &str) -> Option<Vec<BTreeMap<String, String>>> {
        let empty = self.0.remove(name).is_some();
        let mut items = Vec::new();
        loop {
            let prefix = format!("{name}.member.{}.", items.len() + 1);
            let keys: BTreeSet<String> = self
                .0
                .range(prefix.clone()..)
                .take_while(|(key, _)| key.starts_with(&prefix))
                .map(|(key, _)| key.clone())
                .collect();
            if keys.is_empty() {
                return (empty || !items.is_empty()).then_some(items);
            }
            let fields = keys.into_iter().filter_map(|key| {
                let value = self.0.remove(&key)?;
                Some((key[prefix.len()..].to_owned(), value))
            });
            items.push(fields.collect());
        }
    }

    /// Refuses whatever the action did not take.
    pub(crate) fn finish(self, action: &str) -> Answer<()> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(field) => Err(Refusal::not_simulated(format!("the field `{field}` of {action}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_structures_are_read_in_order_and_the_rest_is_refused() {
        let mut form = Form::parse(
            b"A=1&Tags.member.1.Key=k&Tags.member.1.Value=v&Names.member.1=x&Names.member.2=y&Empty=&Odd=1",
        );
        assert_eq!(form.list("Names"), Some(vec!["x".to_owned(), "y".to_owned()]));
        assert_eq!(form.list("Empty"), Some(vec![]));
        assert_eq!(form.list("Missing"), None);
        let tags = form.structures("Tags").expect("one tag");
        assert_eq!(tags[0]["Key"], "k");
        assert_eq!(form.required("A").expect("A is there"), "1");
        let refusal = form.finish("CreateStack").expect_err("Odd is unknown");
        assert!(refusal.message.contains("`Odd` of CreateStack"), "{}", refusal.message);
    }
}
