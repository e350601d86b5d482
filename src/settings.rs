//! Flags and environment, resolved once. Nothing else reads the environment but the AWS SDK, which
//! has settings of its own.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::git::{
    Address, FetchLimits, GitError, GitProgram, Place, RemoteSettings, SignersSettings, Source,
    SourceSettings,
};

/// Minutes of a real stack are seconds here, so that a demonstration takes less than a minute.
pub const DEFAULT_CLOUD_SPEED: f64 = 60.0;
/// A faster cloud than this would finish an operation within the call that starts it.
const MAX_CLOUD_SPEED: f64 = 100_000.0;
/// The shortest pause between two looks at a target of AWS: more looks would only be throttled.
const LOOK_EVERY_AWS: Duration = Duration::from_secs(5);
/// The same at the default speed of the simulated cloud.
const LOOK_EVERY_SIMULATED: f64 = 1.0;

/// The flags that every command takes.
#[derive(Args, Clone, Debug)]
pub struct Flags {
    /// The folder of the fleet, in a git repository at a commit (default HEAD) or outside git; or the
    /// URL of a git repository
    // The environment may hold a URL with credentials, which no help text shows.
    #[arg(
        long,
        global = true,
        value_name = "PATH[@REV]|URL",
        env = "DRIFTLESS_FLEET",
        hide_env_values = true,
        default_value = "fleet",
        help_heading = "Global options"
    )]
    pub fleet: String,
    /// The branch of a URL that is followed (default: the repository's own)
    #[arg(
        long,
        global = true,
        value_name = "BRANCH",
        env = "DRIFTLESS_BRANCH",
        help_heading = "Global options"
    )]
    pub branch: Option<String>,
    /// The folder of the fleet in the repository of a URL (default: all of it)
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        env = "DRIFTLESS_PATH",
        help_heading = "Global options"
    )]
    pub path: Option<PathBuf>,
    /// Take only commits that a key of this file signed: OpenSSH's allowed_signers, as git has it
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "DRIFTLESS_VERIFY_SIGNERS",
        help_heading = "Global options"
    )]
    pub verify_signers: Option<PathBuf>,
    /// Read the files as they lie instead of a commit
    #[arg(long, global = true, env = "DRIFTLESS_WORKTREE", help_heading = "Global options")]
    pub worktree: bool,
    /// The journal: what survives a restart
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "DRIFTLESS_STATE",
        default_value = ".driftless/state.db",
        help_heading = "Global options"
    )]
    pub state: PathBuf,
    /// How log lines are written
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        env = "DRIFTLESS_LOG_FORMAT",
        default_value_t,
        help_heading = "Global options"
    )]
    pub log_format: LogFormat,
    /// Log more: what was looked at (-v), what the libraries do (-vv)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// How much faster than AWS the simulated cloud is (default 60)
    #[arg(
        long,
        global = true,
        value_name = "N",
        env = "DRIFTLESS_CLOUD_SPEED",
        value_parser = speed,
        help_heading = "Global options"
    )]
    pub cloud_speed: Option<f64>,
    /// Print help
    // clap's own long form would put the global options of every command on two screens.
    #[arg(short, long, global = true, action = clap::ArgAction::HelpShort, help_heading = "Global options")]
    pub help: Option<bool>,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line, with fields.
    Json,
}

/// Everything that flags and environment say.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the fleet is.
    pub place: Place,
    /// Who may sign what is taken; `None`: nobody has to.
    pub signers: Option<PathBuf>,
    /// The file of the journal.
    pub state: PathBuf,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// How many times `-v` was given.
    pub verbosity: u8,
    /// The speed of the simulated cloud, if one was asked for.
    pub cloud_speed: Option<f64>,
    /// Who gives approvals and suspends.
    pub user: String,
    /// What people look at.
    pub terminal: Terminal,
}

/// What stdin, stdout and stderr are connected to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// A person can be asked.
    pub can_ask: bool,
    /// Colours on stdout.
    pub colour_out: bool,
    /// Colours on stderr.
    pub colour_err: bool,
    /// Bars on stderr.
    pub bars: bool,
}

