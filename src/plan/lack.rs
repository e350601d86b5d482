//! What a bucket lacks of what a template points to. Nothing is made from a template before all of
//! that is there.

use std::fmt;

use crate::fleet::Service;
use crate::plan::decide::{Case, Decision};
use crate::plan::table::stopped;
use crate::plan::{Hold, Rendered, Weight};

/// Why what a template points to is not in the bucket of its region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The fleet has no buckets; it had some when this release was made.
    NoBucket,
    /// It is being uploaded, or is about to be.
    Uploading {
        /// Contents that are there already.
        there: usize,
        /// All that must be there.
        all: usize,
        /// Bytes of all of them, before they are zipped.
        bytes: u64,
    },
    /// Some of it could not be uploaded. It is tried again by itself.
    Failed {
        /// Why, with what to do about it.
        why: String,
        /// Whether somebody has to do that.
        lasts: bool,
    },
}

/// What a bucket lacks for a stack of a service; `None` when all is there.
pub type Lacks<'a> = dyn Fn(&Service, &Rendered) -> Option<Lack> + 'a;

impl Lack {
    /// How much it matters.
    pub(super) fn weight(&self) -> Weight {
        match self {
            Self::NoBucket | Self::Failed { lasts: true, .. } => Weight::Stuck,
            Self::Uploading { .. } | Self::Failed { lasts: false, .. } => Weight::Waiting,
        }
    }

    /// What a person can do about it. What failed says so itself.
    pub(super) fn help(&self) -> Option<&'static str> {
        match self {
            Self::NoBucket => Some(
                "add `artifacts: { bucket: \"NAME-${region}\" }` to the Fleet document's `spec`",
            ),
            Self::Uploading { .. } | Self::Failed { .. } => None,
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBucket => f.write_str(
                "its release points to files that belong into a bucket, and the fleet has none",
            ),
            Self::Uploading { there, all, bytes } => {
                write!(f, "uploading its artifacts: {there} of {all} are there ({})", size(*bytes))
            }
            Self::Failed { why, lasts: true } => write!(f, "its artifacts are not there: {why}"),
            Self::Failed { why, lasts: false } => {
                write!(f, "uploading its artifacts is tried again: {why}")
            }
        }
    }
}

/// A number of bytes for people: `12 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}

/// A template is given to nobody before all that it points to is in the bucket.
pub(super) fn unless_lacking(
    case: &Case<'_>,
    rendered: Option<&Result<Rendered, Hold>>,
    decision: Decision,
) -> Decision {
    let Decision::Step(step) = &decision else { return decision };
    let (Some(wanted), Some(Ok(rendered))) = (case.wanted.as_deref(), rendered) else {
        return decision;
    };
    if !step.kind.gives_template() || rendered.package.blobs.is_empty() {
        return decision;
    }
    let lack = match rendered.bucket {
        Some(_) => (case.scene.lacks)(&wanted.service, rendered),
        None => Some(Lack::NoBucket),
    };
    match lack {
        Some(lack) => stopped(step, Hold::Artifacts(Box::new(lack))),
        None => decision,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short_and_never_nothing_where_there_is_something() {
        let sizes = [0, 999, 1_000, 999_001, 1_000_000, 12_300_000].map(size);
        assert_eq!(sizes, ["0 bytes", "999 bytes", "1 kB", "1000 kB", "1 MB", "13 MB"]);
    }
}
