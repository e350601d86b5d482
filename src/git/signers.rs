//! Who may sign commits: a file in OpenSSH's format of allowed signers, which nobody who can only push
//! can change. git itself verifies, with OpenSSH's own program.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use git2::{ErrorCode, Oid, Repository};

use crate::git::error::GitError;
use crate::git::fetch_error::Said;
use crate::git::program::{Bounds, GitProgram, Leash, Ran};
use crate::ids::{Digest, Revision};

/// What a signature by an SSH key begins with.
const SSH_SIGNATURE: &[u8] = b"-----BEGIN SSH SIGNATURE-----";
/// A signature is verified within milliseconds; a machine that is out of memory takes longer.
const LONGEST: Duration = Duration::from_secs(30);

/// Settings of git with which nothing but a key of the file makes a commit good: neither what the
/// repository or this user configured, nor other kinds of signatures.
const SETTINGS: &[&str] = &[
    "-c",
    "gpg.ssh.program=ssh-keygen",
    "-c",
    "gpg.program=false",
    "-c",
    "gpg.x509.program=false",
    "-c",
    "gpg.minTrustLevel=fully",
];

/// What `--verify-signers FILE` means.
#[derive(Clone, Debug)]
pub struct SignersSettings {
    /// The file of those who may sign.
    pub file: PathBuf,
    /// What verifies.
    pub program: GitProgram,
}

/// Those who may sign.
#[derive(Clone, Debug)]
pub(crate) struct Signers {
    file: PathBuf,
    program: GitProgram,
    /// A refused commit is asked for every second until there is another.
    last: Arc<Mutex<Option<Verdict>>>,
}

#[derive(Clone, Debug)]
struct Verdict {
    revision: Revision,
    /// Of the file.
    digest: Digest,
    /// What git said against it.
    against: Option<String>,
}

impl Signers {
    /// Those of a file, which is read at each question.
    pub(crate) fn of(settings: SignersSettings) -> Result<Self, GitError> {
        let SignersSettings { file, program } = settings;
        let file = std::path::absolute(&file).map_err(GitError::unreadable(&file))?;
        let signers = Self { file, program, last: Arc::default() };
        signers.digest().map(|_| signers)
    }

    /// Fails unless one of them signed the commit.
    pub(crate) fn vouch(
        &self,
        repository: &Repository,
        revision: &Revision,
    ) -> Result<(), GitError> {
        let digest = self.digest()?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            last.as_ref().filter(|last| last.revision == *revision && last.digest == digest);
        let against = match known {
            Some(known) => known.against.clone(),
            None => {
                let revision = revision.clone();
                self.is_ssh(repository, &revision)?;
                let against = self.verify(repository.path(), &revision)?;
                *last = Some(Verdict { revision, digest, against: against.clone() });
                against
            }
        };
        match against {
            None => Ok(()),
            Some(said) => Err(GitError::UnknownSigner {
                revision: revision.clone(),
                signers: self.file.clone(),
                source: Said::of(&said),
            }),
        }
    }

    /// A hash of the file. One that names nobody is a mistake, and would refuse everything.
    fn digest(&self) -> Result<Digest, GitError> {
        let text = fs::read(&self.file).map_err(GitError::unreadable(&self.file))?;
        let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        if !lines.any(|line| !line.is_empty() && !line.starts_with(b"#")) {
            let file = self.file.display();
            let why = format!("`{file}` names nobody, write lines such as `ann@example.com KEY`");
            return Err(GitError::CannotVerify { why });
        }
        Ok(Digest::of(&text))
    }

    fn is_ssh(&self, repository: &Repository, revision: &Revision) -> Result<(), GitError> {
        let damaged = || GitError::damaged(repository.path(), "the signature of the commit");
        let id = Oid::from_str(revision.as_str()).map_err(damaged())?;
        let revision = revision.clone();
        match repository.extract_signature(&id, None) {
            Ok((signature, _)) if signature.trim_ascii_start().starts_with(SSH_SIGNATURE) => Ok(()),
            Ok(_) => Err(GitError::OtherSignature { revision, signers: self.file.clone() }),
            Err(error) if error.code() == ErrorCode::NotFound => {
                Err(GitError::Unsigned { revision })
            }
            Err(error) => Err(damaged()(error)),
        }
    }

    /// What git says against the signature, if anything.
    fn verify(&self, repository: &Path, revision: &Revision) -> Result<Option<String>, GitError> {
        let Some(file) = self.file.to_str() else {
            return Err(GitError::PathNotUtf8 { path: self.file.display().to_string() });
        };
        let file = format!("gpg.ssh.allowedSignersFile={file}");
        let mut arguments = SETTINGS.to_vec();
        arguments.extend(["-c", &file, "verify-commit", revision.as_str()]);
        let bounds = Bounds { time: LONGEST, folder: None, leash: Leash::default() };
        let cannot = |why: String| Err(GitError::CannotVerify { why });
        let help = "install git (2.34 or newer) and OpenSSH's ssh-keygen";
        match self.program.run(repository, &arguments, &[], &bounds) {
            Ok(Ran::Well(_)) => Ok(None),
            // Without the program git calls every signature bad.
            Ok(Ran::Badly(said)) if said.contains("cannot run ssh-keygen") => {
                cannot(format!("git found no ssh-keygen, {help}"))
            }
            Ok(Ran::Badly(said)) => Ok(Some(said)),
            Ok(Ran::TooLong | Ran::TooLarge | Ran::Cut) => {
                cannot("git did not end, see what hangs with `git verify-commit`".to_owned())
            }
            Err(error) => cannot(format!("git cannot be started ({error}), {help}")),
        }
    }
}
