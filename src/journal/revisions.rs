//! The few single facts of a journal: its key, which revision was accepted or refused last, and how
//! much of the fleet it knows.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ids::{Digest, Revision};
use crate::journal::{Journal, JournalError, from_row, to_row};
use crate::moment::Moment;
use crate::outcome::LastWords;
use crate::plan::deletions::WINDOW;
use crate::report::{AcceptedRevision, Origin, RefusedRevision};

const ACCEPTED: &str = "accepted_revision";
const REFUSED: &str = "refused_revision";
const FLEET_KNOWN: &str = "fleet_known_since";
const INHERITED: &str = "inherited_at";
const ROUND: &str = "first_round_at";
const ORIGIN: &str = "origin";
const LAST_WORDS: &str = "last_words";
const ROLLED_OUT: &str = "rolled_out_revision";

impl Journal {
    /// The newest revision that was accepted: an older one is never applied over it unapproved.
    pub fn accepted_revision(&self) -> Result<Option<AcceptedRevision>, JournalError> {
        self.fact(ACCEPTED)
    }

    /// Writes down that a revision is followed now, and what its services say of removal; a refused
    /// one before it is history.
    pub fn accept_revision(
        &self,
        accepted: &AcceptedRevision,
        words: LastWords,
    ) -> Result<(), JournalError> {
        self.writing(|transaction| {
            let mut last: LastWords = fact(transaction, LAST_WORDS)?.unwrap_or_default();
            last.extend(words);
            put(transaction, LAST_WORDS, &last)?;
            put(transaction, ACCEPTED, accepted)?;
            forget(transaction, REFUSED)
        })
    }

    /// What each service of an accepted revision said last of removal, those that are gone too.
    pub fn last_words(&self) -> Result<LastWords, JournalError> {
        Ok(self.fact(LAST_WORDS)?.unwrap_or_default())
    }

    /// The revision whose releases the rollouts know.
    pub fn rolled_out_revision(&self) -> Result<Option<Revision>, JournalError> {
        self.fact(ROLLED_OUT)
    }

    /// The newest revision, when it was refused.
    pub fn refused_revision(&self) -> Result<Option<RefusedRevision>, JournalError> {
        self.fact(REFUSED)
    }

    /// Writes down that the newest revision has errors and is not followed.
    pub fn refuse_revision(&self, refused: &RefusedRevision) -> Result<(), JournalError> {
        self.writing(|transaction| put(transaction, REFUSED, refused))
    }

    /// Forgets the refused revision, for when the ref went back to the accepted one.
    pub fn clear_refused_revision(&self) -> Result<(), JournalError> {
        self.writing(|transaction| forget(transaction, REFUSED))
    }

    /// Where the fleet is fetched from, and how that gets on; `None` where nothing is fetched.
    pub fn origin(&self) -> Result<Option<Origin>, JournalError> {
        self.fact(ORIGIN)
    }

    /// Writes down where the fleet is fetched from. When it was fetched last is kept over a restart.
    pub fn note_origin(&self, origin: Option<&Origin>) -> Result<(), JournalError> {
        let Some(origin) = origin else {
            return self.writing(|transaction| forget(transaction, ORIGIN));
        };
        self.writing(|transaction| {
            let mut origin = origin.clone();
            let before: Option<Origin> = fact(transaction, ORIGIN)?;
            if let Some(before) = before.filter(|before| before.from == origin.from) {
                origin.fetched_at = origin.fetched_at.or(before.fetched_at);
            }
            put(transaction, ORIGIN, &origin)
        })
    }

    /// Whether every target has been seen once with this journal. Before that it does not know what
    /// an earlier one may have started; what that was has ended a day after the first round.
    pub fn knows_fleet(&self, now: Moment) -> Result<bool, JournalError> {
        self.reading(|connection| Ok(is_old(connection, now)? || is_fleet_known(connection)?))
    }

    /// Writes down that every target has been looked at once, whether or not it could be seen: from
    /// then on nobody but us starts or deletes anything. The first time counts.
    pub fn note_round(&self, now: Moment) -> Result<(), JournalError> {
        // One that lies ahead was written by a clock that was wrong.
        if self.fact::<Moment>(ROUND)?.is_some_and(|at| at <= now) {
            return Ok(());
        }
        self.writing(|transaction| put(transaction, ROUND, &now))
    }

