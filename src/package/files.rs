//! Finds files and folders as they go into a zip: links are followed, inside the fleet only, and what
//! ignore files name stays out.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::package::blob::{Origin, Packed};
use crate::package::built::Built;
use crate::snapshot::{ContentId, Entry, IGNORE_FILE, Snapshot, Unread, join};

/// How deep links may lead through folders, as in Linux's `ELOOP`.
const MAX_LINKS: usize = 40;
/// Files in all zips of a revision together: five times as many as a fleet can have.
const MAX_LISTED: usize = 1_000_000;

/// What lies at a path, behind all links.
pub(super) enum Found {
    /// A file.
    File(Packed),
    /// A folder, by its path without a slash at the end; empty for the whole fleet.
    Folder(String),
}

/// Where files are looked for: the snapshot, and what builds made beside it.
pub(super) struct Files<'s> {
    pub(super) snapshot: &'s Snapshot,
    /// By their paths in the fleet folder.
    pub(super) built: BTreeMap<String, Built>,
    /// Where it was looked: whatever lies at these paths, above or below, the answers depend on.
    pub(super) trail: RefCell<BTreeSet<String>>,
    /// Files in all folders so far.
    listed: Cell<usize>,
}

impl<'s> Files<'s> {
    /// Those of a snapshot.
    pub(super) fn of(snapshot: &'s Snapshot) -> Self {
        let (built, trail) = (BTreeMap::new(), RefCell::default());
        Self { snapshot, built, trail, listed: Cell::new(0) }
    }

    /// The bytes of the text at `path`. An error is a whole sentence with the fix.
    pub(super) fn read(&self, path: &str) -> Result<&'s [u8], String> {
        match self.find(path)? {
            Found::File(Packed { path: at, origin: Origin::Built(_), .. }) => Err(format!(
                "`{at}` is a build output, whose text is not read: commit it, or write another path"
            )),
            Found::File(Packed { path: at, .. }) => {
                let read = self.snapshot.read(&at);
                read.map(|bytes| bytes.as_ref()).map_err(|unreadable| unreadable.to_string())
            }
            Found::Folder(_) => {
                Err(format!("`{path}` is a folder: write the path of a file in it"))
            }
        }
    }

    /// What is at `path`. An error says why nothing is, as a whole sentence with the fix.
    pub(super) fn find(&self, path: &str) -> Result<Found, String> {
        let mut at = path.to_owned();
        for _ in 0..=MAX_LINKS {
            self.trail.borrow_mut().insert(at.clone());
            if let Some(built) = self.built.get(&at) {
                let origin = Origin::Built(built.clone());
                return Ok(Found::File(Packed { path: at, origin, bytes: 0 }));
            }
            match self.snapshot.entry(&at) {
                Some(Entry::Submodule) => return Err(in_submodule(&at)),
                Some(Entry::Link(to)) => at = followed(&at, to, "")?,
                Some(Entry::File(bytes)) => return Ok(Found::File(text(at, bytes))),
                Some(Entry::Unread(unread)) => return Ok(Found::File(code(at, *unread))),
                None if self.is_folder(&at) => return Ok(Found::Folder(at)),
                None => match link_above(self.snapshot, &at) {
                    Some((link, Entry::Link(to), rest)) => at = followed(link, to, rest)?,
                    Some((folder, Entry::Submodule, _)) => return Err(in_submodule(folder)),
                    Some(_) | None => {
                        return Err(format!("there is nothing at `{path}` in this revision"));
                    }
                },
            }
        }
        Err(format!("`{path}` leads through more than {MAX_LINKS} links: remove a loop"))
    }

    fn is_folder(&self, at: &str) -> bool {
        self.snapshot.below(at).next().is_some() || self.built_below(at).next().is_some()
    }

    fn built_below(&self, folder: &str) -> impl Iterator<Item = (&str, &Built)> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let from = self.built.range(prefix.clone()..);
        from.take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(path, built)| (path.as_str(), built))
    }

    /// The files of a folder by the names that they have in it.
    pub(super) fn folder(&self, root: &str) -> Result<BTreeMap<String, Packed>, String> {
        let mut listing =
            Listing { within: self, files: BTreeMap::new(), ignores: BTreeMap::new(), links: 0 };
        listing.walk(root, "")?;
        Ok(listing.files)
    }
}

