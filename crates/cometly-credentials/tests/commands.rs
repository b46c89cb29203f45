//! Programs that print no key, too much, nothing, or do not end.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

use std::time::{Duration, Instant};

use cometly_core::InvalidApiKey;
use cometly_credentials::{KeyChain, KeyRef, Problem};

fn shell(script: &str) -> KeyRef {
    assert!(!script.contains('"'));
    format!("cmd:sh -c \"{script}\"").parse().unwrap()
}

#[test]
fn what_a_program_does_wrong_is_told_by_kind_within_ten_seconds() {
    use InvalidApiKey as E;
    for (script, expected) in [
        ("exit 0", Problem::Key(E::Empty)),
        ("echo", Problem::Key(E::Empty)),
        ("echo ' 12|canary'", Problem::Key(E::Padded { position: 0 })),
        ("echo '12|canary'; echo", Problem::Key(E::LineBreak { position: 9 })),
        ("echo '[12]'", Problem::Json),
        ("echo '12|canary' >&2; exit 3", Problem::Failed { code: Some(3) }),
        ("echo '12|canary'; exit 1", Problem::Failed { code: Some(1) }),
        ("echo '12|canary'; kill -9 $$", Problem::Failed { code: None }),
        // A gigabyte, of which no more than the pipe holds is ever written.
        ("head -c 1073741824 /dev/zero", Problem::TooLarge),
        ("yes canary", Problem::TooLarge),
    ] {
        let started = Instant::now();
        let error = shell(script).read().unwrap_err();
        assert_eq!(*error.problem(), expected, "{script}");
        let told = format!("{error} {error:?}");
        assert!(!told.contains("canary") && told.contains("cmd:sh …"), "{told}");
        assert!(started.elapsed() < Duration::from_secs(9), "{script}: {:?}", started.elapsed());
    }
}

#[test]
fn a_program_that_hangs_is_killed_after_ten_seconds_even_with_its_output_closed() {
    let started = Instant::now();
    let error = shell("echo '12|canary'; exec sleep 60 >&-").read().unwrap_err();
    assert_eq!(*error.problem(), Problem::TimedOut);
    assert!((10..15).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}

#[test]
fn what_a_program_leaves_behind_is_not_waited_for() {
    let started = Instant::now();
    // The process that stays holds the pipe.
    assert_eq!(shell("sleep 8 & echo '12|abc'").read().unwrap().expose_secret(), "12|abc");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
}

#[test]
fn a_program_that_is_not_there_or_may_not_be_run_is_told() {
    for (text, kind) in [
        ("cmd:/nowhere/to/be/found canary", std::io::ErrorKind::NotFound),
        ("cmd:/etc/passwd canary", std::io::ErrorKind::PermissionDenied),
    ] {
        let error = text.parse::<KeyRef>().unwrap().read().unwrap_err();
        assert_eq!(*error.problem(), Problem::Io(kind));
        assert!(!error.to_string().contains("canary"));
    }
}

#[test]
fn no_shell_reads_the_arguments() {
    let reference: KeyRef = "cmd:printf %s $HOME|`id`;*".parse().unwrap();
    assert_eq!(reference.read().unwrap().expose_secret(), "$HOME|`id`;*");
}

#[test]
fn a_chain_says_which_answered_and_why_the_others_did_not() {
    let chain =
        |texts: &[&str]| KeyChain::from(texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<KeyRef>>());
    let texts = ["env:COMETLY_NOT_SET", "cmd:printf {canary}", "file:/nowhere/k", "cmd:printf 12|abc", "cmd:false"];
    let found = chain(&texts).read().unwrap();
    assert_eq!(found.key().expose_secret(), "12|abc");
    assert_eq!(found.reference().text(), "cmd:printf 12|abc");
    let problems: Vec<_> = found.passed_over().iter().map(|error| error.problem().clone()).collect();
    assert_eq!(problems, [Problem::NotSet, Problem::Json, Problem::Io(std::io::ErrorKind::NotFound)]);
    let told = format!("{found} {found:?}");
    assert!(!told.contains("12|abc") && !told.contains("canary"), "{told}");

    let error = chain(&texts[..3]).read().unwrap_err();
    assert_eq!(error.errors().len(), 3);
    assert!(texts[..1].iter().all(|text| error.to_string().contains(text)), "{error}");
    assert!(!format!("{error} {error:?}").contains("canary"));
    assert!(chain(&[]).read().unwrap_err().to_string().contains("no reference"));
}
