//! What is announced: what each channel was told, what happened, and the messages on their way.
//! What counts as told and what is to be sent change together, so that a crash loses neither.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::ids::StackKey;
use crate::journal::steering::count_change;
use crate::journal::{Journal, JournalError, from_row, moment, stored, to_row};
use crate::moment::Moment;
use crate::plan::{StackRecord, TargetRecord};
use crate::report::announcements::{Happening, Message, Told};
use crate::report::{ChannelRecord, SilentChannel, Trouble};

/// Messages that wait for one channel. More are a channel that nobody reads: the oldest digests go
/// first, and what still holds is said again.
pub const MAX_WAITING: u32 = 500;
/// Happenings kept for channels that have not heard them; the oldest go first.
const MAX_HAPPENINGS: u32 = 1_000;
/// Rows read before other threads get their turn.
const PAGE: usize = 500;
/// No pause is longer: one that seems to be was written by a clock that was wrong.
const LONGEST_PAUSE: Duration = Duration::from_secs(25 * 3_600);

/// A message that this process may send, until its lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Its number in the outbox.
    pub number: i64,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// The message.
    pub message: Message,
}

/// What there is to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Nothing,
    /// Something, but not before.
    Later(Moment),
    /// This, now.
    Now(Box<Claimed>),
}

/// What becomes of a message that did not arrive, and of its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// When it is tried again.
    pub at: Moment,
    /// Nothing is sent to the channel before.
    pub channel_at: Moment,
    /// Whether the receiver said that it will never take it.
    pub is_refused: bool,
    /// Whether it was not sent at all, for want of something here.
    pub is_here: bool,
    /// Why, in words.
    pub text: String,
}

impl Journal {
    /// Lets `say` decide what a channel is told, from what it was told and from what happened that
    /// it has not heard. What it says waits in the outbox when this returns.
    pub fn announce(
        &self,
        channel: &str,
        say: impl FnOnce(&mut Told, &[(i64, Happening)]) -> Vec<Message>,
    ) -> Result<usize, JournalError> {
        self.writing(|transaction| {
            let before = told(transaction, channel)?;
            let mut told = match &before {
                Some(told) => told.clone(),
                None => Told::from_now_on(newest_happening(transaction)?),
            };
            let happenings = happenings(transaction, told.heard())?;
            let messages = say(&mut told, &happenings);
            for message in &messages {
                put(transaction, channel, message)?;
            }
            bound(transaction, channel, &mut told, MAX_WAITING)?;
            if before.as_ref() != Some(&told) {
                put_told(transaction, channel, &told)?;
            }
            Ok(messages.len())
        })
    }

    /// Keeps what happened, for every channel to hear; what is kept already is not kept twice.
    pub fn note_happenings(&self, happenings: &[Happening]) -> Result<(), JournalError> {
        if happenings.is_empty() {
            return Ok(());
        }
        self.writing(|transaction| {
            let mut insert = transaction
                .prepare_cached("INSERT OR IGNORE INTO happenings (key, record) VALUES (?, ?)")?;
            for happening in happenings {
                insert.execute(params![happening.key, to_row(happening)?])?;
            }
            transaction
                .prepare_cached(
                    "DELETE FROM happenings
                     WHERE number <= (SELECT max(number) FROM happenings) - ?",
                )?
                .execute([MAX_HAPPENINGS])?;
            Ok(())
        })
    }

