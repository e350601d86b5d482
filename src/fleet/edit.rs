//! Changes to documents as text: one value or list item at a time, everything else stays as it was
//! written, comments and order too. What cannot be changed so is left to a person.

use crate::fleet::yaml::{self, Content, Node, Place};
use crate::template::line_starts;

/// Which document of a file.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// Its `kind`.
    pub kind: &'a str,
    /// Its `metadata.name`.
    pub name: &'a str,
}

/// The text with `value`, which is YAML in one line, at the keys of `path`; maps on the way are made.
/// `None` when the document is not there or is written in a way that this cannot change.
pub fn set(text: &str, document: Document<'_>, path: &[&str], value: &str) -> Option<String> {
    let root = find(text, document)?;
    let (node, rest) = descend(&root, path);
    match rest.split_first() {
        None => replace(text, node.place, node.text()?, value),
        Some((key, below)) => {
            let value = below
                .iter()
                .rev()
                .fold(value.to_owned(), |inner, key| format!("{{ {key}: {inner} }}"));
            insert(text, node, &format!("{key}: {value}"))
        }
    }
}

/// The text with an item more in the list at the keys of `path`, which is made when it is missing.
pub fn push(text: &str, document: Document<'_>, path: &[&str], item: &str) -> Option<String> {
    let root = find(text, document)?;
    let (node, rest) = descend(&root, path);
    if !rest.is_empty() {
        return set(text, document, path, &format!("[{item}]"));
    }
    let Content::List(items) = &node.content else { return None };
    if let Some(at) = opening(text, '[', node.place, items.first().map(|item| item.place)) {
        let separator = if items.is_empty() { "" } else { ", " };
        return Some(format!("{}[{item}{separator}{}", &text[..at], text[at + 1..].trim_start()));
    }
    let first = items.first()?.place;
    let line = line_at(text, first.0)?;
    let dash = line.find('-')?;
    let end = block_end(text, first.0, dash)?;
    Some(format!("{}{}- {item}\n{}", &text[..end], " ".repeat(dash), &text[end..]))
}

/// The text with another scalar at a place where `old` stands now.
pub fn replace(text: &str, place: Place, old: &str, new: &str) -> Option<String> {
    let at = offset(text, place)?;
    let rest = &text[at..];
    let line = rest.lines().next().unwrap_or_default();
    let length = match rest.chars().next()? {
        quote @ ('"' | '\'') => {
            let inner = &line[1..];
            let end = inner.char_indices().find(|(end, character)| {
                let is_escaped = quote == '"' && inner[..*end].ends_with('\\');
                *character == quote && !is_escaped
            });
            let length = end?.0 + 2;
            let token = &line[..length];
            let is_old = token[1..length - 1] == *old
                || serde_json::from_str::<String>(token).is_ok_and(|text| text == old);
            is_old.then_some(length)?
        }
        '|' | '>' | '{' | '[' | '&' | '*' | '!' => return None,
        _ => {
            let whole = line.split(" #").next().unwrap_or_default().trim_end();
            let inner = line.split([',', '}', ']']).next().unwrap_or_default().trim_end();
            [whole, inner].into_iter().find(|token| *token == old)?.len()
        }
    };
    Some(format!("{}{new}{}", &text[..at], &rest[length..]))
}

fn find(text: &str, document: Document<'_>) -> Option<std::rc::Rc<Node>> {
    let (documents, error) = yaml::parse(text);
    let is_meant = |root: &Node| {
        let kind = root.child("kind").and_then(|entry| entry.value.text());
        let name = root.child("metadata").and_then(|entry| entry.value.child("name"));
        kind == Some(document.kind)
            && name.and_then(|entry| entry.value.text()) == Some(document.name)
    };
    let mut roots = documents.into_iter().map(|document| document.root);
    roots.find(|root| is_meant(root)).filter(|_| error.is_none())
}

/// As far as the keys lead, and those that are left.
fn descend<'n, 'p>(root: &'n Node, path: &'p [&'p str]) -> (&'n Node, &'p [&'p str]) {
    let mut node = root;
    for (index, key) in path.iter().enumerate() {
        match node.child(key) {
            Some(entry) => node = &entry.value,
            None => return (node, &path[index..]),
        }
    }
    (node, &[])
}

/// Where the bracket of a map or list stands that is written with one: at its place, or before the
/// first thing in it.
fn opening(text: &str, bracket: char, place: Place, first: Option<Place>) -> Option<usize> {
    let at = offset(text, place)?;
    if text[at..].starts_with(bracket) {
        return Some(at);
    }
    let before = text[..offset(text, first?)?].trim_end();
    before.ends_with(bracket).then(|| before.len() - 1)
}

/// The text with an entry more in a map.
fn insert(text: &str, map: &Node, entry: &str) -> Option<String> {
    let Content::Map(entries) = &map.content else { return None };
    let first = entries.first().map(|entry| entry.key_place);
    if let Some(at) = opening(text, '{', map.place, first) {
        let separator = if entries.is_empty() { " " } else { ", " };
        return Some(format!(
            "{}{{ {entry}{separator}{}",
            &text[..at],
            text[at + 1..].trim_start()
        ));
    }
    let first = first?;
    let indent = first.1 - 1;
    let end = block_end(text, first.0, indent)?;
    Some(format!("{}{}{entry}\n{}", &text[..end], " ".repeat(indent), &text[end..]))
}

