//! What the rows of the table count: units of things that have a price.

use crate::cost::sheet::Said;
use crate::fleet::Quantity;

/// Bytes of a class that is named; a longer text is none.
const MAX_CLASS_BYTES: usize = 40;

/// Units of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The type under which the price is listed; not always that of the resource.
    pub(super) kind: &'static str,
    /// Which of the prices of that type; empty where it has one.
    pub(super) variant: String,
    pub(super) quantity: Quantity,
    /// Whether there may be more of them, or dearer ones.
    pub(super) at_least: bool,
}

/// What one resource is charged for.
#[derive(Debug)]
pub(super) struct Tally {
    kind: &'static str,
    pub(super) items: Vec<Item>,
    /// What has a charge of which nobody can say how much it is.
    pub(super) unknown: Vec<String>,
}

impl Tally {
    pub(super) fn of(kind: &'static str) -> Self {
        Self { kind, items: Vec::new(), unknown: Vec::new() }
    }

    /// Units of a price of this type. Nothing that may be more is not known.
    pub(super) fn add(&mut self, variant: &str, (quantity, at_least): (Quantity, bool)) {
        self.add_of(self.kind, variant, (quantity, at_least));
    }

    /// One unit.
    pub(super) fn one(&mut self, variant: &str) {
        self.add(variant, (Quantity::ONE, false));
    }

    /// Units of a price that is listed under another type.
    pub(super) fn add_of(
        &mut self,
        kind: &'static str,
        variant: &str,
        (quantity, at_least): (Quantity, bool),
    ) {
        if quantity == Quantity::ZERO {
            if at_least {
                self.unknown.push(label(self.kind, variant));
            }
            return;
        }
        self.items.push(Item { kind, variant: variant.to_owned(), quantity, at_least });
    }

    /// Machines of a class such as `t4g.nano`; `prefix` tells prices of one class apart.
    pub(super) fn class_of(
        &mut self,
        kind: &'static str,
        prefix: &str,
        class: Said<&str>,
        count: (Quantity, bool),
    ) {
        if count == (Quantity::ZERO, false) {
            return;
        }
        match class {
            Said::This(class) if is_class(class) => {
                self.add_of(kind, &format!("{prefix}{class}"), count);
            }
            Said::This(_) | Said::Nothing | Said::Unknown => self.unknown(""),
        }
    }

    /// Machines of a class whose prices are listed under this type.
    pub(super) fn class(&mut self, prefix: &str, class: Said<&str>, count: (Quantity, bool)) {
        self.class_of(self.kind, prefix, class, count);
    }

    /// There is a charge of which nobody can say how much it is.
    pub(super) fn unknown(&mut self, variant: &str) {
        self.unknown.push(label(self.kind, variant));
    }
}

/// `AWS::EC2::Instance/t4g.nano`
pub(super) fn label(kind: &str, variant: &str) -> String {
    if variant.is_empty() { kind.to_owned() } else { format!("{kind}/{variant}") }
}

/// Whether a text may be shown as the class of a machine: it may come from anywhere.
pub(super) fn is_class(text: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
            })
    };
    text.len() <= MAX_CLASS_BYTES && text.contains('.') && text.split('.').all(word)
}
