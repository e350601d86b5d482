//! Stacks that lie in accounts, gathered into one service: those of the commonest template.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::{Digest, Target};
use crate::import::lift::commonest;
use crate::import::words::{counted, some};
use crate::import::{Found, Instance, Origin, Search};
use crate::observed::{Seen, Standing};
use crate::template::Template;

/// The tags by which driftless knows its stacks begin so.
const OWN_TAGS: &str = "driftless:";
/// The fleet that a stack belongs to.
const FLEET_TAG: &str = "driftless:fleet";

/// A stack whose name fits, with its template where it was read.
#[derive(Clone, Debug)]
pub struct Sighted {
    /// The stack.
    pub seen: Seen,
    /// Its template; not needed of one that is in trouble.
    pub template: Option<Arc<str>>,
}

/// Why a stack cannot be taken over, whatever its template is.
pub fn stack_trouble(seen: &Seen) -> Option<String> {
    if let Some(fleet) = seen.tags.get(FLEET_TAG) {
        return Some(format!("it belongs to the fleet `{fleet}`"));
    }
    let is_complete = seen.status.standing() == Standing::Complete;
    (!is_complete).then(|| format!("it is in {}", seen.status))
}

/// What the stacks have in common. Those of another template than most of them cannot be one service
/// with the others.
pub fn gather(search: &Search, sighted: Vec<Sighted>, capabilities: Vec<String>) -> Found {
    let mut known: BTreeMap<Arc<str>, Digest> = BTreeMap::new();
    let mut digests: BTreeMap<Digest, usize> = BTreeMap::new();
    for body in sighted.iter().filter_map(|one| one.template.as_ref()) {
        let digest = *known.entry(Arc::clone(body)).or_insert_with(|| digest_of(body));
        *digests.entry(digest).or_default() += 1;
    }
    let other: usize = digests.values().sum();
    let (chosen, count) = commonest(digests).unzip();
    let mut found = Found {
        origin: Origin::Stacks(search.clone()),
        pattern: search.pattern.clone(),
        template_body: String::new(),
        parameters: BTreeMap::new(),
        capabilities,
        tags: BTreeMap::new(),
        termination_protection: false,
        instances: Vec::new(),
        notes: Vec::new(),
    };
    let mut tags: BTreeMap<(String, String), usize> = BTreeMap::new();
    let (mut kept, mut protected) = (0, 0);
    for one in sighted {
        let Sighted { seen, template } = one;
        let digest = template.as_ref().and_then(|body| known.get(body)).copied();
        let is_other = digest.is_some() && digest != chosen;
        let trouble = stack_trouble(&seen).or_else(|| {
            is_other.then(|| {
                let most = counted(count.unwrap_or(0), "stack");
                format!("its template is not that of {most} of {other}")
            })
        });
        if trouble.is_none() {
            kept += 1;
            if found.template_body.is_empty() {
                found.template_body = template.as_deref().unwrap_or_default().to_owned();
            }
            protected += usize::from(seen.termination_protection);
            for (key, value) in seen.tags {
                *tags.entry((key, value)).or_default() += 1;
            }
        }
        found.instances.push(Instance {
            target: seen.key.target,
            stack: Some(seen.key.name.to_string()),
            values: seen.parameters,
            trouble,
        });
    }
    found.termination_protection = kept > 0 && protected == kept;
    found.notes.extend(unprotected(protected, kept));
    let own = |key: &String| key.starts_with(OWN_TAGS);
    let (common, others): (Vec<_>, Vec<_>) =
        tags.into_iter().filter(|((key, _), _)| !own(key)).partition(|(_, count)| *count == kept);
    found.tags = common.into_iter().map(|(tag, _)| tag).collect();
    let mut lost: Vec<String> =
        others.into_iter().map(|((key, _), _)| format!("`{key}`")).collect();
    lost.dedup();
    if !lost.is_empty() {
        found.notes.push(format!(
            "Tags that not all of them have alike are not written and go when the stacks are taken \
             over: {}.",
            lost.join(", ")
        ));
    }
    found.notes.extend(outside(search, &found.instances));
    found
}

/// What becomes of the protection that some of the stacks have, and not all.
fn unprotected(protected: usize, all: usize) -> Option<String> {
    let verb = if protected == 1 { "is" } else { "are" };
    (0 < protected && protected < all).then(|| {
        format!(
            "{protected} of {all} {verb} protected from deletion, and lose that when they are taken \
             over: `terminationProtection: true` gives it to all."
        )
    })
}

/// What is known of regions that tenants do not list.
fn outside(search: &Search, instances: &[Instance]) -> Vec<String> {
    let mut notes = Vec::new();
    let taken = instances.iter().filter(|one| one.trouble.is_none()).map(|one| &one.target);
    let there: Vec<&Target> = taken.filter(|target| search.outside.contains(*target)).collect();
    if !there.is_empty() {
        notes.push(format!(
            "{} in regions that their tenants do not list: {}. They are taken over too.",
            match there.len() {
                1 => "One of the stacks is".to_owned(),
                count => format!("{count} of the stacks are"),
            },
            some(there.into_iter())
        ));
    }
    if !search.unseen.is_empty() {
        notes.push(format!(
            "{} in regions that their tenants do not list cannot be seen, so that stacks there are \
             not known: {}.",
            counted(search.unseen.len(), "target"),
            some(search.unseen.iter())
        ));
    }
    notes
}

/// The digest of a template; one that is no template equals only its like.
fn digest_of(body: &str) -> Digest {
    let parsed = Template::parse(body);
    parsed.map_or_else(|_| Digest::of_parts([body.as_bytes()]), |known| known.digest())
}
