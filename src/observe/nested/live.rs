//! The templates that a stack and its nested stacks have now. What is known from git costs no call:
//! a template in our bucket is named by its content.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::aws::{AwsError, TargetApi};
use crate::desired::Desired;
use crate::ids::{Digest, StackId};
use crate::observe::nested::{DEEPEST, MOST_STACKS, known};
use crate::observed::{ChangeSetSeen, ChangeSetStatus, Seen};
use crate::outcome::Memory;
use crate::package::{Package, Tree, is_nested, template_url, without_buckets};
use crate::plan::NESTED_STACK;
use crate::template::Template;

/// The packages of one service, as far as they may stand already.
struct InGit<'a> {
    /// By the digest that AWS gives back.
    by_digest: BTreeMap<Digest, &'a Package>,
    /// By the address in the entry of a nested stack.
    by_url: BTreeMap<&'a str, &'a Package>,
}

/// What the stack and its nested stacks are made of now, where a change set that waits to be checked
/// touches nested stacks, and what it does there is not known yet.
pub(in crate::observe) async fn live(
    api: &TargetApi,
    desired: &Desired,
    seen: &Seen,
    memory: &Memory,
    change_set: Option<&ChangeSetSeen>,
) -> Result<Option<Tree>, AwsError> {
    let is_asked =
        memory.change_set.as_ref().is_some_and(|own| !own.reverts && own.inside.is_none());
    let ready = change_set.filter(|set| is_asked && set.status == ChangeSetStatus::Ready);
    let touched = ready.into_iter().flat_map(|set| &set.changes);
    let touched: BTreeMap<&str, Option<&str>> = touched
        .filter(|change| change.kind == NESTED_STACK)
        .map(|change| (change.logical_id.as_str(), change.physical_id.as_deref()))
        .collect();
    if touched.is_empty() {
        return Ok(None);
    }
    let in_git = InGit::of(desired, seen);
    let version = memory.known.as_ref().filter(|known| known.version == seen.version());
    let root = version.and_then(|known| in_git.by_digest.get(&known.template?));
    if let Some(package) = root {
        return Ok(Some(package.tree()));
    }
    let Some(template) = template(api, &seen.id).await? else { return Ok(None) };
    let ids = touched.into_iter().filter_map(|(name, id)| Some((name.to_owned(), id?.to_owned())));
    let mut looks = 0;
    Box::pin(in_git.tree(api, template, ids.collect(), 1, &mut looks)).await.map(Some)
}

impl<'a> InGit<'a> {
    fn of(desired: &'a Desired, seen: &Seen) -> Self {
        let package = desired.wanted(&seen.key).map(|wanted| wanted.service.package.as_ref());
        let all = || package.into_iter().flat_map(Package::all).map(|(_, package)| package);
        let by_digest = all().map(|package| (package.returned_digest(), package));
        let nested = all().flat_map(|package| {
            package.nested.iter().filter_map(|(name, nested)| {
                let entry = package.template.resources().get(name)?;
                Some((template_url(&entry.kind, entry.properties())?, nested.as_ref()))
            })
        });
        Self { by_digest: by_digest.collect(), by_url: nested.collect() }
    }

    /// A template with those of its nested stacks, whose ids are known.
    async fn tree(
        &self,
        api: &TargetApi,
        template: Arc<Template>,
        ids: BTreeMap<String, String>,
        depth: usize,
        looks: &mut usize,
    ) -> Result<Tree, AwsError> {
        let mut nested = BTreeMap::new();
        for (name, entry) in template.resources() {
            if !is_nested(&entry.kind) {
                continue;
            }
            let url = template_url(&entry.kind, entry.properties());
            if let Some(package) = url.and_then(|url| self.by_url.get(url)) {
                nested.insert(name.clone(), package.tree());
                continue;
            }
            let Some(id) = ids.get(name).map(|id| StackId::of(id)) else { continue };
            *looks += 1;
            if *looks > MOST_STACKS || depth > DEEPEST {
                continue;
            }
            if let Some(below) = self.below(api, &id, depth, looks).await? {
                nested.insert(name.clone(), below);
            }
        }
        Ok(Tree { template, nested })
    }

    /// What a nested stack is made of.
    async fn below(
        &self,
        api: &TargetApi,
        stack: &StackId,
        depth: usize,
        looks: &mut usize,
    ) -> Result<Option<Tree>, AwsError> {
        let Some(template) = template(api, stack).await? else { return Ok(None) };
        let is_in_git = |name: &str| {
            let entry = template.resources().get(name);
            let url = entry.and_then(|entry| template_url(&entry.kind, entry.properties()));
            url.is_some_and(|url| self.by_url.contains_key(url))
        };
        let nested = template.resources().iter().filter(|(_, entry)| is_nested(&entry.kind));
        let must_ask = nested.into_iter().any(|(name, _)| !is_in_git(name));
        let resources = match must_ask {
            true => known(api.resources(stack).await)?.unwrap_or_default(),
            false => Vec::new(),
        };
        let ids = resources.into_iter().filter(|resource| resource.kind == NESTED_STACK);
        let ids = ids.filter_map(|resource| Some((resource.logical_id, resource.physical_id?)));
        let tree = self.tree(api, template, ids.collect(), depth + 1, looks);
        Box::pin(tree).await.map(Some)
    }
}

/// The template of a stack with the placeholders for the bucket; `None` where there is none that can
/// be read.
async fn template(api: &TargetApi, stack: &StackId) -> Result<Option<Arc<Template>>, AwsError> {
    let Some(body) = known(api.template(stack).await)? else { return Ok(None) };
    let Ok(seen) = Template::parse(&body) else { return Ok(None) };
    let mut value = seen.value().clone();
    without_buckets(&mut value);
    if value == *seen.value() {
        return Ok(Some(Arc::new(seen)));
    }
    Ok(Template::parse(&value.to_string()).ok().map(Arc::new))
}
