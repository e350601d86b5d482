//! Commits, files as they lie, and what is wrong with either: what is read, and what is refused.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use git2::{Oid, Repository, Signature, Time};
use tempfile::TempDir;

use super::*;
use crate::moment::Moment;
use crate::snapshot::{ContentId, Entry, Unread};

const COMMITTED_AT: i64 = 1_700_000_000;

fn repository() -> (TempDir, Repository) {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::init(folder.path()).unwrap();
    (folder, repository)
}

/// A commit of all files on disk, on top of `HEAD` if there is one.
fn commit(repository: &Repository) -> Oid {
    let parent = repository.head().ok().map(|head| head.peel_to_commit().unwrap());
    commit_on(repository, parent.as_ref())
}

fn commit_on(repository: &Repository, parent: Option<&git2::Commit<'_>>) -> Oid {
    let mut index = repository.index().unwrap();
    index.add_all(["*"], git2::IndexAddOption::FORCE, None).unwrap();
    index.update_all(["*"], None).unwrap();
    index.write().unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    commit_tree(repository, &tree, parent)
}

fn commit_tree(
    repository: &Repository,
    tree: &git2::Tree<'_>,
    parent: Option<&git2::Commit<'_>>,
) -> Oid {
    let author = Signature::new("a", "a@b", &Time::new(COMMITTED_AT, 0)).unwrap();
    let parents: Vec<_> = parent.into_iter().collect();
    let id = repository.commit(None, &author, &author, "x", tree, &parents).unwrap();
    let branch = repository.find_reference("HEAD").unwrap();
    let branch = branch.symbolic_target().unwrap().unwrap().to_owned();
    repository.reference(&branch, id, true, "test").unwrap();
    id
}

fn write(root: &Path, path: &str, text: &str) {
    let at = root.join(path);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    fs::write(at, text).unwrap();
}

fn settings(path: &Path) -> SourceSettings {
    SourceSettings { path: path.to_owned(), revision: None, worktree: false, polled: false }
}

fn open(path: &Path) -> Source {
    Source::open(settings(path)).unwrap()
}

fn worktree(path: &Path) -> Source {
    Source::open(SourceSettings { worktree: true, ..settings(path) }).unwrap()
}

fn paths(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.entries().map(|(path, _)| path).collect()
}

fn text(snapshot: &Snapshot, path: &str) -> String {
    String::from_utf8(snapshot.read(path).unwrap().to_vec()).unwrap()
}