    /// Writes down that every target has been seen.
    pub fn note_fleet_known(&self, now: Moment) -> Result<(), JournalError> {
        self.writing(|transaction| put(transaction, FLEET_KNOWN, &now))
    }

    /// Writes down that stacks of ours were found that this journal knows nothing of: an earlier one
    /// is lost, with what it knew of the last day. Returns whether that is news.
    pub fn note_inherited(&self, now: Moment) -> Result<bool, JournalError> {
        let is_known = self.fact::<Moment>(INHERITED)?.is_some();
        // A journal that is a day old knows all that matters, whatever is found now.
        if is_known || self.reading(|connection| is_old(connection, now))? {
            return Ok(false);
        }
        self.writing(|transaction| put(transaction, INHERITED, &now))?;
        Ok(true)
    }

    pub(super) fn fact<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, JournalError> {
        self.reading(|connection| fact(connection, name))
    }
}

/// Writes down that the rollouts know the releases of this revision.
pub(super) fn put_rolled_out(
    transaction: &Transaction<'_>,
    revision: &Revision,
) -> rusqlite::Result<()> {
    put(transaction, ROLLED_OUT, revision)
}

/// Until when the journal cannot tell what an earlier one deleted within a day; `None` when none did,
/// or when a day has passed since the first round.
pub(super) fn gap_until(connection: &Connection, now: Moment) -> rusqlite::Result<Option<Moment>> {
    if is_old(connection, now)? {
        return Ok(None);
    }
    let inherited = fact::<Moment>(connection, INHERITED)?.is_some();
    // While a part of the fleet was never seen, stacks of an earlier journal may stand there.
    let has_gap = inherited || !is_fleet_known(connection)?;
    let round = fact::<Moment>(connection, ROUND)?.unwrap_or(now);
    Ok(has_gap.then_some(round + WINDOW))
}

fn is_fleet_known(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(fact::<Moment>(connection, FLEET_KNOWN)?.is_some())
}

/// Whether all that could have been deleted within a day is in this journal.
fn is_old(connection: &Connection, now: Moment) -> rusqlite::Result<bool> {
    Ok(fact::<Moment>(connection, ROUND)?.is_some_and(|at| now.since(at) >= WINDOW))
}

pub(super) fn fact<T: DeserializeOwned>(
    connection: &Connection,
    name: &str,
) -> rusqlite::Result<Option<T>> {
    connection
        .prepare_cached("SELECT value FROM facts WHERE name = ?")?
        .query_row([name], |row| from_row(row, 0))
        .optional()
}

pub(super) fn put<T: Serialize>(
    connection: &Connection,
    name: &str,
    value: &T,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO facts (name, value) VALUES (?, ?)
             ON CONFLICT DO UPDATE SET value = excluded.value",
        )?
        .execute(params![name, to_row(value)?])?;
    Ok(())
}

fn forget(connection: &Connection, name: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM facts WHERE name = ?")?.execute([name])?;
    Ok(())
}

/// The key of this journal; a new journal gets one. SQLite's `randomblob` is a stream cipher that
/// the operating system seeds.
pub(super) fn key(connection: &mut Connection, seed: Option<u64>) -> rusqlite::Result<[u8; 32]> {
    let read = |connection: &Connection| {
        connection
            .query_row("SELECT value FROM facts WHERE name = 'key'", [], |row| row.get(0))
            .optional()
    };
    if let Some(key) = read(connection)? {
        return Ok(key);
    }
    // Two processes may get here at once: the first one's key stays.
    match seed {
        Some(seed) => connection.execute(
            "INSERT OR IGNORE INTO facts (name, value) VALUES ('key', ?)",
            [Digest::of(&seed.to_be_bytes()).as_bytes()],
        )?,
        None => connection.execute(
            "INSERT OR IGNORE INTO facts (name, value) VALUES ('key', randomblob(32))",
            [],
        )?,
    };
    read(connection)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}
