//! What the simulated cloud knows about resource types: how long they take, how they are named,
//! what `Ref` and `GetAtt` give, which properties replace them.

mod live;
mod names;
mod table;

pub(crate) use live::{is_fixed, is_read, is_write_only, managed_by_aws};
pub(crate) use names::{Surroundings, at_path, attribute, named_by_template, physical_id};
pub(crate) use table::{Change, kind};
