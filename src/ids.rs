//! The names of things. A value of these types exists only if it is well formed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Why a text is not the name it should be; the message is a whole sentence with the fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(pub String);

impl InvalidName {
    /// What is wrong and how to fix it, apart.
    pub fn parts(&self) -> (&str, &str) {
        // No fix holds a colon and a blank; the text that is wrong may.
        self.0.rsplit_once(": ").unwrap_or((&self.0, "write another name"))
    }
}

/// One AWS account: twelve digits, leading zeros kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(u64);

impl FromStr for AccountId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self).map_err(|error| InvalidName(error.to_string()));
        }
        Err(InvalidName(format!("`{text}` is not an AWS account id: write its twelve digits")))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

/// An AWS region such as `eu-central-1`. Only its form is known here: regions come and go.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(Arc<str>);

impl Region {
    /// The partition that the region belongs to, as it stands in its ARNs.
    pub fn partition(&self) -> &'static str {
        match self.0.split('-').take(2).collect::<Vec<_>>().as_slice() {
            ["cn", _] => "aws-cn",
            ["us", "gov"] => "aws-us-gov",
            _ => "aws",
        }
    }

    /// Whether accounts have it only after they switched it on: all regions of the commercial
    /// partition but the seventeen that came before March 2019. Every later one is such.
    pub fn is_opt_in(&self) -> bool {
        self.partition() == "aws" && !ALWAYS_ON.contains(&&*self.0)
    }
}

/// The regions that no account can switch off.
const ALWAYS_ON: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

impl FromStr for Region {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let parts: Vec<&str> = text.split('-').collect();
        let letters =
            |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
        let well_formed = (3..=5).contains(&parts.len())
            && parts[..parts.len() - 1].iter().all(letters)
            && parts.last().is_some_and(|last| matches!(last.as_bytes(), [b'1'..=b'9']));
        if well_formed {
            return Ok(Self(text.into()));
        }
        Err(InvalidName(format!("`{text}` is not an AWS region: write one such as `eu-central-1`")))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Account x region: the unit that is observed, queued and throttled.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The account.
    pub account: AccountId,
    /// The region in it.
    pub region: Region,
}

/// `111122223333/eu-central-1`
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

impl FromStr for Target {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (account, region) = text.split_once('/').ok_or_else(|| {
            InvalidName(format!("`{text}` is not a target: write ACCOUNT/REGION"))
        })?;
        Ok(Self { account: account.parse()?, region: region.parse()? })
    }
}

/// A CloudFormation stack name: a letter, then letters, digits and hyphens, 128 at most.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StackName(Arc<str>);

impl FromStr for StackName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let letter_first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        let rest = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if letter_first && rest && text.len() <= 128 {
            return Ok(Self(text.into()));
        }
        Err(InvalidName(format!(
            "`{text}` is not a stack name: use a letter, then letters, digits and hyphens, \
             128 characters at most"
        )))
    }
}

impl fmt::Display for StackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One stack of the fleet: account, region and stack name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StackKey {
    /// Where it stands.
    pub target: Target,
    /// What it is called there.
    pub name: StackName,
}

/// `111122223333/eu-central-1/scan-api`
impl fmt::Display for StackKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.target, self.name)
    }
}

impl FromStr for StackKey {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (target, name) = text.rsplit_once('/').ok_or_else(|| {
            InvalidName(format!("`{text}` is not a stack: write ACCOUNT/REGION/STACK"))
        })?;
        Ok(Self { target: target.parse()?, name: name.parse()? })
    }
}

/// The ARN of one stack. A stack that is deleted and made again has another one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StackId(Arc<str>);

impl StackId {
    /// An ARN as AWS gave it.
    pub fn of(arn: &str) -> Self {
        Self(arn.into())
    }

    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that stands in it; `None` in what is no ARN of a stack.
    pub fn stack_name(&self) -> Option<StackName> {
        self.0.split(":stack/").nth(1)?.split('/').next()?.parse().ok()
    }
}

impl fmt::Display for StackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a document: lower-case letters, digits and hyphens, 63 at most, as in Kubernetes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocumentName(Arc<str>);

/// The name of a Tenant document.
pub type TenantName = DocumentName;
/// The name of a Service document.
pub type ServiceName = DocumentName;
/// The name of a wave.
pub type WaveName = DocumentName;

impl DocumentName {
    /// `all`: the only wave where a document names none.
    pub fn all() -> Self {
        Self("all".into())
    }
}

impl FromStr for DocumentName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let hyphen_at_end = text.starts_with('-') || text.ends_with('-');
        if !text.is_empty() && text.len() <= 63 && text.bytes().all(legal) && !hyphen_at_end {
            return Ok(Self(text.into()));
        }
        Err(InvalidName(format!(
            "`{text}` is not a name: use lower-case letters, digits and inner hyphens, \
             63 characters at most"
        )))
    }
}

impl fmt::Display for DocumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a snapshot was read from: a commit id, or `worktree-` or `folder-` and a fingerprint of the
/// files as they lay.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(Arc<str>);

impl Revision {
    /// A revision as it was written down.
    pub fn of(text: &str) -> Self {
        Self(text.into())
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What people read: the first ten characters of a commit id, or where the files lay.
    pub fn short(&self) -> &str {
        match self.0.split_once('-') {
            Some((place, _)) => place,
            None => self.0.get(..10).unwrap_or(&self.0),
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A SHA-256 of something canonical.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of a list of parts; unlike that of their concatenation it depends on where one
    /// part ends and the next begins.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// The raw bytes, to feed into another digest.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The first twelve hexadecimal characters: what people read and type.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..6])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for Digest {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| InvalidName(format!("`{text}` is not a digest of 64 hex digits")))?;
        Ok(Self(bytes))
    }
}

/// Text conversions that every name needs: serde goes through them, and `Debug` is the text.
macro_rules! text_conversions {
    ($($name:ty),*) => {$(
        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.to_string()
            }
        }
    )*};
}

macro_rules! debug_as_text {
    ($($name:ty),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

macro_rules! as_str {
    ($($name:ty),*) => {$(
        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    )*};
}

text_conversions!(AccountId, Region, StackName, DocumentName, Digest);
debug_as_text!(
    AccountId,
    Region,
    Target,
    StackName,
    StackKey,
    StackId,
    DocumentName,
    Revision,
    Digest
);
as_str!(Region, StackName, DocumentName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_keeps_its_leading_zeros() {
        let account: AccountId = "000000000042".parse().expect("twelve digits");
        assert_eq!(account.to_string(), "000000000042");
        assert!("42".parse::<AccountId>().is_err());
        assert!("+00000000042".parse::<AccountId>().is_err());
    }

    #[test]
    fn regions_know_their_partition() {
        for (name, partition) in
            [("eu-central-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")]
        {
            assert_eq!(name.parse::<Region>().expect(name).partition(), partition);
        }
        for bad in ["", "eu", "eu-central", "EU-CENTRAL-1", "eu-central-12", "eu--1"] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_stack_key_reads_back_what_it_prints() {
        let text = "111122223333/eu-central-1/scan-api";
        assert_eq!(text.parse::<StackKey>().expect("a key").to_string(), text);
        assert!("111122223333/eu-central-1/1st".parse::<StackKey>().is_err());
    }

    #[test]
    fn digests_of_parts_depend_on_their_borders() {
        let parts = |list: &[&str]| Digest::of_parts(list.iter().map(|part| part.as_bytes()));
        assert_ne!(parts(&["ab", "c"]), parts(&["a", "bc"]));
    }
}
