//! `spec.artifacts` of a Fleet: the buckets, one in each region, for what templates point to.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;

use schemars::JsonSchema;

use crate::fleet::document::documents;
use crate::fleet::reader::{Read, Reader};
use crate::fleet::yaml::Node;
use crate::fleet::{Fleet, Text, Variable};
use crate::ids::{DocumentName, Region};

/// S3's limits on names of buckets.
const MIN_CHARS: usize = 3;
const MAX_CHARS: usize = 63;
const EXAMPLE: &str = "write one such as `gloves-artifacts-${region}`";

documents! {
    /// Where code, nested templates and large templates are uploaded to.
    struct ArtifactsSpec {
        /// The name of the bucket, one in each region: `gloves-artifacts-${region}`. The accounts of
        /// all tenants must be able to read it, and who runs driftless to write it; driftless does not
        /// make it. Variables are `${region}`, `${partition}` and `${fleet.name}`.
        bucket as "bucket": Text,
    }
}

/// A name of buckets, one in each region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket(Text);

impl Bucket {
    /// Its name in one region, for a fleet.
    pub fn in_region(&self, fleet: &DocumentName, region: &Region) -> String {
        let named = self.0.resolve(|variable, name| {
            match variable {
                Variable::Region => name.push_str(region.as_str()),
                Variable::Partition => name.push_str(region.partition()),
                Variable::FleetName => name.push_str(fleet.as_str()),
                // Refused when the document is read.
                Variable::AccountId
                | Variable::TenantName
                | Variable::Label(_)
                | Variable::ServiceName
                | Variable::Output { .. } => {}
            }
            Ok::<(), Infallible>(())
        });
        match named {
            Ok(name) => name,
            Err(never) => match never {},
        }
    }
}

impl Fleet {
    /// The bucket for the stacks of a region, if the fleet has buckets.
    pub fn bucket(&self, region: &Region) -> Option<String> {
        Some(self.artifacts.as_ref()?.in_region(&self.name, region))
    }
}

/// Reads the field; findings tell what is wrong with it.
pub(super) fn bucket(
    spec: ArtifactsSpec,
    (fleet, regions): (&DocumentName, &BTreeMap<Region, bool>),
    node: &Node,
    reader: &mut Reader<'_>,
) -> Bucket {
    let here = ["spec", "artifacts", "bucket"];
    let mut complain = |code, message: String, help: &str| {
        reader.error(node.find(&here), code, message, Some(help.to_owned()));
    };
    let may_use = |variable: &&Variable| {
        matches!(variable, Variable::Region | Variable::Partition | Variable::FleetName)
    };
    if let Some(other) = spec.bucket.variables().find(|variable| !may_use(variable)) {
        let message = format!("the bucket cannot use `${{{other}}}`");
        let help = "a bucket is of all tenants: use `${region}`, `${partition}` or `${fleet.name}`";
        complain("bad-variable", message, help);
    }
    let bucket = Bucket(spec.bucket);
    let names = regions.keys().map(|region| bucket.in_region(fleet, region));
    let wrong = names.clone().find(|name| !is_name(name));
    if let Some(name) = wrong {
        let message = format!(
            "`{name}` is no name of a bucket: {MIN_CHARS} to {MAX_CHARS} small letters, digits, dots \
             and hyphens, letters or digits at both ends"
        );
        complain("bad-bucket", message, EXAMPLE);
    }
    let has_region = bucket.0.variables().any(|variable| *variable == Variable::Region);
    if regions.len() > 1 && !has_region {
        let message =
            "one bucket for all regions: Lambda takes code from buckets of its own region only";
        complain("bad-bucket", message.to_owned(), EXAMPLE);
    }
    bucket
}

fn is_name(name: &str) -> bool {
    let is_plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let may_stand = |letter: u8| is_plain(letter) || letter == b'.' || letter == b'-';
    let bytes = name.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    (MIN_CHARS..=MAX_CHARS).contains(&bytes.len())
        && ends.into_iter().flatten().all(|letter| is_plain(*letter))
        && bytes.iter().all(|letter| may_stand(*letter))
        && !name.contains("..")
}
