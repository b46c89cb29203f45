//! `auth login`, `status`, `logout`: where the key is kept, and who gets to see it.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    process::Stdio,
    thread,
    time::Duration,
};

use cometly_emulator::{Ability, Emulator};

use crate::{
    program::{KEY, Program, mode},
    script::{Server, json},
};

fn fresh(emulator: &Emulator) -> Program {
    Program::new(emulator.base_url(), &emulator.keys().full).without_key()
}

fn logged_in(emulator: &Emulator) -> Program {
    let program = fresh(emulator);
    let key = format!("{}\n", emulator.keys().full);
    program.run_with_input(&["auth", "login", "--with-token"], key.as_bytes()).ends(0).says("for you alone");
    program
}

#[test]
fn a_key_is_checked_then_kept_for_its_owner_alone_then_used_then_forgotten() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = logged_in(&emulator);
    assert_eq!(emulator.request_count(), 1);
    assert_eq!(emulator.received_requests()[0].query.as_deref(), Some("per_page=1"));
    assert_eq!((mode(&program.credentials()), mode(program.credentials().parent().unwrap())), (0o600, 0o700));

    let status = program.run(&["auth", "status", "--json"]).ends(0).json();
    let ending = &emulator.keys().full[emulator.keys().full.len() - 4..];
    assert_eq!(
        (&status["source"], &status["key"], &status["key_ending"]),
        (&"file".into(), &"accepted".into(), &ending.into())
    );

    program.run(&["auth", "logout"]).ends(0).says("forgotten");
    program.run(&["auth", "logout"]).ends(0).says("no stored key");
    program.run(&["auth", "logout", "--profile", "staging"]).ends(3).says("no profile staging to forget");
    program.run(&["request", "GET", "companies"]).ends(3).says("auth login");
}

#[test]
fn a_key_that_the_server_refuses_or_does_not_speak_of_is_not_kept() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = Program::new(emulator.base_url(), "9|refused-refused-refused").without_key();
    let login = ["auth", "login", "--with-token"];
    program.run_with_input(&login, b"9|refused-refused-refused").ends(3).says("not stored");
    let busy = Server::start(|_, _| json(500, r#"{"message":"Server Error"}"#));
    let elsewhere = Program::new(&busy.base_url, "9|key-key-key-key-key").without_key();
    elsewhere.run_with_input(&login, b"9|key-key-key-key-key").ends(7).says("not stored");
    assert!(!program.credentials().exists() && !elsewhere.credentials().exists());
    for (input, words) in
        [(&b""[..], "empty"), (b"1|a b", "white space"), (b"1|a\n2|b", "line break"), (b"\xff", "stdin")]
    {
        let ran = program.run_with_input(&login, input).says(words);
        assert!([1, 2].contains(&ran.code));
    }
}

#[test]
fn a_key_without_permission_is_a_right_key() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let key = emulator.keys().no_permission.clone();
    let program = Program::new(emulator.base_url(), &key).without_key();
    program.run_with_input(&["auth", "login", "--with-token"], key.as_bytes()).ends(0).says("no permission");
    program.run(&["auth", "status"]).ends(4);
}

#[test]
fn a_key_that_may_read_one_list_is_accepted_with_the_limits() {
    let emulator = Emulator::builder().key("5|key-that-reads", &[Ability::EventsRead]).start().unwrap();
    let program = Program::new(emulator.base_url(), "5|key-that-reads");
    program.run(&["auth", "status"]).ends(4);
    let ran = program.run(&["auth", "status", "--limits"]).ends(0);
    assert!(ran.stdout.contains("accepted; it may read events, and not companies, contacts"), "{}", ran.stdout);
    let told = program.run(&["auth", "status", "--limits", "--json"]).ends(0).json();
    assert_eq!((&told["key"], &told["limits"][2]["status"]), (&"accepted".into(), &200.into()));
    let program = Program::new(emulator.base_url(), &emulator.keys().no_permission);
    program.run(&["auth", "status", "--limits"]).ends(4);
}

#[test]
fn a_file_that_others_can_read_is_not_used() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = logged_in(&emulator);
    for open in [0o644, 0o640, 0o604] {
        fs::set_permissions(program.credentials(), fs::Permissions::from_mode(open)).unwrap();
        program.run(&["auth", "status"]).ends(1).says("chmod 600");
    }
    fs::set_permissions(program.credentials(), fs::Permissions::from_mode(0o600)).unwrap();
    program.run(&["auth", "status"]).ends(0);
}

