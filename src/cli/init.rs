//! `driftless init`: a new fleet repository after the sample, with its first commit.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::Failure;
use crate::cli::context::{Ending, Format};
use crate::cli::sample::{AROUND, COMMON, RUN, TENANTS, generated};
use crate::cli::schema::write_file;
use crate::fleet::schemas;
use crate::git::init_repository;
use crate::report::counted;
use crate::report::output::{self, FORMAT_VERSION, Made};

/// More tenants than this make more files than a snapshot may have.
const MAX_TENANTS: u32 = 15_000;

const IGNORED: &str = "# The journal, and the state of the simulated cloud.\n.driftless/\n";

#[derive(Args, Clone, Debug)]
pub(super) struct InitArgs {
    /// The folder of the new repository; it is made when it is missing
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// So many generated tenants instead of the 12 of the sample
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_TENANTS)))]
    tenants: Option<u32>,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Writes the files and commits them. An existing folder must be empty: nothing is overwritten.
pub(super) fn run(args: &InitArgs, out: &mut dyn Write) -> Result<Ending, Failure> {
    let folder = &args.folder;
    if !is_free(folder)? {
        return Err(Failure::new(
            format!("`{}` is not empty", folder.display()),
            "name a new folder: `driftless init DIR`",
        ));
    }
    let mut count = 0;
    for (path, text) in files(args.tenants) {
        write_file(&folder.join(path), text.as_bytes())?;
        count += 1;
    }
    let revision = init_repository(folder, "A new fleet, made by driftless init")?;
    let tenants = args.tenants.map_or(TENANTS.len(), |number| number as usize);
    if args.format == Format::Json {
        let made = Made {
            version: FORMAT_VERSION,
            folder: folder.display().to_string(),
            tenants,
            files: count,
            revision: revision.as_str().to_owned(),
        };
        out.write_all(output::text(&made).as_bytes())?;
        return Ok(Ending::Good);
    }
    writeln!(
        out,
        "made a fleet of {} in `{}`: {count} files, committed as {}",
        counted(tenants, "tenant"),
        folder.display(),
        revision.short(),
    )?;
    writeln!(out, "next: {}driftless run", entering(folder))?;
    Ok(Ending::Good)
}

fn entering(folder: &Path) -> String {
    if folder == Path::new(".") { String::new() } else { format!("cd {} && ", folder.display()) }
}

fn is_free(folder: &Path) -> Result<bool, Failure> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Failure {
            causes: vec![error.to_string()],
            ..Failure::new(
                format!("`{}` cannot be a new fleet", folder.display()),
                "name a folder that is empty or does not exist",
            )
        }),
    }
}

/// Every file of a new repository by its path.
fn files(tenants: Option<u32>) -> Vec<(String, String)> {
    let own = |(path, text): &(&str, &str)| (format!("fleet/{path}"), (*text).to_owned());
    let mut files: Vec<(String, String)> = COMMON.iter().map(own).collect();
    match tenants {
        None => files.extend(TENANTS.iter().map(own)),
        Some(number) => files.extend((1..=number).map(|number| {
            let (path, text) = generated(number);
            (format!("fleet/{path}"), text)
        })),
    }
    let at_the_top = AROUND.iter().chain(RUN);
    files.extend(at_the_top.map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    files.extend(schemas().into_iter().map(|(name, text)| (format!("schema/{name}"), text)));
    files.push((".gitignore".into(), IGNORED.into()));
    files.push(("README.md".into(), include_str!("init/README.md").into()));
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::checked;
    use crate::git::{Source, SourceSettings};

    fn made(tenants: Option<u32>) -> (tempfile::TempDir, usize) {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("new");
        let args = InitArgs { folder: folder.clone(), tenants, format: Format::Text };
        run(&args, &mut Vec::new()).expect("made");
        let path = folder.join("fleet");
        let source =
            Source::open(SourceSettings { path, revision: None, worktree: false, polled: false });
        let snapshot = source.expect("a repository").read().expect("committed");
        let found = checked(&snapshot);
        assert_eq!(found.findings, []);
        (parent, found.desired.expect("good").tenants.len())
    }

    #[test]
    fn a_new_fleet_has_no_findings() {
        assert_eq!(made(None).1, 12);
        assert_eq!(made(Some(40)).1, 40);
    }

    #[test]
    fn every_file_of_the_sample_is_in_a_new_fleet() {
        let fleet = Path::new(env!("CARGO_MANIFEST_DIR")).join("fleet");
        let mut folders = vec![fleet.clone()];
        let mut lying = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("readable") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let below = path.strip_prefix(&fleet).expect("below").display().to_string();
                    lying.push(below);
                }
            }
        }
        let mut ours: Vec<String> = COMMON
            .iter()
            .chain(AROUND)
            .chain(RUN)
            .chain(TENANTS)
            .map(|(path, _)| (*path).to_owned())
            .collect();
        lying.sort();
        ours.sort();
        assert_eq!(ours, lying, "list the files of fleet/ in src/cli/sample.rs");
    }

    #[test]
    fn a_folder_with_anything_in_it_is_left_alone() {
        let (parent, _) = made(None);
        let folder = parent.path().to_owned();
        let args = InitArgs { folder, tenants: None, format: Format::Text };
        let failure = run(&args, &mut Vec::new()).expect_err("not empty");
        assert!(failure.what.ends_with("is not empty"), "{failure:?}");
        assert!(!parent.path().join("fleet").exists());
    }
}