    /// The next message for a channel, if one may be sent now. Until `lease` has passed no other
    /// process gets it, and none sends to the channel before `pace` has.
    pub fn claim_message(
        &self,
        channel: &str,
        now: Moment,
        pace: Duration,
        lease: Duration,
    ) -> Result<Next, JournalError> {
        self.writing(|transaction| {
            let mut record = record(transaction, channel)?;
            let Some(due) = next_due(transaction, channel, now)? else { return Ok(Next::Nothing) };
            let is_wrong = record.next_at > now + LONGEST_PAUSE;
            let free = if is_wrong { due } else { record.next_at.max(due) };
            if free > now {
                return Ok(Next::Later(free));
            }
            let (number, tries, message) = transaction
                .prepare_cached(
                    "SELECT number, attempts, record FROM outbox
                     WHERE channel = ?1 AND (next_at <= ?2 OR next_at > ?3)
                         AND (claimed_until <= ?2 OR claimed_until > ?3)
                     ORDER BY is_urgent DESC, attempts, number LIMIT 1",
                )?
                .query_row(params![channel, stored(now), stored(now + LONGEST_PAUSE)], |row| {
                    Ok((row.get(0)?, row.get::<_, u32>(1)?, from_row(row, 2)?))
                })?;
            transaction
                .prepare_cached(
                    "UPDATE outbox SET attempts = attempts + 1, claimed_until = ? WHERE number = ?",
                )?
                .execute(params![stored(now + lease), number])?;
            record.next_at = now + pace;
            update_record(transaction, channel, &record)?;
            Ok(Next::Now(Box::new(Claimed { number, attempt: tries + 1, message })))
        })
    }

    /// A message arrived. Returns the trouble that this ends.
    pub fn note_delivered(
        &self,
        channel: &str,
        number: i64,
        now: Moment,
    ) -> Result<Option<Trouble>, JournalError> {
        self.writing(|transaction| {
            transaction.prepare_cached("DELETE FROM outbox WHERE number = ?")?.execute([number])?;
            let before = record(transaction, channel)?;
            let next_at = before.next_at;
            let after = ChannelRecord { next_at, delivered_at: Some(now), ..Default::default() };
            update_record(transaction, channel, &after)?;
            Ok(before.trouble)
        })
    }

    /// A message did not arrive. Returns whether that is news: the first of a row of failures, or
    /// the first that asks for a person.
    pub fn note_undelivered(
        &self,
        channel: &str,
        number: i64,
        retry: &Retry,
        now: Moment,
    ) -> Result<bool, JournalError> {
        self.writing(|transaction| {
            transaction
                .prepare_cached(
                    "UPDATE outbox SET next_at = ?, claimed_until = 0 WHERE number = ?",
                )?
                .execute(params![stored(retry.at), number])?;
            let mut record = record(transaction, channel)?;
            record.next_at = record.next_at.max(retry.channel_at);
            record.failures = record.failures.saturating_add(1);
            if retry.is_refused {
                record.refusals = record.refusals.saturating_add(1);
            }
            let trouble = Trouble {
                text: retry.text.clone(),
                since: now,
                needs_person: retry.is_refused || retry.is_here,
                is_here: retry.is_here,
            };
            let is_news = troubled(&mut record, trouble);
            update_record(transaction, channel, &record)?;
            Ok(is_news)
        })
    }

    /// How a channel takes what it is sent.
    pub fn channel(&self, name: &str) -> Result<ChannelRecord, JournalError> {
        self.reading(|connection| record(connection, name))
    }

    /// A channel cannot be told for want of something here, its secret or a URL that is one; or it
    /// can again, as far as that goes. Returns whether that is news.
    pub fn note_readiness(
        &self,
        channel: &str,
        ready: Result<(), &str>,
        now: Moment,
    ) -> Result<bool, JournalError> {
        self.writing(|transaction| {
            let mut record = record(transaction, channel)?;
            let is_news = match ready {
                Err(text) => {
                    let (text, since) = (text.to_owned(), now);
                    let trouble = Trouble { text, since, needs_person: true, is_here: true };
                    troubled(&mut record, trouble)
                }
                Ok(()) => {
                    let was_here = record.trouble.as_ref().is_some_and(|trouble| trouble.is_here);
                    if was_here {
                        record = ChannelRecord {
                            delivered_at: record.delivered_at,
                            ..Default::default()
                        };
                    }
                    was_here
                }
            };
            if is_news {
                put_record(transaction, channel, &record)?;
            }
            Ok(is_news)
        })
    }

