//! What a stack costs with all stacks that are nested in it.

use std::collections::BTreeMap;

use crate::cost::price::Prices;
use crate::cost::standing::{Charge, Standing, charges};
use crate::package::{Tree, below, is_nested};
use crate::template::{FilledResource, Inputs, fill};

/// What a stack costs a month while nothing runs, with what is nested in it: there resources are named
/// with the way to them, `Storage/Table`. A nested stack that cannot be seen is of unknown price.
pub fn charges_in_all(tree: &Tree, inputs: &Inputs, prices: &Prices) -> Standing {
    let made = tree.template.processed(&inputs.parameters);
    let filled = fill(made.template(), inputs);
    let mut standing = charges(&filled, prices);
    for (name, entry) in &filled.resources {
        if !is_nested(entry.kind) || entry.is_there == Some(false) {
            continue;
        }
        if let Some(nested) = tree.nested.get(*name) {
            let inner = charges_in_all(nested, &below(name, entry, inputs), prices);
            standing.looked_into(name, entry, inner);
        }
    }
    standing
}

impl Standing {
    /// Puts what a nested stack holds in its place.
    fn looked_into(&mut self, name: &str, entry: &FilledResource<'_>, inner: Self) {
        if let Some(count) = self.unknown.get_mut(entry.kind) {
            *count -= 1;
        }
        self.unknown.retain(|_, count| *count > 0);
        let is_kept = matches!(entry.deletion_policy(), Some("Retain" | "RetainExceptOnCreate"));
        let place = |logical_id: &str| format!("{name}/{logical_id}");
        self.charges.extend(inner.charges.into_iter().map(|charge| Charge {
            logical_id: place(&charge.logical_id),
            maybe: charge.maybe || entry.is_there.is_none(),
            stays: charge.stays || is_kept,
            ..charge
        }));
        let resources = inner.resources.into_iter();
        self.resources.extend(resources.map(|(logical_id, kind)| (place(&logical_id), kind)));
        add_counts(&mut self.unknown, inner.unknown);
        add_counts(&mut self.by_use, inner.by_use);
    }
}

fn add_counts(counts: &mut BTreeMap<String, usize>, more: BTreeMap<String, usize>) {
    for (what, count) in more {
        *counts.entry(what).or_default() += count;
    }
}
