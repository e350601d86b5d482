//! The comments of a plan, kept up to date in place: found by a hidden line and their author, one of
//! each part whoever writes at the same time, and never anybody else's.

use std::collections::BTreeMap;
use std::fmt;

use crate::announce::hosts::{Client, Comment, HostError, Trouble};
use crate::report::counted;

/// What was done to the comments, as far as it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Comments that are new.
    pub created: usize,
    /// Comments with a new text.
    pub updated: usize,
    /// Comments that said it already.
    pub unchanged: usize,
    /// Comments of ours that were too many.
    pub removed: usize,
}

/// `1 comment created, 1 removed`
impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.created, "created"),
            (self.updated, "updated"),
            (self.unchanged, "unchanged"),
            (self.removed, "removed"),
        ];
        let done = counts.into_iter().filter(|(count, _)| *count > 0).enumerate();
        let words = done.map(|(index, (count, what))| match index {
            0 => format!("{} {what}", counted(count, "comment")),
            _ => format!("{count} {what}"),
        });
        let words: Vec<String> = words.collect();
        f.write_str(if words.is_empty() { "no comment written" } else { "" })?;
        f.write_str(&words.join(", "))
    }
}

/// Ours by the number of their part, the oldest first.
type Ours = BTreeMap<usize, Vec<Comment>>;

/// Makes the comments of a pull request say exactly `parts`. `part_of` says which part a comment of
/// ours is, counted from 1. What is too many goes last, and `kept` tells how far it came when a
/// call fails: each part says for itself which of how many it is, and of which commit.
pub async fn keep(
    client: &mut Client,
    number: u64,
    parts: &[String],
    part_of: &(dyn Fn(&str) -> Option<usize> + Sync),
    kept: &mut Kept,
) -> Result<(), HostError> {
    let me = client.introduce().await?;
    let mut ours = ours(client.comments(number).await?, &me, part_of);
    let mut may_be_twice = ours.values().any(|comments| comments.len() > 1);
    for (index, text) in parts.iter().enumerate() {
        let oldest = ours.get(&(index + 1)).and_then(|comments| comments.first());
        may_be_twice |= write(client, number, oldest, text, kept).await?;
    }
    if may_be_twice {
        // Another run may have written at the same time: of each part the oldest stays, and both
        // runs find the same one.
        ours = self::ours(client.comments(number).await?, &me, part_of);
        for (index, text) in parts.iter().enumerate() {
            let Some(comments) = ours.get(&(index + 1)) else { continue };
            for younger in comments.iter().skip(1) {
                client.remove(number, younger.id).await?;
                kept.removed += 1;
            }
            if let Some(oldest) = comments.first().filter(|oldest| !is_same(&oldest.body, text)) {
                write(client, number, Some(oldest), text, kept).await?;
            }
        }
    }
    for surplus in ours.range(parts.len() + 1..).flat_map(|(_, comments)| comments) {
        client.remove(number, surplus.id).await?;
        kept.removed += 1;
    }
    Ok(())
}

/// Makes one comment say `text`. Returns whether it is a new one.
async fn write(
    client: &mut Client,
    number: u64,
    oldest: Option<&Comment>,
    text: &str,
    kept: &mut Kept,
) -> Result<bool, HostError> {
    match oldest {
        Some(comment) if is_same(&comment.body, text) => {
            kept.unchanged += 1;
            return Ok(false);
        }
        Some(comment) => match client.update(number, comment.id, text).await {
            Ok(()) => {
                kept.updated += 1;
                return Ok(false);
            }
            // Somebody removed it meanwhile.
            Err(error) if error.trouble == Trouble::Missing => {}
            Err(error) => return Err(error),
        },
        None => {}
    }
    client.create(number, text).await?;
    kept.created += 1;
    Ok(true)
}

fn ours(
    comments: Vec<Comment>,
    me: &str,
    part_of: &(dyn Fn(&str) -> Option<usize> + Sync),
) -> Ours {
    let mut ours = Ours::new();
    // GraphQL calls an app by its name, where REST says that it is a bot.
    let bot = format!("{me}[bot]");
    for comment in comments.into_iter().filter(|one| one.author == me || one.author == bot) {
        if let Some(part) = part_of(&comment.body) {
            ours.entry(part).or_default().push(comment);
        }
    }
    ours
}

/// Hosts may give line ends and the end of a text back otherwise than they got them.
fn is_same(one: &str, other: &str) -> bool {
    let plain = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
    plain(one) == plain(other)
}
