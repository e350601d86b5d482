//! References to what SAM makes: `Function.Version`, `Function.Alias`, `Api.Stage`, and layers, whose
//! logical ids change.

use std::collections::BTreeMap;

use serde_json::Value;

/// What `Resource.Property` stands for.
type Names = BTreeMap<(String, String), String>;

/// Puts AWS's logical ids in place of SAM's.
pub(super) fn resolve(template: &mut Value, names: &Names, renamed: &BTreeMap<String, String>) {
    if names.is_empty() && renamed.is_empty() {
        return;
    }
    let resolver = Resolver { names, renamed };
    for section in ["Resources", "Outputs"] {
        if let Some(value) = template.get_mut(section) {
            resolver.value(value);
        }
    }
}

struct Resolver<'a> {
    names: &'a Names,
    renamed: &'a BTreeMap<String, String>,
}

impl Resolver<'_> {
    fn value(&self, value: &mut Value) {
        match value {
            Value::Object(entries) => {
                let is_call = entries.len() == 1;
                for (key, value) in entries.iter_mut() {
                    match key.as_str() {
                        "Ref" if is_call => self.reference(value),
                        "Fn::GetAtt" if is_call => self.attribute(value),
                        "Fn::Sub" if is_call => self.substitution(value),
                        "DependsOn" => self.needs(value),
                        _ => self.value(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// What `Name` or `Name.Property` stands for.
    fn made(&self, name: &str) -> Option<&String> {
        match name.split_once('.') {
            Some((id, property)) => self.names.get(&(id.to_owned(), property.to_owned())),
            None => self.renamed.get(name),
        }
    }

    fn reference(&self, name: &mut Value) {
        if let Some(made) = name.as_str().and_then(|name| self.made(name)) {
            *name = made.as_str().into();
        }
    }

    fn attribute(&self, parts: &mut Value) {
        let Some([Value::String(id), Value::String(attribute)]) =
            parts.as_array_mut().map(Vec::as_mut_slice)
        else {
            return self.value(parts);
        };
        if let Some((property, rest)) = attribute.split_once('.')
            && let Some(made) = self.names.get(&(id.clone(), property.to_owned()))
        {
            (*id, *attribute) = (made.clone(), rest.to_owned());
        } else if let Some(made) = self.renamed.get(id) {
            *id = made.clone();
        }
    }

    fn needs(&self, value: &mut Value) {
        if let Some(items) = value.as_array_mut() {
            items.iter_mut().for_each(|item| self.reference(item));
        } else {
            self.reference(value);
        }
    }

    fn substitution(&self, argument: &mut Value) {
        match argument {
            Value::String(text) => *text = self.text(text, &Value::Null),
            Value::Array(items) => {
                if let [Value::String(text), own] = items.as_mut_slice() {
                    *text = self.text(text, own);
                    self.value(own);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                self.value(argument);
            }
        }
    }

    fn text(&self, text: &str, own: &Value) -> String {
        let mut made = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, behind)) = after.split_once('}') else { break };
            made.push_str(before);
            made.push_str("${");
            made.push_str(&self.placeholder(name, own));
            made.push('}');
            rest = behind;
        }
        made.push_str(rest);
        made
    }

    fn placeholder(&self, name: &str, own: &Value) -> String {
        let plain = name.trim();
        if own.get(plain).is_some() {
            return name.to_owned();
        }
        if let Some(made) = self.made(plain) {
            return made.clone();
        }
        let mut parts = plain.splitn(3, '.');
        let (id, property, rest) = (parts.next(), parts.next(), parts.next());
        let of_made = |(id, property): (&str, &str)| {
            let made = self.names.get(&(id.to_owned(), property.to_owned()))?;
            Some(format!("{made}.{}", rest?))
        };
        let of_renamed = |(id, _): (&str, &str)| {
            let made = self.renamed.get(id)?;
            Some(format!("{made}{}", &plain[id.len()..]))
        };
        let pair = id.zip(property);
        pair.and_then(of_made)
            .or_else(|| pair.and_then(of_renamed))
            .unwrap_or_else(|| name.to_owned())
    }
}
