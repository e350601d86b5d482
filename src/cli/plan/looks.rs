//! Looks at every target once. Calls that change something are refused before they are made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::aws::{Access, Aws, Permission, TargetApi};
use crate::clock::Clock;
use crate::desired::{Desired, Wanted};
use crate::drift::{DriftRecord, Hidden, sift};
use crate::fleet::DriftRules;
use crate::ids::{StackKey, StackName, Target};
use crate::journal::{Journal, JournalError};
use crate::observe::{Sight, observe, swept_targets};
use crate::observed::{Blind, Seen, Standing};
use crate::plan::StackRecord;
use crate::plan::preview::{Sighted, memories};

/// Targets looked at at once: they wait for AWS nearly all of the time, and AWS is paced elsewhere.
const LOOKS: usize = 256;
/// Who we are where no journal says it; the tokens of a controller never hold this.
pub(super) const NOBODY: &str = "plan";

pub(super) type Places = BTreeMap<Target, Result<Sighted, Blind>>;

/// What looks are made with.
#[derive(Clone, Copy)]
pub(super) struct Looking<'a> {
    pub(super) desired: &'a Arc<Desired>,
    pub(super) aws: &'a Aws,
    pub(super) journal: Option<&'a Journal>,
    pub(super) clock: &'a Clock,
}

impl Looking<'_> {
    /// All targets where something is wanted or may be left.
    pub(super) fn everywhere(&self) -> Result<BTreeSet<Target>, JournalError> {
        let mut targets: BTreeSet<Target> = self.desired.targets().cloned().collect();
        match self.journal {
            Some(journal) => targets.extend(journal.targets_with_stacks()?),
            // Nobody remembers where stacks were left: they may be in any region of a known account.
            None => targets.extend(swept_targets(self.desired)),
        }
        Ok(targets)
    }

    /// The calls of a target. Those that change something are refused unless `may` allows them.
    pub(super) fn api(&self, target: &Target, may: Permission) -> TargetApi {
        let access = Access {
            role_arn: self.desired.role_arn(target),
            external_id: self.desired.external_id().map(str::to_owned),
        };
        self.aws.target(target, &access).while_allowed(may)
    }

    /// Looks at these targets. What the journal remembers is read and never written. Of `drift`
    /// AWS is asked how their resources were when it looked into them last, where the journal does
    /// not know.
    pub(super) async fn look_at(
        &self,
        targets: BTreeSet<Target>,
        drift: &BTreeSet<StackKey>,
    ) -> Result<Places, JournalError> {
        let mut looks = JoinSet::new();
        let mut places = Places::new();
        let words = self.journal.map_or_else(|| Ok(BTreeMap::new()), Journal::last_words)?;
        for target in targets {
            let mut known = Known::of(self.journal, &target)?;
            known.records.values_mut().for_each(|row| row.memory.hear(&words));
            known.asked = drift.iter().filter(|key| key.target == target).cloned().collect();
            if looks.len() >= LOOKS {
                keep(looks.join_next().await, &mut places);
            }
            let api = self.api(&target, Arc::new(|| false));
            let (desired, clock) = (Arc::clone(self.desired), self.clock.clone());
            looks.spawn(async move {
                let place = look(&api, &desired, known, &clock).await;
                (target, place)
            });
        }
        while let Some(looked) = looks.join_next().await {
            keep(Some(looked), &mut places);
        }
        Ok(places)
    }
}

/// What is known of a target before a look, and what is asked besides.
struct Known {
    records: BTreeMap<StackName, StackRecord>,
    drifts: BTreeMap<StackName, DriftRecord>,
    asked: BTreeSet<StackKey>,
    controller: String,
}

impl Known {
    fn of(journal: Option<&Journal>, target: &Target) -> Result<Self, JournalError> {
        let (records, drifts) = match journal {
            Some(journal) => (journal.stacks_in(target)?, journal.drift_in(target)?),
            None => (BTreeMap::new(), BTreeMap::new()),
        };
        let controller = journal.map_or(NOBODY, Journal::controller_id).to_owned();
        Ok(Self { records, drifts, asked: BTreeSet::new(), controller })
    }
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
    known: Known,
    clock: &Clock,
) -> Result<Sighted, Blind> {
    let Known { records, mut drifts, asked, controller } = known;
    let sight = observe(api, clock, desired, &records, &controller).await?;
    let Sight { look, insights, operations, learnt, another_controller } = sight;
    let memories = memories(desired, &look, &records, &insights, &operations, &learnt);
    for key in asked {
        let (Some(seen), Some(wanted)) = (look.stacks.get(&key.name), desired.wanted(&key)) else {
            continue;
        };
        let is_known = drifts.get(&key.name).is_some_and(|known| known.checked_at.is_some());
        if !is_known && seen.status.standing() == Standing::Complete {
            let record = drift_of(api, desired, wanted, seen, clock).await;
            drifts.insert(key.name.clone(), record);
        }
    }
    Ok(Sighted { look, memories, insights, drifts, another_controller })
}

/// How the resources of a stack were when AWS looked into it last, if it ever did.
async fn drift_of(
    api: &TargetApi,
    desired: &Desired,
    wanted: &Wanted,
    seen: &Seen,
    clock: &Clock,
) -> DriftRecord {
    let now = clock.now();
    let mut record = DriftRecord::due(&seen.key, now);
    record.tenant = Some(wanted.tenant.name.clone());
    record.service = Some(wanted.service.name.clone());
    let rules =
        DriftRules::of(&desired.fleet, &wanted.service, wanted.exception(), &wanted.tenant.labels);
    let hidden = Hidden::of(&wanted.service.template);
    match api.drifted_resources(&seen.id).await {
        Ok(drifted) => {
            let passed = drifted.iter().map(|drift| sift(&rules, drift, "", &hidden));
            record.findings = passed.flat_map(|passed| passed.findings).collect();
        }
        Err(error) => record.trouble = Some(error.cause().to_string()),
    }
    record
}
