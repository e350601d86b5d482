//! Commits that have to be signed: by a key of a file that nobody who can only push can change.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use driftless::board::Progress;
use driftless::controller::{Until, run};
use driftless::git::{GitProgram, SignersSettings, Source, SourceSettings};

use crate::remote::command::{driftless, ended};
use crate::remote::{Hub, a_while, clock, git, hub_at_rest};

/// Whether there is a program that makes keys and signs; in CI there has to be.
fn can_sign() -> bool {
    let found = Command::new("ssh-keygen").arg("-?").output().is_ok();
    if !found {
        let text = "NOT RUN: a test of signed commits, which needs ssh-keygen (openssh-client)";
        #[allow(
            clippy::disallowed_methods,
            reason = "where it must run is what the environment says"
        )]
        let must_run = std::env::var_os("CI").is_some();
        assert!(!must_run, "{text}");
        // Past the capture of the test harness: that it was left out must be seen.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
    found
}

/// Makes a key, and returns its file.
fn key(folder: &Path, name: &str, kind: &str) -> PathBuf {
    let file = folder.join(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", "", "-C", name, "-f"])
        .arg(&file)
        .output()
        .expect("it runs");
    assert!(made.status.success(), "{made:?}");
    file
}

/// A line of the file of those who may sign.
fn line(principal: &str, options: &str, key: &Path) -> String {
    let public = std::fs::read_to_string(key.with_extension("pub")).expect("a key");
    format!("{principal} {options} {public}")
}

/// Puts an empty commit on top, signed by `key` if there is one, and returns its id.
fn commit(hub: &Hub, key: Option<&Path>) -> String {
    let repository = hub.world.repository();
    let signing = key.map(|key| format!("user.signingKey={}", key.display()));
    let mut arguments = vec!["-c", "user.name=ann", "-c", "user.email=ann@localhost"];
    arguments.extend(["-c", "gpg.format=ssh"]);
    if let Some(signing) = &signing {
        arguments.extend(["-c", signing]);
    }
    arguments.extend(["commit", "--quiet", "--allow-empty", "--message", "x"]);
    arguments.push(if key.is_some() { "--gpg-sign" } else { "--no-gpg-sign" });
    git(&repository, &arguments);
    hub.push();
    git(&repository, &["rev-parse", "HEAD"])
}

fn signed_source(hub: &Hub, signers: &Path) -> Source {
    let settings = SignersSettings { file: signers.to_owned(), program: GitProgram::default() };
    hub.source().signed_by(settings).expect("a source")
}

#[test]
fn only_commits_that_a_key_of_the_file_signed_are_read() {
    if !can_sign() {
        return;
    }
    let hub = hub_at_rest();
    let folder = hub.folder.path();
    let (ann, bob) = (key(folder, "ann", "ed25519"), key(folder, "bob", "ed25519"));
    let (ecdsa, rsa) = (key(folder, "ecdsa", "ecdsa"), key(folder, "rsa", "rsa"));
    let signers = folder.join("signers");
    let is_read = |lines: &[String]| {
        std::fs::write(&signers, lines.concat()).unwrap();
        let settings = SignersSettings { file: signers.clone(), program: GitProgram::default() };
        let source = hub.source().signed_by(settings);
        let read = source.and_then(|source| source.fetch_and_read(&clock()));
        read.map(|snapshot| snapshot.revision.as_str().to_owned())
            .map_err(|error| error.to_string())
    };
    let refused = |lines: &[String], why: &str| {
        let error = is_read(lines).expect_err(why);
        assert!(error.contains(why), "{error}");
    };

    let all = line("ann@localhost", "", &ann);
    commit(&hub, None);
    refused(std::slice::from_ref(&all), "is not signed: sign it");

    for key in [&ann, &ecdsa, &rsa] {
        let id = commit(&hub, Some(key));
        assert_eq!(is_read(&[line("a@b", "", key)]), Ok(id));
    }
    let id = commit(&hub, Some(&ann));
    let fits = [
        ("*@localhost", ""),
        ("ann@localhost,bob@localhost", "namespaces=\"git\""),
        ("ann@localhost", "valid-after=\"20200101\""),
        ("ann@localhost", "valid-before=\"21000101\""),
    ];
    for (principal, options) in fits {
        assert_eq!(is_read(&[line(principal, options, &ann)]), Ok(id.clone()), "{options}");
    }
    let unfit = ["namespaces=\"file\"", "valid-after=\"21000101\"", "valid-before=\"20200101\""];
    for options in unfit {
        let lines = [line("ann@localhost", options, &ann)];
        refused(&lines, "no key of `");
    }
    refused(&[line("bob@localhost", "", &bob)], "no key of `");
    refused(&["# nobody\n\n".to_owned()], "names nobody");

    commit(&hub, Some(&bob));
    refused(std::slice::from_ref(&all), "no key of `");
    let id = commit(&hub, Some(&ann));
    assert_eq!(is_read(&[all]), Ok(id), "what lies below a signed commit is vouched for by it");
}

#[test]
fn a_signature_that_was_copied_to_another_commit_vouches_for_nothing() {
    if !can_sign() {
        return;
    }
    let hub = hub_at_rest();
    let ann = key(hub.folder.path(), "ann", "ed25519");
    let signers = hub.folder.path().join("signers");
    std::fs::write(&signers, line("ann@localhost", "", &ann)).unwrap();
    commit(&hub, Some(&ann));
    let repository = git2::Repository::open(hub.world.repository()).unwrap();
    let signed = repository.head().unwrap().peel_to_commit().unwrap();
    let (signature, content) = repository.extract_signature(&signed.id(), None).unwrap();
    let content = std::str::from_utf8(&content).unwrap().replace("\nx", "\ny");
    let forged =
        repository.commit_signed(&content, std::str::from_utf8(&signature).unwrap(), None).unwrap();
    repository.reference("refs/heads/forged", forged, true, "x").unwrap();
    git(&hub.world.repository(), &["reset", "--quiet", "--soft", "refs/heads/forged"]);
    hub.push();
    let error = signed_source(&hub, &signers).fetch_and_read(&clock()).expect_err("forged");
    assert!(error.to_string().contains("no key of `"), "{error}");
    let pgp = "-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----";
    let other = repository.commit_signed(&content, pgp, None).unwrap();
    repository.reference("refs/heads/other", other, true, "x").unwrap();
    git(&hub.world.repository(), &["reset", "--quiet", "--soft", "refs/heads/other"]);
    hub.push();
    let error = signed_source(&hub, &signers).fetch_and_read(&clock()).expect_err("not by ssh");
    assert!(error.to_string().contains("is signed, but not with an SSH key"), "{error}");
}

#[test]
fn a_plan_of_a_named_commit_is_made_only_if_somebody_vouches_for_it() {
    if !can_sign() {
        return;
    }
    let hub = hub_at_rest();
    let ann = key(hub.folder.path(), "ann", "ed25519");
    let signers = hub.folder.path().join("signers");
    std::fs::write(&signers, line("ann@localhost", "", &ann)).unwrap();
    let plan = |to: &str| {
        let mut command = driftless(&hub, &hub.url());
        command.arg("--verify-signers").arg(&signers);
        command.args(["plan", "--to", to, "--from", "HEAD~1"]);
        ended(command)
    };
    let below = commit(&hub, None);
    let signed = commit(&hub, Some(&ann));
    for vouched in [&signed, &below] {
        let (code, text) = plan(vouched);
        assert_eq!(code, 0, "{text}");
    }
    let above = commit(&hub, None);
    let (code, text) = plan(&above);
    assert!(code == 1 && text.contains("is not signed"), "{text}");
    let (code, text) = plan(&signed);
    assert_eq!(code, 0, "{text}");
    let (code, text) = plan(&below);
    assert!(code == 1 && text.contains("is not signed"), "nobody who is followed: {text}");
}

#[test]
fn a_local_repository_is_held_to_it_too_and_files_as_they_lie_cannot_be() {
    if !can_sign() {
        return;
    }
    let hub = hub_at_rest();
    let ann = key(hub.folder.path(), "ann", "ed25519");
    let file = hub.folder.path().join("signers");
    std::fs::write(&file, line("ann@localhost", "", &ann)).unwrap();
    let open = |worktree: bool, file: PathBuf| {
        let path = hub.world.repository();
        let here = SourceSettings { path, revision: None, worktree, polled: false };
        let settings = SignersSettings { file, program: GitProgram::default() };
        Source::open(here).expect("a source").signed_by(settings)
    };
    let error = open(false, file.clone()).unwrap().read().expect_err("unsigned").to_string();
    assert!(error.contains("is not signed"), "{error}");
    commit(&hub, Some(&ann));
    open(false, file.clone()).unwrap().read().expect("signed");
    let error = open(true, file).expect_err("no commit").to_string();
    assert!(error.contains("--verify-signers is for commits"), "{error}");
    let error = open(false, "/nowhere/signers".into()).expect_err("no file").to_string();
    assert!(error.contains("cannot read `/nowhere/signers`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_unsigned_commit_is_refused_once_and_taken_when_its_signer_is_let_in() {
    if !can_sign() {
        return;
    }
    let hub = Hub::with_tenants(1);
    let (ann, bob) =
        (key(hub.folder.path(), "ann", "ed25519"), key(hub.folder.path(), "bob", "ed25519"));
    let signers = hub.folder.path().join("signers");
    std::fs::write(&signers, line("ann@localhost", "", &ann)).unwrap();
    let first = commit(&hub, Some(&ann));
    let source = signed_source(&hub, &signers);
    source.fetch(&hub.world.clock).expect("fetched");
    let (settings, mut heard) = hub.settings(source);
    let shutdown = async {
        a_while().await;
        hub.world.write_tenant(2, "");
        hub.commit_and_push();
        a_while().await;
        let status = hub.world.driftless(&["status"]);
        assert!(status.contains("is not signed: sign it"), "{status}");
        assert!(status.contains(&format!("Following revision {}", &first[..10])), "{status}");
        assert!(hub.world.stacks(2).is_empty(), "nothing of it is applied");
        commit(&hub, Some(&bob));
        a_while().await;
        assert!(hub.world.stacks(2).is_empty(), "bob may not sign");
        let both = [line("ann@localhost", "", &ann), line("bob@localhost", "", &bob)].concat();
        std::fs::write(&signers, both).unwrap();
        a_while().await;
        assert_eq!(hub.world.journal().refused_revision().expect("read"), None);
    };
    let standing = run(settings, Until::Stopped, shutdown).await.expect("runs");
    assert_eq!(standing.total().settled, 4);
    let mut refusals = 0;
    while let Ok(news) = heard.try_recv() {
        refusals += usize::from(matches!(news, Progress::Refused { .. }));
    }
    assert_eq!(refusals, 2, "each refused commit is said once");
}
