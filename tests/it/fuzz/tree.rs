//! A YAML document that can be broken on purpose, and how it is written.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::Index;

/// What is written; more than YAML allows.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Plain(String),
    Quoted(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
    /// `&name`, `*name`, `!tag` and other things in front of a value or instead of one.
    Marked(String, Option<Box<Tree>>),
}

/// One thing that people, merges and attackers do to a document.
#[derive(Clone, Debug)]
pub(super) enum Break {
    Drop(Index),
    Double(Index),
    Misspell(Index, Index, char),
    Replace(Index, Tree),
    CopyOver(Index, Index),
    Mark(Index, String),
    Bomb(Index, usize, usize),
    Nest(Index, usize, bool),
    Repeat(Index, usize),
}

pub(super) fn plain(text: &str) -> Tree {
    Tree::Plain(text.to_owned())
}

pub(super) fn map<const N: usize>(entries: [(&str, Tree); N]) -> Tree {
    Tree::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

pub(super) fn list<const N: usize>(items: [Tree; N]) -> Tree {
    Tree::List(items.into())
}

impl Tree {
    /// This value and all below it.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Plain(_) | Self::Quoted(_) | Self::Marked(_, None) => 1,
            Self::List(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
            Self::Map(entries) => 1 + entries.iter().map(|(_, value)| value.count()).sum::<usize>(),
            Self::Marked(_, Some(value)) => 1 + value.count(),
        }
    }

    /// The value with this number, in the order of the text.
    fn at(&mut self, number: &mut usize) -> Option<&mut Self> {
        if *number == 0 {
            return Some(self);
        }
        *number -= 1;
        match self {
            Self::Plain(_) | Self::Quoted(_) | Self::Marked(_, None) => None,
            Self::List(items) => items.iter_mut().find_map(|item| item.at(number)),
            Self::Map(entries) => entries.iter_mut().find_map(|(_, value)| value.at(number)),
            Self::Marked(_, Some(value)) => value.at(number),
        }
    }

    fn chosen(&mut self, index: Index) -> &mut Self {
        let mut number = index.index(self.count());
        self.at(&mut number).expect("one of them")
    }

    /// A map with entries, if the one that was chosen is, or else the whole document.
    fn chosen_map(&mut self, index: Index) -> Option<&mut Vec<(String, Self)>> {
        let is_map = |tree: &Self| matches!(tree, Self::Map(entries) if !entries.is_empty());
        let whole = !is_map(self.chosen(index));
        let chosen = if whole { self } else { self.chosen(index) };
        match chosen {
            Self::Map(entries) if !entries.is_empty() => Some(entries),
            _ => None,
        }
    }

    pub(super) fn broken(mut self, how: Break) -> Self {
        match how {
            Break::Drop(at) => {
                if let Some(entries) = self.chosen_map(at) {
                    entries.remove(at.index(entries.len()));
                }
            }
            Break::Double(at) => {
                if let Some(entries) = self.chosen_map(at) {
                    let entry = entries[at.index(entries.len())].clone();
                    entries.push(entry);
                }
            }
            Break::Misspell(at, place, letter) => {
                if let Some(entries) = self.chosen_map(at) {
                    let index = at.index(entries.len());
                    let mut key: Vec<char> = entries[index].0.chars().collect();
                    let place = place.index(key.len() + 1);
                    key.splice(place..(place + 1).min(key.len()), [letter]);
                    entries[index].0 = key.into_iter().collect();
                }
            }
            Break::Replace(at, with) => *self.chosen(at) = with,
            Break::CopyOver(from, to) => {
                let copy = self.chosen(from).clone();
                *self.chosen(to) = copy;
            }
            Break::Mark(at, mark) => {
                let marked = self.chosen(at);
                *marked = Self::Marked(mark, Some(Box::new(marked.clone())));
            }
            Break::Bomb(at, levels, width) => *self.chosen(at) = bomb(levels, width),
            Break::Nest(at, depth, in_lists) => {
                let inner = self.chosen(at);
                for _ in 0..depth {
                    let value = std::mem::replace(inner, plain(""));
                    let entry = ("parameters".to_owned(), value.clone());
                    *inner =
                        if in_lists { Self::List(vec![value]) } else { Self::Map(vec![entry]) };
                }
            }
            Break::Repeat(at, times) => {
                let repeated = self.chosen(at);
                *repeated = Self::List(vec![repeated.clone(); times]);
            }
        }
        self
    }

    /// As YAML: maps in lines, everything inside a list in braces.
    pub(super) fn write(&self) -> String {
        let mut text = String::new();
        self.block(0, &mut text);
        text
    }

    fn block(&self, indent: usize, to: &mut String) {
        match self {
            Self::Map(entries) if !entries.is_empty() => {
                for (key, value) in entries {
                    let _ = write!(to, "{:indent$}{}:", "", written_key(key));
                    if matches!(value, Self::Map(inner) if !inner.is_empty()) {
                        to.push('\n');
                        value.block(indent + 2, to);
                    } else {
                        to.push(' ');
                        value.flow(to);
                        to.push('\n');
                    }
                }
            }
            other => {
                let _ = write!(to, "{:indent$}", "");
                other.flow(to);
                to.push('\n');
            }
        }
    }

    pub(super) fn flow(&self, to: &mut String) {
        match self {
            Self::Plain(text) => to.push_str(text),
            Self::Quoted(text) => to.push_str(&quoted(text)),
            Self::List(items) => {
                to.push('[');
                for item in items {
                    item.flow(to);
                    to.push_str(", ");
                }
                to.push(']');
            }
            Self::Map(entries) => {
                to.push('{');
                for (key, value) in entries {
                    let _ = write!(to, "{}: ", written_key(key));
                    value.flow(to);
                    to.push_str(", ");
                }
                to.push('}');
            }
            Self::Marked(mark, value) => {
                to.push_str(mark);
                to.push(' ');
                if let Some(value) = value {
                    value.flow(to);
                }
            }
        }
    }
}

