//! Where URLs and keys come from. Their values are shown nowhere.

use std::fmt;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use crate::fleet::Secret;

/// A URL or a key is a line; more is another file.
const MAX_BYTES: u64 = 16 * 1_024;

/// Gives the value of an environment variable. The environment itself is read in `settings` only.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A text that is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// A text that is shown nowhere from now on.
    pub fn of(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one call that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// The value of a secret; the error is a sentence without it.
pub(super) fn reveal(secret: &Secret, environment: &Environment) -> Result<Hidden, String> {
    let value = match secret {
        Secret::Environment(name) => {
            environment(name).ok_or_else(|| format!("{secret} is not set where driftless runs"))?
        }
        Secret::File(path) => read_file(Path::new(path), MAX_BYTES)
            .map_err(|error| format!("{secret} cannot be read: {error}"))?,
    };
    match value.trim() {
        "" => Err(format!("{secret} is empty")),
        value => Ok(Hidden::of(value)),
    }
}

/// The text of a file of at most `most` bytes; what is longer is cut.
pub(super) fn read_file(path: &Path, most: u64) -> std::io::Result<String> {
    let file = std::fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut text = String::new();
    file.take(most).read_to_string(&mut text)?;
    Ok(text)
}
