//! Findings as people read them, drawn like the compiler's, and as programs and GitHub Actions do.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::fleet::{Finding, SECRET_IN_GIT, Severity};
use crate::report::output::{self, FORMAT_VERSION, Found, Validated};
use crate::snapshot::Snapshot;

/// More of a line than this is not shown: it would wrap and lose its caret.
const MAX_EXCERPT: usize = 120;
/// GitHub shows so many annotations of one severity of a step, and drops the others silently.
const ANNOTATIONS: usize = 10;

/// How findings are drawn as text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Drawing<'a> {
    /// Put before paths: the fleet folder as people see it from where they are; may be empty.
    pub folder: &'a str,
    /// Whether to use the colours of a terminal.
    pub colour: bool,
}

/// Each finding with its place, the line itself and a fix, then the counts.
pub fn text(findings: &[Finding], snapshot: &Snapshot, drawing: Drawing<'_>) -> String {
    let mut drawn = String::new();
    for finding in findings {
        draw(finding, snapshot, drawing, &mut drawn);
        drawn.push('\n');
    }
    drawn.push_str(&counts(findings));
    drawn.push('\n');
    drawn
}

/// `2 errors, 1 warning`
pub fn counts(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let plural = |number: usize, word: &str| match number {
        1 => format!("1 {word}"),
        number => format!("{number} {word}s"),
    };
    match (count(Severity::Error), count(Severity::Warning)) {
        (0, 0) => "no findings".into(),
        (errors, 0) => plural(errors, "error"),
        (0, warnings) => plural(warnings, "warning"),
        (errors, warnings) => {
            format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"))
        }
    }
}

fn draw(finding: &Finding, snapshot: &Snapshot, drawing: Drawing<'_>, drawn: &mut String) {
    let paint = |code: &str, text: &str| {
        if drawing.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    };
    let loud = match finding.severity {
        Severity::Error => "1;31",
        Severity::Warning => "1;33",
    };
    let head = paint(loud, &format!("{}[{}]", finding.severity, finding.code));
    let message = paint("1", &printable(&finding.message));
    let margin = " ".repeat(finding.line.max(1).to_string().len());
    // Writing to a String cannot fail.
    let _ = writeln!(drawn, "{head}: {message}");
    let _ = writeln!(drawn, "{margin}{} {}", paint("1;34", "-->"), place(finding, drawing.folder));
    let bar = paint("1;34", "|");
    // A secret that stands in git is not shown to those who read logs as well.
    let excerpt = excerpt(finding, snapshot).filter(|_| finding.code != SECRET_IN_GIT);
    if let Some((line, caret)) = excerpt {
        let number = paint("1;34", &finding.line.to_string());
        let _ = writeln!(drawn, "{margin} {bar}\n{number} {bar} {line}");
        let _ = writeln!(drawn, "{margin} {bar} {}", paint(loud, &caret));
    }
    if let Some(help) = &finding.help {
        let equals = paint("1;34", "=");
        let _ = writeln!(drawn, "{margin} {equals} help: {}", printable(help));
    }
}

/// A path of a finding below the fleet folder; the folder itself when it is about that.
pub(super) fn in_folder(path: &str, folder: &str) -> String {
    match (folder.trim_end_matches('/'), path) {
        ("" | ".", "") => ".".into(),
        ("" | ".", path) => path.into(),
        (folder, "") => folder.into(),
        (folder, path) => format!("{folder}/{path}"),
    }
}

fn place(finding: &Finding, folder: &str) -> String {
    let path = printable(&in_folder(&finding.path, folder));
    match (finding.line, finding.column) {
        (0, _) => path,
        (line, 0) => format!("{path}:{line}"),
        (line, column) => format!("{path}:{line}:{column}"),
    }
}

/// The line with a caret line to put below it.
fn excerpt(finding: &Finding, snapshot: &Snapshot) -> Option<(String, String)> {
    let bytes = snapshot.read(&finding.path).ok()?;
    let text = String::from_utf8_lossy(bytes);
    let line: Vec<char> = text.lines().nth(finding.line.checked_sub(1)?)?.chars().collect();
    let column = finding.column.checked_sub(1)?.min(line.len());
    let start = if line.len() > MAX_EXCERPT { column.saturating_sub(MAX_EXCERPT / 2) } else { 0 };
    let end = line.len().min(start + MAX_EXCERPT);
    let width = token(&line[column..end]).max(1);
    let shown = printable(&line[start..end].iter().collect::<String>());
    let caret = format!("{}{}", " ".repeat(column - start), "^".repeat(width));
    Some((shown.trim_end().to_owned(), caret))
}