    /// A channel was seen to work: what waits for it is sent at once. A running controller notices.
    pub fn revive_channel(&self, channel: &str, now: Moment) -> Result<(), JournalError> {
        self.writing(|transaction| {
            let before = record(transaction, channel)?;
            let (next_at, delivered_at) = (now, before.delivered_at);
            update_record(
                transaction,
                channel,
                &ChannelRecord { next_at, delivered_at, ..Default::default() },
            )?;
            transaction
                .prepare_cached("UPDATE outbox SET next_at = 0 WHERE channel = ?")?
                .execute([channel])?;
            count_change(transaction)
        })
    }

    /// The channels that cannot be told.
    pub fn silent_channels(&self) -> Result<Vec<SilentChannel>, JournalError> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name, record,
                     (SELECT count(*) FROM outbox WHERE outbox.channel = channels.name)
                 FROM channels ORDER BY name",
            )?;
            let rows = statement.query_map([], |row| {
                let record: ChannelRecord = from_row(row, 1)?;
                Ok((row.get(0)?, record, row.get::<_, u32>(2)?))
            })?;
            let mut silent = Vec::new();
            for row in rows {
                let (name, record, waiting) = row?;
                let Some(trouble) = record.trouble else { continue };
                silent.push(SilentChannel { name, trouble, waiting: waiting as usize });
            }
            Ok(silent)
        })
    }

    /// How many messages wait for a channel.
    pub fn waiting_messages(&self, channel: &str) -> Result<u32, JournalError> {
        self.reading(|connection| waiting(connection, channel))
    }

    /// Forgets all channels but these: git has no others any more.
    pub fn keep_channels(&self, names: &[&str]) -> Result<(), JournalError> {
        self.writing(|transaction| {
            let names = to_row(&names)?;
            for sql in [
                "DELETE FROM channels WHERE name NOT IN (SELECT value FROM json_each(?))",
                "DELETE FROM outbox WHERE channel NOT IN (SELECT value FROM json_each(?))",
            ] {
                transaction.prepare_cached(sql)?.execute([&names])?;
            }
            Ok(())
        })
    }

    /// The stacks that wait for a person or for a change in git, in the order of their keys. An
    /// index has them, so the number of other stacks does not matter; they are read in pages,
    /// between which other threads work.
    pub fn for_each_stuck(&self, mut visit: impl FnMut(StackRecord)) -> Result<(), JournalError> {
        let mut after: Option<StackKey> = None;
        loop {
            let page = self.reading(|connection| stuck(connection, after.as_ref()))?;
            let is_full = page.len() == PAGE;
            after = page.last().map(|record| record.key.clone());
            page.into_iter().for_each(&mut visit);
            if !is_full {
                return Ok(());
            }
        }
    }

    /// The targets that cannot be seen, in their order.
    pub fn blind_targets(&self) -> Result<Vec<TargetRecord>, JournalError> {
        self.reading(|connection| {
            connection
                .prepare_cached(
                    "SELECT record FROM targets WHERE json_extract(record, '$.blind') IS NOT NULL
                     ORDER BY account, region",
                )?
                .query_map([], |row| from_row(row, 0))?
                .collect()
        })
    }
}

fn stuck(connection: &Connection, after: Option<&StackKey>) -> rusqlite::Result<Vec<StackRecord>> {
    let place = |key: &StackKey| {
        (key.target.account.to_string(), key.target.region.to_string(), key.name.to_string())
    };
    let (account, region, name) = after.map_or_else(Default::default, place);
    connection
        .prepare_cached(&format!(
            "SELECT record FROM stacks
             WHERE json_extract(record, '$.verdict.weight') = 'stuck'
                 AND (account, region, name) > (?, ?, ?)
             ORDER BY account, region, name LIMIT {PAGE}"
        ))?
        .query_map(params![account, region, name], |row| from_row(row, 0))?
        .collect()
}