fn refusal<T>(result: Result<T, GitError>) -> String {
    match result {
        Ok(_) => panic!("it must be refused"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_committed_in_the_folder_is_read_and_nothing_else() {
    let (root, repository) = repository();
    write(root.path(), "fleet/fleet.yaml", "committed");
    write(root.path(), "fleet/a/b.yaml", "b");
    write(root.path(), "fleet/.github/x.yaml", "a tool's");
    write(root.path(), "fleet/a/.c/x.yaml", "code");
    write(root.path(), "src/other.yaml", "not the fleet's");
    let id = commit(&repository);
    write(root.path(), "fleet/fleet.yaml", "edited since");
    write(root.path(), "fleet/new.yaml", "not committed");

    let source = open(&root.path().join("fleet"));
    let snapshot = source.read().unwrap();

    assert_eq!(paths(&snapshot), ["a/.c/x.yaml", "a/b.yaml", "fleet.yaml"]);
    let error = snapshot.read("a/.c/x.yaml").expect_err("code");
    assert!(error.to_string().contains("taken for code"), "{error}");
    assert_eq!(text(&snapshot, "fleet.yaml"), "committed");
    assert_eq!(snapshot.revision.as_str(), id.to_string());
    let committed_at = Moment::from_millis(u64::try_from(COMMITTED_AT).unwrap() * 1000);
    assert_eq!(snapshot.committed_at, Some(committed_at));
    assert_eq!(source.head().unwrap(), snapshot.revision);
    assert!(source.follows_git());
}

#[test]
fn the_head_is_that_of_the_repository_as_it_is_now() {
    let (root, repository) = repository();
    write(root.path(), "fleet.yaml", "first");
    commit(&repository);
    let source = open(root.path());
    source.head().unwrap();
    write(root.path(), "fleet.yaml", "second");
    let second = commit(&repository);
    assert_eq!(source.head().unwrap().as_str(), second.to_string(), "it moved");
    fs::remove_dir_all(root.path().join(".git")).unwrap();
    assert!(source.head().is_err(), "it is gone");
    let another = Repository::init(root.path()).unwrap();
    write(root.path(), "fleet.yaml", "another");
    let other = commit(&another);
    assert_eq!(source.head().unwrap().as_str(), other.to_string(), "another is in its place");
}

#[test]
fn a_source_that_stays_reads_what_was_read_before_though_the_branch_moved() {
    let (root, repository) = repository();
    write(root.path(), "fleet.yaml", "first");
    let first = commit(&repository);
    let staying = open(root.path()).staying_at(&Revision::of(&first.to_string()));
    write(root.path(), "fleet.yaml", "second");
    commit(&repository);
    assert_eq!(text(&staying.read().unwrap(), "fleet.yaml"), "first");
    assert_eq!(staying.head().unwrap().as_str(), first.to_string());
}

#[test]
fn the_worktree_is_read_as_it_lies_and_commits_can_still_be_named() {
    let (root, repository) = repository();
    write(root.path(), "fleet/fleet.yaml", "committed");
    commit(&repository);
    write(root.path(), "fleet/fleet.yaml", "edited since");
    let source = worktree(&root.path().join("fleet"));
    let snapshot = source.read().unwrap();
    assert_eq!(text(&snapshot, "fleet.yaml"), "edited since");
    assert!(snapshot.revision.as_str().starts_with("worktree-"), "{}", snapshot.revision);
    assert_eq!(text(&source.read_at("HEAD").unwrap(), "fleet.yaml"), "committed");
    assert!(!source.follows_git());
}

#[test]
fn a_folder_outside_git_is_read_as_it_lies_without_build_results_and_hidden_folders() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "fleet.yaml", "x");
    write(root.path(), "services/target/service.yaml", "named target, and not cargo's");
    write(root.path(), "target/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
    write(root.path(), "target/debug/a.yaml", "cargo's");
    write(root.path(), ".driftless/state.db", "ours");
    write(root.path(), "b/real.yaml", "real");
    std::os::unix::fs::symlink("b/real.yaml", root.path().join("link.yaml")).unwrap();
    let source = open(root.path());
    let snapshot = source.read().unwrap();
    let expected = ["b/real.yaml", "fleet.yaml", "link.yaml", "services/target/service.yaml"];
    assert_eq!(paths(&snapshot), expected);
    assert_eq!(text(&snapshot, "link.yaml"), "real");
    assert!(snapshot.revision.as_str().starts_with("folder-"), "{}", snapshot.revision);
    assert_eq!(snapshot.committed_at, None);
    let error = refusal(source.read_at("main"));
    assert!(error.contains("is not in a git repository"), "{error}");
}

#[test]
fn a_folder_has_another_revision_once_a_file_is_added_edited_or_removed() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "fleet.yaml", "x");
    let source = open(root.path());
    let first = source.head().unwrap();
    assert_eq!(source.head().unwrap(), first);
    write(root.path(), "b.yaml", "y");
    let second = source.head().unwrap();
    write(root.path(), "b.yaml", "longer");
    let third = source.head().unwrap();
    fs::remove_file(root.path().join("b.yaml")).unwrap();
    assert_eq!(source.head().unwrap(), first);
    assert!(first != second && second != third && first != third);
    assert!(source.is_descendant(&second, &first).unwrap());
    assert!(!source.tree_unchanged(&second, &first).unwrap());
}

#[test]
fn what_two_commits_have_in_common_is_where_they_parted() {
    let (root, repository) = repository();
    write(root.path(), "fleet.yaml", "first");
    let first = commit(&repository);
    write(root.path(), "fleet.yaml", "theirs");
    let theirs = commit(&repository);
    write(root.path(), "fleet.yaml", "ours");
    let ours = commit_on(&repository, Some(&repository.find_commit(first).unwrap()));
    let source = open(root.path());
    let common = |newer: Oid, older: Oid| {
        let revision = |id: Oid| Revision::of(&id.to_string());
        source.common(&revision(newer), &revision(older))
    };
    assert_eq!(common(ours, theirs).unwrap().as_str(), first.to_string());
    assert_eq!(common(ours, first).unwrap().as_str(), first.to_string());
    let files = worktree(root.path()).head().unwrap();
    let older = Revision::of(&theirs.to_string());
    assert_eq!(source.common(&files, &older).unwrap(), older, "files come from anything");
    let orphan = commit_on(&repository, None);
    let error = refusal(common(orphan, theirs));
    assert!(error.contains("have no history in common"), "{error}");
}

