//! How the single values of documents are read.

use std::rc::Rc;
use std::time::Duration;

use crate::fleet::document::{
    ApiVersion, Capability, Dependency, DependencyRegion, DependencySpec, FleetRegion, Length,
    ParameterValue, ProtectedTypes, RegionChoice, RegionSpec, WindowLength,
};
use crate::fleet::freeze::{Pattern, Zone};
use crate::fleet::reader::{Read, Reader, Scalar, nearest, one_of, parse, scalar};
use crate::fleet::yaml::{Content, Node};
use crate::fleet::{Cloud, Deployment, DriftPolicy, Lifecycle, OnHalt, Operator, Text};
use crate::ids::{AccountId, DocumentName, Region};
use crate::outcome::OnRemoval;

/// The longest and the shortest `resync`: drift must show within a week, and AWS must not be asked
/// all the time.
const LENGTHS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);

/// How long a freeze window may be open: long enough to be one, and what is to last longer is
/// suspended.
const WINDOWS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(5 * 60)..=Duration::from_secs(31 * 86_400);

/// Every capability that CloudFormation knows.
const CAPABILITIES: [&str; 3] =
    ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"];

impl Read for ApiVersion {
    fn read(_: &Rc<Node>, _: &mut Reader<'_>) -> Option<Self> {
        Some(Self::V1)
    }
}

impl Read for DocumentName {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        parse(node, reader, "bad-name")
    }
}

impl Read for Region {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        parse(node, reader, "bad-region")
    }
}

impl Read for AccountId {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(Scalar::Number(number)) = scalar(node) else {
            return parse(node, reader, "bad-account");
        };
        let help = if number.len() < 12 {
            format!(
                "write all twelve digits and quote them: `\"{number:0>12}\"`, if only leading \
                 zeros were lost"
            )
        } else {
            format!("quote it, or YAML drops leading zeros: `\"{number}\"`")
        };
        reader.error(node.place, "bad-account", "an account id must be quoted text", Some(help));
        None
    }
}

impl Read for Text {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        read_text(&text, node, reader)
    }
}

fn read_text(text: &str, node: &Node, reader: &mut Reader<'_>) -> Option<Text> {
    text.parse()
        .map_err(|error: crate::fleet::TextError| {
            reader.error(node.place, "bad-variable", error.message, Some(error.help));
        })
        .ok()
}

impl Read for ParameterValue {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = match &node.content {
            Content::Scalar { .. } => parameter_text(node, reader)?,
            Content::Map(_) => {
                return reader.expected(node, "text, a number, a boolean or a list", None);
            }
            Content::List(items) => {
                let texts: Option<Vec<String>> =
                    items.iter().map(|item| list_item(item, reader)).collect();
                texts?.join(",")
            }
        };
        read_text(&text, node, reader).map(Self)
    }
}

/// The text that CloudFormation gets: booleans in lower case, numbers as they are written.
fn parameter_text(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    match scalar(node) {
        Some(Scalar::Text(text) | Scalar::Number(text)) => Some(text.to_owned()),
        Some(Scalar::Boolean(text)) => Some(text.to_lowercase()),
        Some(Scalar::Nothing) => {
            let help = "write `\"\"` for an empty value, or remove the parameter".to_owned();
            reader.expected(node, "a value", Some(help))
        }
        None => reader.expected(node, "text, a number or a boolean", None),
    }
}

fn list_item(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let text = parameter_text(node, reader)?;
    if text.contains(',') {
        let message =
            format!("`{text}` would be split at its comma: CloudFormation knows no other list");
        reader.error(node.place, "comma-in-list", message, Some("write two items".into()));
        return None;
    }
    Some(text)
}

impl Read for Length {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        length_within(&LENGTHS, "write a length from `1s` to `7d`", node, reader).map(Self)
    }
}

impl Read for WindowLength {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let help = "write a length from `5m` to `31d`; `suspend: true` has no end";
        length_within(&WINDOWS, help, node, reader).map(Self)
    }
}

impl Read for Pattern {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        Self::parse(&text)
            .map_err(|why| {
                let help = "write minute, hour, day of month, month and day of week, such as \
                            `0 18 * * FRI`";
                let message = format!("`{text}` cannot be read: {why}");
                reader.error(node.place, "bad-cron", message, Some(help.into()));
            })
            .ok()
    }
}

