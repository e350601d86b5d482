//! What `run` and `apply` have in common: journal, lock, cloud, controller, signals, and somebody
//! who listens.

use std::future::Future;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use crate::announce::{Means, over_https};
use crate::board::Standing;
use crate::cli::Failure;
use crate::cli::log::{self, Screen};
use crate::cli::opening::{cloud, opened};
use crate::cli::progress::listen;
use crate::clock::Clock;
use crate::controller::{self, Until, checked};
use crate::desired::Desired;
use crate::fleet::{Cloud, Fleet};
use crate::git::Source;
use crate::journal::{ActingLock, Journal};
use crate::settings::{Settings, variable};

/// A journal that this process may act with.
pub(super) struct Acting {
    journal: Journal,
    screen: Screen,
    _lock: ActingLock,
}

/// How a controller ended.
pub(super) struct Ended {
    /// How the fleet stands.
    pub(super) standing: Standing,
    /// Whether somebody told it to.
    pub(super) told_to: bool,
}

impl Acting {
    /// Starts logging, opens the journal and takes the right to act.
    pub(super) fn begin(settings: &Settings, clock: &Clock) -> Result<Self, Failure> {
        let screen = log::start(settings, clock);
        let (journal, aside) = Journal::open(&settings.state, clock.now(), None)?;
        let lock = journal.lock_for_acting()?;
        if let Some(aside) = aside {
            warn!(
                "the journal {} was damaged ({}) and is now {}: what is known is rebuilt from AWS, \
                 approvals and suspensions are lost",
                aside.from.display(),
                aside.why,
                aside.to.display()
            );
        }
        Ok(Self { journal, screen, _lock: lock })
    }

    /// The journal.
    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Converges until `until`, or until a signal asks to stop.
    pub(super) fn converge(
        self,
        until: Until,
        source: Source,
        settings: &Settings,
        clock: &Clock,
    ) -> Result<Ended, Failure> {
        let runtime = runtime()?;
        let ended = runtime.block_on(self.run(until, source, settings, clock));
        // A second signal means now: what is still blocked in a thread is not waited for.
        runtime.shutdown_background();
        ended
    }

    async fn run(
        self,
        until: Until,
        source: Source,
        settings: &Settings,
        clock: &Clock,
    ) -> Result<Ended, Failure> {
        let (told, at_once) = stop_signals()?;
        tokio::pin!(told);
        if until == Until::Stopped {
            fetch_on_hangup(&source)?;
            tokio::select! {
                biased;
                () = &mut told => return Ok(Ended { standing: Standing::default(), told_to: true }),
                fetched = self.fetched(&source, clock) => fetched?,
            }
        }
        let fleet = self.fleet(&source, settings)?;
        let aws = cloud(&fleet, settings, clock, self.journal.controller_id()).await?;
        let look_every = match fleet.cloud {
            Cloud::Simulated => settings.look_every_simulated(),
            Cloud::Aws => settings.look_every_aws(),
        };
        info!("watching {}; its cloud is {}", source.describe(), in_words(&fleet, settings));
        let (news, heard) = mpsc::unbounded_channel();
        let listening = tokio::spawn(listen(
            heard,
            settings.clone(),
            source.clone(),
            self.screen.clone(),
            clock.clone(),
        ));
        let clock = clock.clone();
        let journal = self.journal.clone();
        // Whoever converges once sees what happens.
        let announcing = (until == Until::Stopped).then(means);
        let settings =
            controller::Settings { source, aws, journal, clock, look_every, news, announcing };
        let told_to = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let noted = std::sync::Arc::clone(&told_to);
        let shutdown = async move {
            told.await;
            noted.store(true, std::sync::atomic::Ordering::SeqCst);
        };
        let standing = tokio::select! {
            biased;
            ended = controller::run(settings, until, shutdown) => ended?,
            () = at_once => return Err(Failure::new(
                "stopped at once, without waiting for running calls",
                "start it again: it looks what became of them",
            )),
        };
        // The controller is gone, so the listener has heard everything once it ends.
        let _ = listening.await;
        Ok(Ended { standing, told_to: told_to.load(std::sync::atomic::Ordering::SeqCst) })
    }