/// Lists of aliases of lists of aliases: `width` to the power of `levels` values.
fn bomb(levels: usize, width: usize) -> Tree {
    let mut lists = vec![Tree::Marked("&a0".into(), Some(Box::new(plain("x"))))];
    for level in 1..=levels {
        let alias = Tree::Marked(format!("*a{}", level - 1), None);
        let aliases = Tree::List(vec![alias; width]);
        lists.push(Tree::Marked(format!("&a{level}"), Some(Box::new(aliases))));
    }
    Tree::List(lists)
}

pub(super) fn written_key(key: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.';
    if !key.is_empty() && key.chars().all(is_plain) { key.to_owned() } else { quoted(key) }
}

pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// Scalars that mean something other than they seem to.
pub(super) fn odd_scalar() -> impl Strategy<Value = Tree> {
    let words = [
        "",
        "~",
        "null",
        "true",
        "no",
        "-1",
        "0",
        "00",
        "4294967296",
        "1e999",
        ".inf",
        ".nan",
        "0x7f",
        "1_000",
        "2026-11-28",
        "<<",
        "*",
        "&",
        "!",
        "%",
        "@",
        "`",
        "|",
        ">",
        "- ",
        "? ",
        ": ",
        "# ",
        "{}",
        "[]",
        "${",
        "$${",
        "${}",
        "${tenant.name}",
        "${labels.tier",
        "}",
        "${services.api.outputs.QueueUrl}",
        "${services.web.outputs.}",
        "driftless.dev/v1",
        "driftless.dev/v2",
        "Fleet",
        "Service",
        "eu-central-1",
        "111122223333",
        "999999999999",
        "template.yaml",
        "../..",
        "/etc/passwd",
        "services.yaml",
        "30m",
        "0s",
        "99999999999d",
    ];
    prop_oneof![
        4 => proptest::sample::select(words.to_vec()).prop_map(plain),
        4 => proptest::sample::select(words.to_vec()).prop_map(|text| Tree::Quoted(text.into())),
        2 => any::<String>().prop_map(Tree::Quoted),
        1 => "\\PC{0,12}".prop_map(Tree::Plain),
        1 => (1_usize..3_000, any::<char>()).prop_map(|(times, letter)| {
            Tree::Quoted(letter.to_string().repeat(times))
        }),
    ]
}

pub(super) fn any_break() -> impl Strategy<Value = Break> {
    let index = any::<Index>;
    let value = odd_scalar().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Tree::List),
            proptest::collection::vec(("[a-zA-Z.]{0,8}", inner), 0..4).prop_map(Tree::Map),
        ]
    });
    let marks = ["&a", "*a", "!Ref", "!!str", "!!int", "!!binary", "!", "!<x>", "&a !b", "%TAG"];
    prop_oneof![
        3 => index().prop_map(Break::Drop),
        2 => index().prop_map(Break::Double),
        3 => (index(), index(), any::<char>())
            .prop_map(|(at, place, letter)| Break::Misspell(at, place, letter)),
        6 => (index(), value).prop_map(|(at, with)| Break::Replace(at, with)),
        3 => (index(), index()).prop_map(|(from, to)| Break::CopyOver(from, to)),
        2 => (index(), proptest::sample::select(marks.to_vec()))
            .prop_map(|(at, mark)| Break::Mark(at, mark.to_owned())),
        1 => (index(), 0_usize..9, 0_usize..12)
            .prop_map(|(at, levels, width)| Break::Bomb(at, levels, width)),
        1 => (index(), 0_usize..150, any::<bool>())
            .prop_map(|(at, depth, in_lists)| Break::Nest(at, depth, in_lists)),
        1 => (index(), 0_usize..60).prop_map(|(at, times)| Break::Repeat(at, times)),
    ]
}
