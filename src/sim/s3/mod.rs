//! S3 as far as artifacts need it: buckets with objects, the calls that put, find and read them, and
//! how CloudFormation and Lambda read from there. What else is asked of S3 is refused loudly.

mod answer;
mod bucket;
mod checksum;
mod listing;
mod payload;
mod place;
mod readers;
mod refused;
mod shelf;
mod wish;

pub use bucket::BucketAccess;

pub(crate) use bucket::Buckets;
pub(crate) use readers::code_property;
pub(crate) use refused::spoken;
pub(crate) use wish::{Operation, Wish};