/// Where the block that begins in a line at this indentation ends: behind its last line with text.
fn block_end(text: &str, line: usize, indent: usize) -> Option<usize> {
    let starts: Vec<usize> = std::iter::once(0).chain(line_starts(text)).collect();
    let mut end = None;
    for (number, start) in starts.iter().enumerate().skip(line - 1) {
        let stop = starts.get(number + 1).copied().unwrap_or(text.len());
        let whole = &text[*start..stop];
        let blank = whole.trim().is_empty();
        let depth = whole.len() - whole.trim_start_matches(' ').len();
        let leaves = depth < indent || whole.starts_with("---") || whole.starts_with("...");
        if number + 1 > line && !blank && leaves {
            break;
        }
        if !blank {
            end = Some(stop);
        }
    }
    // A file may end without a line break: what is added then needs one before it.
    end.filter(|end| text[..*end].ends_with('\n'))
}

fn line_at(text: &str, line: usize) -> Option<&str> {
    text.lines().nth(line - 1)
}

fn offset(text: &str, (line, column): Place) -> Option<usize> {
    let start = if line == 1 { 0 } else { line_starts(text).nth(line - 2)? };
    let rest = &text[start..];
    let within = rest.char_indices().map(|(at, _)| at).chain([rest.len()]).nth(column - 1)?;
    Some(start + within)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "# the tenants
kind: Tenant
metadata:
  name: acme
spec:
  account: \"1\"  # quoted
  services:
    scan-api:
      parameters:
        Size: \"1\"

---
kind: Service
metadata: { name: scan-api }
spec:
  template: a.yaml
  drift: { every: 1h }
";

    const TENANT: Document<'_> = Document { kind: "Tenant", name: "acme" };
    const SERVICE: Document<'_> = Document { kind: "Service", name: "scan-api" };

    fn changed(text: &str) -> Vec<&str> {
        text.lines().filter(|line| !BLOCK.lines().any(|old| old == *line)).collect()
    }

    #[test]
    fn a_value_is_set_where_it_is_or_belongs_and_nothing_else_changes() {
        let path = ["spec", "services", "scan-api", "parameters", "Size"];
        let text = set(BLOCK, TENANT, &path, "\"2\"").expect("set");
        assert_eq!(changed(&text), ["        Size: \"2\""]);
        let path = ["spec", "services", "scan-api", "parameters", "Memory"];
        let text = set(BLOCK, TENANT, &path, "\"2\"").expect("set");
        assert_eq!(changed(&text), ["        Memory: \"2\""]);
        assert!(text.contains("Size: \"1\"\n        Memory: \"2\"\n\n---"), "{text}");
        let path = ["spec", "services", "files", "parameters", "Size"];
        let text = set(BLOCK, TENANT, &path, "\"2\"").expect("set");
        assert_eq!(changed(&text), ["    files: { parameters: { Size: \"2\" } }"]);
        let path = ["spec", "drift", "every"];
        let text = set(BLOCK, SERVICE, &path, "2h").expect("set");
        assert_eq!(changed(&text), ["  drift: { every: 2h }"]);
        let path = ["spec", "drift", "policy"];
        let text = set(BLOCK, SERVICE, &path, "report").expect("set");
        assert_eq!(changed(&text), ["  drift: { policy: report, every: 1h }"]);
        assert_eq!(set(BLOCK, SERVICE, &["spec", "template", "x"], "1"), None);
        assert_eq!(set(BLOCK, Document { kind: "Tenant", name: "bolt" }, &path, "1"), None);
    }

    #[test]
    fn an_item_is_added_to_a_list_or_makes_one() {
        let path = ["spec", "drift", "ignore"];
        let one = push(BLOCK, SERVICE, &path, "{ type: a }").expect("made");
        assert!(one.contains("  drift: { ignore: [{ type: a }], every: 1h }\n"), "{one}");
        let two = push(&one, SERVICE, &path, "{ type: b }").expect("added");
        assert!(two.contains("ignore: [{ type: b }, { type: a }]"), "{two}");
        let block = "kind: Service\nmetadata: { name: scan-api }\nspec:\n  drift:\n    ignore:\n      - { type: a }\n      - type: b\n        reason: c\n  suspend: true\n";
        let more = push(block, SERVICE, &path, "{ type: d }").expect("added");
        assert!(
            more.contains("        reason: c\n      - { type: d }\n  suspend: true\n"),
            "{more}"
        );
    }

    #[test]
    fn scalars_are_replaced_as_they_are_written() {
        let replaced =
            |text: &str, column, old: &str, new: &str| replace(text, (1, column), old, new);
        assert_eq!(replaced("a: 512 # x", 4, "512", "1024").as_deref(), Some("a: 1024 # x"));
        assert_eq!(replaced("{a: 512, b: 1}", 5, "512", "7").as_deref(), Some("{a: 7, b: 1}"));
        assert_eq!(replaced("a: 'x y'", 4, "x y", "\"z\"").as_deref(), Some("a: \"z\""));
        assert_eq!(replaced("a: x, y", 4, "x, y", "z").as_deref(), Some("a: z"));
        assert_eq!(replaced("a: |", 4, "", "z"), None);
    }
}
