//! What CloudFormation's own macros make of a template: the loops of `AWS::LanguageExtensions` and the
//! resources of `AWS::Serverless-2016-10-31`. Other macros are somebody's code and stay unknown.

mod known;
mod loops;
mod sam;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::template::resource::{below, texts};
use crate::template::transform::known::Known;
pub(super) use crate::template::transform::loops::{json_text, length};
use crate::template::{Given, Template};

/// Loops and functions.
pub(super) const EXTENSIONS: &str = "AWS::LanguageExtensions";
/// SAM.
const SAM: &str = "AWS::Serverless-2016-10-31";

const RESOURCES: &str = "/Resources";

/// Something that could not be expanded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unknown {
    /// JSON pointer into the canonical form of the template as written.
    pub pointer: String,
    /// What, and why not, a whole sentence.
    pub message: String,
}

/// A template after the macros that are known here: what AWS makes resources of.
#[derive(Clone, Debug)]
pub struct Processed<'t> {
    source: &'t Template,
    made: Option<Arc<Expansion>>,
}

/// What macros made.
#[derive(Debug)]
pub(super) struct Expansion {
    template: Template,
    unknown: Vec<Unknown>,
    origins: BTreeMap<String, String>,
    approximate: BTreeSet<String>,
    hangs_on_parameters: bool,
}

/// What the macros make of a template whatever its parameters are, once it was asked for. Empty
/// inside: it hangs on parameters, and is made anew each time.
pub(super) type Cache = OnceLock<Option<Arc<Expansion>>>;

impl Processed<'_> {
    /// The template to look for resources in; the one that was processed where no macro is known.
    /// Macros that are not known here stay in its section `Transform`.
    pub fn template(&self) -> &Template {
        self.made.as_deref().map_or(self.source, |made| &made.template)
    }

    /// What could not be expanded and why, sorted. Macros of others are not among it.
    pub fn unknown(&self) -> &[Unknown] {
        self.made.as_deref().map_or(&[], |made| &made.unknown)
    }

    /// The key in the section `Resources`, as written, that a resource was made of. An API that
    /// nobody wrote is made of the first function that needs it.
    pub fn origin<'a>(&'a self, logical_id: &'a str) -> &'a str {
        let origin = self.made.as_deref().and_then(|made| made.origins.get(logical_id));
        origin.map_or(logical_id, String::as_str)
    }

    /// Whether other values of parameters may make other resources.
    pub fn hangs_on_parameters(&self) -> bool {
        self.made.as_deref().is_some_and(|made| made.hangs_on_parameters)
    }

    /// Whether AWS's logical id may end otherwise: it holds a hash of something that is not known
    /// here, such as the bucket of the code.
    pub fn is_approximate(&self, logical_id: &str) -> bool {
        self.made.as_deref().is_some_and(|made| made.approximate.contains(logical_id))
    }
}

impl Template {
    /// The same for parameters that all have their defaults.
    pub fn processed_by_default(&self) -> Processed<'_> {
        self.processed(&BTreeMap::new())
    }

    /// The template as the macros leave it that are known here, for these parameters; those that are
    /// missing have the template's defaults. It is the template itself, and no copy, where it has
    /// none of them, and what is made is kept where no parameter matters.
    pub fn processed(&self, parameters: &BTreeMap<String, Given>) -> Processed<'_> {
        let has = |name: &str| self.transforms.iter().any(|one| one == name);
        if !has(EXTENSIONS) && !has(SAM) {
            return Processed { source: self, made: None };
        }
        let now = OnceCell::new();
        let kept = self.processed.get_or_init(|| {
            let made = Arc::new(expansion(self, parameters));
            let _ = now.set(made.clone());
            (!made.hangs_on_parameters).then_some(made)
        });
        let made = kept.clone().or_else(|| now.into_inner());
        let made = made.unwrap_or_else(|| Arc::new(expansion(self, parameters)));
        Processed { source: self, made: Some(made) }
    }
}

fn expansion(source: &Template, parameters: &BTreeMap<String, Given>) -> Expansion {
    let known = Known::of(source, parameters);
    let mut value = source.value().clone();
    let mut unknown = Vec::new();
    let mut left: Vec<String> = Vec::new();
    let mut made = sam::Made::default();
    let mut of_loops = BTreeMap::new();
    for name in source.transforms() {
        match name.as_str() {
            EXTENSIONS => {
                let repeated = loops::expand(&mut value, &known);
                unknown.extend(repeated.unknown);
                of_loops = repeated.origins;
            }
            SAM => {
                made = sam::expand(&mut value, &known);
                unknown.append(&mut made.unknown);
                // What SAM takes may come out of a loop.
                let places = of_loops.iter();
                let places = places.map(|(id, key)| (below(RESOURCES, id), below(RESOURCES, key)));
                let places: BTreeMap<String, String> = places.collect();
                for one in &mut unknown {
                    if let Some(place) = places.get(&one.pointer) {
                        one.pointer.clone_from(place);
                    }
                }
            }
            other => left.push(other.to_owned()),
        }
    }
    // Loops whose items are not known wait for somebody who knows them.
    if source.transforms().iter().any(|name| name == EXTENSIONS) && loops::are_left(&value) {
        left.insert(0, EXTENSIONS.to_owned());
    }
    if let Some(sections) = value.as_object_mut() {
        let old = sections.remove("Transform").map(|old| includes(&old)).unwrap_or_default();
        let kept: Vec<Value> = left.into_iter().map(Value::from).chain(old).collect();
        if !kept.is_empty() {
            sections.insert("Transform".to_owned(), Value::Array(kept));
        }
    }
    unknown.sort();
    unknown.dedup();
    let is_partial = source.is_partial || !unknown.is_empty();
    let template = Template::made(value, is_partial);
    let sam::Made { mut origins, approximate, .. } = made;
    for origin in origins.values_mut() {
        if let Some(key) = of_loops.get(origin) {
            origin.clone_from(key);
        }
    }
    of_loops.append(&mut origins);
    let origins = of_loops;
    let hangs_on_parameters = known.mattered();
    Expansion { template, unknown, origins, approximate, hangs_on_parameters }
}

/// The macros of a section `Transform` that are maps with a name and parameters of their own.
fn includes(section: &Value) -> Vec<Value> {
    let items = section.as_array().map_or(std::slice::from_ref(section), Vec::as_slice);
    items.iter().filter(|one| texts(one).is_empty()).cloned().collect()
}

#[cfg(test)]
mod tests;