#[test]
fn a_shallow_clone_says_what_has_to_be_fetched() {
    let (root, repository) = repository();
    write(root.path(), "fleet.yaml", "first");
    let first = commit(&repository);
    write(root.path(), "fleet.yaml", "theirs");
    let theirs = commit(&repository);
    write(root.path(), "fleet.yaml", "ours");
    let ours = commit_on(&repository, Some(&repository.find_commit(first).unwrap()));
    // What `git clone --depth 1` leaves: the commits at which the history ends.
    fs::write(root.path().join(".git/shallow"), format!("{ours}\n{theirs}\n")).unwrap();
    let source = open(root.path());
    let revision = |id: Oid| Revision::of(&id.to_string());
    let error = refusal(source.common(&revision(ours), &revision(theirs)));
    assert!(error.contains("is shallow") && error.contains("fetch-depth: 0"), "{error}");
    let error = refusal(source.read_at("HEAD~1"));
    assert!(error.contains("is shallow and has no commit `HEAD~1`"), "{error}");
}

#[test]
fn a_folder_that_was_emptied_or_removed_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let fleet = root.path().join("fleet");
    write(&fleet, "fleet.yaml", "x");
    let source = open(&fleet);
    fs::remove_file(fleet.join("fleet.yaml")).unwrap();
    let error = refusal(source.read());
    assert!(error.contains("is empty at folder"), "{error}");
    fs::remove_dir(&fleet).unwrap();
    let error = refusal(source.read());
    assert!(error.starts_with("there is no folder"), "{error}");
    assert!(refusal(source.head()).starts_with("there is no folder"));
}

#[test]
fn a_branch_a_tag_an_earlier_commit_and_a_short_id_can_be_named() {
    let (root, repository) = repository();
    write(root.path(), "fleet.yaml", "first");
    let first = commit(&repository);
    let object = repository.find_object(first, None).unwrap();
    repository.tag_lightweight("v1", &object, false).unwrap();
    write(root.path(), "fleet.yaml", "second");
    commit(&repository);
    let short = first.to_string()[..9].to_owned();
    for name in ["v1", "HEAD~1", &short, "refs/tags/v1"] {
        let source = Source::open(SourceSettings {
            revision: Some(name.to_owned()),
            ..settings(root.path())
        });
        assert_eq!(text(&source.unwrap().read().unwrap(), "fleet.yaml"), "first", "{name}");
    }
    assert_eq!(text(&open(root.path()).read().unwrap(), "fleet.yaml"), "second");
    assert_eq!(text(&open(root.path()).read_at("v1").unwrap(), "fleet.yaml"), "first");
}

#[test]
fn a_revision_that_is_no_commit_is_refused() {
    let (root, repository) = repository();
    write(root.path(), "fleet.yaml", "x");
    commit(&repository);
    let source = open(root.path());
    for name in ["nothing", "HEAD:fleet.yaml", "HEAD~7", "", "a..b"] {
        let error = refusal(source.read_at(name));
        assert!(error.contains("knows no commit"), "{name:?}: {error}");
        assert!(error.contains("check the name, or fetch it first"), "{error}");
    }
}

#[test]
fn a_branch_without_a_commit_is_refused_until_there_is_one() {
    let (root, repository) = repository();
    write(root.path(), "fleet.yaml", "x");
    let source = open(root.path());
    let error = refusal(source.read());
    assert!(error.contains("has no commit yet: commit the fleet first, or use --worktree"));
    commit(&repository);
    assert_eq!(paths(&source.read().unwrap()), ["fleet.yaml"]);
}

