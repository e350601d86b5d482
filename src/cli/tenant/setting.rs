//! What a flag gives or takes away: `KEY=VALUE`, or `KEY-`.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::cli::Failure;
use crate::ids::{InvalidName, Region, ServiceName};

/// A key with its new value, or without one when it is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) value: Option<String>,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = match (text.split_once('='), text.strip_suffix('-')) {
            (Some((key, value)), _) => (key, Some(value.to_owned())),
            (None, Some(key)) => (key, None),
            (None, None) => {
                return Err(format!("write {text}=VALUE, or {text}- to remove it"));
            }
        };
        if key.is_empty() {
            return Err("there is no key before it".to_owned());
        }
        Ok(Self { key: key.to_owned(), value })
    }
}

/// A key with its value, where nothing can be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) key: String,
    pub(super) value: String,
}

impl FromStr for Given {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("", _)) => Err("there is no key before the `=`".to_owned()),
            Some((key, value)) => Ok(Self { key: key.to_owned(), value: value.to_owned() }),
            None => Err(format!("write {text}=VALUE")),
        }
    }
}

/// A parameter of one service, as `SERVICE.KEY=VALUE` or `SERVICE.KEY-`; of its stack in one region
/// alone, as `SERVICE@REGION.KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceSetting {
    pub(super) service: ServiceName,
    pub(super) region: Option<Region>,
    pub(super) setting: Setting,
}

impl FromStr for ServiceSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (service, rest) = text
            .split_once('.')
            .ok_or_else(|| "write SERVICE.KEY=VALUE, or SERVICE.KEY- to remove it".to_owned())?;
        let wrong = |error: InvalidName| error.to_string();
        let (service, region) = match service.split_once('@') {
            Some((service, region)) => (service, Some(region.parse().map_err(wrong)?)),
            None => (service, None),
        };
        let service = service.parse().map_err(wrong)?;
        Ok(Self { service, region, setting: rest.parse()? })
    }
}

/// Refuses keys that are given twice: which of the two was meant?
pub(super) fn once<'a>(flag: &str, keys: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    for key in keys {
        if !seen.insert(key) {
            let what = format!("`{flag}` gives `{key}` twice");
            return Err(Failure::new(what, "say it once"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minus_at_the_end_takes_a_key_away() {
        let setting = |text: &str| text.parse::<Setting>().map(|it| (it.key, it.value));
        let given = |key: &str, value: &str| Ok((key.to_owned(), Some(value.to_owned())));
        assert_eq!(setting("tier=paid"), given("tier", "paid"));
        assert_eq!(setting("tier="), given("tier", ""));
        assert_eq!(setting("a=b=c-"), given("a", "b=c-"));
        assert_eq!(setting("tier-"), Ok(("tier".to_owned(), None)));
        for bad in ["tier", "", "-", "=x"] {
            assert!(setting(bad).is_err(), "{bad}");
        }
        let one: ServiceSetting = "scan-api.Memory=1.5".parse().expect("well formed");
        assert_eq!(one.service.as_str(), "scan-api");
        assert_eq!(one.setting, Setting { key: "Memory".into(), value: Some("1.5".into()) });
        assert_eq!(one.region, None);
        let one: ServiceSetting = "scan-api@us-east-1.Memory-".parse().expect("well formed");
        assert_eq!(one.region, Some("us-east-1".parse().expect("a region")));
        assert_eq!(one.setting, Setting { key: "Memory".into(), value: None });
        for bad in [
            "scan-api@moon.Memory=1",
            "Memory=1",
            "Scan.Memory=1",
            "scan-api.=1",
            "scan-api.Memory",
        ] {
            assert!(bad.parse::<ServiceSetting>().is_err(), "{bad}");
        }
        assert!("tier-".parse::<Given>().is_err());
    }
}
