//! What packages need in which buckets: what is ordered, how far that is, why it fails, and which targets
//! wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use crate::artifacts;
use crate::board::{Board, Progress, lock};
use crate::ids::{Digest, Region, Target};
use crate::moment::Moment;
use crate::package::{BlobName, Package};
use crate::plan::{Lack, Rendered};

/// The pause after the first failure that may pass by itself; doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause, and that after what a person has to mend: the calls of one try are few.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// What has failed so many times in a row is no longer waited for, though it is tried again.
const LASTING: u32 = 3;

/// What one package needs in one bucket.
#[derive(Clone, Debug)]
pub struct Order {
    /// Where the bucket is.
    pub region: Region,
    /// The bucket.
    pub bucket: String,
    /// What is needed.
    pub package: Arc<Package>,
}

/// The same for the same contents in the same bucket.
pub type OrderKey = (Region, String, Digest);
type BucketKey = (Region, String);

/// An order that is to be carried out now.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Which.
    pub key: OrderKey,
    /// What is needed.
    pub order: Order,
    /// The content to begin with: where that fails for the bucket's sake, so do all others.
    pub first: BlobName,
}

/// What is said of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stocked {
    /// These contents are looked for in it; what is missing is uploaded.
    Begun {
        /// Which bucket.
        bucket: String,
        /// Contents in all.
        count: usize,
        /// Their bytes, before they are zipped.
        bytes: u64,
    },
    /// What it lacked was uploaded, as far as it could be.
    Ended {
        /// Which bucket.
        bucket: String,
        /// Contents that it lacked.
        count: usize,
        /// Bytes that were sent.
        bytes: u64,
    },
    /// Something cannot be uploaded, and somebody has to do something about it. Said once.
    Failed {
        /// Why, with what to do.
        why: String,
    },
}

/// How far the orders are that are not carried out yet, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filling {
    /// Contents that are there already.
    pub there: usize,
    /// All of them.
    pub all: usize,
    /// Bytes of those that are there.
    pub bytes_done: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// All orders of a controller. Time is passed in.
#[derive(Debug, Default)]
pub struct Stock {
    entries: BTreeMap<OrderKey, Entry>,
    /// When each order is begun that is neither under way nor carried out.
    due: BTreeSet<(Moment, OrderKey)>,
    under_way: usize,
    buckets: BTreeMap<BucketKey, Bucket>,
    /// News that nobody has heard yet.
    news: Vec<Stocked>,
}

#[derive(Debug)]
struct Entry {
    order: Order,
    state: State,
    trouble: Option<Trouble>,
    so_far: artifacts::Progress,
    waiting: BTreeSet<Target>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is begun then.
    Due(Moment),
    UnderWay,
    Ready,
}

/// Why the last try failed.
#[derive(Debug)]
struct Trouble {
    why: String,
    tries: u32,
    lasts: bool,
    /// Until the next try.
    pause: Duration,
    /// What the next try begins with.
    failed: BlobName,
}

/// What is told of a bucket.
#[derive(Debug, Default)]
struct Bucket {
    is_busy: bool,
    uploaded: usize,
    bytes: u64,
    /// The failures that were told and have not passed.
    told: BTreeSet<String>,
}

impl Order {
    /// What a stack needs; `None` where that is nothing.
    pub fn of(rendered: &Rendered) -> Option<Self> {
        let (package, region) = (Arc::clone(&rendered.package), rendered.region.clone());
        let bucket = rendered.bucket.clone().filter(|_| !package.blobs.is_empty())?;
        Some(Self { region, bucket, package })
    }

    fn key(&self) -> OrderKey {
        let names: Vec<String> = self.package.blobs.keys().map(ToString::to_string).collect();
        let digest = Digest::of_parts(names.iter().map(String::as_bytes));
        (self.region.clone(), self.bucket.clone(), digest)
    }
}

impl Stock {
    /// What a bucket lacks of an order; `None` when all is there.
    pub fn lack(&self, order: &Order) -> Option<Lack> {
        let entry = self.entries.get(&order.key());
        if entry.is_some_and(|entry| entry.state == State::Ready) {
            return None;
        }
        if let Some(Trouble { why, lasts, .. }) = entry.and_then(|entry| entry.trouble.as_ref()) {
            return Some(Lack::Failed { why: why.clone(), lasts: *lasts });
        }
        let blobs = &order.package.blobs;
        Some(Lack::Uploading {
            there: entry.map_or(0, |entry| entry.so_far.there),
            all: blobs.len(),
            bytes: blobs.values().map(|blob| blob.bytes()).sum(),
        })
    }

