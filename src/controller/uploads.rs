//! Has what templates point to uploaded: for every service in every region where it is wanted, as soon
//! as a revision is taken, and for whatever else held stacks order. Nothing waits for it but those.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use crate::artifacts::{self, Artifacts, Contents, Put};
use crate::board::{Begun, Board, Order, OrderKey};
use crate::controller::{Controller, Settings};
use crate::desired::Desired;
use crate::ids::{Region, ServiceName};
use crate::moment::Moment;

/// Orders under way: each may have thousands of contents, of which the store sends a few at a time.
const AT_ONCE: usize = 32;

/// The orders that are under way; they end when this is dropped.
pub(super) struct Uploads {
    artifacts: Artifacts,
    contents: Arc<dyn Contents>,
    tasks: JoinSet<Ended>,
}

/// What became of an order.
pub(super) struct Ended {
    key: OrderKey,
    uploads: artifacts::Uploads,
}

impl Uploads {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            artifacts: Artifacts::of(settings.aws.clone()),
            contents: Arc::new(settings.source.clone()),
            tasks: JoinSet::new(),
        }
    }

    /// Returns when an order has ended; never while none is under way.
    pub(super) async fn ended(&mut self) -> Ended {
        match self.tasks.join_next().await {
            Some(ended) => ended.unwrap_or_else(resume),
            None => std::future::pending().await,
        }
    }

    /// Ends what is under way.
    pub(super) fn break_off(&mut self) {
        self.tasks.abort_all();
    }

    fn begin(&mut self, begun: Begun, board: &Board) {
        let (artifacts, contents) = (self.artifacts.clone(), Arc::clone(&self.contents));
        let board = board.clone();
        self.tasks.spawn(async move {
            let uploads = carry_out(&artifacts, &contents, &begun, &board).await;
            Ended { key: begun.key, uploads }
        });
    }
}

/// A task that panicked must not leave its order open for ever.
fn resume(error: JoinError) -> Ended {
    std::panic::resume_unwind(error.into_panic())
}

/// One content first: a bucket that is not there or denied is not asked thousands of times.
async fn carry_out(
    artifacts: &Artifacts,
    contents: &Arc<dyn Contents>,
    begun: &Begun,
    board: &Board,
) -> artifacts::Uploads {
    let Begun { key, order: Order { region, bucket, package }, first } = begun;
    let mut probed = artifacts::Uploads::default();
    if let Some(blob) = package.blobs.get(first) {
        match artifacts.ensure(region, bucket, (first, blob), contents).await {
            Ok(Put::WasThere) => {}
            Ok(Put::Uploaded { bytes }) => (probed.uploaded, probed.bytes) = (1, bytes),
            Err(error) if error.is_of_bucket() => {
                probed.failures.insert(*first, error);
                return probed;
            }
            // Others may be there for other packages meanwhile.
            Err(_) => {}
        }
    }
    let note = |so_far| {
        board.stock().note(key, so_far);
        board.note_moved();
    };
    let all = artifacts.ensure_all(region, bucket, &package.blobs, contents, note).await;
    artifacts::Uploads {
        were_there: all.were_there - probed.uploaded.min(all.were_there),
        uploaded: all.uploaded + probed.uploaded,
        bytes: all.bytes + probed.bytes,
        failures: all.failures,
    }
}

impl Controller {
    /// Orders what the services of a revision point to, in each region where they are wanted.
    pub(super) fn order_uploads(&mut self, desired: &Desired) {
        let now = self.settings.clock.now();
        let woken = self.board.stock().begin_anew(self.orders(desired), now);
        self.wake(&woken);
    }

    fn orders(&self, desired: &Desired) -> Vec<Order> {
        let only = self.until.only();
        let points = desired.services.values().filter(|service| !service.package.blobs.is_empty());
        let named: BTreeMap<&ServiceName, _> = points
            .filter(|service| only.has(Some(&service.name)))
            .map(|service| (&service.name, service))
            .collect();
        if named.is_empty() {
            return Vec::new();
        }
        let mut wanted: BTreeSet<(&ServiceName, &Region)> = BTreeSet::new();
        for (target, stacks) in &desired.stacks {
            if !self.until.includes(desired, target) {
                continue;
            }
            let stays = stacks.values().filter(|stack| !stack.asked_to_go);
            let names = stays.map(|stack| &stack.service.name);
            wanted.extend(
                names.filter(|name| named.contains_key(name)).map(|name| (name, &target.region)),
            );
        }
        let order = |(name, region): (&ServiceName, &Region)| {
            let (bucket, package) =
                (desired.fleet.bucket(region)?, Arc::clone(&named[name].package));
            Some(Order { region: region.clone(), bucket, package })
        };
        wanted.into_iter().filter_map(order).collect()
    }

    /// Begins the orders that are due.
    pub(super) fn start_uploads(&mut self) {
        if self.board.is_stopped() {
            return;
        }
        let begun = self.board.stock().begin(self.settings.clock.now(), AT_ONCE);
        if begun.is_empty() {
            return;
        }
        for begun in begun {
            self.uploads.begin(begun, &self.board);
        }
        self.board.tell_stock();
        self.board.note_moved();
    }

    /// When the next order is begun, if nothing else happens before.
    pub(super) fn next_upload(&self) -> Option<Moment> {
        (self.uploads.tasks.len() < AT_ONCE).then(|| self.board.stock().next_due()).flatten()
    }

    /// Writes down what became of an order, and wakes who waited for it.
    pub(super) fn uploaded(&mut self, ended: &Ended) {
        let now = self.settings.clock.now();
        let woken = self.board.stock().end(&ended.key, &ended.uploads, now);
        self.board.tell_stock();
        self.board.note_moved();
        self.wake(&woken);
    }
}