/// Notes trouble; returns whether it is news: the first of a row, or the first for a person.
fn troubled(record: &mut ChannelRecord, trouble: Trouble) -> bool {
    let before = record.trouble.as_ref();
    let is_news = before.is_none_or(|before| trouble.needs_person && !before.needs_person);
    let since = before.map_or(trouble.since, |before| before.since);
    record.trouble = Some(Trouble { since, ..trouble });
    is_news
}

fn told(connection: &Connection, channel: &str) -> rusqlite::Result<Option<Told>> {
    let told: Option<Option<Told>> = connection
        .prepare_cached("SELECT told FROM channels WHERE name = ?")?
        .query_row([channel], |row| from_row(row, 0))
        .optional()?;
    Ok(told.flatten())
}

fn put_told(connection: &Connection, channel: &str, told: &Told) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO channels (name, told, record) VALUES (?, ?, ?)
             ON CONFLICT DO UPDATE SET told = excluded.told",
        )?
        .execute(params![channel, to_row(told)?, to_row(&ChannelRecord::default())?])?;
    Ok(())
}

fn record(connection: &Connection, channel: &str) -> rusqlite::Result<ChannelRecord> {
    let record = connection
        .prepare_cached("SELECT record FROM channels WHERE name = ?")?
        .query_row([channel], |row| from_row(row, 0))
        .optional()?;
    Ok(record.unwrap_or_default())
}

fn put_record(
    connection: &Connection,
    channel: &str,
    record: &ChannelRecord,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO channels (name, told, record) VALUES (?, 'null', ?)
             ON CONFLICT DO UPDATE SET record = excluded.record",
        )?
        .execute(params![channel, to_row(record)?])?;
    Ok(())
}

/// Writes the record of a channel that is known; one that git took out meanwhile stays forgotten.
fn update_record(
    connection: &Connection,
    channel: &str,
    record: &ChannelRecord,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE channels SET record = ? WHERE name = ?")?
        .execute(params![to_row(record)?, channel])?;
    Ok(())
}

fn newest_happening(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT coalesce(max(number), 0) FROM happenings")?
        .query_row([], |row| row.get(0))
}

fn happenings(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, Happening)>> {
    connection
        .prepare_cached("SELECT number, record FROM happenings WHERE number > ? ORDER BY number")?
        .query_map([after], |row| Ok((row.get(0)?, from_row(row, 1)?)))?
        .collect()
}

/// When the next message of a channel is due, in whatever process; a moment that has passed when
/// one is.
fn next_due(
    connection: &Connection,
    channel: &str,
    now: Moment,
) -> rusqlite::Result<Option<Moment>> {
    let due: Option<i64> = connection
        .prepare_cached(
            "SELECT min(max(iif(next_at > ?2, 0, next_at),
                            iif(claimed_until > ?2, 0, claimed_until)))
             FROM outbox WHERE channel = ?1",
        )?
        .query_row(params![channel, stored(now + LONGEST_PAUSE)], |row| row.get(0))?;
    Ok(due.map(moment))
}

fn put(transaction: &Transaction<'_>, channel: &str, message: &Message) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO outbox
                 (channel, key, is_urgent, attempts, next_at, claimed_until, record)
             VALUES (?, ?, ?, 0, 0, 0, ?)",
        )?
        .execute(params![channel, message.key, message.is_urgent, to_row(message)?])?;
    Ok(())
}

fn waiting(connection: &Connection, channel: &str) -> rusqlite::Result<u32> {
    connection
        .prepare_cached("SELECT count(*) FROM outbox WHERE channel = ?")?
        .query_row([channel], |row| row.get(0))
}