#[test]
fn a_folder_that_is_not_committed_is_refused_with_the_way_out() {
    let (root, repository) = repository();
    write(root.path(), "readme", "x");
    commit(&repository);
    let fleet = root.path().join("fleet");
    write(&fleet, "fleet.yaml", "x");
    let error = refusal(open(&fleet).read());
    assert!(error.contains("the folder `fleet` lies in the repository"), "{error}");
    assert!(error.contains("commit it, or use --worktree"), "{error}");
    assert_eq!(paths(&worktree(&fleet).read().unwrap()), ["fleet.yaml"]);
}

#[test]
fn a_folder_that_the_commit_lacks_is_refused_and_not_empty() {
    let (root, repository) = repository();
    write(root.path(), "readme", "x");
    commit(&repository);
    write(root.path(), "fleet/fleet.yaml", "x");
    commit(&repository);
    let source = open(&root.path().join("fleet"));
    let error = refusal(source.read_at("HEAD~1"));
    assert!(error.contains("has no folder `fleet` at"), "{error}");
    fs::remove_dir_all(root.path().join("fleet")).unwrap();
    assert_eq!(paths(&source.read().unwrap()), ["fleet.yaml"], "it is still committed");
    commit(&repository);
    assert!(refusal(source.read()).contains("has no folder `fleet` at"));
    assert!(refusal(open(&root.path().join("never/was")).read()).contains("no folder `never/was`"));
}

#[test]
fn a_path_that_is_no_folder_is_refused() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "file", "x");
    for path in ["file", "nothing", "file/below"] {
        let error = refusal(Source::open(settings(&root.path().join(path))));
        assert!(error.starts_with("there is no folder"), "{path}: {error}");
        assert!(error.contains("--fleet"), "{error}");
    }
    let (root, _) = repository();
    write(root.path(), "file", "x");
    let error = refusal(Source::open(settings(&root.path().join("file"))));
    assert!(error.starts_with("there is no folder"), "{error}");
}

#[test]
fn a_revision_and_the_worktree_exclude_each_other_and_a_revision_needs_git() {
    let (root, _) = repository();
    let both = SourceSettings {
        path: root.path().to_owned(),
        revision: Some("main".into()),
        worktree: true,
        polled: false,
    };
    assert!(refusal(Source::open(both.clone())).contains("leave one of them out"));
    let plain = tempfile::tempdir().unwrap();
    let outside = SourceSettings { path: plain.path().into(), worktree: false, ..both };
    assert!(refusal(Source::open(outside)).contains("has no revision `main`"));
}

#[test]
fn links_submodules_and_large_files_are_told_apart() {
    let (root, repository) = repository();
    write(root.path(), "fleet.yaml", "x");
    write(root.path(), "large.yaml", &"x".repeat(1_000_001));
    std::os::unix::fs::symlink("../outside", root.path().join("out.yaml")).unwrap();
    let id = commit(&repository);
    let first = repository.find_commit(id).unwrap();
    let mut tree = repository.treebuilder(Some(&first.tree().unwrap())).unwrap();
    tree.insert("vendor", id, 0o160_000).unwrap();
    let tree = repository.find_tree(tree.write().unwrap()).unwrap();
    commit_tree(&repository, &tree, Some(&first));
    let snapshot = open(root.path()).read().unwrap();
    let entries: Vec<_> = snapshot.entries().collect();
    assert_eq!(
        entries,
        [
            ("fleet.yaml", &Entry::File(b"x".as_slice().into())),
            (
                "large.yaml",
                &Entry::Unread(Unread {
                    id: ContentId::of("x".repeat(1_000_001).as_bytes()),
                    bytes: 1_000_001
                })
            ),
            ("out.yaml", &Entry::Link("../outside".into())),
            ("vendor", &Entry::Submodule),
        ]
    );
    let error = refusal(open(&root.path().join("vendor")).read());
    assert!(error.contains("has no folder `vendor`"), "{error}");
}

/// A tree around another, under these names.
fn around(repository: &Repository, tree: Oid, names: &[&str]) -> Oid {
    let mut builder = repository.treebuilder(None).unwrap();
    for name in names {
        builder.insert(name, tree, 0o040_000).unwrap();
    }
    builder.write().unwrap()
}

