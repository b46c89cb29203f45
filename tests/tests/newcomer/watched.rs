//! A service whose key moves from a variable to a watched file, and then to a command.

use std::{
    env,
    error::Error,
    fs,
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use cometly::Api;
use cometly_credentials::{KeyChain, KeyRef, Watcher};
use cometly_emulator::{Ability, Emulator};
use cometly_ureq::Client;

use super::Done;

const KEY: &str = "1|the-key-of-the-variable";

struct Service {
    api: Api,
    client: Client,
    watcher: Watcher,
}

impl Service {
    /// The first of `references` that has a key.
    fn start(emulator: &Emulator, references: &[&str]) -> Result<Self, Box<dyn Error>> {
        let chain: KeyChain = references.iter().map(|text| text.parse()).collect::<Result<Vec<KeyRef>, _>>()?.into();
        let found = chain.read()?;
        let api = Api::builder(found.key().clone()).base_url(emulator.base_url().parse()?).build();
        let watcher = Watcher::start(found.reference().clone(), &api)?;
        Ok(Self { api, client: Client::new()?, watcher })
    }

    fn work(&self) -> Result<(), cometly_ureq::Error> {
        self.client.json::<serde_json::Value>(self.api.get("companies").query("per_page", 1)).map(drop)
    }

    fn wait_for_change(&self, changes: u64) {
        let start = Instant::now();
        while self.watcher.status().changes() < changes {
            assert!(start.elapsed() < Duration::from_secs(90), "{:?}", self.watcher.status().last_error());
            sleep(Duration::from_millis(20));
        }
    }
}

/// Writes beside the file and renames it into place, for the owner alone to read.
fn put(path: &Path, key: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    writeln!(file, "{key}")?;
    fs::rename(beside, path)
}

/// The variable is set for a process of its own: no other test of this one may see it.
#[test]
fn a_key_moves_from_a_variable_to_a_file_to_a_command() -> Done {
    if env::var("COMETLY_API_KEY").as_deref() != Ok(KEY) {
        let name = "watched::a_key_moves_from_a_variable_to_a_file_to_a_command";
        let test = Command::new(env::current_exe()?).args(["--exact", name]).env("COMETLY_API_KEY", KEY).output()?;
        assert!(test.status.success(), "{}", String::from_utf8_lossy(&test.stdout));
        return Ok(());
    }
    let emulator = Emulator::builder().no_limits().key(KEY, Ability::ALL).start()?;
    let keys: Vec<String> = (0..4).map(|_| emulator.issue_key(emulator.space(), Ability::ALL)).collect();
    let sent = || emulator.received_requests().pop().unwrap().headers["authorization"].to_str().unwrap().to_owned();
    let bearer = |key: &str| format!("Bearer {key}");
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700))?;
    let file = folder.path().join("cometly");
    let file_reference = format!("file:{}", file.display());

    // A variable; the file is not there yet.
    let service = Service::start(&emulator, &[&file_reference, "env:COMETLY_API_KEY"])?;
    service.work()?;
    assert_eq!(sent(), bearer(KEY));

    // The same configuration, once the file is there.
    put(&file, &keys[0])?;
    let service = Service::start(&emulator, &[&file_reference, "env:COMETLY_API_KEY"])?;
    service.work()?;
    assert_eq!(sent(), bearer(&keys[0]));
    put(&file, &keys[1])?;
    service.wait_for_change(1);
    emulator.revoke_key(&keys[0]);
    service.work()?;
    assert_eq!(sent(), bearer(&keys[1]));

    // A command; here, one that prints another file.
    let vault = folder.path().join("vault");
    put(&vault, &keys[2])?;
    let service = Service::start(&emulator, &[&format!("cmd:cat '{}'", vault.display())])?;
    service.work()?;
    assert_eq!(sent(), bearer(&keys[2]));
    put(&vault, &keys[3])?;
    emulator.revoke_key(&keys[2]);
    // The command is asked after a 401.
    service.work().unwrap_err();
    service.wait_for_change(1);
    service.work()?;
    assert_eq!(sent(), bearer(&keys[3]));
    Ok(())
}
