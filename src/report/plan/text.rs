//! A preview for a terminal.

use crate::plan::preview::Preview;
use crate::report::plan::{Row, Section, Sign, clean, counts, digest, headline, loud, sections};

/// The whole preview. `colours` are ANSI sequences, for terminals only.
pub fn text(preview: &Preview, colours: bool) -> String {
    let mut text = format!("{}\n{}\n", headline(preview), counts(preview));
    for (stops, line) in loud(preview) {
        let sign = if stops { Sign::Minus } else { Sign::Attention };
        text.push_str(&painted(sign, &clean_long(&line), colours));
        text.push('\n');
    }
    for notice in &preview.notices {
        text.push_str(&format!("Note: {}\n", clean_long(notice)));
    }
    if let Some(digest) = digest(preview) {
        text.push_str(&format!("{}\n", clean_long(&digest)));
    }
    for section in sections(preview) {
        write_section(&mut text, &section, colours);
    }
    text
}

fn write_section(text: &mut String, section: &Section, colours: bool) {
    let title = format!("{} {}", mark(section.sign), section.title);
    text.push_str(&format!("\n{}\n", painted(section.sign, &title, colours)));
    for Row { sign, depth, text: row } in &section.rows {
        let line = format!("{:1$}{2} {row}", "", 4 + 2 * depth, mark(*sign));
        text.push_str(&painted(*sign, line.trim_end(), colours));
        text.push('\n');
    }
}

/// A sentence may be longer than a value.
fn clean_long(text: &str) -> String {
    text.split(' ').map(clean).collect::<Vec<_>>().join(" ")
}

fn mark(sign: Sign) -> char {
    match sign {
        Sign::Minus => '-',
        Sign::Plus => '+',
        Sign::Change => '~',
        Sign::Attention => '!',
        Sign::Plain => ' ',
    }
}

fn painted(sign: Sign, text: &str, colours: bool) -> String {
    let colour = match sign {
        _ if !colours => return text.to_owned(),
        Sign::Plain => return text.to_owned(),
        Sign::Minus => 31,
        Sign::Plus => 32,
        Sign::Change => 36,
        Sign::Attention => 33,
    };
    format!("\x1b[{colour}m{text}\x1b[0m")
}