impl Read for Zone {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let name = String::read(node, reader)?;
        Self::named(&name)
            .map_err(|near| {
                let help = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "write a name of the IANA database, such as `Europe/Berlin`".into(),
                };
                let message = format!("there is no time zone `{name}`");
                reader.error(node.place, "unknown-timezone", message, Some(help));
            })
            .ok()
    }
}

/// A length of time within a range.
pub(super) fn length_within(
    range: &std::ops::RangeInclusive<Duration>,
    help: &str,
    node: &Node,
    reader: &mut Reader<'_>,
) -> Option<Duration> {
    let text = match scalar(node) {
        Some(Scalar::Text(text) | Scalar::Number(text)) => text,
        Some(Scalar::Boolean(_) | Scalar::Nothing) | None => "",
    };
    match length(text) {
        Some(length) if range.contains(&length) => Some(length),
        Some(_) => {
            let message = format!("`{text}` is out of range");
            reader.error(node.place, "bad-duration", message, Some(help.to_owned()));
            None
        }
        None => {
            let help = "write a whole number and `s`, `m`, `h` or `d`, such as `30m`".into();
            reader.expected(node, "a length of time", Some(help))
        }
    }
}

fn length(text: &str) -> Option<Duration> {
    let (last, unit) = text.char_indices().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u32 = text[..last].parse().ok()?;
    Some(Duration::from_secs(u64::from(number) * seconds))
}

impl Read for RegionChoice {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.content {
            Content::List(_) => Vec::read(node, reader).map(Self::Listed),
            Content::Scalar { text, .. } if text == "tenant" => Some(Self::Tenant),
            Content::Scalar { text, .. } if text == "home" => Some(Self::Home),
            Content::Scalar { .. } | Content::Map(_) => {
                reader.expected(node, "`tenant`, `home` or a list of regions", None)
            }
        }
    }
}

impl Read for FleetRegion {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        if let Content::Map(_) = node.content {
            let spec = RegionSpec::read(node, reader)?;
            return Some(Self { name: spec.name, retired: spec.retired.unwrap_or(false) });
        }
        Some(Self { name: Region::read(node, reader)?, retired: false })
    }
}

impl Read for Dependency {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        if let Content::Map(_) = node.content {
            let spec = DependencySpec::read(node, reader)?;
            return Some(Self { service: spec.service, at_home: spec.region.is_some() });
        }
        Some(Self { service: DocumentName::read(node, reader)?, at_home: false })
    }
}

impl Read for DependencyRegion {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        one_of(node, reader, &[("home", Self::Home)])
    }
}

impl Read for ProtectedTypes {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.content {
            Content::List(_) => Vec::read(node, reader).map(Self::Listed),
            Content::Scalar { text, .. } if text == "default" => Some(Self::Default),
            Content::Scalar { .. } | Content::Map(_) => {
                reader.expected(node, "`default` or a list of resource types", None)
            }
        }
    }
}

impl Read for Capability {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        if CAPABILITIES.contains(&text.as_str()) {
            return Some(Self(text));
        }
        let help = match nearest(&text, CAPABILITIES.into_iter()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("there are: {}", CAPABILITIES.join(", ")),
        };
        let message = format!("`{text}` is not a capability");
        reader.error(node.place, "unknown-capability", message, Some(help));
        None
    }
}

impl Read for Cloud {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        one_of(node, reader, &[("simulated", Self::Simulated), ("aws", Self::Aws)])
    }
}

impl Read for Lifecycle {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let words = [
            ("active", Self::Active),
            ("inactive", Self::Inactive),
            ("offboarded", Self::Offboarded),
        ];
        one_of(node, reader, &words)
    }
}

impl Read for OnRemoval {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        one_of(node, reader, &[("retain", Self::Retain), ("delete", Self::Delete)])
    }
}

impl Read for OnHalt {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        one_of(node, reader, &[("stay", Self::Stay), ("revert", Self::Revert)])
    }
}

impl Read for DriftPolicy {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let words = [("ignore", Self::Ignore), ("report", Self::Report), ("revert", Self::Revert)];
        one_of(node, reader, &words)
    }
}

impl Read for Deployment {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        one_of(node, reader, &[("standard", Self::Standard), ("express", Self::Express)])
    }
}

impl Read for Operator {
    fn read(node: &Rc<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let words = [
            ("In", Self::In),
            ("NotIn", Self::NotIn),
            ("Exists", Self::Exists),
            ("DoesNotExist", Self::DoesNotExist),
        ];
        one_of(node, reader, &words)
    }
}
