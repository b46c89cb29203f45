//! Files that hold no key, or that others can read or change.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use cometly_core::{Api, ApiKey, InvalidApiKey};
use cometly_credentials::{KeyRef, Problem, Watcher};
use tempfile::{NamedTempFile, TempDir};

fn reference(path: &Path) -> KeyRef {
    format!("file:{}", path.display()).parse().unwrap()
}

/// Writes beside the file and renames it into place, readable by this user alone.
fn put(path: &Path, key: &str) {
    let new = NamedTempFile::new_in(path.parent().unwrap()).unwrap();
    fs::write(&new, key).unwrap();
    new.persist(path).unwrap();
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn problem(path: &Path) -> Problem {
    let error = reference(path).read().unwrap_err();
    let told = format!("{error} {error:?}");
    assert!(told.contains(&path.display().to_string()) && !told.contains("canary"), "{told}");
    error.problem().clone()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn what_is_no_key_file_is_told_by_kind_and_never_blocks() {
    let folder = folder();
    let path = folder.path().join("k");
    assert_eq!(problem(&path), Problem::Io(std::io::ErrorKind::NotFound));
    assert_eq!(problem(folder.path()), Problem::NotAFile);
    for device in ["/dev/null", "/dev/zero", "/dev/tty"] {
        let problem = problem(Path::new(device));
        assert!(matches!(problem, Problem::NotAFile), "{device}: {problem}");
    }
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(problem(&pipe), Problem::NotAFile);
    put(&path, "");
    assert_eq!(problem(&path), Problem::Key(InvalidApiKey::Empty));
    put(&path, &"canary\n".repeat(1 << 20));
    assert_eq!(problem(&path), Problem::TooLarge);
    put(&path, "12|canary\n13|canary\n");
    assert_eq!(problem(&path), Problem::Key(InvalidApiKey::LineBreak { position: 9 }));
    symlink("loop", folder.path().join("loop")).unwrap();
    assert!(matches!(problem(&folder.path().join("loop")), Problem::Io(_)));
}

#[test]
fn a_file_that_others_can_read_or_change_is_refused() {
    let folder = folder();
    let path = folder.path().join("k");
    put(&path, "12|canary\n");
    for (bits, is_refused) in
        [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o644, true), (0o620, true), (0o666, true)]
    {
        mode(&path, bits);
        match reference(&path).read() {
            Ok(_) => assert!(!is_refused, "{bits:o}"),
            Err(error) => {
                assert!(is_refused, "{bits:o}: {error}");
                assert_eq!(*error.problem(), Problem::OpenFile { mode: bits });
                assert!(error.to_string().contains("chmod 600"));
            }
        }
    }
}

#[test]
fn a_folder_that_others_can_write_is_refused_also_behind_a_symlink() {
    let (folder, other) = (folder(), folder());
    // The system's own names of them.
    let (here, there) = (folder.path().canonicalize().unwrap(), other.path().canonicalize().unwrap());
    let path = there.join("k");
    put(&path, "12|canary\n");
    let link = here.join("link");
    symlink(&path, &link).unwrap();
    assert!(reference(&link).read().is_ok());
    for open in [&here, &there] {
        mode(open, 0o770);
        assert_eq!(problem(&link), Problem::OpenFolder { path: open.clone() });
        mode(open, 0o1777);
        assert!(reference(&link).read().is_ok(), "a sticky folder is as good as closed");
        mode(open, 0o700);
    }
    let inner = there.join("a/b");
    fs::create_dir_all(&inner).unwrap();
    put(&inner.join("k"), "12|canary\n");
    mode(&there.join("a"), 0o777);
    assert_eq!(problem(&inner.join("k")), Problem::OpenFolder { path: there.join("a") });
}

// `docs/faults.md` 140.
#[test]
fn each_link_of_a_chain_is_checked_with_the_folders_above_it() {
    let folder = folder();
    let root = folder.path().canonicalize().unwrap();
    let inner = |name: &str| {
        let path = root.join(name);
        fs::create_dir(&path).unwrap();
        mode(&path, 0o700);
        path
    };
    let (first, mid, real) = (inner("first"), inner("mid"), inner("real"));
    put(&real.join("k"), "12|canary\n");
    symlink("../real/k", mid.join("link")).unwrap();
    // A link to a file, and a link to a folder on the way to it.
    symlink("../mid/link", first.join("file")).unwrap();
    symlink("../mid/folder", first.join("folder")).unwrap();
    symlink(&real, mid.join("folder")).unwrap();
    for path in [first.join("file"), first.join("folder/k"), first.join("../first/./folder/../mid/link")] {
        for open in [&first, &mid, &real] {
            assert!(reference(&path).read().is_ok(), "{}", path.display());
            mode(open, 0o777);
            assert_eq!(problem(&path), Problem::OpenFolder { path: open.clone() }, "{}", path.display());
            mode(open, 0o1777);
            assert!(reference(&path).read().is_ok(), "a sticky folder is as good as closed");
            mode(open, 0o700);
        }
    }
    // In a sticky folder only its owner can replace a link, which is to be this user or root.
    let link = mid.join("link");
    if std::os::unix::fs::lchown(&link, Some(65_534), None).is_ok() {
        assert_eq!(problem(&first.join("file")), Problem::ForeignOwner);
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_key() {
    let folder = folder();
    let path = folder.path().join("k");
    put(&path, "\u{feff}12|first\r\n");
    let reference = reference(&path);
    let api = Api::new(reference.read().unwrap());
    let watcher = Watcher::builder(reference).interval(Duration::from_millis(10)).start(&api).unwrap();
    wait_for(|| watcher.status().reads() > 1);
    assert_eq!((current(&api).as_str(), api.key_generation()), ("Bearer 12|first", 0));
    for text in ["\u{feff}", "\u{feff}\n"] {
        put(&path, text);
        assert_eq!(problem(&path), Problem::Key(InvalidApiKey::Empty));
    }
}

#[test]
fn a_file_of_another_user_is_refused() {
    let folder = folder();
    let path = folder.path().join("k");
    put(&path, "12|canary\n");
    // Only root can give a file away.
    if std::os::unix::fs::chown(&path, Some(65_534), None).is_ok() {
        assert_eq!(problem(&path), Problem::ForeignOwner);
    }
}

#[test]
fn a_kubernetes_secret_is_followed_from_swap_to_swap() {
    let folder = folder();
    let volume = |name: &str, key: &str| {
        fs::create_dir(folder.path().join(name)).unwrap();
        put(&folder.path().join(name).join("key"), key);
        // As the kubelet does: a new symlink, renamed over the old one.
        symlink(name, folder.path().join("..data_tmp")).unwrap();
        fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).unwrap();
    };
    volume("..2026_01", "12|first");
    symlink("..data/key", folder.path().join("key")).unwrap();
    mode(folder.path(), 0o1777);
    let reference = reference(&folder.path().join("key"));
    let api = Api::new(reference.read().unwrap());
    let watcher = Watcher::builder(reference).interval(Duration::from_millis(10)).start(&api).unwrap();
    for (name, key) in [("..2026_02", "13|second"), ("..2026_03", "14|third")] {
        volume(name, key);
        wait_for(|| current(&api) == format!("Bearer {key}"));
    }
    assert_eq!(api.key_generation(), 2);
    assert!(watcher.status().last_error().is_none());
}

#[test]
fn half_a_file_is_not_taken_for_a_key() {
    let folder = folder();
    let path = folder.path().join("k");
    put(&path, "12|first");
    let reference = reference(&path);
    let api = Api::new(reference.read().unwrap());
    let _watcher = Watcher::builder(reference).interval(Duration::from_millis(10)).start(&api).unwrap();
    // A writer that writes in place, byte by byte, with pauses shorter than the file must stay the same.
    for key in ["13|abcdefghijklmnop", "14|abcdefghijklmnopqrst"] {
        let mut file = fs::File::create(&path).unwrap();
        for byte in key.bytes() {
            std::io::Write::write_all(&mut file, &[byte]).unwrap();
            thread::sleep(Duration::from_millis(5));
        }
        let mut seen = Vec::new();
        wait_for(|| {
            seen.push(current(&api));
            current(&api) == format!("Bearer {key}")
        });
    }
    assert_eq!(api.key_generation(), 2, "each key once, and none of half of one");
}

#[test]
fn a_file_that_is_replaced_all_the_time_gives_whole_keys() {
    let folder = folder();
    let path = folder.path().join("k");
    put(&path, "key-0-0");
    let reference = reference(&path);
    let api = Api::new(reference.read().unwrap());
    let watcher = Watcher::builder(reference).interval(Duration::from_millis(10)).start(&api).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1_u64.. {
                put(&path, &format!("key-{number}-{number}\n"));
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        wait_for(|| {
            let header = current(&api);
            let mut parts = header.split('-').skip(1);
            assert_eq!(parts.next(), parts.next(), "{header}");
            watcher.status().changes() >= 5
        });
        stop.store(true, Ordering::Relaxed);
    });
    assert!(watcher.status().last_error().is_none());
}

#[test]
fn the_key_stays_while_its_file_is_gone_or_bad() {
    let folder = folder();
    let path = folder.path().join("k");
    put(&path, "12|first");
    let reference = reference(&path);
    let api = Api::new(reference.read().unwrap());
    let watcher = Watcher::builder(reference).interval(Duration::from_millis(10)).start(&api).unwrap();
    let problem = || watcher.status().last_error().map(|error| error.problem().clone());
    fs::remove_file(&path).unwrap();
    wait_for(|| problem() == Some(Problem::Io(std::io::ErrorKind::NotFound)));
    put(&path, "{\"key\": \"13|canary\"}");
    wait_for(|| problem() == Some(Problem::Json));
    assert_eq!((current(&api).as_str(), api.key_generation()), ("Bearer 12|first", 0));
    put(&path, "13|second");
    wait_for(|| current(&api) == "Bearer 13|second");
    wait_for(|| problem().is_none());
    assert!(!format!("{watcher:?}").contains("second"));
}

#[test]
fn a_dropped_watcher_changes_nothing_more() {
    let folder = folder();
    let path = folder.path().join("k");
    put(&path, "12|first");
    let api = Api::new(ApiKey::new("12|first").unwrap());
    let watcher = Watcher::builder(reference(&path)).interval(Duration::from_millis(10)).start(&api).unwrap();
    wait_for(|| watcher.status().reads() > 0);
    drop(watcher);
    put(&path, "13|second");
    thread::sleep(Duration::from_millis(200));
    assert_eq!(api.key_generation(), 0);
}

fn current(api: &Api) -> String {
    api.get("a").to_request().unwrap().headers()["authorization"].to_str().unwrap().to_owned()
}

fn wait_for(mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not come");
        thread::sleep(Duration::from_millis(2));
    }
}
