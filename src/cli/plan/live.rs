//! What AWS shows: of the whole fleet, or of what a change touches, with real change sets of a few
//! stacks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::artifacts::Contents;
use crate::cli::Failure;
use crate::cli::converge::stop_signals;
use crate::cli::opening::cloud;
use crate::cli::plan::looks::{Looking, NOBODY, Places};
use crate::cli::plan::{Means, change_sets};
use crate::desired::Desired;
use crate::ids::{Digest, StackKey, StackName, Target};
use crate::journal::Journal;
use crate::plan::Steering;
use crate::plan::deletions::{self, DeletionBook};
use crate::plan::preview::{LiveScene, Preview, beside, preview_live, representatives, touched};

/// What is asked of AWS about a change.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    /// Whether all that it touches is looked at.
    pub(super) all: bool,
    /// Of how many targets real change sets are made.
    pub(super) samples: usize,
}

/// What a controller would begin to do now, everywhere.
pub(super) async fn everywhere(
    desired: Arc<Desired>,
    means: Means<'_>,
) -> Result<Preview, Failure> {
    with_looking(&desired, means, async |looking| {
        let places = looking.look_at(looking.everywhere()?, &BTreeSet::new()).await?;
        with_scene(looking, means, &places, preview_live)
    })
    .await
}

/// A change with what AWS shows of what it touches.
pub(super) async fn of_change(
    change: Preview,
    desired: Arc<Desired>,
    means: Means<'_>,
    asked: Asked,
) -> Result<Preview, Failure> {
    let chosen = representatives(&change, &desired, asked.samples);
    let all = touched(&change);
    let seen: BTreeSet<StackKey> =
        all.into_iter().filter(|key| asked.all || chosen.contains_key(&key.target)).collect();
    if seen.is_empty() {
        return Ok(change);
    }
    with_looking(&desired, means, async |looking| {
        let places = looking.look_at(around(&desired, &seen), &seen).await?;
        let mut preview = with_scene(looking, means, &places, |scene| beside(change, scene))?;
        if asked.samples > 0 {
            tried_out(looking, means, &places, &chosen, &mut preview).await?;
        }
        Ok(preview)
    })
    .await
}

/// The targets of these stacks, and those whose stacks they wait for.
fn around(desired: &Desired, seen: &BTreeSet<StackKey>) -> BTreeSet<Target> {
    let mut targets: BTreeSet<Target> = seen.iter().map(|key| key.target.clone()).collect();
    if !desired.needed_at_home.is_empty() {
        let homes = targets.iter().filter_map(|target| desired.home_of(&target.account));
        let homes: Vec<Target> = homes.collect();
        targets.extend(homes);
    }
    targets
}

async fn tried_out(
    looking: Looking<'_>,
    means: Means<'_>,
    places: &Places,
    chosen: &BTreeMap<Target, BTreeSet<StackName>>,
    preview: &mut Preview,
) -> Result<(), Failure> {
    let stopped = Arc::new(AtomicBool::new(false));
    let (told, at_once) = stop_signals()?;
    let wishes = with_scene(looking, means, places, |scene| {
        change_sets::wishes(looking, scene, places, chosen)
    })?;
    let contents: Arc<dyn Contents> = Arc::new(means.settings.source()?);
    // What was made is removed first; a second signal ends it where it is.
    let noted = Arc::clone(&stopped);
    let listening = tokio::spawn(async move {
        told.await;
        noted.store(true, Ordering::SeqCst);
    });
    preview.samples = tokio::select! {
        biased;
        samples = change_sets::try_out(looking, wishes, &contents, &stopped) => samples,
        () = at_once => return Err(Failure::new(
            format!("stopped at once: change sets named {}... may be left", change_sets::PREFIX),
            "run it again, which removes them, or delete them in the console",
        )),
    };
    listening.abort();
    if stopped.load(Ordering::SeqCst) {
        let help = "what was made is removed unless the plan said otherwise; run it again";
        return Err(Failure::new("stopped before the preview was complete", help));
    }
    Ok(())
}

async fn with_looking<T>(
    desired: &Arc<Desired>,
    means: Means<'_>,
    work: impl AsyncFnOnce(Looking<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let Means { settings, clock, journal } = means;
    let controller = journal.map_or(NOBODY, Journal::controller_id);
    let aws = cloud(&desired.fleet, settings, clock, controller).await?;
    work(Looking { desired, aws: &aws, journal, clock }).await
}

fn with_scene<T>(
    looking: Looking<'_>,
    means: Means<'_>,
    places: &Places,
    work: impl FnOnce(&LiveScene<'_>) -> T,
) -> Result<T, Failure> {
    let Means { clock, journal, .. } = means;
    let now = clock.now();
    let (steering, book) = match journal {
        Some(journal) => (journal.steering(now)?, journal.deletion_book(now)?),
        // Whoever acts will begin a journal, beside the stacks that are there.
        None => {
            let gap_until = Some(now + deletions::WINDOW);
            (Steering::default(), DeletionBook { gap_until, ..DeletionBook::default() })
        }
    };
    // Without a journal no value is remembered, so none is compared.
    let keyed_hash =
        |text: &str| journal.map_or_else(|| Digest::of(b""), |journal| journal.keyed_hash(text));
    Ok(work(&LiveScene {
        desired: looking.desired,
        steering: &steering,
        places,
        book: &book,
        keyed_hash: &keyed_hash,
        now,
    }))
}