    /// Has an order carried out, and `waiting` woken when it is or fails otherwise. Returns whether
    /// all of it is there already.
    pub fn want(&mut self, order: Order, waiting: Option<&Target>, now: Moment) -> bool {
        let key = order.key();
        let due = &mut self.due;
        let entry = self.entries.entry(key.clone()).or_insert_with(|| {
            due.insert((now, key));
            let state = State::Due(now);
            let so_far = artifacts::Progress::default();
            Entry { order, state, trouble: None, so_far, waiting: BTreeSet::new() }
        });
        if entry.state == State::Ready {
            return true;
        }
        entry.waiting.extend(waiting.cloned());
        false
    }

    /// Another revision is wanted, whose services need these: what failed is tried at once. Whatever
    /// else was ordered is forgotten; the targets that waited for it are returned, and order it again
    /// if they need it still.
    pub fn begin_anew(&mut self, orders: Vec<Order>, now: Moment) -> BTreeSet<Target> {
        let wanted: BTreeSet<OrderKey> = orders.iter().map(Order::key).collect();
        let mut woken = BTreeSet::new();
        self.entries.retain(|key, entry| {
            if !wanted.contains(key) {
                woken.append(&mut entry.waiting);
            }
            wanted.contains(key) || entry.state == State::UnderWay
        });
        for order in orders {
            self.want(order, None, now);
        }
        self.due.clear();
        for (key, entry) in &mut self.entries {
            if let State::Due(at) = &mut entry.state {
                *at = now;
                self.due.insert((now, key.clone()));
            }
        }
        woken
    }

    /// The orders that are due, as long as fewer than `most` are under way.
    pub fn begin(&mut self, now: Moment, most: usize) -> Vec<Begun> {
        let mut begun = Vec::new();
        while self.under_way < most
            && let Some((at, key)) = self.due.first()
            && *at <= now
        {
            let key = key.clone();
            self.due.pop_first();
            self.tell_begin(&key);
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            let failed = entry.trouble.as_ref().map(|trouble| trouble.failed);
            let Some(first) = failed.or(entry.order.package.blobs.keys().next().copied()) else {
                continue;
            };
            entry.state = State::UnderWay;
            self.under_way += 1;
            begun.push(Begun { key, order: entry.order.clone(), first });
        }
        begun
    }

    /// When the next order is due.
    pub fn next_due(&self) -> Option<Moment> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Whether nothing is under way, nor about to be but what a person has to mend first.
    pub fn is_at_rest(&self) -> bool {
        let lasts = |entry: &Entry| entry.trouble.as_ref().is_some_and(|trouble| trouble.lasts);
        let is_at_rest = |entry: &Entry| match entry.state {
            State::Due(_) => lasts(entry),
            State::UnderWay => false,
            State::Ready => true,
        };
        self.entries.values().all(is_at_rest)
    }

    /// How far an order is.
    pub fn note(&mut self, key: &OrderKey, so_far: artifacts::Progress) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.so_far = so_far;
        }
    }

    /// What became of an order. Returns the targets that decide anew because of it.
    pub fn end(
        &mut self,
        key: &OrderKey,
        uploads: &artifacts::Uploads,
        now: Moment,
    ) -> BTreeSet<Target> {
        self.under_way -= 1;
        let bucket = self.buckets.entry((key.0.clone(), key.1.clone())).or_default();
        bucket.uploaded += uploads.uploaded;
        bucket.bytes += uploads.bytes;
        let Some(entry) = self.entries.get_mut(key) else { return BTreeSet::new() };
        let before = entry.trouble.take();
        let tries = before.as_ref().map_or(1, |trouble| trouble.tries + 1);
        let is_same = match Trouble::of(uploads, tries) {
            None => {
                entry.state = State::Ready;
                false
            }
            Some(trouble) => {
                let at = now + trouble.pause;
                entry.state = State::Due(at);
                self.due.insert((at, key.clone()));
                if trouble.lasts && bucket.told.insert(trouble.why.clone()) {
                    self.news.push(Stocked::Failed { why: trouble.why.clone() });
                }
                let is_same = before.as_ref().is_some_and(|before| {
                    before.why == trouble.why && before.lasts == trouble.lasts
                });
                entry.trouble = Some(trouble);
                is_same
            }
        };
        if let Some(before) = before.filter(|_| !is_same) {
            bucket.told.remove(&before.why);
        }
        let woken = if is_same { BTreeSet::new() } else { std::mem::take(&mut entry.waiting) };
        self.tell_end(key);
        woken
    }

    /// How far the orders are that are not carried out yet; `None` when nothing is under way.
    pub fn filling(&self) -> Option<Filling> {
        if self.under_way == 0 {
            return None;
        }
        let mut filling = Filling::default();
        for entry in self.entries.values().filter(|entry| entry.is_open()) {
            let blobs = &entry.order.package.blobs;
            filling.there += entry.so_far.there;
            filling.all += blobs.len();
            filling.bytes_done += entry.so_far.bytes_done;
            filling.bytes += blobs.values().map(|blob| blob.bytes()).sum::<u64>();
        }
        Some(filling)
    }

    /// A bucket at which nothing was under way is looked at for these contents. A further try after a
    /// failure is no news.
    fn tell_begin(&mut self, key: &OrderKey) {
        if self.entries.get(key).is_none_or(|entry| entry.trouble.is_some()) {
            return;
        }
        let bucket = self.buckets.entry((key.0.clone(), key.1.clone())).or_default();
        if std::mem::replace(&mut bucket.is_busy, true) {
            return;
        }
        let mut blobs = BTreeMap::new();
        for (_, entry) in in_bucket(&self.entries, key).filter(|(_, entry)| entry.is_open()) {
            let all = entry.order.package.blobs.iter();
            blobs.extend(all.map(|(name, blob)| (*name, blob.bytes())));
        }
        let (count, bytes) = (blobs.len(), blobs.values().sum());
        self.news.push(Stocked::Begun { bucket: key.1.clone(), count, bytes });
    }

    /// Nothing is under way any more at a bucket: what was uploaded is told once.
    fn tell_end(&mut self, key: &OrderKey) {
        if in_bucket(&self.entries, key).any(|(_, entry)| entry.is_open()) {
            return;
        }
        let Some(bucket) = self.buckets.get_mut(&(key.0.clone(), key.1.clone())) else { return };
        bucket.is_busy = false;
        let (count, bytes) =
            (std::mem::take(&mut bucket.uploaded), std::mem::take(&mut bucket.bytes));
        if count > 0 {
            self.news.push(Stocked::Ended { bucket: key.1.clone(), count, bytes });
        }
    }
}

