//! The tables, and the steps from each format of the file to the next.

use rusqlite::{Connection, TransactionBehavior};

/// Marks a SQLite file as ours ("drft"), so that no other program's database is ever written to.
pub(super) const APPLICATION_ID: i32 = 0x6472_6674;

/// One step for each format; a file of format n has had the first n. Never change a step that was
/// released: add one.
pub(super) const STEPS: &[&str] = &[
    "
    CREATE TABLE facts (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
    CREATE TABLE targets (
        account TEXT NOT NULL, region TEXT NOT NULL, record TEXT NOT NULL,
        PRIMARY KEY (account, region)
    ) WITHOUT ROWID;
    CREATE TABLE stacks (
        account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
        tenant TEXT, service TEXT, present INTEGER NOT NULL, record TEXT NOT NULL,
        PRIMARY KEY (account, region, name)
    );
    CREATE INDEX stacks_by_tenant ON stacks (tenant, account, region, name);
    CREATE INDEX stacks_by_name ON stacks (name, account, region);
    CREATE INDEX stacks_of_ours ON stacks (account, region)
        WHERE present = 1 AND tenant IS NOT NULL;
    CREATE TABLE deletions (
        stack_id TEXT PRIMARY KEY, at INTEGER NOT NULL, record TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE requests (
        id TEXT PRIMARY KEY, since INTEGER NOT NULL, record TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE approvals (
        id TEXT PRIMARY KEY, expires_at INTEGER NOT NULL, record TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE suspensions (scope TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, about TEXT NOT NULL,
        kind TEXT NOT NULL, record TEXT NOT NULL
    );
    CREATE INDEX events_by_subject ON events (about, id);
",
    "
    -- A journal of before that has looked at anything is none that was just begun.
    INSERT OR IGNORE INTO facts (name, value)
        SELECT 'first_round_at', coalesce(
            (SELECT value FROM facts WHERE name = 'inherited_at'), '0')
        WHERE EXISTS (SELECT 1 FROM targets);
",
    "
    CREATE TABLE rollouts (service TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE releases (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        service TEXT NOT NULL, id TEXT NOT NULL, record TEXT NOT NULL,
        UNIQUE (service, id)
    );
    CREATE TABLE orders (number INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL);
",
    "
    -- How long operations take; a row is a service and the word of a step.
    CREATE TABLE lengths (
        service TEXT NOT NULL, step TEXT NOT NULL, record TEXT NOT NULL,
        PRIMARY KEY (service, step)
    ) WITHOUT ROWID;
",
    "
    CREATE TABLE drifts (
        account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
        tenant TEXT, service TEXT, drifted INTEGER NOT NULL, record TEXT NOT NULL,
        PRIMARY KEY (account, region, name)
    );
    CREATE INDEX drifted_stacks ON drifts (account, region, name) WHERE drifted = 1;
",
    "
    -- What is announced: what each channel was told and how it answers, what happened, and the
    -- messages that are still to be delivered.
    CREATE TABLE channels (name TEXT PRIMARY KEY, told TEXT NOT NULL, record TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE happenings (
        number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, record TEXT NOT NULL
    );
    CREATE TABLE outbox (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        channel TEXT NOT NULL, key TEXT NOT NULL, is_urgent INTEGER NOT NULL,
        attempts INTEGER NOT NULL, next_at INTEGER NOT NULL, claimed_until INTEGER NOT NULL,
        record TEXT NOT NULL,
        UNIQUE (channel, key)
    );
    CREATE INDEX outbox_by_time ON outbox (channel, next_at);
    -- Stacks that wait for a person are few, and asked for every few seconds.
    CREATE INDEX stacks_stuck ON stacks (account, region, name)
        WHERE json_extract(record, '$.verdict.weight') = 'stuck';
",
];

/// The newest format that this program knows.
#[allow(clippy::cast_possible_truncation, reason = "the list is a handful of steps")]
pub(super) const FORMAT: u32 = STEPS.len() as u32;

/// What a file is, judged by its header.
pub(super) enum Kind {
    /// Empty, or a journal of this format or an older one.
    Ours,
    /// A journal of this newer format.
    Newer(u32),
    /// A database with tables of another program.
    Foreign,
}

/// What the open file is. Fails as SQLite does, on a damaged file for instance.
pub(super) fn kind(connection: &Connection) -> rusqlite::Result<Kind> {
    let application: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && tables > 0 {
        return Ok(Kind::Foreign);
    }
    match format(connection)? {
        newer if newer > FORMAT => Ok(Kind::Newer(newer)),
        _ => Ok(Kind::Ours),
    }
}

/// Brings the file to [`FORMAT`] in one transaction; two processes may try at once.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    if format(connection)? >= FORMAT {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again inside the transaction: another process may have been quicker.
    let from = format(&transaction)? as usize;
    for step in STEPS.iter().skip(from) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT.max(format(&transaction)?))?;
    transaction.commit()
}

fn format(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}
