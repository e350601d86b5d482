//! Build outputs that lie on this machine, looked at before anything is uploaded.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::artifacts::error::ArtifactError;
use crate::ids::Digest;
use crate::package::{Built, BuiltAt, MAX_CODE_BYTES};

/// What is wrong with a build output that lies on this machine; `None` for one that is as its document
/// says, and for one that lies elsewhere. `path` is where templates find it, `folder` where the fleet
/// folder lies, if it does.
pub fn wrong_on_disk(folder: Option<&Path>, path: &str, built: &Built) -> Option<ArtifactError> {
    let BuiltAt::File(from) = &built.from else { return None };
    let missing = |why: &str| ArtifactError::BuiltMissing {
        path: path.to_owned(),
        from: built.from.clone(),
        why: why.to_owned(),
    };
    let at = match place(folder, from) {
        Ok(at) => at,
        Err(why) => return Some(missing(why)),
    };
    match digest(&at) {
        Ok((found, bytes)) if bytes <= MAX_CODE_BYTES => {
            (found != built.digest).then(|| ArtifactError::BuiltOther {
                path: path.to_owned(),
                from: built.from.clone(),
                expected: built.digest,
                found,
            })
        }
        Ok((_, bytes)) => {
            let (path, from) = (path.to_owned(), built.from.clone());
            Some(ArtifactError::BuiltTooLarge { path, from, bytes })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(missing("there is no file")),
        Err(error) => Some(missing(&format!("no file can be read ({error})"))),
    }
}

/// Where a file is that a build left; else why it can be nowhere, with the place behind it.
pub(super) fn place(folder: Option<&Path>, from: &str) -> Result<PathBuf, &'static str> {
    match (Path::new(from), folder) {
        (from, _) if from.is_absolute() => Ok(from.to_owned()),
        (from, Some(folder)) => Ok(folder.join(from)),
        (_, None) => {
            Err("the fleet is fetched and lies in no folder of this machine, so nothing is")
        }
    }
}

/// The digest of a file, and how large it is. What is too large is not read to its end.
fn digest(at: &PathBuf) -> io::Result<(Digest, u64)> {
    let mut bytes = Vec::new();
    let file = File::open(at)?;
    let size = file.metadata()?.len();
    file.take(MAX_CODE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((Digest::of(&bytes), size.max(bytes.len() as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_output_on_disk_is_there_another_or_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("x.zip"), b"x").expect("written");
        let wrong = |from: &str, holds: &[u8]| {
            let built = Built { from: from.parse().expect("a place"), digest: Digest::of(holds) };
            wrong_on_disk(Some(folder.path()), "api/x.zip", &built).map(|error| error.to_string())
        };
        assert_eq!(wrong("file:x.zip", b"x"), None);
        assert_eq!(wrong("s3://builds/x.zip", b"y"), None, "it is looked for when it is needed");
        let text = wrong("file:x.zip", b"y").expect("another");
        assert!(text.starts_with("`api/x.zip`: file:x.zip has the digest sha256:"), "{text}");
        let text = wrong("file:y.zip", b"y").expect("missing");
        assert!(
            text.starts_with("`api/x.zip`: there is no file at file:y.zip: build it"),
            "{text}"
        );
    }
}
