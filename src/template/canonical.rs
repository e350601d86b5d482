//! The digest of a value: the same for every way to write it, different for every other value.

use serde_json::Value;

use crate::ids::Digest;

/// The digest of a value; the order of keys does not matter.
pub(super) fn digest(value: &Value) -> Digest {
    let mut bytes = Vec::new();
    write(value, &mut bytes);
    Digest::of(&bytes)
}

/// Each value starts with a letter for its type and says its length, so that no two values have
/// the same bytes. Keys are sorted here: the order of `serde_json` depends on its features.
fn write(value: &Value, to: &mut Vec<u8>) {
    match value {
        Value::Null => to.push(b'0'),
        Value::Bool(true) => to.push(b't'),
        Value::Bool(false) => to.push(b'f'),
        Value::Number(number) => write_text(b'n', &number.to_string(), to),
        Value::String(text) => write_text(b's', text, to),
        Value::Array(items) => {
            write_length(b'l', items.len(), to);
            for item in items {
                write(item, to);
            }
        }
        Value::Object(entries) => {
            write_length(b'm', entries.len(), to);
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            for (key, value) in sorted {
                write_text(b'k', key, to);
                write(value, to);
            }
        }
    }
}

fn write_length(kind: u8, length: usize, to: &mut Vec<u8>) {
    to.push(kind);
    to.extend_from_slice(length.to_string().as_bytes());
    to.push(b':');
}

fn write_text(kind: u8, text: &str, to: &mut Vec<u8>) {
    write_length(kind, text.len(), to);
    to.extend_from_slice(text.as_bytes());
}
