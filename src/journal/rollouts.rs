//! What is kept of rollouts: how far each has come, the bodies of their releases, and what people
//! ordered. Losing it skips no gate: every stack then has to be seen well again.

use std::collections::BTreeMap;

use rusqlite::{Transaction, params};

use crate::ids::{Digest, Revision, ServiceName};
use crate::journal::revisions::put_rolled_out;
use crate::journal::steering::count_change;
use crate::journal::{Journal, JournalError, from_row, to_row};
use crate::rollout::{Bodies, Order, ReleaseBody, Rollout};

/// Releases of a service that are kept besides those in use: a stack may have missed some.
const KEPT: i64 = 8;

/// What is kept of one service: how far it has come, and the bodies in use.
pub type KeptRollout<'a> = (&'a ServiceName, &'a Rollout, Vec<(&'a Digest, &'a ReleaseBody)>);

impl Journal {
    /// All rollouts, and the bodies of releases that are known, the oldest first.
    pub fn rollouts(&self) -> Result<(BTreeMap<ServiceName, Rollout>, Bodies), JournalError> {
        self.reading(|connection| {
            let kept = connection
                .prepare_cached("SELECT record FROM rollouts")?
                .query_map([], |row| from_row(row, 0))?
                .collect::<rusqlite::Result<_>>()?;
            let mut bodies = Bodies::new();
            let mut statement =
                connection.prepare_cached("SELECT record FROM releases ORDER BY number")?;
            for row in statement.query_map([], |row| from_row(row, 0))? {
                let (service, id, body): (ServiceName, Digest, ReleaseBody) = row?;
                bodies.entry(service).or_default().push((id, body));
            }
            Ok((kept, bodies))
        })
    }

    /// Writes how far these rollouts have come and which revision they know, and forgets the orders
    /// that were obeyed.
    pub fn write_rollouts<'a>(
        &self,
        kept: impl Iterator<Item = KeptRollout<'a>>,
        revision: Option<&Revision>,
        obeyed: &[i64],
    ) -> Result<(), JournalError> {
        self.writing(|transaction| {
            revision.map_or(Ok(()), |revision| put_rolled_out(transaction, revision))?;
            for (service, state, bodies) in kept {
                put(transaction, service, state)?;
                for (id, body) in &bodies {
                    put_body(transaction, service, id, body)?;
                }
                let used: Vec<&Digest> = bodies.iter().map(|(id, _)| *id).collect();
                forget_old(transaction, service, &used)?;
            }
            let mut forget = transaction.prepare_cached("DELETE FROM orders WHERE number = ?")?;
            obeyed.iter().try_for_each(|number| forget.execute([number]).map(drop))
        })
    }

    /// Leaves an order for the controller that runs, or runs next.
    pub fn give_order(&self, order: &Order) -> Result<(), JournalError> {
        self.writing(|transaction| {
            transaction
                .prepare_cached("INSERT INTO orders (record) VALUES (?)")?
                .execute([to_row(order)?])?;
            count_change(transaction)
        })
    }

    /// The orders that were not obeyed yet, the oldest first, by number.
    pub fn orders(&self) -> Result<Vec<(i64, Order)>, JournalError> {
        self.reading(|connection| {
            connection
                .prepare_cached("SELECT number, record FROM orders ORDER BY number")?
                .query_map([], |row| Ok((row.get(0)?, from_row(row, 1)?)))?
                .collect()
        })
    }
}

fn put(
    transaction: &Transaction<'_>,
    service: &ServiceName,
    state: &Rollout,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO rollouts (service, record) VALUES (?, ?)
             ON CONFLICT DO UPDATE SET record = excluded.record",
        )?
        .execute(params![service.as_str(), to_row(&(service, state))?])?;
    Ok(())
}

fn put_body(
    transaction: &Transaction<'_>,
    service: &ServiceName,
    id: &Digest,
    body: &ReleaseBody,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR IGNORE INTO releases (service, id, record) VALUES (?, ?, ?)")?
        .execute(params![service.as_str(), id.to_string(), to_row(&(service, id, body))?])?;
    Ok(())
}

fn forget_old(
    transaction: &Transaction<'_>,
    service: &ServiceName,
    used: &[&Digest],
) -> rusqlite::Result<()> {
    let used: Vec<String> = used.iter().map(ToString::to_string).collect();
    transaction
        .prepare_cached(
            "DELETE FROM releases WHERE service = ?1
                 AND id NOT IN (SELECT value FROM json_each(?2))
                 AND number NOT IN (
                     SELECT number FROM releases WHERE service = ?1 ORDER BY number DESC LIMIT ?3)",
        )?
        .execute(params![service.as_str(), to_row(&used)?, KEPT])?;
    Ok(())
}
