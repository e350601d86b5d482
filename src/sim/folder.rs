//! Accounts in files, read and written under a lock that other processes respect. The lock file holds
//! a number that every writer raises before it replaces the account's file, so that a reader knows
//! without parsing whether what it has in memory is still true.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::ids::AccountId;
use crate::sim::state::Account;

/// Why a simulated cloud in a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// A file or folder cannot be read or locked.
    #[error("cannot read {path}: see to its permissions, or use another folder", path = path.display())]
    Unreadable {
        /// What could not be read.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path}: see to its permissions and the free space", path = path.display())]
    Unwritable {
        /// What could not be written.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not what this program wrote.
    #[error(
        "{path} is not a state of the simulated cloud: {problem}. Restore it, or remove the whole \
         folder to start with an empty cloud", path = path.display()
    )]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What is wrong in it.
        problem: String,
    },
}

/// The form of the files; another number is refused instead of guessed at.
const FORM: u64 = 1;

/// What a file holds.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved<A> {
    form: u64,
    account: A,
}

/// The accounts of a folder.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    known: BTreeMap<AccountId, (Stamp, Account)>,
}

/// When what is in memory was true.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    generation: u64,
    file: Option<(std::time::SystemTime, u64)>,
}

impl Folder {
    /// A folder, made if it is missing. Every account in it is read once, so that a broken file is
    /// an error now and not in the middle of something.
    pub(crate) fn open(path: &Path) -> Result<Self, CloudError> {
        for folder in [path.join("accounts"), path.join("templates"), path.join("objects")] {
            fs::create_dir_all(&folder)
                .map_err(|source| CloudError::Unwritable { path: folder.clone(), source })?;
        }
        let mut folder = Self { path: path.to_owned(), known: BTreeMap::new() };
        for id in folder.accounts()? {
            folder.with(id, 0, |_| ((), false))?;
        }
        Ok(folder)
    }

    /// Every account that has a file.
    pub(crate) fn accounts(&self) -> Result<Vec<AccountId>, CloudError> {
        let path = self.path.join("accounts");
        let unreadable = |source| CloudError::Unreadable { path: path.clone(), source };
        let mut ids = Vec::new();
        for entry in fs::read_dir(&path).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".json"));
            ids.extend(stem.and_then(|stem| stem.parse::<AccountId>().ok()));
        }
        ids.sort();
        Ok(ids)
    }

    /// Does something with an account while no other process can; `act` says whether it changed
    /// anything, and then it is in the file when this returns.
    pub(crate) fn with<T>(
        &mut self,
        id: AccountId,
        seed: u64,
        act: impl FnOnce(&mut Account) -> (T, bool),
    ) -> Result<T, CloudError> {
        let path = self.path.join("accounts").join(format!("{id}.json"));
        let lock_path = path.with_extension("lock");
        let unreadable = |source| CloudError::Unreadable { path: lock_path.clone(), source };
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(unreadable)?;
        lock.lock().map_err(unreadable)?;
        let mut stamp =
            Stamp { generation: generation(&mut lock).map_err(unreadable)?, file: None };
        stamp.file = stamp_of(&path);
        let mut account = match self.known.remove(&id) {
            Some((known, account)) if known == stamp => account,
            Some(_) | None => read(&path)?.unwrap_or_else(|| Account::new(id, seed)),
        };
        let (answer, changed) = act(&mut account);
        if changed {
            stamp.generation += 1;
            save(&path, &mut lock, stamp.generation, &account)?;
            stamp.file = stamp_of(&path);
        }
        self.known.insert(id, (stamp, account));
        Ok(answer)
    }
}

fn save(
    path: &Path,
    lock: &mut File,
    generation: u64,
    account: &Account,
) -> Result<(), CloudError> {
    let unwritable = |source| CloudError::Unwritable { path: path.to_owned(), source };
    let saved = Saved { form: FORM, account };
    let bytes = serde_json::to_vec(&saved).map_err(|error| unwritable(error.into()))?;
    // First the number: a crash in between only makes others read once more.
    lock.rewind().map_err(unwritable)?;
    lock.write_all(format!("{generation:020}").as_bytes()).map_err(unwritable)?;
    write_whole(path, &bytes)
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CloudError> {
    let unwritable = |source| CloudError::Unwritable { path: path.to_owned(), source };
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&temporary, bytes).map_err(unwritable)?;
    fs::rename(&temporary, path).map_err(unwritable)
}

fn read(path: &Path) -> Result<Option<Account>, CloudError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CloudError::Unreadable { path: path.to_owned(), source }),
    };
    let corrupt = |problem: String| CloudError::Corrupt { path: path.to_owned(), problem };
    let saved: Saved<Account> =
        serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
    if saved.form != FORM {
        return Err(corrupt(format!("it has form {} instead of {FORM}", saved.form)));
    }
    Ok(Some(saved.account))
}

fn generation(lock: &mut File) -> io::Result<u64> {
    let mut text = String::new();
    lock.read_to_string(&mut text)?;
    Ok(text.trim().parse().unwrap_or(0))
}

fn stamp_of(path: &Path) -> Option<(std::time::SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