    /// Fetches a remote repository for the first time. What was fetched before is gone on with when it
    /// fails. Without that, a fleet that was converged before is waited for; one that never was is
    /// most likely named wrongly, and whoever names it is told at once.
    async fn fetched(&self, source: &Source, clock: &Clock) -> Result<(), Failure> {
        let seed = self.journal.controller_id();
        let Some(mut fetching) = source.keep_fetching(clock.clone(), seed) else { return Ok(()) };
        while let Some(error) = fetching.ended().await {
            if source.head().is_ok() {
                break;
            }
            if self.journal.accepted_revision()?.is_none() {
                return Err(Failure::from(&*error));
            }
            self.journal.note_origin(source.origin().as_ref())?;
        }
        Ok(())
    }

    /// The Fleet document: of the newest revision, or of the last good one when that is refused.
    fn fleet(&self, source: &Source, settings: &Settings) -> Result<Fleet, Failure> {
        let newest = source.read().map(opened).map_err(Failure::from);
        let refused = match &newest {
            Ok(opened) => match &opened.desired {
                Some(desired) => return Ok(Fleet::clone(&desired.fleet)),
                None => opened.wanted(settings).err(),
            },
            Err(failure) => Some(failure.clone()),
        };
        match self.last_good(source)? {
            Some(desired) => Ok(Fleet::clone(&desired.fleet)),
            None => Err(refused.unwrap_or_default()),
        }
    }

    fn last_good(&self, source: &Source) -> Result<Option<Desired>, Failure> {
        let Some(accepted) = self.journal.accepted_revision()? else { return Ok(None) };
        let snapshot = source.read_at(accepted.revision.as_str()).ok();
        Ok(snapshot.and_then(|snapshot| checked(&snapshot).desired))
    }
}

/// SIGHUP has a remote repository fetched at once, as one that was just pushed to.
fn fetch_on_hangup(source: &Source) -> Result<(), Failure> {
    if source.origin().is_none() {
        return Ok(());
    }
    let (mut hangup, source) = (listening(SignalKind::hangup())?, source.clone());
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            source.fetch_soon();
        }
    });
    Ok(())
}

fn listening(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure {
        causes: vec![error.to_string()],
        ..Failure::new("cannot listen for signals", "raise the limit of open files (ulimit -n)")
    })
}

fn in_words(fleet: &Fleet, settings: &Settings) -> String {
    match fleet.cloud {
        Cloud::Aws => "AWS".to_owned(),
        Cloud::Simulated => format!(
            "simulated in `{}`, {} times as fast as AWS",
            settings.cloud_folder().display(),
            settings.simulated_speed()
        ),
    }
}

/// What channels are told with.
pub(super) fn means() -> Means {
    Means { post: over_https(), environment: std::sync::Arc::new(variable) }
}

pub(super) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| Failure {
        causes: vec![error.to_string()],
        ..Failure::new("cannot start threads", "raise the limit of processes (ulimit -u)")
    })
}

/// The first resolves when SIGTERM or SIGINT comes, the second when one comes again.
pub(super) fn stop_signals() -> Result<
    (impl Future<Output = ()> + Send + use<>, impl Future<Output = ()> + Send + use<>),
    Failure,
> {
    let (mut terminate, mut interrupt) =
        (listening(SignalKind::terminate())?, listening(SignalKind::interrupt())?);
    let (first, told) = oneshot::channel();
    let (second, at_once) = oneshot::channel();
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        info!("told to stop; a second signal stops at once");
        let _ = first.send(());
        either(&mut terminate, &mut interrupt).await;
        let _ = second.send(());
    });
    let when = |told: oneshot::Receiver<()>| async move {
        if told.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    Ok((when(told), when(at_once)))
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