fn text(path: String, bytes: &[u8]) -> Packed {
    let id = ContentId::of(bytes);
    Packed { path, origin: Origin::Committed { id }, bytes: bytes.len() as u64 }
}

fn code(path: String, Unread { id, bytes }: Unread) -> Packed {
    Packed { path, origin: Origin::Committed { id }, bytes }
}

struct Listing<'a> {
    within: &'a Files<'a>,
    files: BTreeMap<String, Packed>,
    /// The ignore files so far by the folders in the zip that they speak of, with a slash at the end.
    ignores: BTreeMap<String, Gitignore>,
    links: usize,
}

impl Listing<'_> {
    /// All below the folder `at`, under `prefix` in the zip.
    fn walk(&mut self, at: &str, prefix: &str) -> Result<(), String> {
        self.ignore_files(at, prefix)?;
        let name = |path: &str| {
            let within = if at.is_empty() { path } else { &path[at.len() + 1..] };
            (within.rsplit('/').next() != Some(IGNORE_FILE)).then(|| format!("{prefix}{within}"))
        };
        for (path, entry) in self.within.snapshot.below(at) {
            let is_folder = matches!(entry, Entry::Submodule);
            let Some(name) = name(path).filter(|name| !self.is_ignored(name, is_folder)) else {
                continue;
            };
            match entry {
                Entry::File(bytes) => self.add(name, text(path.to_owned(), bytes))?,
                Entry::Unread(unread) => self.add(name, code(path.to_owned(), *unread))?,
                Entry::Submodule => return Err(in_submodule(path)),
                Entry::Link(_) => self.link(path, &name)?,
            }
        }
        for (path, built) in self.within.built_below(at) {
            let Some(name) = name(path).filter(|name| !self.is_ignored(name, false)) else {
                continue;
            };
            let origin = Origin::Built(built.clone());
            self.add(name, Packed { path: path.to_owned(), origin, bytes: 0 })?;
        }
        Ok(())
    }

    fn add(&mut self, name: String, file: Packed) -> Result<(), String> {
        let listed = self.within.listed.get() + 1;
        self.within.listed.set(listed);
        if listed > MAX_LISTED {
            return Err(format!(
                "all zips together have more than {MAX_LISTED} files: point to smaller folders"
            ));
        }
        self.files.insert(name, file);
        Ok(())
    }

    fn link(&mut self, path: &str, name: &str) -> Result<(), String> {
        let found = self.within.find(path);
        if let Ok(Found::File(file)) = found {
            return self.add(name.to_owned(), file);
        }
        // What leads to no file is ignored like a folder, before anybody misses what it leads to.
        if self.is_ignored(name, true) {
            return Ok(());
        }
        match found? {
            Found::File(file) => self.add(name.to_owned(), file),
            // One that leads to a folder around it would go on for ever.
            Found::Folder(folder) if is_in(path, &folder) => {
                Err(format!("`{path}` links to a folder that it is in: remove the link"))
            }
            Found::Folder(folder) => {
                self.links += 1;
                if self.links > MAX_LINKS {
                    return Err(format!("more than {MAX_LINKS} links lead to folders: copy them"));
                }
                self.walk(&folder, &format!("{name}/"))
            }
        }
    }

    /// Those of a folder. One that says nothing, as it cannot be read, would let out what it should keep in.
    fn ignore_files(&mut self, at: &str, prefix: &str) -> Result<(), String> {
        let committed = self.within.snapshot.below(at).map(|(path, _)| path);
        for path in committed.chain(self.within.built_below(at).map(|(path, _)| path)) {
            let Some(folder) = path.strip_suffix(IGNORE_FILE) else { continue };
            if !(folder.is_empty() || folder.ends_with('/')) {
                continue;
            }
            let text = std::str::from_utf8(self.within.read(path)?);
            let text = text.map_err(|_| format!("`{path}` is not UTF-8 text: save it as that"))?;
            let mut builder = GitignoreBuilder::new("");
            for (number, line) in text.lines().enumerate() {
                let added = builder.add_line(None, line);
                added.map_err(|error| format!("line {} of `{path}`: {error}", number + 1))?;
            }
            let built = builder.build().map_err(|error| format!("`{path}`: {error}"))?;
            let within = if at.is_empty() { folder } else { &folder[at.len() + 1..] };
            self.ignores.insert(format!("{prefix}{within}"), built);
        }
        Ok(())
    }

    /// The deepest ignore file that says something of a name counts.
    fn is_ignored(&self, name: &str, is_folder: bool) -> bool {
        let folders = name.rmatch_indices('/').map(|(at, _)| at + 1).chain([0]);
        for folder in folders {
            let Some(ignore) = self.ignores.get(&name[..folder]) else { continue };
            match ignore.matched_path_or_any_parents(&name[folder..], is_folder) {
                Match::None => {}
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
            }
        }
        false
    }
}

