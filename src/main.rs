//! driftless

fn main() {}