#[test]
fn a_few_trees_that_mean_a_trillion_folders_are_an_error_and_keep_nobody_busy() {
    let (root, repository) = repository();
    let mut tree = repository.treebuilder(None).unwrap().write().unwrap();
    for _ in 0..40 {
        tree = around(&repository, tree, &["a", "b"]);
    }
    commit_tree(&repository, &repository.find_tree(tree).unwrap(), None);
    let error = refusal(open(root.path()).read());
    assert!(error.contains("has more than 200000 files or folders"), "{error}");
}

#[test]
fn folders_in_folders_are_an_error_before_they_are_too_deep_for_us() {
    let (root, repository) = repository();
    let mut tree = repository.treebuilder(None).unwrap().write().unwrap();
    for _ in 0..100 {
        tree = around(&repository, tree, &["a"]);
    }
    commit_tree(&repository, &repository.find_tree(tree).unwrap(), None);
    let error = refusal(open(root.path()).read());
    assert!(error.contains("a` has more than 64 folders in each other"), "{error}");
}

#[test]
fn a_link_that_no_system_could_follow_is_not_read() {
    let (root, repository) = repository();
    let mut tree = repository.treebuilder(None).unwrap();
    for (name, length) in [("longest.yaml", 4_096), ("longer.yaml", 4_097)] {
        let to = repository.blob(&vec![b'x'; length]).unwrap();
        tree.insert(name, to, 0o120_000).unwrap();
    }
    commit_tree(&repository, &repository.find_tree(tree.write().unwrap()).unwrap(), None);
    let snapshot = open(root.path()).read().unwrap();
    let entries: Vec<_> = snapshot.entries().collect();
    let longest = Entry::Link("x".repeat(4_096));
    let longer = Entry::Link("/ (4097 bytes)".to_owned());
    let all = [("longer.yaml", &longer), ("longest.yaml", &longest)];
    assert_eq!(entries, all);
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    for name in ["..", ".", "a/b", "/etc"] {
        let (root, repository) = repository();
        let odb = repository.odb().unwrap();
        let blob = repository.blob(b"x").unwrap();
        // Whoever means harm writes the object itself.
        let mut tree = format!("100644 {name}\0").into_bytes();
        tree.extend_from_slice(blob.as_bytes());
        let tree = odb.write(git2::ObjectType::Tree, &tree).unwrap();
        let text = format!("tree {tree}\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nx");
        let commit = odb.write(git2::ObjectType::Commit, text.as_bytes()).unwrap();
        let branch = repository.find_reference("HEAD").unwrap();
        let branch = branch.symbolic_target().unwrap().unwrap().to_owned();
        repository.reference(&branch, commit, true, "test").unwrap();
        let error = refusal(open(root.path()).read());
        assert!(
            error.contains(&format!("`{name}` has a name in it that leads elsewhere")),
            "{error}"
        );
    }
}