/// How many characters the key or value has that a finding is about; 0 when it is about more than that.
pub(super) fn width(finding: &Finding, snapshot: &Snapshot) -> usize {
    excerpt(finding, snapshot).map_or(0, |(_, caret)| caret.trim_start().chars().count())
}

/// How many characters belong to the key or value that starts here.
fn token(rest: &[char]) -> usize {
    let quoted = rest.first().filter(|first| matches!(first, '"' | '\''));
    if let Some(quote) = quoted {
        return rest[1..].iter().position(|next| next == quote).map_or(1, |at| at + 2);
    }
    let ends = |at: &usize| match rest[*at] {
        ',' | ']' | '}' => rest[..*at].iter().filter(|before| **before == '{').count() == 0,
        ':' => rest.get(at + 1).is_none_or(|next| next.is_whitespace()),
        ' ' => rest.get(at + 1).is_none_or(|next| matches!(next, '#' | ' ' | '}' | ']')),
        _ => false,
    };
    (0..rest.len()).find(ends).unwrap_or(rest.len())
}

/// Without characters that move a terminal's cursor or change its colours.
fn printable(text: &str) -> String {
    let shown = |character: char| match character {
        '\t' => ' ',
        character if character.is_control() => '\u{fffd}',
        character => character,
    };
    text.chars().map(shown).collect()
}

/// One object with `version`, `errors`, `warnings` and `findings`.
pub fn json(findings: &[Finding], folder: &str) -> String {
    let found = |finding: &Finding| Found {
        code: finding.code.to_owned(),
        severity: finding.severity,
        path: in_folder(&finding.path, folder),
        line: finding.line,
        column: finding.column,
        message: finding.message.clone(),
        help: finding.help.clone(),
    };
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    output::text(&Validated {
        version: FORMAT_VERSION,
        errors,
        warnings: findings.len() - errors,
        findings: findings.iter().map(found).collect(),
    })
}

