//! Broken and hostile input: whatever lies in the repository, reading it ends, within bounds, in a
//! value or in findings that say where and how to fix it. `DRIFTLESS_FUZZ_CASES` tries more.

mod bounds;
mod documents;
mod hostile;
mod interpolation;
mod templates;
mod tree;

use std::collections::BTreeMap;

use driftless::ids::Revision;
use driftless::snapshot::{Entry, Snapshot};
use proptest::test_runner::{Config, RngSeed};

/// `usual` cases, the same every time; with `DRIFTLESS_FUZZ_CASES` that many, others every time.
fn cases(usual: u32) -> Config {
    let wanted = std::env::var_os("DRIFTLESS_FUZZ_CASES");
    let wanted = wanted.and_then(|number| number.to_str()?.parse().ok());
    let rng_seed = if wanted.is_some() { RngSeed::Random } else { RngSeed::Fixed(1) };
    // What was found is kept as a test of its own: a seed means something else after each edit.
    Config {
        cases: wanted.unwrap_or(usual),
        rng_seed,
        failure_persistence: None,
        ..Config::default()
    }
}

fn snapshot(files: &BTreeMap<String, Vec<u8>>) -> Snapshot {
    let file = |bytes: &Vec<u8>| Entry::File(bytes.as_slice().into());
    let entries = files.iter().map(|(path, bytes)| (path.clone(), file(bytes)));
    Snapshot::of(Revision::of("folder"), None, entries.collect())
}
