//! What people have said, and what waits for them to say it. Other processes write here while a
//! controller runs; a counter tells it that something has changed.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::journal::{Journal, JournalError, from_row, moment, stored, to_row};
use crate::moment::Moment;
use crate::plan::{Approval, ApprovalRequest, Scope, Steering, Suspension};

impl Journal {
    /// All that people have said and that counts at `now`.
    pub fn steering(&self, now: Moment) -> Result<Steering, JournalError> {
        self.reading(|connection| {
            let suspensions = connection
                .prepare_cached("SELECT record FROM suspensions ORDER BY scope")?
                .query_map([], |row| from_row(row, 0))?
                .collect::<rusqlite::Result<_>>()?;
            Ok(Steering { suspensions, approvals: approvals(connection, now)? })
        })
    }

    /// Stops a scope; an earlier suspension of the same scope is replaced.
    pub fn suspend(&self, suspension: &Suspension) -> Result<(), JournalError> {
        self.writing(|transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO suspensions (scope, record) VALUES (?, ?)
                     ON CONFLICT DO UPDATE SET record = excluded.record",
                )?
                .execute(params![suspension.scope.to_string(), to_row(suspension)?])?;
            count_change(transaction)
        })
    }

    /// Ends the suspension of exactly this scope; `false` when there was none.
    pub fn resume(&self, scope: &Scope) -> Result<bool, JournalError> {
        self.writing(|transaction| {
            let ended = transaction
                .prepare_cached("DELETE FROM suspensions WHERE scope = ?")?
                .execute([scope.to_string()])?;
            if ended > 0 {
                count_change(transaction)?;
            }
            Ok(ended > 0)
        })
    }

    /// What waits for approval and since when, in the order of its ids.
    pub fn requests(&self) -> Result<Vec<(ApprovalRequest, Moment)>, JournalError> {
        self.reading(requests)
    }

    /// Makes `live` all that waits; a request that waited before keeps its time.
    pub fn replace_requests(
        &self,
        live: &[ApprovalRequest],
        now: Moment,
    ) -> Result<(), JournalError> {
        self.writing(|transaction| {
            for (old, _) in requests(transaction)? {
                if !live.iter().any(|request| request.id == old.id) {
                    withdraw(transaction, &old.id)?;
                }
            }
            live.iter().try_for_each(|request| put(transaction, request, now))
        })
    }

    /// Adds one request; one that waited before keeps its time.
    pub fn put_request(&self, request: &ApprovalRequest, now: Moment) -> Result<(), JournalError> {
        self.writing(|transaction| put(transaction, request, now))
    }

    /// Removes one request; nothing happens when it does not wait.
    pub fn withdraw_request(&self, id: &str) -> Result<(), JournalError> {
        self.writing(|transaction| withdraw(transaction, id))
    }

    /// Says yes to exactly what the request with this id names. Fails with `UnknownRequest` when no
    /// such request waits. The request stays until the controller withdraws it.
    pub fn approve(
        &self,
        id: &str,
        by: &str,
        reason: &str,
        now: Moment,
        expires_at: Moment,
    ) -> Result<Approval, JournalError> {
        let approved = self.writing(|transaction| {
            let Some(request) = request(transaction, id)? else {
                return Ok(Err(requests(transaction)?));
            };
            let approval = Approval {
                id: request.id,
                kind: request.kind,
                members: request.members,
                by: by.to_owned(),
                reason: reason.to_owned(),
                at: now,
                expires_at,
            };
            transaction
                .prepare_cached("DELETE FROM approvals WHERE expires_at <= ?")?
                .execute([stored(now)])?;
            transaction
                .prepare_cached(
                    "INSERT INTO approvals (id, expires_at, record) VALUES (?, ?, ?)
                     ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at,
                         record = excluded.record",
                )?
                .execute(params![approval.id, stored(expires_at), to_row(&approval)?])?;
            count_change(transaction)?;
            Ok(Ok(approval))
        })?;
        approved.map_err(|live| JournalError::UnknownRequest {
            id: id.to_owned(),
            live: live.into_iter().map(|(request, _)| (request.id, request.summary)).collect(),
        })
    }

    /// A number that moves whenever a suspension or an approval changes, whichever process did it.
    /// A running controller reads it twice a second.
    pub fn changes(&self) -> Result<u64, JournalError> {
        self.reading(|connection| {
            connection
                .prepare_cached("SELECT value FROM facts WHERE name = 'changes'")?
                .query_row([], |row| row.get::<_, i64>(0))
                .optional()
                .map(|count| count.unwrap_or(0).unsigned_abs())
        })
    }
}

/// The approvals that have not expired at `now`.
pub(super) fn approvals(connection: &Connection, now: Moment) -> rusqlite::Result<Vec<Approval>> {
    connection
        .prepare_cached("SELECT record FROM approvals WHERE expires_at > ? ORDER BY id")?
        .query_map([stored(now)], |row| from_row(row, 0))?
        .collect()
}

fn requests(connection: &Connection) -> rusqlite::Result<Vec<(ApprovalRequest, Moment)>> {
    connection
        .prepare_cached("SELECT record, since FROM requests ORDER BY id")?
        .query_map([], |row| Ok((from_row(row, 0)?, moment(row.get(1)?))))?
        .collect()
}

fn request(connection: &Connection, id: &str) -> rusqlite::Result<Option<ApprovalRequest>> {
    connection
        .prepare_cached("SELECT record FROM requests WHERE id = ?")?
        .query_row([id], |row| from_row(row, 0))
        .optional()
}

fn put(connection: &Connection, request: &ApprovalRequest, now: Moment) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO requests (id, since, record) VALUES (?, ?, ?)
             ON CONFLICT DO UPDATE SET record = excluded.record
                 WHERE record <> excluded.record",
        )?
        .execute(params![request.id, stored(now), to_row(request)?])?;
    Ok(())
}

fn withdraw(connection: &Connection, id: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM requests WHERE id = ?")?.execute([id])?;
    Ok(())
}

pub(super) fn count_change(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO facts (name, value) VALUES ('changes', 1)
             ON CONFLICT DO UPDATE SET value = value + 1",
        )?
        .execute([])?;
    Ok(())
}
