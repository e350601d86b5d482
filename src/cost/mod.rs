//! What resources cost a month while nothing runs, at list prices: of one stack, and what a change
//! adds and removes over all stacks.

mod bill;
mod free;
mod nested;
mod policy;
mod price;
mod sheet;
mod standing;
mod table;
mod tally;

pub use bill::{Bill, BillLine, Direction, FreeLine, UnknownLine};
pub use free::{Free, free};
pub use nested::charges_in_all;
pub use policy::Policy;
pub use price::{LIST_DATE, LIST_REGION, Prices, Wrong, charged_types, decides, knows};
pub use standing::{Charge, Standing, charges};

#[cfg(test)]
mod tests;