#[test]
fn half_a_file_is_an_error_that_shows_nothing_of_it() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = logged_in(&emulator);
    let whole = fs::read(program.credentials()).unwrap();
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        fs::write(program.credentials(), &whole[..length]).unwrap();
        program.run(&["auth", "status"]).ends(1).says("cometly auth login");
    }
    fs::remove_file(program.credentials()).unwrap();
    fs::create_dir(program.credentials()).unwrap();
    program.run(&["auth", "status"]).ends(1);
}

#[test]
fn the_environment_wins_and_takes_no_stored_key_elsewhere() {
    let (first, second) = (Emulator::start().unwrap(), Emulator::start().unwrap());
    let program = logged_in(&first);
    let elsewhere = |arguments: &[&str], key: Option<&str>| {
        let mut command = program.command(arguments);
        command.env("COMETLY_BASE_URL", second.base_url()).envs(key.map(|key| ("COMETLY_API_KEY", key)));
        program.finish(command.spawn().unwrap())
    };
    elsewhere(&["auth", "status"], None).ends(2).says("not sent elsewhere");
    assert_eq!(second.request_count(), 0);
    let status = elsewhere(&["auth", "status", "--json"], Some(&second.keys().full)).ends(0).json();
    assert_eq!(status["source"], "environment");
    let mut stored = program.command(&["auth", "status"]);
    stored.env_remove("COMETLY_BASE_URL");
    program.finish(stored.spawn().unwrap()).ends(0);
}

#[test]
fn a_key_on_the_command_line_is_refused_and_not_repeated() {
    let emulator = Emulator::start().unwrap();
    let program = fresh(&emulator);
    for arguments in [
        &["auth", "login", "--key", "7|canary"][..],
        &["auth", "login", "7|canary"],
        &["auth", "login", "--token=7|canary"],
        &["request", "GET", "companies", "--api-key", "7|canary"],
        &["--json", "--key=7|canary", "auth", "status"],
        &["7|canary"],
        &["auth", "7|canary"],
        &["auth", "status", "7|canary"],
        &["request", "GET", "companies", "--transport", "7|canary"],
    ] {
        let ran = program.run(arguments).ends(2);
        assert!(!ran.stderr.contains("canary") && ran.stdout.is_empty(), "{}", ran.stderr);
    }
    assert_eq!(emulator.request_count(), 0);
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let emulator = Emulator::start().unwrap();
    fresh(&emulator).run(&["auth", "login"]).ends(2).says("--with-token");
}

#[test]
fn status_tells_the_source_even_if_nobody_answers() {
    let program = Program::new("http://127.0.0.1:1/", KEY);
    let ran = program.run(&["auth", "status"]).ends(8);
    assert!(ran.stdout.contains("from the environment") && ran.stdout.contains("refused"), "{}", ran.stdout);
    let json = program.run(&["auth", "status", "--json"]).ends(8).json();
    assert_eq!(json["key"], "unknown");
}

#[test]
fn login_says_where_it_asks_before_the_key_is_given() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let words = format!("The key will be checked at {} and kept as the profile default.", emulator.base_url());
    fresh(&emulator).run_with_input(&["auth", "login", "--with-token"], b"").ends(2).says(&words);
}

