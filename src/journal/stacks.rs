//! The rows of stacks and targets: what was last seen and decided, and the memory of attempts.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::drift::DriftRecord;
use crate::ids::{ServiceName, StackKey, StackName, Target, TenantName};
use crate::journal::{Journal, JournalError, drift, from_row, history, to_row};
use crate::plan::{StackRecord, TargetRecord};
use crate::report::Event;

/// Rows read before other threads get their turn: about a millisecond of work.
const PAGE: usize = 500;

/// Which stacks are asked for; a part that is `None` lets all through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those last wanted for this tenant.
    pub tenant: Option<TenantName>,
    /// Those last wanted for this service.
    pub service: Option<ServiceName>,
    /// Those of this name.
    pub name: Option<StackName>,
}

impl Journal {
    /// All records of one target.
    pub fn stacks_in(
        &self,
        target: &Target,
    ) -> Result<BTreeMap<StackName, StackRecord>, JournalError> {
        self.reading(|connection| {
            connection
                .prepare_cached("SELECT record FROM stacks WHERE account = ? AND region = ?")?
                .query_map(params![target.account.to_string(), target.region.as_str()], |row| {
                    let record: StackRecord = from_row(row, 0)?;
                    Ok((record.key.name.clone(), record))
                })?
                .collect()
        })
    }

    /// The record of one stack.
    pub fn stack(&self, key: &StackKey) -> Result<Option<StackRecord>, JournalError> {
        self.reading(|connection| {
            let sql = "SELECT record FROM stacks WHERE account = ? AND region = ? AND name = ?";
            let target = &key.target;
            connection
                .prepare_cached(sql)?
                .query_row(
                    params![target.account.to_string(), target.region.as_str(), key.name.as_str()],
                    |row| from_row(row, 0),
                )
                .optional()
        })
    }

    /// What is known of one target as a whole.
    pub fn target(&self, target: &Target) -> Result<Option<TargetRecord>, JournalError> {
        self.reading(|connection| {
            connection
                .prepare_cached("SELECT record FROM targets WHERE account = ? AND region = ?")?
                .query_row(params![target.account.to_string(), target.region.as_str()], |row| {
                    from_row(row, 0)
                })
                .optional()
        })
    }

    /// What is known of every target, in their order.
    pub fn targets(&self) -> Result<Vec<TargetRecord>, JournalError> {
        self.reading(|connection| {
            connection
                .prepare_cached("SELECT record FROM targets ORDER BY account, region")?
                .query_map([], |row| from_row(row, 0))?
                .collect()
        })
    }

    /// The targets in which a stack of ours stands, or may stand since it was asked for.
    pub fn targets_with_stacks(&self) -> Result<BTreeSet<Target>, JournalError> {
        self.reading(|connection| {
            let sql = "SELECT DISTINCT account, region FROM stacks
                       WHERE present = 1 AND tenant IS NOT NULL";
            connection
                .prepare_cached(sql)?
                .query_map([], |row| Ok(Target { account: name(row, 0)?, region: name(row, 1)? }))?
                .collect()
        })
    }

    /// The records that `filter` lets through, in the order of their keys. For a whole fleet use
    /// [`Journal::for_each_stack`], which does not hold them all.
    pub fn all_stacks(&self, filter: &Filter) -> Result<Vec<StackRecord>, JournalError> {
        let mut all = Vec::new();
        self.for_each_stack(filter, |record| all.push(record))?;
        Ok(all)
    }

    /// Whether any record passes `filter`.
    pub fn knows(&self, filter: &Filter) -> Result<bool, JournalError> {
        let first = self.reading(|connection| page(connection, filter, None, 1))?;
        Ok(!first.is_empty())
    }

    /// Hands every record that `filter` lets through to `visit`, in the order of their keys. Rows
    /// are read in pages, between which other threads work: what they write meanwhile may be seen
    /// or not.
    pub fn for_each_stack(
        &self,
        filter: &Filter,
        mut visit: impl FnMut(StackRecord),
    ) -> Result<(), JournalError> {
        let mut after = None;
        loop {
            let page = self.reading(|connection| page(connection, filter, after.as_ref(), PAGE))?;
            let full = page.len() == PAGE;
            after = page.last().map(|record| record.key.clone());
            page.into_iter().for_each(&mut visit);
            if !full {
                return Ok(());
            }
        }
    }

