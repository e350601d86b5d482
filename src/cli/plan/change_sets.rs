//! Makes real change sets to look at, and removes them. Nothing is executed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::artifacts::{Artifacts, Contents};
use crate::aws::{AwsError, StackInputs, TargetApi};
use crate::board::Order;
use crate::cli::plan::looks::{Looking, Places};
use crate::clock::Clock;
use crate::desired::Wanted;
use crate::ids::{Digest, StackId, StackKey, StackName, Target};
use crate::observed::ChangeSetStatus;
use crate::outcome::StepKind;
use crate::plan::preview::{LiveScene, Sample, SampleFound, words};
use crate::plan::{Decided, Decision, Lack, Rendered};

/// How often a change set is asked about: AWS needs seconds, and minutes for the largest stacks.
const POLLS: u32 = 120;
/// How often one that AWS would not remove is tried again: a minute's worth.
const REMOVALS: u32 = 30;
/// Between two questions.
const PAUSE: Duration = Duration::from_secs(2);
/// The names of these change sets. They are no controller's, so no controller takes them for its own.
pub(super) const PREFIX: &str = "plan-preview-";

/// One change set that is to be made.
struct Wish {
    wanted: Wanted,
    stack: StackId,
    rendered: Rendered,
}

/// What is to be made in one target, and what cannot be.
pub(super) struct Wishes {
    target: Target,
    wishes: Vec<Wish>,
    refused: Vec<Sample>,
}

/// What to make change sets of: these stacks as they are wanted now.
pub(super) fn wishes(
    looking: Looking<'_>,
    scene: &LiveScene<'_>,
    places: &Places,
    chosen: &BTreeMap<Target, BTreeSet<StackName>>,
) -> Vec<Wishes> {
    let of = |(target, names): (&Target, &BTreeSet<StackName>)| {
        let decided = match places.get(target) {
            Some(Ok(sighted)) => scene.decided(target, sighted),
            Some(Err(_)) | None => BTreeMap::new(),
        };
        let mut found = Wishes { target: target.clone(), wishes: Vec::new(), refused: Vec::new() };
        for name in names {
            let key = StackKey { target: target.clone(), name: name.clone() };
            let Some(wanted) = looking.desired.wanted(&key) else { continue };
            match wish(wanted, decided.get(name)) {
                Ok(wish) => found.wishes.push(wish),
                Err(why) => found.refused.push(sample(wanted, why)),
            }
        }
        found
    };
    chosen.iter().map(of).collect()
}

