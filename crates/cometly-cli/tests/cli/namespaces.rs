//! The README's emulator for a team: on one host, and the command on another one that knows it by name. The hosts are two
//! network namespaces of this machine, which takes root and `ip`.
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use crate::program::Program;

/// Two hosts and the cable between them; all of it goes when this is dropped.
struct Hosts {
    emulator: String,
    client: String,
    etc: PathBuf,
}

const EMULATOR: &str = "10.213.7.1";
const CLIENT: &str = "10.213.7.2";

fn ip(arguments: &str) -> bool {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    output.is_ok_and(|output| output.status.success())
}

impl Hosts {
    /// `None` where this user may not make them.
    fn new() -> Option<Self> {
        let name = |host: &str| format!("cometly-{host}-{}", std::process::id());
        let (emulator, client) = (name("emulator"), name("client"));
        if !ip(&format!("netns add {emulator}")) {
            return None;
        }
        let etc = PathBuf::from(format!("/etc/netns/{client}"));
        let hosts = Self { emulator, client, etc };
        let Self { emulator, client, etc } = &hosts;
        let is_made = ip(&format!("netns add {client}"))
            && ip(&format!("-n {emulator} link add c0 type veth peer name c0 netns {client}"))
            && ip(&format!("-n {emulator} addr add {EMULATOR}/30 dev c0"))
            && ip(&format!("-n {client} addr add {CLIENT}/30 dev c0"))
            && [emulator, client].iter().all(|host| ip(&format!("-n {host} link set c0 up")));
        fs::create_dir_all(etc).ok()?;
        fs::write(etc.join("hosts"), format!("{EMULATOR} cometly\n")).ok()?;
        is_made.then_some(hosts)
    }

    /// `command` on one of the hosts.
    fn on(host: &str, command: &Command) -> Command {
        let mut there = Command::new("ip");
        there.args(["netns", "exec", host]).arg(command.get_program()).args(command.get_args()).env_clear();
        there
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
        there.current_dir(command.get_current_dir().unwrap());
        there.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        there
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in [&self.emulator, &self.client] {
            ip(&format!("netns del {host}"));
        }
        let _ = fs::remove_dir_all(&self.etc);
    }
}

/// The command of the README's compose file, without the name of the program.
fn composed() -> Vec<String> {
    let readme = fs::read_to_string("README.md").unwrap();
    let text = readme.split("command: >\n").nth(1).unwrap().split("```").next().unwrap();
    let words = text.split_whitespace().map(|word| word.trim_matches('\'').to_owned());
    words.skip(1).collect()
}

/// The emulator, until its stdin closes.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn the_readmes_service_is_reached_by_name_from_another_host() {
    let Some(hosts) = Hosts::new() else {
        return eprintln!("skipped: no network namespaces, which take root and `ip`");
    };
    let keyless = Program::alone().without_key();
    let arguments = composed();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert_eq!(arguments[0], "emulator", "{arguments:?}");
    let mut service = Service(Hosts::on(&hosts.emulator, &keyless.command(&arguments)).spawn().unwrap());
    let mut said = String::new();
    // It listens once it has said where.
    BufReader::new(service.0.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();

    let program = Program::new("http://127.0.0.1:1/", "1|key-of-our-tests");
    let run = |arguments: &[&str]| -> Output {
        let there = ["--base-url", "http://cometly:8080/public-api/v1"];
        Hosts::on(&hosts.client, &program.command(&[&there, arguments].concat())).output().unwrap()
    };
    let by_name = ["--insecure-http", "cometly:8080"];
    let built = [("reqwest", true), ("ureq", cfg!(feature = "ureq")), ("isahc", cfg!(feature = "isahc"))];
    for (transport, _) in built.iter().filter(|(_, is_built)| *is_built) {
        let transport = ["--transport", transport];
        let list = ["companies", "list", "--format", "ndjson"];
        let listed = run(&[&by_name[..], &transport, &list].concat());
        let rows = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        assert!(rows.lines().count() > 10 && rows.starts_with('{'), "{rows}");
        // Its file is on the other port of the same name.
        let file = format!("{}.ndjson", transport[1]);
        let export = ["companies", "export", "--from", "2020-01-01", "--to", "2040-01-01", "--output", &file];
        let exported = run(&[&["--insecure-http", "cometly"], &transport[..], &export].concat());
        assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
        assert_eq!(program.read(&file).lines().count(), 250);
    }
    // Without the switch, no key goes over plain http to another host.
    let refused = run(&["companies", "list"]);
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && words.contains("--insecure-http"), "{words}");
    drop(service);
}
