//! The program, its folders and its key; every run is searched for the key.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

/// A key that no server but a scripted one takes.
pub(crate) const KEY: &str = "7|canary-canary-canary";

pub(crate) struct Program {
    pub(crate) folder: TempDir,
    base_url: String,
    key: Option<String>,
    /// What must be in no output.
    secrets: Vec<String>,
}

/// What a run left behind.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new(base_url: &str, key: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, base_url: base_url.to_owned(), key: Some(key.to_owned()), secrets: vec![key.to_owned()] }
    }

    /// Without a key, at a closed port.
    pub(crate) fn alone() -> Self {
        Self::new("http://127.0.0.1:1/", KEY).without_key()
    }

    pub(crate) fn without_key(mut self) -> Self {
        self.key = None;
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn credentials(&self) -> PathBuf {
        self.path("config/cometly/credentials.json")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        assert!(
            arguments.iter().all(|argument| !self.secrets.iter().any(|key| argument.contains(key))),
            "a key in argv"
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_cometly"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("HOME", self.folder.path()).env("XDG_CONFIG_HOME", self.path("config"));
        command.env("COMETLY_BASE_URL", &self.base_url).envs(self.key.iter().map(|key| ("COMETLY_API_KEY", key)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.finish(self.command(arguments).spawn().unwrap())
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // It may have ended before it read anything.
        let _ = child.stdin.take().unwrap().write_all(input);
        self.finish(child)
    }

    pub(crate) fn finish(&self, child: Child) -> Ran {
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let ran = Ran {
            code: status.code().unwrap_or(-1),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        };
        for key in &self.secrets {
            assert!(
                !ran.stdout.contains(key) && !ran.stderr.contains(key),
                "the key is in {}{}",
                ran.stdout,
                ran.stderr
            );
        }
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        ran
    }
}

impl Ran {
    /// Checks the exit code, and says everything if it is another.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "no {words:?} in {}", self.stderr);
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

pub(crate) fn signal(child: &Child, name: &str) {
    // The shell's own: not every machine has a program of this name.
    let sent =
        Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
