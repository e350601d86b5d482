//! Several comments that are one plan: each begins with a hidden line that says which plan and
//! which part it is, by which it is found again.

use crate::ids::Digest;
use crate::report::plan::MARKER;

/// Nobody reads more than this; what does not fit is counted, and the command shows it.
pub(super) const MAX_PARTS: usize = 5;
/// The folder that a fleet is in unless somebody says otherwise.
const USUAL_FOLDER: &str = "fleet";
/// A longer name of a folder would take the room of the plan.
const LONGEST_LABEL: usize = 60;

/// Which part of the plan of the fleet in `folder` a comment is, counted from 1; `None` when it is
/// none: only its first line counts, so that an answer which quotes the plan is not taken for it.
pub fn part_of(comment: &str, folder: &str) -> Option<usize> {
    let line = comment.lines().next()?.trim_end();
    (1..=MAX_PARTS).find(|number| line == marker(folder, *number))
}

/// The bodies below their heads.
pub(super) fn headed(title: &str, bodies: Vec<String>, folder: &str) -> Vec<String> {
    let of = bodies.len();
    let head = |index: usize| {
        let number = index + 1;
        let part = if of == 1 { String::new() } else { format!(" (part {number} of {of})") };
        format!("{}\n### {title}{part}\n", marker(folder, number))
    };
    bodies.into_iter().enumerate().map(|(index, body)| head(index) + &body).collect()
}

/// `<!-- driftless plan of staging/fleet, part 2 -->`
fn marker(folder: &str, number: usize) -> String {
    let of = label(folder).map(|label| format!(" of {label}")).unwrap_or_default();
    let part = if number == 1 { String::new() } else { format!(", part {number}") };
    MARKER.replace(" -->", &format!("{of}{part} -->"))
}

/// What tells one fleet of a repository from another; `None` for the one in the usual folder.
pub(super) fn label(folder: &str) -> Option<String> {
    let folder = folder.trim_start_matches("./").trim_end_matches('/');
    if folder == USUAL_FOLDER {
        return None;
    }
    let is_tame = |letter: char| letter.is_ascii_alphanumeric() || "./_-".contains(letter);
    if folder.len() <= LONGEST_LABEL && !folder.contains("--") && folder.chars().all(is_tame) {
        let folder = if folder.is_empty() { "." } else { folder };
        return Some(folder.to_owned());
    }
    // Whatever it is called, the line stays a comment of HTML.
    Some(hex::encode(&Digest::of(folder.as_bytes()).as_bytes()[..8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(folder: &str, count: usize) -> Vec<String> {
        headed("Plan", vec!["\ntext\n".to_owned(); count], folder)
    }

    #[test]
    fn a_plan_of_one_part_is_headed_as_it_is_printed() {
        assert_eq!(parts("fleet", 1), [format!("{MARKER}\n### Plan\n\ntext\n")]);
        let parts = parts("./staging/fleet/", 2);
        assert_eq!(
            parts[1],
            "<!-- driftless plan of staging/fleet, part 2 -->\n### Plan (part 2 of 2)\n\ntext\n"
        );
    }

    #[test]
    fn a_part_is_found_again_and_nothing_else_is_taken_for_one() {
        for folder in ["fleet", ".", "staging", "a --> b", "ü", "x/y"] {
            for (index, part) in parts(folder, MAX_PARTS).iter().enumerate() {
                assert_eq!(part_of(part, folder), Some(index + 1));
                assert_eq!(part_of(&part.replace('\n', "\r\n"), folder), Some(index + 1));
                assert_eq!(part_of(part, "another"), None);
                assert_eq!(part_of(&format!("> {part}"), folder), None);
                assert_eq!(part_of(&format!("see\n{part}"), folder), None);
                assert_eq!(part.matches("-->").count(), 1, "{part}");
            }
        }
        assert_eq!(part_of("", "fleet"), None);
    }

    #[test]
    fn the_usual_folder_is_one_however_it_is_written() {
        for folder in ["fleet", "./fleet", "fleet/"] {
            assert_eq!(part_of(MARKER, folder), Some(1), "{folder}");
        }
    }
}