#[test]
fn a_folder_of_build_results_that_somebody_committed_is_read_with_its_documents() {
    let (root, repository) = repository();
    write(root.path(), "fleet.yaml", "x");
    write(root.path(), "s/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
    write(root.path(), "s/tenant.yaml", "a tenant");
    commit(&repository);
    let committed = open(root.path()).read().unwrap();
    assert_eq!(paths(&committed), ["fleet.yaml", "s/CACHEDIR.TAG", "s/tenant.yaml"]);
    assert_eq!(text(&committed, "s/tenant.yaml"), "a tenant");
}

#[test]
fn a_path_that_is_not_utf8_is_refused_by_name() {
    let (root, repository) = repository();
    let odd = root.path().join("fleet").join(std::ffi::OsStr::from_bytes(b"caf\xe9.yaml"));
    write(root.path(), "fleet/fleet.yaml", "x");
    fs::write(odd, "x").unwrap();
    commit(&repository);
    for source in [open(root.path()), worktree(root.path())] {
        let error = refusal(source.read());
        assert!(error.contains("caf\u{fffd}.yaml` is not UTF-8: rename it"), "{error}");
    }
}

#[test]
fn half_written_refs_and_missing_or_corrupt_objects_are_errors() {
    let (root, repository) = repository();
    write(root.path(), "fleet.yaml", "some text that is read");
    let id = commit(&repository);
    let source = open(root.path());
    let blob = repository.find_commit(id).unwrap().tree().unwrap();
    let blob = blob.get_name("fleet.yaml").unwrap().id().to_string();
    let git = root.path().join(".git");
    let branch = repository.find_reference("HEAD").unwrap();
    let branch = git.join(branch.symbolic_target().unwrap().unwrap());
    let object = git.join("objects").join(&blob[..2]).join(&blob[2..]);
    let mut permissions = fs::metadata(&object).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(&object, permissions).unwrap();
    for (file, broken) in [
        (&branch, ""),
        (&branch, "0123"),
        (&branch, "00000000000000000000000000000000000000aa\n"),
        (&git.join("HEAD"), ""),
        (&object, ""),
        (&object, "garbage"),
    ] {
        let whole = fs::read(file).unwrap();
        fs::write(file, broken).unwrap();
        let error = refusal(source.read());
        assert!(error.contains("git fsck"), "{} {broken:?}: {error}", file.display());
        fs::write(file, whole).unwrap();
    }
    fs::remove_file(&object).unwrap();
    assert!(refusal(source.read()).contains("cannot read the file `fleet.yaml`"));
}

#[test]
fn a_broken_repository_is_not_read_as_a_plain_folder() {
    let (root, _) = repository();
    write(root.path(), "fleet/fleet.yaml", "x");
    fs::remove_file(root.path().join(".git/HEAD")).unwrap();
    let error = refusal(Source::open(settings(&root.path().join("fleet"))));
    assert!(error.contains("cannot read `.git` of the repository"), "{error}");
}

#[test]
fn a_repository_of_another_user_is_refused_as_git_does() {
    let (root, repository) = repository();
    write(root.path(), "fleet.yaml", "x");
    commit(&repository);
    let all = [root.path().join(".git"), root.path().to_owned()];
    if all.iter().any(|path| std::os::unix::fs::chown(path, Some(4711), None).is_err()) {
        // Only root can give files away; elsewhere there is nothing to show.
        return;
    }
    let error = refusal(Source::open(settings(root.path())));
    assert!(error.contains("git config --global --add safe.directory"), "{error}");
}

#[test]
fn bare_repositories_and_linked_work_trees_are_read() {
    let (root, repository) = repository();
    write(root.path(), "fleet/fleet.yaml", "x");
    let id = commit(&repository);
    let places = tempfile::tempdir().unwrap();
    let linked = places.path().join("linked");
    repository.worktree("linked", &linked, None).unwrap();
    let snapshot = open(&linked.join("fleet")).read().unwrap();
    assert_eq!(snapshot.revision.as_str(), id.to_string());
    assert!(open(&linked).watch().unwrap().trouble().is_none());

    let bare = places.path().join("fleet.git");
    let url = root.path().to_str().unwrap();
    git2::build::RepoBuilder::new().bare(true).clone(url, &bare).unwrap();
    assert_eq!(paths(&open(&bare).read().unwrap()), ["fleet/fleet.yaml"]);
    assert_eq!(paths(&open(&bare.join("fleet")).read().unwrap()), ["fleet.yaml"]);
}

#[test]
fn rewritten_history_is_no_descendant() {
    let (root, repository) = repository();
    write(root.path(), "fleet.yaml", "1");
    let first = Revision::of(&commit(&repository).to_string());
    write(root.path(), "fleet.yaml", "2");
    let second = Revision::of(&commit(&repository).to_string());
    write(root.path(), "fleet.yaml", "3");
    let other = Revision::of(&commit_on(&repository, None).to_string());
    let source = open(root.path());
    assert!(source.is_descendant(&second, &first).unwrap());
    assert!(source.is_descendant(&first, &first).unwrap());
    assert!(!source.is_descendant(&first, &second).unwrap());
    assert!(!source.is_descendant(&other, &second).unwrap());
    let gone = Revision::of("00000000000000000000000000000000000000aa");
    assert!(!source.is_descendant(&second, &gone).unwrap());
    assert!(!source.is_descendant(&second, &Revision::of("worktree-12")).unwrap());
    assert!(refusal(source.is_descendant(&gone, &second)).contains("knows no commit"));
}

#[test]
fn a_commit_that_leaves_the_fleet_folder_alone_has_the_same_tree() {
    let (root, repository) = repository();
    write(root.path(), "fleet/fleet.yaml", "1");
    let first = Revision::of(&commit(&repository).to_string());
    write(root.path(), "readme", "changed");
    let second = Revision::of(&commit(&repository).to_string());
    write(root.path(), "fleet/fleet.yaml", "2");
    let third = Revision::of(&commit(&repository).to_string());
    let source = open(&root.path().join("fleet"));
    assert!(source.tree_unchanged(&first, &second).unwrap());
    assert!(!source.tree_unchanged(&second, &third).unwrap());
    assert!(!open(root.path()).tree_unchanged(&first, &second).unwrap());
}

#[test]
fn people_are_told_what_is_read() {
    let (root, _) = repository();
    write(root.path(), "fleet/fleet.yaml", "x");
    let at = root.path().canonicalize().unwrap();
    let fleet = root.path().join("fleet");
    assert_eq!(
        open(&fleet).describe(),
        format!("the folder `fleet` of the repository `{}` at `HEAD`", at.display())
    );
    assert_eq!(open(&at).describe(), format!("the repository `{}` at `HEAD`", at.display()));
    assert_eq!(
        worktree(&fleet).describe(),
        format!("the files in `{}` as they lie", at.join("fleet").display())
    );
}

#[test]
fn thousands_of_files_are_read_and_the_next_revision_shares_those_that_stay() {
    let (root, repository) = repository();
    for number in 0..3_000 {
        write(root.path(), &format!("tenants/{number:04}.yaml"), &format!("name: t{number}\n"));
    }
    commit(&repository);
    let source = open(root.path());
    let first = source.read().unwrap();
    assert_eq!(first.entries().count(), 3_000);
    assert_eq!(text(&first, "tenants/1234.yaml"), "name: t1234\n");
    write(root.path(), "tenants/1234.yaml", "changed");
    fs::remove_file(root.path().join("tenants/0007.yaml")).unwrap();
    commit(&repository);
    let second = source.read().unwrap();
    assert_eq!(second.entries().count(), 2_999);
    assert_eq!(text(&second, "tenants/1234.yaml"), "changed");
    let bytes = |snapshot: &Snapshot| snapshot.read("tenants/1235.yaml").unwrap().clone();
    assert!(std::sync::Arc::ptr_eq(&bytes(&first), &bytes(&second)), "it is read once");
}

#[test]
fn a_content_is_read_from_the_object_database_whatever_became_of_its_commit() {
    let (root, repository) = repository();
    write(root.path(), "fleet/app.py", "print(1)");
    write(root.path(), "fleet/fleet.yaml", "x");
    commit(&repository);
    let first = ContentId::of(b"print(1)");
    write(root.path(), "fleet/app.py", "print(2)");
    commit(&repository);
    let source = open(&root.path().join("fleet"));
    assert_eq!(*source.content("app.py", &first).unwrap(), *b"print(1)");
    assert_eq!(*source.content("app.py", &ContentId::of(b"print(2)")).unwrap(), *b"print(2)");
    let told = refusal(source.content("app.py", &ContentId::of(b"print(3)")));
    assert!(told.contains("no longer has `app.py` as "), "{told}");
    assert_eq!(source.on_disk(), Some(root.path().canonicalize().unwrap().join("fleet")));
    // As they lie: what is on the disk, and what was committed before.
    let source = worktree(&root.path().join("fleet"));
    write(root.path(), "fleet/app.py", "print(3)");
    for text in ["print(1)", "print(3)"] {
        let content = source.content("app.py", &ContentId::of(text.as_bytes())).unwrap();
        assert_eq!(*content, *text.as_bytes());
    }
}

#[test]
fn a_file_outside_git_that_changed_since_it_was_read_is_not_read_as_another() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "app.py", "print(1)");
    write(root.path(), "fleet.yaml", "x");
    let source = open(root.path());
    let Some(Entry::Unread(Unread { id, .. })) = source.read().unwrap().entry("app.py").cloned()
    else {
        panic!("it is code")
    };
    assert_eq!(*source.content("app.py", &id).unwrap(), *b"print(1)");
    write(root.path(), "app.py", "print(2)");
    let told = refusal(source.content("app.py", &id));
    assert!(told.contains("app.py` was changed on disk since the fleet was read"), "{told}");
    fs::remove_file(root.path().join("app.py")).unwrap();
    source.content("app.py", &id).expect_err("it is gone");
}