// `docs/faults.md` 117.
#[test]
fn what_a_killed_login_left_is_gone_with_the_next_command() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    for command in [&["auth", "logout"][..], &["auth", "status"], &["auth", "login", "--with-token"]] {
        let program = logged_in(&emulator);
        let leftover = program.credentials().with_file_name("credentials.json.new");
        fs::write(&leftover, &emulator.keys().full).unwrap();
        program.run_with_input(command, emulator.keys().full.as_bytes()).ends(0);
        assert!(!leftover.exists(), "{command:?}");
        if command[1] == "logout" {
            assert_eq!(fs::read_dir(program.credentials().parent().unwrap()).unwrap().count(), 0, "no key is left");
        }
    }
    // Also if there is no key to forget, or none that the server takes.
    for (command, code) in [(&["auth", "logout"][..], 0), (&["auth", "login", "--with-token"], 3)] {
        let program = logged_in(&emulator);
        let leftover = program.credentials().with_file_name("credentials.json.new");
        fs::rename(program.credentials(), &leftover).unwrap();
        program.run_with_input(command, b"9|refused-refused-refused").ends(code);
        assert!(!leftover.exists(), "{command:?}");
    }
    // Killed at any moment, it leaves no file but those that are known.
    let program = logged_in(&emulator);
    for wait in 0..12 {
        let mut child = program.command(&["auth", "login", "--with-token"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(emulator.keys().full.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(10 * wait));
        child.kill().unwrap();
        program.finish(child);
    }
    let files = fs::read_dir(program.credentials().parent().unwrap()).unwrap().map(|file| file.unwrap().file_name());
    assert!(files.into_iter().all(|file| file == "credentials.json" || file == "credentials.json.new"));
    program.run(&["auth", "logout"]).ends(0).says("forgotten");
    assert_eq!(fs::read_dir(program.credentials().parent().unwrap()).unwrap().count(), 0);
}

#[test]
fn a_symlink_is_followed_where_nobody_else_can_write() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = fresh(&emulator);
    let (folder, link) = (program.path("secrets"), program.credentials());
    for made in [&folder, link.parent().unwrap()] {
        fs::create_dir_all(made).unwrap();
        fs::set_permissions(made, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let target = folder.join("cometly.json");
    symlink(&target, &link).unwrap();
    let login =
        || program.run_with_input(&["auth", "login", "--with-token"], format!("{}\n", emulator.keys().full).as_bytes());
    login().ends(0);
    assert!(link.symlink_metadata().unwrap().is_symlink() && mode(&target) == 0o600);
    login().ends(0);
    program.run(&["auth", "status"]).ends(0);
    for (path, open, closed) in [(&folder, 0o777, 0o700), (&folder, 0o770, 0o700), (&target, 0o622, 0o600)] {
        let before = fs::read(&target).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(open)).unwrap();
        login().ends(1).says("can be changed by other users");
        program.run(&["auth", "status"]).ends(1).says("can be changed by other users");
        fs::set_permissions(path, fs::Permissions::from_mode(closed)).unwrap();
        assert_eq!(fs::read(&target).unwrap(), before);
    }
    program.run(&["auth", "logout"]).ends(0).says("forgotten");
    assert!(!target.exists() && link.symlink_metadata().unwrap().is_symlink());
}

#[test]
fn profiles_hold_a_key_for_each_server() {
    let (first, second) = (Emulator::start().unwrap(), Emulator::start().unwrap());
    let program = Program::alone();
    let run = |arguments: &[&str], environment: &[(&str, &str)], input: &str| {
        let mut command = program.command(arguments);
        command.env_remove("COMETLY_BASE_URL").envs(environment.iter().copied()).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It may have ended before it read anything.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        program.finish(child)
    };
    let login = |name: &str, emulator: &Emulator| {
        let arguments = ["auth", "login", "--with-token", "--profile", name, "--base-url", emulator.base_url()];
        run(&arguments, &[], &emulator.keys().full).ends(0).says(&format!("kept as the profile {name}"));
    };
    let used = |arguments: &[&str], environment: &[(&str, &str)]| {
        let ran = run(&[&["auth", "status", "--json"], arguments].concat(), environment, "").ends(0);
        ran.json()["profile"].as_str().unwrap_or("none").to_owned()
    };
    login("one", &first);
    login("two", &second);
    assert_eq!(used(&[], &[]), "two", "the last login is the one in use");
    run(&["auth", "switch", "one"], &[], "").ends(0).says("one is now the profile in use");
    assert_eq!(used(&[], &[]), "one");
    assert_eq!(used(&[], &[("COMETLY_PROFILE", "two")]), "two");
    assert_eq!(used(&["--profile", "one"], &[("COMETLY_PROFILE", "two")]), "one");
    let key = [("COMETLY_API_KEY", first.keys().full.as_str()), ("COMETLY_BASE_URL", first.base_url())];
    assert_eq!(used(&[], &key), "none", "a key in the environment wins over what is stored");
    assert_eq!(used(&["--profile", "two"], &key), "two", "and the command line over the environment");

    let listed = run(&["auth", "list"], &[], "").ends(0).stdout;
    assert!(listed.starts_with(&format!("* one  {}, key ends in ", first.base_url())), "{listed}");
    let listed = run(&["auth", "list", "--json"], &[], "").ends(0);
    assert!(!listed.stdout.contains(&first.keys().full) && !listed.stdout.contains(&second.keys().full));
    assert_eq!(listed.json()["profiles"][1]["base_url"], second.base_url());
    assert_eq!(mode(&program.credentials()), 0o600);
    let script = run(&["completions", "bash"], &[], "").ends(0).stdout;
    assert!(script.contains("one two") && script.contains("contacts/exports") && script.contains("PATCH"));

    let ran = run(&["auth", "status"], &[key[0], key[1], ("COMETLY_PROFILE", "two")], "").ends(0);
    ran.says("COMETLY_PROFILE names two, which is not used, since COMETLY_API_KEY is set");
    for command in [&["auth", "status"][..], &["auth", "logout"], &["companies", "list"]] {
        run(command, &[("COMETLY_PROFILE", "three")], "").ends(3).says("COMETLY_PROFILE names the profile three");
    }
    run(&["auth", "logout", "--profile", "three"], &[], "").ends(3).says("no profile three to forget");
    run(&["auth", "switch", "three"], &[], "").ends(3).says("no profile three");
    run(&["auth", "status", "--profile", "three"], &[], "").ends(3).says("auth list");
    run(&["auth", "status", "--profile", "1|x"], &[], "").ends(2).says("expected 1 to 32 letters");
    run(&["auth", "status", "--profile", "one", "--base-url", second.base_url()], &[], "")
        .ends(2)
        .says("not sent elsewhere");
    run(&["auth", "logout", "--profile", "two"], &[], "").ends(0).says("Still stored: one.");
    run(&["auth", "logout"], &[], "").ends(0).says("the profile one is forgotten");
    assert!(!program.credentials().exists());
    assert_eq!((first.request_count(), second.request_count()), (5, 4));
}

// `docs/faults.md` 139.
#[test]
fn a_profile_that_a_shell_would_run_is_refused_and_stays_as_it_is() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = logged_in(&emulator);
    let whole = fs::read_to_string(program.credentials()).unwrap();
    assert!(program.run(&["completions", "bash"]).ends(0).stdout.contains("\"default\""));
    for name in ["$(touch${IFS}here)", "`touch here`", "a b", "a'b", "12|canary", "\u{202e}x", ""] {
        let named = whole.replace("default", name);
        fs::write(program.credentials(), &named).unwrap();
        for shell in ["bash", "zsh", "fish"] {
            let script = program.run(&["completions", shell]).ends(0).stdout;
            assert!(name.is_empty() || name == "a b" || !script.contains(name), "{name} in {shell}");
        }
        for command in
            [&["auth", "list"][..], &["auth", "status"], &["auth", "logout"], &["auth", "login", "--with-token"]]
        {
            let ran = program.run_with_input(command, emulator.keys().full.as_bytes()).ends(1);
            let ran = ran.says("has a profile whose name is none: expected 1 to 32 letters, digits, - _ or .");
            assert!(!ran.stderr.contains("touch") && !ran.stderr.contains("canary"), "{}", ran.stderr);
            assert_eq!(fs::read_to_string(program.credentials()).unwrap(), named, "{command:?}");
        }
        assert_eq!(fs::read_dir(program.credentials().parent().unwrap()).unwrap().count(), 1);
    }
    // The profile in use may be none, once it is forgotten; but no other text.
    fs::write(program.credentials(), whole.replacen("default", "$(x)", 1)).unwrap();
    program.run(&["auth", "status"]).ends(1).says("whose name is none");
}