/// The orders for the bucket of an order.
fn in_bucket<'e>(
    entries: &'e BTreeMap<OrderKey, Entry>,
    key: &'e OrderKey,
) -> impl Iterator<Item = (&'e OrderKey, &'e Entry)> {
    entries.iter().filter(move |(other, _)| (&other.0, &other.1) == (&key.0, &key.1))
}

impl Entry {
    /// Whether it is under way, or begins as soon as there is room.
    fn is_open(&self) -> bool {
        match self.state {
            State::UnderWay => true,
            State::Due(_) => self.trouble.is_none(),
            State::Ready => false,
        }
    }
}

impl Trouble {
    /// Why an order is not carried out; `None` when it is. What is wrong with the bucket comes first.
    fn of(uploads: &artifacts::Uploads, tries: u32) -> Option<Self> {
        let failures = &uploads.failures;
        let of_bucket = failures.iter().find(|(_, error)| error.is_of_bucket());
        let (name, error) = of_bucket.or_else(|| {
            let lasting = failures.iter().find(|(_, error)| !error.is_transient());
            lasting.or_else(|| failures.iter().next())
        })?;
        let more = failures.values().filter(|other| !other.is_of_bucket()).count();
        let more = match more.saturating_sub(usize::from(!error.is_of_bucket())) {
            0 => String::new(),
            more => format!(" (and {more} more like it)"),
        };
        let passes = failures.values().all(|error| error.is_transient());
        let growing = FIRST_PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(10));
        Some(Self {
            why: format!("{}{more}", text(name, error)),
            tries,
            lasts: tries >= LASTING || !passes,
            pause: if passes { growing.min(LONGEST_PAUSE) } else { LONGEST_PAUSE },
            failed: *name,
        })
    }
}

/// Why a content is not there. What is wrong with a bucket is the same for all contents, though S3 names
/// the one that was asked for.
fn text(name: &BlobName, error: &artifacts::ArtifactError) -> String {
    let text = error.to_string();
    if error.is_of_bucket() { text.replace(&name.key(), "driftless/*") } else { text }
}

impl Board {
    /// What buckets have and lack.
    pub fn stock(&self) -> MutexGuard<'_, Stock> {
        lock(&self.0.stock)
    }

    /// Has what a stack of `target` needs uploaded, and the target woken when it is there.
    pub fn order(&self, order: Order, target: &Target, now: Moment) {
        if self.stock().want(order, Some(target), now) {
            // It came while it was decided that it is not there.
            lock(&self.0.woken).insert(target.clone());
        }
    }

    /// Hands on what the stock has to tell.
    pub fn tell_stock(&self) {
        let news = std::mem::take(&mut self.stock().news);
        for news in news {
            self.tell(Progress::Artifacts(news));
        }
    }
}

#[cfg(test)]
mod tests;
