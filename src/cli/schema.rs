//! `driftless schema`: the JSON Schemas of the documents, for editors, and of what commands write with
//! `--format json`, for programs.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::Failure;
use crate::cli::context::Ending;
use crate::fleet::schemas;
use crate::report::output;

#[derive(Args, Clone, Debug)]
pub(super) struct SchemaArgs {
    /// Write them there instead of printing them: fleet.json, tenant.json and service.json, and one for
    /// each command in output/
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Every schema by the path of its file.
fn all() -> impl Iterator<Item = (&'static str, String)> {
    schemas().into_iter().chain(output::schemas())
}

/// Prints one object with a schema for each kind and each output, or writes a file for each.
pub(super) fn run(args: &SchemaArgs, out: &mut dyn Write) -> Result<Ending, Failure> {
    let Some(folder) = &args.out else {
        let mut all = serde_json::Map::new();
        for (name, text) in self::all() {
            let schema = serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
            all.insert(name.trim_end_matches(".json").to_owned(), schema);
        }
        writeln!(out, "{:#}", serde_json::Value::Object(all))?;
        return Ok(Ending::Good);
    };
    for (name, text) in all() {
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
