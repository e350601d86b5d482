//! Documents written from stacks that somebody else deployed: what most of them have goes to the
//! service, the rest becomes exceptions of tenants. Nothing is guessed: what is written is checked
//! against what was found, stack by stack.

mod draft;
mod found;
mod gather;
mod lift;
mod proof;
mod sorting;
mod words;
mod writing;

#[cfg(test)]
mod tests;

pub use draft::{Draft, Inferred, LeftOut, NewTenant, Refusal, Wish, draft};
pub use found::{Found, Instance, InstanceSeen, Origin, Search, StackSet, stack_name, trouble};
pub use gather::{Sighted, gather, stack_trouble};
pub use proof::{overtaken, prove};
pub use words::grouped;
