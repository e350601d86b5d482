//! Writes zips that depend on nothing but what is in them: sorted, with one time and one mode.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Write};
use std::sync::Arc;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Lambda runs files under another user, and what is executable nobody can tell on every system.
const MODE: u32 = 0o755;

/// A zip of these files by name.
pub fn archive(files: &BTreeMap<String, Arc<[u8]>>) -> io::Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(MODE);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(name.as_str(), options)?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_make_the_same_zip() {
        let files = BTreeMap::from([
            ("a.py".to_owned(), Arc::from(b"print(1)".as_slice())),
            ("lib/b.py".to_owned(), Arc::from("x".repeat(10_000).into_bytes())),
        ]);
        let zip = archive(&files).expect("a zip");
        assert_eq!(zip, archive(&files).expect("a zip"));
        assert!(zip.len() < 1_000, "it is compressed");
        let mut read = zip::ZipArchive::new(Cursor::new(zip)).expect("a zip");
        let names: Vec<_> = (0..read.len())
            .map(|number| {
                let file = read.by_index(number).expect("a file");
                let modified = file.last_modified().map(|time| time.year());
                (file.name().expect("a name").into_owned(), file.unix_mode(), modified)
            })
            .collect();
        let expected =
            ["a.py", "lib/b.py"].map(|name| (name.to_owned(), Some(0o100_755), Some(1980)));
        assert_eq!(names, expected);
    }
}
