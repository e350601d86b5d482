//! One process: a controller over a journal on disk, from its start to its end or death.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use driftless::aws::Aws;
use driftless::board::{Progress, Standing};
use driftless::clock::Clock;
use driftless::controller::{ControllerError, Settings, Until, run};
use driftless::git::{GitError, Source, SourceSettings};
use driftless::journal::{ActingLock, Journal, JournalError};
use driftless::sim::Cloud;
use tokio::sync::{mpsc, oneshot};

type Running = Pin<Box<dyn Future<Output = Result<Standing, ControllerError>>>>;

/// A process that runs.
pub(crate) struct Life {
    pub(crate) running: Running,
    pub(crate) journal: Journal,
    pub(crate) clock: Clock,
    news: mpsc::UnboundedReceiver<Progress>,
    stop: Option<oneshot::Sender<()>>,
    _lock: ActingLock,
}

/// Why a process could not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotStarted {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Git(#[from] GitError),
}

impl Life {
    /// Starts `driftless run` over the journal in `state`.
    pub(crate) fn start(
        cloud: &Cloud,
        clock: Clock,
        repository: &Path,
        state: &Path,
        seed: u64,
    ) -> Result<Self, NotStarted> {
        let path = state.join("state.db");
        let (journal, _) = Journal::open(&path, clock.now(), Some(seed))?;
        let lock = journal.lock_for_acting()?;
        let aws = Aws::simulated(
            cloud.http_client(),
            cloud.credentials(),
            clock.clone(),
            journal.controller_id(),
            "eu-central-1".parse().expect("a region"),
        );
        let path = repository.to_owned();
        let source = SourceSettings { path, revision: None, worktree: false, polled: true };
        let (send_news, news) = mpsc::unbounded_channel();
        let settings = Settings {
            source: Source::open(source)?,
            aws,
            journal: journal.clone(),
            clock: clock.clone(),
            look_every: Duration::from_secs(5),
            news: send_news,
            announcing: None,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            // A sender that is dropped is no order to stop.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let running = Box::pin(run(settings, Until::Stopped, shutdown));
        Ok(Self { running, journal, clock, news, stop: Some(stop), _lock: lock })
    }

    /// Asks it to end.
    pub(crate) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ = stop.send(());
        }
    }

    /// All that it has said since this was asked last.
    pub(crate) fn said(&mut self) -> Vec<Progress> {
        let mut said = Vec::new();
        while let Ok(news) = self.news.try_recv() {
            said.push(news);
        }
        said
    }
}