    /// Writes what one look at a target changed, in one transaction. `changed` are the stacks whose
    /// record is another than before; the others keep theirs, so a quiet pass writes one row. So it
    /// is with `drifts`, those of stacks that are gone among them.
    pub fn record_pass(
        &self,
        target: &TargetRecord,
        changed: &[StackRecord],
        gone: &[StackName],
        drifts: &[(StackName, Option<DriftRecord>)],
        events: &[Event],
    ) -> Result<(), JournalError> {
        self.writing(|transaction| {
            let (account, region) = place(&target.target);
            transaction
                .prepare_cached(
                    "INSERT INTO targets (account, region, record) VALUES (?, ?, ?)
                     ON CONFLICT DO UPDATE SET record = excluded.record",
                )?
                .execute(params![account, region, to_row(target)?])?;
            for record in changed {
                put(transaction, record)?;
            }
            for name in gone {
                transaction
                    .prepare_cached(
                        "DELETE FROM stacks WHERE account = ? AND region = ? AND name = ?",
                    )?
                    .execute(params![account, region, name.as_str()])?;
            }
            for (name, record) in drifts {
                match record {
                    Some(record) => drift::put(transaction, record)?,
                    None => drift::remove(transaction, &target.target, name)?,
                }
            }
            history::append(transaction, events)
        })
    }

    /// Writes a record whose memory holds an attempt that is about to be made. When this returns,
    /// the attempt survives the death of the process; a loss of power may take it, and then the
    /// effect is found by looking at AWS.
    pub fn begin_attempt(&self, record: &StackRecord) -> Result<(), JournalError> {
        self.writing(|transaction| put(transaction, record))
    }
}

fn put(connection: &Connection, record: &StackRecord) -> rusqlite::Result<()> {
    let (account, region) = place(&record.key.target);
    connection
        .prepare_cached(
            "INSERT INTO stacks (account, region, name, tenant, service, present, record)
             VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET tenant = excluded.tenant, service = excluded.service,
                 present = excluded.present, record = excluded.record",
        )?
        .execute(params![
            account,
            region,
            record.key.name.as_str(),
            record.memory.tenant.as_ref().map(TenantName::as_str),
            record.memory.service.as_ref().map(ServiceName::as_str),
            record.may_stand(),
            to_row(record)?,
        ])?;
    Ok(())
}

fn page(
    connection: &Connection,
    filter: &Filter,
    after: Option<&StackKey>,
    limit: usize,
) -> rusqlite::Result<Vec<StackRecord>> {
    let sql = format!(
        "SELECT record FROM stacks
         WHERE (account, region, name) > (?1, ?2, ?3) {} {} {}
         ORDER BY account, region, name LIMIT {limit}",
        if filter.tenant.is_some() { "AND tenant = ?4" } else { "AND ?4 IS NULL" },
        if filter.service.is_some() { "AND service = ?5" } else { "AND ?5 IS NULL" },
        if filter.name.is_some() { "AND name = ?6" } else { "AND ?6 IS NULL" },
    );
    let (account, region) = after.map_or_else(Default::default, |key| place(&key.target));
    connection
        .prepare_cached(&sql)?
        .query_map(
            params![
                account,
                region,
                after.map_or("", |key| key.name.as_str()),
                filter.tenant.as_ref().map(TenantName::as_str),
                filter.service.as_ref().map(ServiceName::as_str),
                filter.name.as_ref().map(StackName::as_str),
            ],
            |row| from_row(row, 0),
        )?
        .collect()
}

fn place(target: &Target) -> (String, String) {
    (target.account.to_string(), target.region.to_string())
}

/// A name from column `index` of a row.
pub(super) fn name<T>(row: &Row<'_>, index: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err = crate::ids::InvalidName>,
{
    row.get_ref(index)?.as_str()?.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            index,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}