/// Workflow commands that GitHub shows at the lines of a pull request. Of more than it shows, the last
/// that it does says how many are in the log only.
pub fn github(findings: &[Finding], folder: &str) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| {
        let text = data(text).replace(':', "%3A").replace(',', "%2C");
        printable(&text)
    };
    let of = |severity| findings.iter().filter(|one| one.severity == severity).count();
    let mut written = BTreeMap::new();
    let mut commands = String::new();
    for finding in findings {
        let (before, all) = (written.entry(finding.severity).or_insert(0), of(finding.severity));
        if all > ANNOTATIONS && *before == ANNOTATIONS - 1 {
            let (severity, shown) = (finding.severity, *before);
            let _ = writeln!(
                commands,
                "::{severity} title=more-findings::{shown} of {all} {severity}s are shown at their \
                 lines, as GitHub shows {ANNOTATIONS} of a step: the log has them all"
            );
        }
        *before += 1;
        let file = property(&in_folder(&finding.path, folder));
        let mut place = format!("file={file}");
        if finding.line > 0 {
            let _ = write!(place, ",line={}", finding.line);
        }
        if finding.column > 0 {
            let _ = write!(place, ",col={}", finding.column);
        }
        let message = match &finding.help {
            Some(help) => {
                format!("{}\nhelp: {}", printable(&finding.message), printable(help))
            }
            None => printable(&finding.message),
        };
        let (severity, code) = (finding.severity, finding.code);
        let _ = writeln!(commands, "::{severity} {place},title={code}::{}", data(&message));
    }
    commands
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::ids::Revision;
    use crate::snapshot::Entry;

    fn finding(code: &'static str, line: usize, column: usize) -> Finding {
        Finding {
            code,
            severity: Severity::Error,
            path: "tenants/acme.yaml".into(),
            line,
            column,
            message: "unknown field `regoins` in `spec`".into(),
            help: Some("did you mean `regions`?".into()),
        }
    }

    fn snapshot(text: &str) -> Snapshot {
        let entry = Entry::File(text.as_bytes().into());
        let entries = BTreeMap::from([("tenants/acme.yaml".to_owned(), entry)]);
        Snapshot::of(Revision::of("folder"), None, entries)
    }

    #[test]
    fn a_finding_is_drawn_like_the_compilers() {
        let snapshot = snapshot("kind: Tenant\nspec:\n  regoins: [eu-central-1]\n");
        let mut findings = vec![finding("unknown-field", 3, 3), finding("whole-file", 0, 0)];
        findings[1].severity = Severity::Warning;
        findings[1].help = None;
        let drawing = Drawing { folder: "fleet", colour: false };
        insta::assert_snapshot!(text(&findings, &snapshot, drawing), @r"
        error[unknown-field]: unknown field `regoins` in `spec`
         --> fleet/tenants/acme.yaml:3:3
          |
        3 |   regoins: [eu-central-1]
          |   ^^^^^^^
          = help: did you mean `regions`?

        warning[whole-file]: unknown field `regoins` in `spec`
         --> fleet/tenants/acme.yaml

        1 error, 1 warning
        ");
    }

    #[test]
    fn colours_are_used_only_when_asked_for() {
        let snapshot = snapshot("spec: { a: 1 }\n");
        let findings = [finding("unknown-field", 1, 9)];
        let coloured = text(&findings, &snapshot, Drawing { folder: "", colour: true });
        assert!(coloured.contains("\u{1b}[1;31merror[unknown-field]\u{1b}[0m"), "{coloured}");
        assert!(!text(&findings, &snapshot, Drawing::default()).contains('\u{1b}'));
    }

    #[test]
    fn a_document_cannot_control_the_terminal() {
        let snapshot = snapshot("a: \u{1b}]0;title\u{7}\n");
        let mut findings = [finding("bad-name", 1, 4)];
        findings[0].message = "a\u{1b}[2Jb".into();
        let drawn = text(&findings, &snapshot, Drawing::default());
        assert!(!drawn.contains(['\u{1b}', '\u{7}']), "{drawn:?}");
    }

    #[test]
    fn a_long_line_is_shown_around_the_caret() {
        let long = format!("a: [{}, here, {}]\n", "x, ".repeat(300), "y, ".repeat(300));
        let column = long.find("here").expect("there") + 1;
        let snapshot = snapshot(&long);
        let (line, caret) = excerpt(&finding("x", 1, column), &snapshot).expect("an excerpt");
        assert!(line.chars().count() <= MAX_EXCERPT);
        let at = caret.find('^').expect("a caret");
        assert_eq!((&line[at..at + 4], caret.trim()), ("here", "^^^^"));
    }

    #[test]
    fn github_gets_workflow_commands() {
        let mut findings = [finding("unknown-field", 3, 3)];
        findings[0].message = "100% wrong".into();
        insta::assert_snapshot!(github(&findings, "fleet"), @"::error file=fleet/tenants/acme.yaml,line=3,col=3,title=unknown-field::100%25 wrong%0Ahelp: did you mean `regions`?");
    }

    #[test]
    fn what_stands_in_a_finding_begins_no_other_command() {
        let mut findings = [finding("bad-name", 3, 3)];
        findings[0].path = "a,line=9::b\r\n::error::c%\u{1b}.yaml".into();
        findings[0].message = "x%0A\r\n::set-env name=PATH::y\u{1b}[2J".into();
        findings[0].help = None;
        insta::assert_snapshot!(github(&findings, ""), @"::error file=a%2Cline=9%3A%3Ab%0D%0A%3A%3Aerror%3A%3Ac%25�.yaml,line=3,col=3,title=bad-name::x%250A��::set-env name=PATH::y�[2J");
    }

    #[test]
    fn more_than_github_shows_of_a_severity_is_said_in_the_last_that_it_does() {
        let findings: Vec<Finding> = (1..=12).map(|line| finding("x", line, 1)).collect();
        let drawn = github(&findings, "");
        let commands: Vec<&str> = drawn.lines().collect();
        assert_eq!(commands.len(), 13);
        assert_eq!(
            commands[9],
            "::error title=more-findings::9 of 12 errors are shown at their lines, as GitHub shows \
             10 of a step: the log has them all"
        );
        assert!(commands[10].contains("line=10,"));
        assert!(!github(&findings[..10], "").contains("more-findings"));
        let mut mixed = findings[..10].to_vec();
        mixed.extend(
            (1..=10).map(|line| Finding { severity: Severity::Warning, ..finding("x", line, 1) }),
        );
        assert!(!github(&mixed, "").contains("more-findings"), "each severity has ten of its own");
    }

    #[test]
    fn json_carries_everything() {
        let findings = [finding("unknown-field", 3, 3), finding("whole-file", 0, 0)];
        let parsed: Value = serde_json::from_str(&json(&findings, "fleet")).expect("json");
        assert_eq!((&parsed["version"], &parsed["errors"]), (&json!(1), &json!(2)));
        assert_eq!(parsed["findings"][0]["path"], "fleet/tenants/acme.yaml");
    }
}