fn is_in(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Where a link leads, and the rest of the path behind it.
fn followed(link: &str, to: &str, rest: &str) -> Result<String, String> {
    let target = join(link, to).ok_or_else(|| {
        format!("`{link}` links to `{to}`, outside the fleet folder: copy what it means into it")
    })?;
    Ok(match (target.is_empty(), rest.is_empty()) {
        (true, _) => rest.to_owned(),
        (false, true) => target,
        (false, false) => format!("{target}/{rest}"),
    })
}

/// The nearest entry that is on the way to a path, and the rest of the path behind it.
fn link_above<'a>(snapshot: &'a Snapshot, path: &'a str) -> Option<(&'a str, &'a Entry, &'a str)> {
    let cuts = path.match_indices('/').map(|(at, _)| at);
    cuts.filter_map(|at| Some((&path[..at], snapshot.entry(&path[..at])?, &path[at + 1..]))).next()
}

fn in_submodule(folder: &str) -> String {
    format!(
        "`{folder}` is a git submodule, whose files are not read: copy them into the fleet folder"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Digest, Revision};
    use crate::package::built::BuiltAt;

    fn snapshot(entries: &[(&str, &str)]) -> Snapshot {
        let entries = entries.iter().map(|(path, text)| {
            let entry = match text.strip_prefix("-> ") {
                Some(to) => Entry::Link(to.to_owned()),
                None if path.ends_with("ignore") => Entry::File(text.as_bytes().into()),
                None => Entry::Unread(Unread {
                    id: ContentId::of(text.as_bytes()),
                    bytes: text.len() as u64,
                }),
            };
            ((*path).to_owned(), entry)
        });
        Snapshot::of(Revision::of("folder"), None, entries.collect())
    }

    fn files(snapshot: &Snapshot) -> Files<'_> {
        Files::of(snapshot)
    }

    fn names(snapshot: &Snapshot, root: &str) -> Vec<String> {
        files(snapshot).folder(root).expect(root).into_keys().collect()
    }

    #[test]
    fn ignore_files_keep_things_out_and_deeper_ones_say_otherwise() {
        let snapshot = snapshot(&[
            ("s/code/.driftlessignore", "tests/\n*.md\n!README.md\n/local\n"),
            ("s/code/app.py", "1"),
            ("s/code/NOTES.md", "2"),
            ("s/code/README.md", "3"),
            ("s/code/local", "4"),
            ("s/code/lib/local", "5"),
            ("s/code/lib/.driftlessignore", "!*.md\nlocal2\n"),
            ("s/code/lib/local2", "6"),
            ("s/code/lib/x.md", "7"),
            ("s/code/lib/tests/t.py", "8"),
            ("s/code/node_modules/.prisma/client.js", "9"),
            ("s/code-of-others/app.py", "10"),
        ]);
        assert_eq!(
            names(&snapshot, "s/code"),
            ["README.md", "app.py", "lib/local", "lib/x.md", "node_modules/.prisma/client.js"]
        );
    }

    #[test]
    fn links_are_followed_to_files_and_folders_of_the_fleet() {
        let snapshot = snapshot(&[
            ("a/app.py", "1"),
            ("a/shared", "-> ../common"),
            ("a/one.py", "-> shared/x.py"),
            ("common/x.py", "2"),
            ("common/y", "-> x.py"),
            ("b/out", "-> ../../etc"),
            ("c/around", "-> ."),
        ]);
        assert_eq!(names(&snapshot, "a"), ["app.py", "one.py", "shared/x.py", "shared/y"]);
        let found = files(&snapshot).folder("a").expect("files");
        assert_eq!(found["one.py"].path, "common/x.py");
        for (root, says) in [("b", "outside the fleet"), ("c", "a folder that it is in")] {
            let error = files(&snapshot).folder(root).expect_err(root);
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn build_outputs_are_found_like_files_and_in_folders() {
        let snapshot =
            snapshot(&[("a/app.py", "1"), ("a/.driftlessignore", "*.map\n"), ("b", "-> out")]);
        let built = |path: &str| {
            let digest = Digest::of(path.as_bytes());
            (path.to_owned(), Built { from: BuiltAt::File(path.to_owned()), digest })
        };
        let mut files = files(&snapshot);
        files.built = ["a/lib/bin", "a/lib/bin.map", "out/x"].map(built).into();
        let found = files.folder("a").expect("files");
        assert_eq!(found.keys().collect::<Vec<_>>(), ["app.py", "lib/bin"]);
        assert!(matches!(found["lib/bin"].origin, Origin::Built(_)));
        let Ok(Found::Folder(folder)) = files.find("b") else { panic!("a folder") };
        assert_eq!(files.folder(&folder).expect("files").len(), 1);
        let Ok(Found::File(file)) = files.find("b/x") else { panic!("a file") };
        assert_eq!(file.path, "out/x");
    }

    #[test]
    fn ignore_files_behind_links_count_and_unreadable_ones_are_told() {
        let linked = snapshot(&[
            ("a/.driftlessignore", "-> ../common/ignore"),
            ("common/ignore", "*.pem\n"),
            ("a/app.py", "1"),
            ("a/key.pem", "2"),
        ]);
        assert_eq!(names(&linked, "a"), ["app.py"]);
        let unread = Entry::Unread(Unread { id: ContentId::of(b"x"), bytes: 2_000_000 });
        for (entry, says) in [
            (unread, "`a/.driftlessignore` has 2000000 bytes"),
            (Entry::File([0xff].as_slice().into()), "`a/.driftlessignore` is not UTF-8 text"),
            (Entry::Submodule, "`a/.driftlessignore` is a git submodule"),
            (Entry::Link("gone".to_owned()), "there is nothing at `a/.driftlessignore`"),
            (Entry::Link("app.py".to_owned()), "`a/app.py` is taken for code by its name"),
        ] {
            let code = Entry::Unread(Unread { id: ContentId::of(b"1"), bytes: 1 });
            let entries = [("a/.driftlessignore", entry), ("a/app.py", code)];
            let entries = entries.map(|(path, entry)| (path.to_owned(), entry));
            let snapshot = Snapshot::of(Revision::of("folder"), None, entries.into());
            let error = files(&snapshot).folder("a").expect_err(says);
            assert!(error.starts_with(says), "{error}");
        }
    }

    #[test]
    fn what_is_ignored_need_not_be_followed() {
        let entries = [
            ("a/.driftlessignore", Entry::File(b"vendor/\n/out/\n/gone/\n".as_slice().into())),
            ("a/app.py", Entry::Unread(Unread { id: ContentId::of(b"1"), bytes: 1 })),
            ("a/vendor", Entry::Submodule),
            ("a/out", Entry::Link("../../etc".to_owned())),
            ("a/gone", Entry::Link("nowhere".to_owned())),
        ];
        let entries = entries.map(|(path, entry)| (path.to_owned(), entry));
        let snapshot = Snapshot::of(Revision::of("folder"), None, entries.into());
        assert_eq!(names(&snapshot, "a"), ["app.py"]);
    }

    #[test]
    fn ignore_files_of_other_folders_do_not_slow_down_what_is_listed() {
        // Ten thousand times ten thousand comparisons would take minutes.
        let texts: Vec<(String, &str)> = (0..10_000)
            .flat_map(|number| {
                [
                    (format!("a/{number}/.driftlessignore"), "*.md"),
                    (format!("a/{number}/x.md"), "1"),
                ]
            })
            .chain([("a/y.md".to_owned(), "1")])
            .collect();
        let texts: Vec<(&str, &str)> =
            texts.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        assert_eq!(names(&snapshot(&texts), "a"), ["y.md"]);
    }

    #[test]
    fn all_zips_together_have_a_limit() {
        let snapshot = snapshot(&[("a/x", "1"), ("a/y", "2")]);
        let files = files(&snapshot);
        files.listed.set(MAX_LISTED - 1);
        let error = files.folder("a").expect_err("too many");
        assert!(error.starts_with("all zips together have more than 1000000 files"), "{error}");
    }
}