#[test]
fn a_file_that_was_put_aside_is_named_and_is_gone_after_the_last_logout() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = logged_in(&emulator);
    let later = fs::read_to_string(program.credentials()).unwrap().replace("\"version\":1", "\"version\":9");
    fs::write(program.credentials(), &later).unwrap();
    let aside = program.credentials().with_file_name("credentials.json.broken");
    let login = |profile: &str| {
        let login = ["auth", "login", "--with-token", "--profile", profile];
        program.run_with_input(&login, emulator.keys().full.as_bytes()).ends(0)
    };
    login("one").says("credentials.json.broken");
    login("two");
    let told = program.run(&["auth", "status"]).ends(0).stdout;
    assert!(told.contains("credentials.json.broken holds keys of an earlier file"), "{told}");
    let told = program.run(&["auth", "status", "--json"]).ends(0).json();
    assert_eq!(told["put_aside"], aside.to_str().unwrap());
    program.run(&["auth", "logout", "--profile", "one"]).ends(0).says("credentials.json.broken holds keys");
    assert_eq!(fs::read_to_string(&aside).unwrap(), later);
    program.run(&["auth", "logout"]).ends(0).says("credentials.json.broken, with keys of an earlier file, is removed");
    assert!(!aside.exists());
    assert_eq!(program.run(&["auth", "status", "--json"]).ends(3).json().get("put_aside"), None);
    // Also if nothing else is left.
    fs::write(&aside, &later).unwrap();
    assert!(program.run(&["auth", "status"]).ends(3).stdout.contains("holds keys of an earlier file"));
    program.run(&["auth", "logout"]).ends(0).says("is removed");
    assert!(!aside.exists());
}