impl Settings {
    /// What the flags mean, here and now.
    pub fn of(flags: Flags) -> Result<Self, String> {
        let place = place(&flags)?;
        let terminal = Terminal::of_this_process(flags.log_format);
        Ok(Self {
            place,
            signers: flags.verify_signers,
            state: flags.state,
            log_format: flags.log_format,
            verbosity: flags.verbose,
            cloud_speed: flags.cloud_speed,
            user: user(),
            terminal,
        })
    }

    /// The fleet's folder as people wrote it; in a remote repository as seen from its top.
    pub fn fleet_folder(&self) -> &Path {
        match &self.place {
            Place::Here(source) => &source.path,
            Place::Remote(remote) => &remote.folder,
        }
    }

    /// Whether the flags say which revision of a local fleet is meant, or its files as they lie.
    pub fn names_a_revision(&self) -> bool {
        match &self.place {
            Place::Here(source) => source.worktree || source.revision.is_some(),
            Place::Remote(_) => false,
        }
    }

    /// Where the fleet is read from. Nothing is read or fetched yet.
    pub fn source(&self) -> Result<Source, GitError> {
        let source = Source::at(self.place.clone())?;
        match self.signers.clone() {
            Some(file) => source.signed_by(SignersSettings { file, program: git_program() }),
            None => Ok(source),
        }
    }

    /// Where the simulated cloud keeps its state: beside the journal.
    pub fn cloud_folder(&self) -> PathBuf {
        self.state.with_file_name("cloud")
    }

    /// The speed of the simulated cloud.
    pub fn simulated_speed(&self) -> f64 {
        self.cloud_speed.unwrap_or(DEFAULT_CLOUD_SPEED)
    }

    /// The shortest pause between two looks at a target of AWS.
    pub fn look_every_aws(&self) -> Duration {
        LOOK_EVERY_AWS
    }

    /// The shortest pause between two looks at a target of the simulated cloud.
    pub fn look_every_simulated(&self) -> Duration {
        let seconds = LOOK_EVERY_SIMULATED * DEFAULT_CLOUD_SPEED / self.simulated_speed();
        Duration::from_secs_f64(seconds.clamp(0.02, LOOK_EVERY_SIMULATED))
    }
}

impl Terminal {
    fn of_this_process(log_format: LogFormat) -> Self {
        let colour = variable("NO_COLOR").is_none() && variable("TERM").as_deref() != Some("dumb");
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        Self {
            can_ask: std::io::stdin().is_terminal() && err,
            colour_out: out && colour,
            colour_err: err && colour,
            bars: err
                && log_format == LogFormat::Text
                && variable("TERM").as_deref() != Some("dumb"),
        }
    }
}

/// The variable, unless it is empty: for secrets that documents name.
#[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn user() -> String {
    let names = ["DRIFTLESS_USER", "USER", "LOGNAME"];
    names.into_iter().find_map(variable).unwrap_or_else(|| "unknown".to_owned())
}

/// What `--fleet` and the flags that go with it name.
fn place(flags: &Flags) -> Result<Place, String> {
    let Flags { fleet, branch, path, worktree, state, .. } = flags;
    let Some(address) = Address::parse(fleet) else {
        let unfit = [("branch", branch.is_some()), ("path", path.is_some())];
        if let Some((flag, _)) = unfit.iter().find(|(_, is_given)| *is_given) {
            return Err(format!(
                "--{flag} is for a URL, and --fleet names a folder: write --fleet FOLDER@BRANCH, or \
                 leave it out (DRIFTLESS_{} too)",
                flag.to_uppercase()
            ));
        }
        let (path, revision) = split_revision(fleet)?;
        let source = SourceSettings { path, revision, worktree: *worktree, polled: false };
        return Ok(Place::Here(source));
    };
    if *worktree {
        return Err("--worktree reads files as they lie, and --fleet names a URL: clone the \
                    repository and name its folder"
            .to_owned());
    }
    Ok(Place::Remote(Box::new(RemoteSettings {
        address: address?,
        branch: branch.clone(),
        folder: path.clone().unwrap_or_default(),
        clones: state.with_file_name("git"),
        program: git_program().with_configured_ssh(),
        limits: FetchLimits::default(),
    })))
}

