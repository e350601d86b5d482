//! What a file of documents says, without where and how it is written: an edit is good when this
//! changes as it was asked to, and nowhere else.

use crate::fleet::reader::{Scalar, scalar};
use crate::fleet::yaml::{self, Content, Node};

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// No value, `null` or `~`.
    Nothing,
    /// A text, and whether it stands without quotes.
    Scalar(String, bool),
    List(Vec<Meaning>),
    /// In the order of the file.
    Map(Vec<(String, Meaning)>),
}

impl Meaning {
    /// Every document of a file; `None` when it is not YAML.
    pub(super) fn of_file(text: &str) -> Option<Vec<Self>> {
        let (documents, error) = yaml::parse(text);
        let is_good = error.is_none() && documents.iter().all(|one| one.flaws.is_empty());
        is_good.then(|| documents.iter().map(|one| Self::of(&one.root)).collect())
    }

    fn of(node: &Node) -> Self {
        match &node.content {
            Content::Scalar { .. } if scalar(node) == Some(Scalar::Nothing) => Self::Nothing,
            Content::Scalar { text, plain } => Self::Scalar(text.clone(), *plain),
            Content::List(items) => Self::List(items.iter().map(|item| Self::of(item)).collect()),
            Content::Map(entries) => {
                let entry = |entry: &yaml::Entry| (entry.key.clone(), Self::of(&entry.value));
                Self::Map(entries.iter().map(entry).collect())
            }
        }
    }

    /// With a value, which is YAML in one line, at the keys of a path.
    pub(super) fn set(&mut self, path: &[&str], value: &str) -> Option<()> {
        let Some((key, below)) = path.split_first() else {
            *self = Self::of(&yaml::parse_first(value)?.root);
            return Some(());
        };
        if *self == Self::Nothing {
            *self = Self::Map(Vec::new());
        }
        let Self::Map(entries) = self else { return None };
        let at = match entries.iter().position(|(other, _)| other == key) {
            Some(at) => at,
            None => {
                entries.push(((*key).to_owned(), Self::Nothing));
                entries.len() - 1
            }
        };
        entries[at].1.set(below, value)
    }

    /// Without the entry at the keys of a path.
    pub(super) fn remove(&mut self, path: &[&str]) -> Option<()> {
        let (key, below) = path.split_first()?;
        let Self::Map(entries) = self else { return None };
        let at = entries.iter().position(|(other, _)| other == key)?;
        if below.is_empty() {
            entries.remove(at);
            return Some(());
        }
        entries[at].1.remove(below)
    }
}
