//! A preview as the comment of a pull request: within the host's limit whatever the fleet is, and
//! with every fence closed.

use crate::fleet::Finding;
use crate::ids::Revision;
use crate::plan::preview::Preview;
use crate::report::counted;
use crate::report::plan::parts::{MAX_PARTS, headed};
use crate::report::plan::{
    Row, Section, Sign, complaint, counts, digest, headline, loud, sections,
};

/// Hidden first line, by which the one comment of a pull request is found again.
pub const MARKER: &str = "<!-- driftless plan -->";
/// Bytes of the marker and of what stands around a title.
const HEAD: usize = 160;
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
    Words::of(preview).only_comment()
}

/// What is wrong with a revision that is refused, as a comment.
pub fn refused_markdown(revision: &Revision, findings: &[Finding], folder: &str) -> String {
    Words::of_refusal(revision, findings, folder).only_comment()
}

/// The whole preview as one to five comments of at most `limit` bytes each; `limit` is no less than
/// half of [`MAX_COMMENT`]. Where there are several, each says which of how many it is. `folder` is
/// that of the fleet, which tells the plans of several fleets of one repository apart.
pub fn comments(preview: &Preview, folder: &str, limit: usize) -> Vec<String> {
    Words::of(preview).comments(folder, limit)
}

/// What is wrong with a revision that is refused, as such comments.
pub fn refused_comments(
    revision: &Revision,
    findings: &[Finding],
    folder: &str,
    limit: usize,
) -> Vec<String> {
    Words::of_refusal(revision, findings, folder).comments(folder, limit)
}

/// What is written, before it is cut into comments.
struct Words {
    title: String,
    lines: Vec<String>,
    sections: Vec<Section>,
}

impl Words {
    fn of(preview: &Preview) -> Self {
        let mut lines = vec![format!("**{}**", counts(preview))];
        lines.extend(loud(preview).into_iter().map(|(stops, line)| {
            let mark = if stops { ":no_entry:" } else { ":warning:" };
            format!("{mark} **{}**", plain(&line))
        }));
        lines.extend(digest(preview).map(|line| plain(&line)));
        lines.extend(preview.notices.iter().map(|notice| format!("Note: {}", plain(notice))));
        Self { title: plain(&headline(preview)), lines, sections: sections(preview) }
    }

    fn of_refusal(revision: &Revision, findings: &[Finding], folder: &str) -> Self {
        let errors = findings.iter().filter(|finding| finding.is_error()).count();
        let title = format!("Plan: {} is refused", revision.short());
        let line = format!("**{}: nothing of it would be applied**", counted(errors, "error"));
        let row = |finding: &Finding| {
            let sign = if finding.is_error() { Sign::Minus } else { Sign::Attention };
            Row { sign, depth: 0, text: complaint(finding, folder) }
        };
        let rows = findings.iter().map(row).collect();
        let section = Section { sign: Sign::Minus, title: "Findings".to_owned(), rows };
        Self { title, lines: vec![line], sections: vec![section] }
    }

    fn only_comment(&self) -> String {
        let text = self.bodies(MAX_COMMENT, 1).concat();
        format!("{MARKER}\n### {}\n{text}", cut(&self.title, SENTENCE))
    }

    fn comments(&self, folder: &str, limit: usize) -> Vec<String> {
        headed(&cut(&self.title, SENTENCE), self.bodies(limit, MAX_PARTS), folder)
    }

    /// The text below the title in at most `most` pieces, each with room for its head in `limit`
    /// bytes. What does not fit is counted at the end of the last.
    fn bodies(&self, limit: usize, most: usize) -> Vec<String> {
        let mut pages = Pages::new(limit, most, cut(&self.title, SENTENCE).len());
        for line in self.lines.iter().take(SENTENCES) {
            pages.last.push_str(&format!("\n{}\n", cut(line, SENTENCE)));
        }
        if let Some(more) = self.lines.len().checked_sub(SENTENCES).filter(|more| *more > 0) {
            let more = counted(more, "more note");
            pages.last.push_str(&format!("\nand {more}: run `driftless plan` to read them\n"));
        }
        for section in &self.sections {
            pages.write(section);
        }
        pages.end()
    }
}

/// Pieces of a text that are filled one after the other.
struct Pages {
    done: Vec<String>,
    last: String,
    room: usize,
    most: usize,
    /// Lines that found no room, and sections of which at least a part did.
    left_out: usize,
    begun: usize,
}

impl Pages {
    fn new(limit: usize, most: usize, title: usize) -> Self {
        let room = limit.saturating_sub(RESERVE + HEAD + title);
        Self { done: Vec::new(), last: String::new(), room, most, left_out: 0, begun: 0 }
    }

    /// Writes a section, over as many pages as it takes.
    fn write(&mut self, section: &Section) {
        let mut rest = section.rows.as_slice();
        let mut is_first = true;
        while self.left_out == 0 {
            let room = self.room.saturating_sub(self.last.len());
            let written = written(&section.title, rest, is_first, room);
            let taken = written.as_ref().map_or(0, |(_, taken)| *taken);
            let (is_whole, is_last) = (taken == rest.len(), self.done.len() + 1 == self.most);
            match written {
                // A title alone at the end of a page belongs on the next.
                Some((text, _)) if is_whole || taken > 0 || is_last => {
                    self.last.push_str(&text);
                    self.begun += usize::from(is_first);
                    (is_first, rest) = (false, &rest[taken..]);
                    if is_whole {
                        return;
                    }
                }
                Some(_) | None => {}
            }
            if is_last || self.last.is_empty() {
                break;
            }
            self.done.push(std::mem::take(&mut self.last));
        }
        self.left_out += rest.len() + usize::from(is_first);
    }

    fn end(mut self) -> Vec<String> {
        if self.left_out > 0 {
            self.last.push_str(&format!(
                "\n_{} left out for the size of a comment ({} shown in part or whole): run \
                 `driftless plan` to read all._\n",
                counted(self.left_out, "line"),
                counted(self.begun, "section")
            ));
        }
        self.done.push(self.last);
        self.done
    }
}

/// Rows of a section in at most `room` bytes, and how many of them fitted; `None` when not even its
/// title fits.
fn written(title: &str, rows: &[Row], is_first: bool, room: usize) -> Option<(String, usize)> {
    let more = if is_first { "" } else { " (continued)" };
    let title = format!("\n**{}{more}**\n\n", plain(&cut(title, SENTENCE)));
    let mut room = room.checked_sub(title.len() + SECTION_COST)?;
    let mut lines = Vec::new();
    for row in rows {
        let line = diff_line(row);
        match room.checked_sub(line.len()) {
            Some(rest) => room = rest,
            None => break,
        }
        lines.push(line);
    }
    let shown = if is_first { OPEN_ROWS } else { 0 };
    let (open, folded) = lines.split_at(lines.len().min(shown));
    let mut text = title;
    text.push_str(&fenced(open));
    if !folded.is_empty() {
        let more = counted(folded.len(), "more line");
        text.push_str(&format!("\n<details><summary>{more}</summary>\n\n"));
        text.push_str(&fenced(folded));
        text.push_str("\n</details>\n");
    }
    Some((text, lines.len()))
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
