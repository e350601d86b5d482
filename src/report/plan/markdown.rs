//! A preview as the comment of a pull request: within the host's limit whatever the fleet is, and
//! with every fence closed.

use crate::fleet::Finding;
use crate::ids::Revision;
use crate::plan::preview::Preview;
use crate::report::counted;
use crate::report::plan::{
    Row, Section, Sign, complaint, counts, deletions, digest, headline, sections,
};

/// Hidden first line, by which the one comment of a pull request is found again.
pub const MARKER: &str = "<!-- driftless plan -->";
/// GitHub's limit for a comment, in characters. It is kept in bytes, which are never fewer.
pub const MAX_COMMENT: usize = 65_536;
/// Rows of a section that are shown without a click.
const OPEN_ROWS: usize = 12;
/// Bytes kept free for the end of the comment: what was left out, and open fences.
const RESERVE: usize = 400;
/// Bytes of one sentence above the sections.
const SENTENCE: usize = 2_000;
/// Sentences above the sections.
const SENTENCES: usize = 10;
/// What a section costs besides its title and rows: fences, `<details>`, blank lines.
const SECTION_COST: usize = 120;

/// The whole preview as a comment.
pub fn markdown(preview: &Preview) -> String {
    let mut lines = vec![format!("**{}**", counts(preview))];
    lines.extend(deletions(preview).map(|(held, line)| {
        let mark = if held { ":no_entry:" } else { ":warning:" };
        format!("{mark} **{}**", plain(&line))
    }));
    lines.extend(preview.notices.iter().map(|notice| format!("Note: {}", plain(notice))));
    lines.extend(digest(preview).map(|line| plain(&line)));
    comment(&plain(&headline(preview)), &lines, &sections(preview))
}

/// What is wrong with a revision that is refused, as a comment.
pub fn refused_markdown(revision: &Revision, findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let title = format!("Plan: {} is refused", revision.short());
    let line = format!("**{}: nothing of it would be applied**", counted(errors, "error"));
    let row = |finding: &Finding| {
        let sign = if finding.is_error() { Sign::Minus } else { Sign::Attention };
        Row { sign, depth: 0, text: complaint(finding) }
    };
    let rows = findings.iter().map(row).collect();
    let section = Section { sign: Sign::Minus, title: "Findings".to_owned(), rows };
    comment(&title, &[line], &[section])
}

fn comment(title: &str, lines: &[String], sections: &[Section]) -> String {
    let mut text = format!("{MARKER}\n### {}\n", cut(title, SENTENCE));
    for line in lines.iter().take(SENTENCES) {
        text.push_str(&format!("\n{}\n", cut(line, SENTENCE)));
    }
    let mut left_out = 0;
    let mut whole = 0;
    for section in sections {
        let room = (MAX_COMMENT - RESERVE).saturating_sub(text.len());
        match written(section, room) {
            Some((part, missing)) if left_out == 0 => {
                text.push_str(&part);
                left_out += missing;
                whole += 1;
            }
            Some(_) | None => left_out += section.rows.len() + 1,
        }
    }
    if left_out > 0 {
        text.push_str(&format!(
            "\n_{} left out for the size of a comment ({} shown in part or whole): run \
             `driftless plan` to read all._\n",
            counted(left_out, "line"),
            counted(whole, "section")
        ));
    }
    text
}

/// A section in at most `room` bytes, and how many of its rows did not fit; `None` when not even
/// its title fits.
fn written(section: &Section, room: usize) -> Option<(String, usize)> {
    let title = format!("\n**{}**\n\n", plain(&cut(&section.title, SENTENCE)));
    let mut room = room.checked_sub(title.len() + SECTION_COST)?;
    let mut lines = Vec::new();
    for row in &section.rows {
        let line = diff_line(row);
        match room.checked_sub(line.len()) {
            Some(rest) => room = rest,
            None => break,
        }
        lines.push(line);
    }
    let missing = section.rows.len() - lines.len();
    let (open, folded) = lines.split_at(lines.len().min(OPEN_ROWS));
    let mut text = title;
    text.push_str(&fenced(open));
    if !folded.is_empty() {
        let more = counted(folded.len(), "more line");
        text.push_str(&format!("\n<details><summary>{more}</summary>\n\n"));
        text.push_str(&fenced(folded));
        text.push_str("\n</details>\n");
    }
    Some((text, missing))
}

fn fenced(lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    format!("```diff\n{}```\n", lines.concat())
}

/// A row with its sign in the first column, where hosts look for it.
fn diff_line(row: &Row) -> String {
    let mark = match row.sign {
        Sign::Minus => '-',
        Sign::Plus => '+',
        Sign::Change | Sign::Attention => '!',
        Sign::Plain => '#',
    };
    let line = format!("{mark} {:1$}{2}", "", 2 * row.depth, row.text);
    format!("{}\n", line.trim_end())
}

/// Text of others outside of fences: on one line, and without HTML, links, mentions or fences.
fn plain(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars() {
        match character {
            '<' => line.push_str("&lt;"),
            '@' => line.push_str("&#64;"),
            '[' => line.push_str("&#91;"),
            '!' => line.push_str("&#33;"),
            character if character.is_control() => line.push(' '),
            character => line.push(character),
        }
    }
    line.replace("```", "'''").replace("~~~", "'''")
}

/// At most `bytes` of a text, at the border of a character.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}
