//! `driftless schema`: the JSON Schemas of the documents, for editors.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::Failure;
use crate::cli::context::Ending;
use crate::fleet::schemas;

#[derive(Args, Clone, Debug)]
pub(super) struct SchemaArgs {
    /// Write fleet.json, tenant.json and service.json there instead of printing them
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints one object with a schema a kind, or writes a file a kind.
pub(super) fn run(args: &SchemaArgs, out: &mut dyn Write) -> Result<Ending, Failure> {
    let Some(folder) = &args.out else {
        let mut all = serde_json::Map::new();
        for (name, text) in schemas() {
            let schema = serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
            all.insert(name.trim_end_matches(".json").to_owned(), schema);
        }
        writeln!(out, "{:#}", serde_json::Value::Object(all))?;
        return Ok(Ending::Good);
    };
    for (name, text) in schemas() {
        write_file(&folder.join(name), text.as_bytes())?;
        writeln!(out, "{}", folder.join(name).display())?;
    }
    Ok(Ending::Good)
}

/// Writes a file, in a folder that is made when it is missing.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(path, bytes)).map_err(|source| Failure {
        causes: vec![source.to_string()],
        ..Failure::new(
            format!("cannot write `{}`", path.display()),
            "see that this user may write there and that the disk has room",
        )
    })
}
