//! What is known of the drift of stacks: a row for each stack that is looked into.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::drift::{DriftRecord, Spent};
use crate::ids::{ServiceName, StackName, Target, TenantName};
use crate::journal::steering::count_change;
use crate::journal::{Filter, Journal, JournalError, from_row, revisions, to_row};

/// The fact that says what looking for drift has spent.
const SPENT: &str = "drift_spent";

impl Journal {
    /// What is known of the drift of the stacks of one target.
    pub fn drift_in(
        &self,
        target: &Target,
    ) -> Result<BTreeMap<StackName, DriftRecord>, JournalError> {
        self.reading(|connection| {
            connection
                .prepare_cached("SELECT record FROM drifts WHERE account = ? AND region = ?")?
                .query_map(params![target.account.to_string(), target.region.as_str()], |row| {
                    let record: DriftRecord = from_row(row, 0)?;
                    Ok((record.key.name.clone(), record))
                })?
                .collect()
        })
    }

    /// What is known of the drift of the stacks that `filter` lets through, in the order of their
    /// keys; `only_drifted`: of those of which there is something to say.
    pub fn drifts(
        &self,
        filter: &Filter,
        only_drifted: bool,
    ) -> Result<Vec<DriftRecord>, JournalError> {
        let sql = format!(
            "SELECT record FROM drifts WHERE {} {} {} {} ORDER BY account, region, name",
            if only_drifted { "drifted = 1" } else { "drifted >= 0" },
            if filter.tenant.is_some() { "AND tenant = ?1" } else { "AND ?1 IS NULL" },
            if filter.service.is_some() { "AND service = ?2" } else { "AND ?2 IS NULL" },
            if filter.name.is_some() { "AND name = ?3" } else { "AND ?3 IS NULL" },
        );
        self.reading(|connection| {
            connection
                .prepare_cached(&sql)?
                .query_map(
                    params![
                        filter.tenant.as_ref().map(TenantName::as_str),
                        filter.service.as_ref().map(ServiceName::as_str),
                        filter.name.as_ref().map(StackName::as_str),
                    ],
                    |row| from_row(row, 0),
                )?
                .collect()
        })
    }

    /// What looking for drift had spent when that was written last.
    pub fn drift_spent(&self) -> Result<Spent, JournalError> {
        Ok(self.reading(|connection| revisions::fact(connection, SPENT))?.unwrap_or_default())
    }

    /// From now on this is spent.
    pub fn put_drift_spent(&self, spent: &Spent) -> Result<(), JournalError> {
        self.writing(|transaction| revisions::put(transaction, SPENT, spent))
    }

    /// Writes what a person had looked into. What a controller knows from a later look stays, and so
    /// does what it knows of reverting.
    pub fn merge_drifts(&self, records: &[DriftRecord]) -> Result<(), JournalError> {
        self.writing(|transaction| {
            for record in records {
                let known = of(transaction, record)?;
                if known.as_ref().is_some_and(|known| known.checked_at > record.checked_at) {
                    continue;
                }
                let mut record = record.clone();
                if let Some(known) = known {
                    record.reverted = known.reverted;
                    record.foreign_at = known.foreign_at.filter(|at| Some(*at) > record.checked_at);
                }
                put(transaction, &record)?;
            }
            Ok(())
        })
    }

    /// A running controller shall hear that drift was looked for.
    pub fn note_drifts(&self) -> Result<(), JournalError> {
        self.writing(|transaction| count_change(transaction))
    }

    /// Writes these rows as they are.
    pub fn put_drifts(&self, records: &[DriftRecord]) -> Result<(), JournalError> {
        self.writing(|transaction| records.iter().try_for_each(|record| put(transaction, record)))
    }
}

pub(super) fn put(connection: &Connection, record: &DriftRecord) -> rusqlite::Result<()> {
    let target = &record.key.target;
    connection
        .prepare_cached(
            "INSERT INTO drifts (account, region, name, tenant, service, drifted, record)
             VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET tenant = excluded.tenant, service = excluded.service,
                 drifted = excluded.drifted, record = excluded.record",
        )?
        .execute(params![
            target.account.to_string(),
            target.region.as_str(),
            record.key.name.as_str(),
            record.tenant.as_ref().map(TenantName::as_str),
            record.service.as_ref().map(ServiceName::as_str),
            record.says_something(),
            to_row(record)?,
        ])?;
    Ok(())
}

fn of(connection: &Connection, record: &DriftRecord) -> rusqlite::Result<Option<DriftRecord>> {
    let target = &record.key.target;
    connection
        .prepare_cached("SELECT record FROM drifts WHERE account = ? AND region = ? AND name = ?")?
        .query_row(
            params![target.account.to_string(), target.region.as_str(), record.key.name.as_str()],
            |row| from_row(row, 0),
        )
        .optional()
}

pub(super) fn remove(
    connection: &Connection,
    target: &Target,
    name: &StackName,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM drifts WHERE account = ? AND region = ? AND name = ?")?
        .execute(params![target.account.to_string(), target.region.as_str(), name.as_str()])?;
    Ok(())
}
