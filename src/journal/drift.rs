//! What is known of the drift of stacks: a row for each stack that is looked into.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

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

    /// Writes what a person had looked into, beside a controller that may be running and then hears
    /// of it.
    pub fn put_drifts(&self, records: &[DriftRecord]) -> Result<(), JournalError> {
        self.writing(|transaction| {
            records.iter().try_for_each(|record| put(transaction, record))?;
            count_change(transaction)
        })
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