/// git as the environment has it.
fn git_program() -> GitProgram {
    GitProgram {
        ssh_command: variable("GIT_SSH_COMMAND"),
        has_ssh_program: variable("GIT_SSH").is_some(),
        has_askpass: variable("GIT_ASKPASS").is_some(),
        ..GitProgram::default()
    }
}

/// `PATH[@REV]`; a folder whose own name has an `@` is taken as it is.
fn split_revision(fleet: &str) -> Result<(PathBuf, Option<String>), String> {
    let whole = PathBuf::from(fleet);
    let Some((path, revision)) = fleet.rsplit_once('@').filter(|_| !whole.is_dir()) else {
        return Ok((whole, None));
    };
    if revision.is_empty() {
        return Err(format!(
            "--fleet {fleet} has no revision: write one after the @, or leave it out"
        ));
    }
    let path = if path.is_empty() { "." } else { path };
    Ok((path.into(), Some(revision.to_owned())))
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "write a number such as 60".to_owned())?;
    if speed.is_finite() && speed > 0.0 && speed <= MAX_CLOUD_SPEED {
        return Ok(speed);
    }
    Err(format!("it must be above 0 and at most {MAX_CLOUD_SPEED}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_what_follows_the_last_at_sign() {
        let split = |text: &str| split_revision(text).expect("well formed");
        assert_eq!(split("fleet"), ("fleet".into(), None));
        assert_eq!(split("fleet@HEAD~1"), ("fleet".into(), Some("HEAD~1".into())));
        assert_eq!(split("@main"), (".".into(), Some("main".into())));
        assert_eq!(split("a@b@c"), ("a@b".into(), Some("c".into())));
        assert!(split_revision("fleet@").is_err());
        let folder = tempfile::tempdir().expect("a folder");
        let odd = folder.path().join("me@work");
        std::fs::create_dir(&odd).expect("made");
        assert_eq!(split(&odd.display().to_string()), (odd, None));
    }

    fn flags(arguments: &[&str]) -> Flags {
        #[derive(clap::Parser)]
        #[command(disable_help_flag = true)]
        struct Line {
            #[command(flatten)]
            flags: Flags,
        }
        let line = [&["driftless"], arguments].concat();
        <Line as clap::Parser>::try_parse_from(line).expect("flags").flags
    }

    #[test]
    fn a_url_is_fetched_beside_the_journal_and_a_folder_is_read_where_it_lies() {
        let url = "https://ann:hush@git.example.com/fleet.git";
        let line = ["--fleet", url, "--branch", "b", "--path", "p", "--state", "s/state.db"];
        let settings = Settings::of(flags(&line)).expect("settings");
        let Place::Remote(remote) = &settings.place else { panic!("it is remote") };
        assert_eq!(remote.address.as_str(), "https://git.example.com/fleet.git");
        assert_eq!(remote.branch.as_deref(), Some("b"));
        assert_eq!(settings.fleet_folder(), Path::new("p"));
        assert_eq!(remote.clones, Path::new("s/git"));
        assert!(!format!("{settings:?}").contains("hush"));
        let here = Settings::of(flags(&["--fleet", "a@b"])).expect("settings");
        let Place::Here(here) = here.place else { panic!("it is here") };
        assert_eq!((here.path, here.revision.as_deref()), ("a".into(), Some("b")));
    }

    #[test]
    fn a_speed_is_a_positive_number() {
        assert_eq!(speed("60"), Ok(60.0));
        for bad in ["0", "-1", "inf", "NaN", "fast", "1e9"] {
            assert!(speed(bad).is_err(), "{bad}");
        }
    }
}
