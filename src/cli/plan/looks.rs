//! Looks at every target once. Calls that change something are refused before they are made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::aws::{Access, Aws, TargetApi};
use crate::clock::Clock;
use crate::desired::Desired;
use crate::ids::{StackName, Target};
use crate::journal::{Journal, JournalError};
use crate::observe::{Sight, observe, swept_targets};
use crate::observed::Blind;
use crate::plan::StackRecord;
use crate::plan::preview::{Sighted, memories};

/// Targets looked at at once: they wait for AWS nearly all of the time, and AWS is paced elsewhere.
const LOOKS: usize = 256;
/// Who we are where no journal says it; the tokens of a controller never hold this.
pub(super) const NOBODY: &str = "plan";

type Places = BTreeMap<Target, Result<Sighted, Blind>>;

/// Looks at all targets where something is wanted or may be left. What the journal remembers is
/// read and never written.
pub(super) async fn look_at_all(
    desired: &Arc<Desired>,
    aws: &Aws,
    journal: Option<&Journal>,
    clock: &Clock,
) -> Result<Places, JournalError> {
    let mut targets: BTreeSet<Target> = desired.targets().cloned().collect();
    match journal {
        Some(journal) => targets.extend(journal.targets_with_stacks()?),
        // Nobody remembers where stacks were left: they may be in any region of a known account.
        None => targets.extend(swept_targets(desired)),
    }
    let controller = journal.map_or(NOBODY, Journal::controller_id).to_owned();
    let mut looks = JoinSet::new();
    let mut places = Places::new();
    let words = journal.map_or_else(|| Ok(BTreeMap::new()), Journal::last_words)?;
    for target in targets {
        let mut records = match journal {
            Some(journal) => journal.stacks_in(&target)?,
            None => BTreeMap::new(),
        };
        records.values_mut().for_each(|row| row.memory.hear(&words));
        if looks.len() >= LOOKS {
            keep(looks.join_next().await, &mut places);
        }
        let access = Access {
            role_arn: desired.role_arn(&target),
            external_id: desired.external_id().map(str::to_owned),
        };
        let api = aws.target(&target, &access).while_allowed(Arc::new(|| false));
        let (desired, clock, controller) = (Arc::clone(desired), clock.clone(), controller.clone());
        looks.spawn(async move {
            let place = look(&api, &desired, &records, &clock, &controller).await;
            (target, place)
        });
    }
    while let Some(looked) = looks.join_next().await {
        keep(Some(looked), &mut places);
    }
    Ok(places)
}

type Looked = Result<(Target, Result<Sighted, Blind>), tokio::task::JoinError>;

fn keep(looked: Option<Looked>, places: &mut Places) {
    match looked {
        Some(Ok((target, place))) => {
            places.insert(target, place);
        }
        // A look that panicked is a bug; a plan without its target would be wrong.
        Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        None => {}
    }
}

async fn look(
    api: &TargetApi,
    desired: &Desired,
    records: &BTreeMap<StackName, StackRecord>,
    clock: &Clock,
    controller: &str,
) -> Result<Sighted, Blind> {
    let sight = observe(api, clock, desired, records, controller).await?;
    let Sight { look, insights, operations, learnt, another_controller } = sight;
    let memories = memories(desired, &look, records, &insights, &operations, &learnt);
    Ok(Sighted { look, memories, insights, another_controller })
}
