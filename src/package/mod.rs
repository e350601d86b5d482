//! What a template points to: local paths become places in a bucket, named by what is there, and the
//! list of what must be in it. Nothing is uploaded here, and no code is read.

mod archive;
mod blob;
mod body;
mod built;
mod contents;
mod files;
mod kept;
mod packages;
mod packing;
mod place;
mod row;
mod tree;

pub use archive::archive;
pub use blob::{Blob, BlobName, Origin, Packed};
pub use body::PackageBody;
pub use built::{Built, BuiltAt};
pub use kept::Packaged;
pub use packages::{Package, Packages, Problem};
pub use packing::MAX_CODE_BYTES;
pub use place::{address, digest_of_seen, filled, without_buckets};
pub use row::{Form, ROWS, Row, content_of};
pub use tree::{InsideAll, Tree, below, inside, is_nested, template_url};