/// Makes the change sets, says what they would do, and removes them. Nothing new is begun once
/// `stopped`.
pub(super) async fn try_out(
    looking: Looking<'_>,
    wishes: Vec<Wishes>,
    contents: &Arc<dyn Contents>,
    stopped: &Arc<AtomicBool>,
) -> Vec<Sample> {
    let wishes =
        with_artifacts(&Artifacts::of(looking.aws.clone()), wishes, contents, stopped).await;
    let mut samples = Vec::new();
    let mut tries = JoinSet::new();
    for Wishes { target, wishes, refused } in wishes {
        samples.extend(refused);
        let (stopped, asked) = (Arc::clone(stopped), Arc::clone(stopped));
        let making = looking.api(&target, Arc::new(move || !asked.load(Ordering::SeqCst)));
        // What was made is removed, whatever happens.
        let api = looking.api(&target, Arc::new(|| true));
        let clock = looking.clock.clone();
        tries.spawn(async move {
            let mut found = Vec::new();
            for wish in wishes {
                let trying =
                    Trying { making: &making, api: &api, clock: &clock, stopped: &stopped };
                found.push(sample(&wish.wanted, trying.one(&wish).await));
            }
            found
        });
    }
    while let Some(found) = tries.join_next().await {
        match found {
            Ok(found) => samples.extend(found),
            // A bug; a preview without its stacks would be wrong.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    samples.sort_by(|one, other| one.key.cmp(&other.key));
    samples
}

/// CloudFormation reads what a template points to when it computes the changes: it is uploaded before.
async fn with_artifacts(
    artifacts: &Artifacts,
    mut all: Vec<Wishes>,
    contents: &Arc<dyn Contents>,
    stopped: &AtomicBool,
) -> Vec<Wishes> {
    for Wishes { wishes, refused, .. } in &mut all {
        for wish in std::mem::take(wishes) {
            if stopped.load(Ordering::SeqCst) {
                break;
            }
            let Some(Order { region, bucket, package }) = Order::of(&wish.rendered) else {
                wishes.push(wish);
                continue;
            };
            let blobs = &package.blobs;
            let uploads = artifacts.ensure_all(&region, &bucket, blobs, contents, |_| {}).await;
            match uploads.failures.into_values().next() {
                None => wishes.push(wish),
                Some(error) => {
                    let why = Lack::Failed { why: error.to_string(), lasts: true }.to_string();
                    refused.push(sample(&wish.wanted, SampleFound::NotMade(why)));
                }
            }
        }
    }
    all
}

fn sample(wanted: &Wanted, found: SampleFound) -> Sample {
    let (tenant, service) = (wanted.tenant.name.clone(), wanted.service.name.clone());
    Sample { key: wanted.key.clone(), tenant, service, found }
}

/// What to make a change set of; or why none is made.
fn wish(wanted: &Wanted, decided: Option<&Decided>) -> Result<Wish, SampleFound> {
    let not_made = |why: &str| SampleFound::NotMade(why.to_owned());
    let Some(decided) = decided else { return Err(not_made("its target cannot be seen")) };
    let step = match &decided.decision {
        Decision::InSync => return Err(SampleFound::Nothing),
        Decision::Nothing => return Err(not_made("it is not wanted")),
        Decision::Hold(hold) => return Err(SampleFound::NotMade(hold.to_string())),
        Decision::Step(step) => step,
    };
    let seen = match (&step.kind, &step.seen) {
        (StepKind::CreateChangeSet { .. } | StepKind::ExecuteChangeSet { .. }, Some(seen)) => seen,
        (StepKind::Create, _) => {
            return Err(not_made(
                "it is not there: a change set would leave an empty stack behind",
            ));
        }
        _ => return Err(SampleFound::NotMade(format!("first: {}", step.kind.word()))),
    };
    match &decided.rendered {
        Some(rendered) => {
            let (wanted, stack) = (wanted.clone(), seen.id.clone());
            Ok(Wish { wanted, stack, rendered: rendered.clone() })
        }
        None => Err(not_made("an output that it needs is not there")),
    }
}

/// What one change set is made with.
struct Trying<'a> {
    /// Makes, until it is told to stop.
    making: &'a TargetApi,
    /// Looks and removes.
    api: &'a TargetApi,
    clock: &'a Clock,
    stopped: &'a AtomicBool,
}

impl Trying<'_> {
    async fn one(&self, wish: &Wish) -> SampleFound {
        let parts = [wish.stack.as_str().as_bytes(), wish.rendered.digest.as_bytes()];
        let name = format!("{PREFIX}{}", &Digest::of_parts(parts).to_string()[..32]);
        // One that was left behind by a preview that was killed.
        if let Err(error) = self.making.delete_change_set(&wish.stack, &name).await {
            return SampleFound::NotMade(error.cause().to_string());
        }
        let token = format!("{name}-{}", self.clock.now().as_millis());
        let inputs = StackInputs::of(&wish.rendered);
        let made = self.making.create_change_set(&wish.stack, &name, &inputs, &token).await;
        let found = match made {
            Ok(()) => self.awaited(&wish.stack, &name).await,
            Err(error) if error.may_have_happened() => Err(error),
            Err(error) => return SampleFound::NotMade(error.cause().to_string()),
        };
        match (found, self.removed(&wish.stack, &name).await) {
            (Ok(found), Ok(())) => found,
            (_, Err(error)) => {
                let why = error.cause();
                SampleFound::NotMade(format!("its change set {name} could not be removed: {why}"))
            }
            (Err(error), Ok(())) => SampleFound::NotMade(error.cause().to_string()),
        }
    }

    /// What the set would do, once AWS has computed it.
    async fn awaited(&self, stack: &StackId, name: &str) -> Result<SampleFound, AwsError> {
        let not_made = |why: &str| Ok(SampleFound::NotMade(why.to_owned()));
        for _ in 0..POLLS {
            self.clock.sleep(PAUSE).await;
            if self.stopped.load(Ordering::SeqCst) {
                return not_made("it was told to stop");
            }
            let Some(found) = self.api.change_set(stack, name).await? else { continue };
            return Ok(match found.status {
                ChangeSetStatus::Pending => continue,
                ChangeSetStatus::Empty => SampleFound::Nothing,
                ChangeSetStatus::Failed(why) => SampleFound::Failed(why),
                ChangeSetStatus::Ready => SampleFound::Changes(words(&found.changes)),
                ChangeSetStatus::Obsolete => return not_made("the stack changed"),
                ChangeSetStatus::Unknown(word) => {
                    SampleFound::NotMade(format!("its status is {word}"))
                }
            });
        }
        not_made("AWS did not compute it within four minutes")
    }

    /// Removes the set. AWS refuses that while it computes it.
    async fn removed(&self, stack: &StackId, name: &str) -> Result<(), AwsError> {
        let mut tries = 0;
        loop {
            match self.api.delete_change_set(stack, name).await {
                Ok(()) => return Ok(()),
                Err(error) if tries == REMOVALS => return Err(error),
                Err(_) => tries += 1,
            }
            self.clock.sleep(PAUSE).await;
        }
    }
}