/// Drops the oldest messages beyond the bound, digests before urgent ones. What they said of things
/// that hold counts as untold from then on.
fn bound(
    transaction: &Transaction<'_>,
    channel: &str,
    told: &mut Told,
    most: u32,
) -> rusqlite::Result<()> {
    for _ in most..waiting(transaction, channel)? {
        let (number, message): (i64, Message) = transaction
            .prepare_cached(
                "SELECT number, record FROM outbox WHERE channel = ?
                 ORDER BY is_urgent, number LIMIT 1",
            )?
            .query_row([channel], |row| Ok((row.get(0)?, from_row(row, 1)?)))?;
        told.forget(&message);
        transaction.prepare_cached("DELETE FROM outbox WHERE number = ?")?.execute([number])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Weight;
    use crate::report::announcements::{Item, Severity, Topic, Transition};
    use crate::report::sample::{NOW, record as stack};

    fn message(number: usize, is_urgent: bool) -> Message {
        Message {
            key: format!("key-{number}"),
            fleet: "test".to_owned(),
            severity: Severity::Warning,
            title: format!("message {number}"),
            items: vec![Item {
                key: format!("failure/{number}"),
                transition: Transition::New,
                topic: Topic::Failure,
                severity: Severity::Warning,
                title: "x".to_owned(),
                details: Vec::new(),
                count: 1,
                see: "driftless status".to_owned(),
                since: NOW,
            }],
            more: 0,
            dropped: 0,
            is_urgent,
            at: NOW,
        }
    }

    #[test]
    fn stuck_stacks_are_found_by_their_index_and_no_others() {
        let journal = Journal::in_memory().expect("a journal");
        for number in 0..1_200 {
            let weight = if number % 2 == 0 { Weight::Stuck } else { Weight::Settled };
            let record = stack(&format!("tenant-{number}"), "api", weight, "x", "x");
            journal.begin_attempt(&record).expect("written");
        }
        let mut keys = Vec::new();
        journal.for_each_stuck(|record| keys.push(record.key)).expect("read");
        assert_eq!(keys.len(), 600);
        assert!(keys.is_sorted());
        let plan: String = journal
            .reading(|connection| {
                connection.query_row(
                    "EXPLAIN QUERY PLAN SELECT record FROM stacks
                     WHERE json_extract(record, '$.verdict.weight') = 'stuck'
                         AND (account, region, name) > ('', '', '')
                     ORDER BY account, region, name LIMIT 500",
                    [],
                    |row| row.get(3),
                )
            })
            .expect("a plan");
        assert!(plan.contains("stacks_stuck"), "{plan}");
    }

    #[test]
    fn beyond_the_bound_the_oldest_digests_go_and_urgent_ones_stay() {
        let journal = Journal::in_memory().expect("a journal");
        let mut told = Told::default();
        journal
            .writing(|transaction| {
                for number in 0..6 {
                    put(transaction, "slack-1", &message(number, number == 0))?;
                    bound(transaction, "slack-1", &mut told, 3)?;
                }
                Ok(())
            })
            .expect("written");
        let mut left = Vec::new();
        for second in 0..4 {
            let now = NOW + Duration::from_secs(second);
            let next =
                journal.claim_message("slack-1", now, Duration::ZERO, Duration::from_secs(60));
            if let Next::Now(claimed) = next.expect("read") {
                left.push(claimed.message.title.clone());
            }
        }
        assert_eq!(left, ["message 0", "message 4", "message 5"]);
    }

    #[test]
    fn what_a_wrong_clock_wrote_holds_nothing_up() {
        let journal = Journal::in_memory().expect("a journal");
        journal.announce("slack-1", |_, _| vec![message(1, false)]).expect("said");
        let wrong = NOW + Duration::from_secs(10 * 365 * 86_400);
        let claim = |now| {
            journal.claim_message("slack-1", now, Duration::from_secs(1), Duration::from_secs(60))
        };
        assert!(matches!(claim(wrong).expect("claimed"), Next::Now(_)));
        assert!(matches!(claim(NOW).expect("claimed"), Next::Now(_)));
    }
}
