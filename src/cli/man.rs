//! `driftless man`: the manual, one page for each command, made from what `--help` says.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man;

use crate::cli::Failure;
use crate::cli::context::Ending;
use crate::cli::schema::write_file;

#[derive(Args, Clone, Debug)]
pub(super) struct ManArgs {
    /// The command whose page is printed, such as `rollout show`; without it, the program's own
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Vec<String>,
    /// Write the pages of all commands there instead of printing one: a folder `man1` of MANPATH
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints one page, or writes a file for each command and prints their paths.
pub(super) fn run(
    args: &ManArgs,
    mut program: Command,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    // Names of subcommands with those above them, and the flags that all have, come with this.
    program.build();
    let Some(folder) = &args.out else {
        out.write_all(&page(named(&program, &args.command)?)?)?;
        return Ok(Ending::Good);
    };
    let mut open = vec![&program];
    while let Some(command) = open.pop() {
        let path = folder.join(format!("{}.1", title(command)));
        write_file(&path, &page(command)?)?;
        writeln!(out, "{}", path.display())?;
        open.extend(command.get_subcommands());
    }
    Ok(Ending::Good)
}

/// The command of these words, from the program's name on.
fn named<'a>(program: &'a Command, words: &[String]) -> Result<&'a Command, Failure> {
    words.iter().try_fold(program, |command, word| {
        command.find_subcommand(word).ok_or_else(|| {
            Failure::new(
                format!("there is no command `{} {word}`", title(command).replace('-', " ")),
                format!("`{} --help` lists what there is", title(command).replace('-', " ")),
            )
        })
    })
}

/// `driftless-rollout-show`
fn title(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone())
        .source(concat!("driftless ", env!("CARGO_PKG_VERSION")))
        .manual("driftless")
        .render(&mut page)?;
    Ok(page)
}
