//! The four programs of Cometly's authentication page, against the emulator, beside our own calls: as they stand on the
//! page, but for base URL and key.
//!
//! `cargo xtask samples` shows the table. A sample whose interpreter is missing is named and skipped.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
};

use cometly_conformance::{BoxError, Settings, adapters};
use cometly_core::{Api, ApiKey, http::HeaderValue};
use cometly_emulator::{Emulator, ReceivedRequest};

type Result<T> = std::result::Result<T, BoxError>;

struct Sample {
    name: &'static str,
    /// What runs it, and with which arguments before the file.
    interpreter: &'static [&'static str],
    /// Proves that the interpreter has what the sample needs.
    probe: &'static [&'static str],
    file: &'static str,
    text: &'static str,
}

const SAMPLES: &[Sample] = &[
    Sample {
        name: "curl",
        interpreter: &["sh"],
        probe: &["curl", "--version"],
        file: "curl.sh",
        text: include_str!("samples/curl.sh"),
    },
    Sample {
        name: "fetch",
        interpreter: &["node"],
        probe: &["node", "--version"],
        file: "fetch.js",
        text: include_str!("samples/fetch.js"),
    },
    Sample {
        name: "PHP",
        interpreter: &["php"],
        probe: &["php", "-r", "exit(function_exists('curl_init') ? 0 : 1);"],
        file: "curl.php",
        text: include_str!("samples/curl.php"),
    },
    Sample {
        name: "Python",
        interpreter: &["/usr/bin/python3"],
        probe: &["/usr/bin/python3", "-c", "import requests"],
        file: "requests_sample.py",
        text: include_str!("samples/requests.py"),
    },
];

/// What the page says that every request must have.
const REQUIRED: [&str; 3] = ["authorization", "accept", "content-type"];

#[test]
fn every_program_sends_the_headers_that_the_page_requires() -> Result<()> {
    let (mut seen, mut output) = (Vec::new(), io::stdout());
    for sample in SAMPLES {
        match sample.run()? {
            Some(request) => seen.push((sample.name, request)),
            None => writeln!(output, "{} was not run: there is no `{}`", sample.name, sample.probe.join(" "))?,
        }
    }
    for subject in adapters::all() {
        let emulator = emulator()?;
        let key = ApiKey::new(emulator.keys().full.as_str())?;
        let api = Api::builder(key).base_url(emulator.base_url().parse()?).build();
        let client = subject.connect(&Settings::default())?.ok_or("every stack has its default settings")?;
        let _validated = client.send(api.get("events"))?;
        seen.push((subject.name(), Request::of(&emulator)?));
    }
    output.write_all(table(&seen).as_bytes())?;
    assert_eq!(differing(&seen), <[&str; 0]>::default(), "not the same everywhere");
    Ok(())
}

fn emulator() -> std::io::Result<Emulator> {
    Emulator::builder().no_limits().start()
}

impl Sample {
    /// What the emulator saw of it; nothing if it cannot be run here.
    fn run(&self) -> Result<Option<Request>> {
        let quiet = |words: &[&str]| {
            let (program, arguments) = words.split_first()?;
            let mut command = Command::new(program);
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            Some(command)
        };
        let is_there = quiet(self.probe).is_some_and(|mut probe| probe.status().is_ok_and(|status| status.success()));
        if !is_there {
            return Ok(None);
        }
        let emulator = emulator()?;
        let text = self.text.replace("https://app.cometly.com/public-api/v1", emulator.base_url());
        let folder = std::env::temp_dir().join(format!("cometly-samples-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let file: PathBuf = folder.join(self.file);
        fs::write(&file, text.replace("YOUR_API_KEY", &emulator.keys().full))?;
        let mut command = quiet(self.interpreter).ok_or("every sample has an interpreter")?;
        for variable in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(variable);
        }
        let status = command.arg(&file).status();
        fs::remove_dir_all(&folder)?;
        if !status?.success() {
            return Err(format!("the {} sample failed", self.name).into());
        }
        Request::of(&emulator).map(Some)
    }
}

/// One request, without what differs from run to run.
struct Request {
    line: String,
    status: u16,
    headers: BTreeMap<String, String>,
}

impl Request {
    fn of(emulator: &Emulator) -> Result<Self> {
        let requests = emulator.received_requests();
        let [ReceivedRequest { method, path, headers, status, .. }] = requests.as_slice() else {
            return Err(format!("{} requests came, and not one", requests.len()).into());
        };
        let shown = |value: &HeaderValue| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            value.replace(&emulator.keys().full, "KEY").replace(&emulator.address().to_string(), "HOST")
        };
        let headers = headers.iter().map(|(name, value)| (name.to_string(), shown(value))).collect();
        Ok(Self { line: format!("{method} {path}"), status: status.as_u16(), headers })
    }
}

/// As Markdown, a column for each program.
fn table(seen: &[(&str, Request)]) -> String {
    let row = |first: &str, cells: Vec<String>| format!("| {first} | {} |\n", cells.join(" | "));
    let names: BTreeSet<&String> = seen.iter().flat_map(|(_, request)| request.headers.keys()).collect();
    let mut text = row("", seen.iter().map(|(name, _)| (*name).to_owned()).collect());
    text += &row("---", seen.iter().map(|_| "---".to_owned()).collect());
    text += &row("request", seen.iter().map(|(_, request)| request.line.clone()).collect());
    for name in names {
        let cell = |request: &Request| request.headers.get(name).map_or("–".to_owned(), |value| format!("`{value}`"));
        text += &row(&format!("`{name}`"), seen.iter().map(|(_, request)| cell(request)).collect());
    }
    text + &row("answer", seen.iter().map(|(_, request)| request.status.to_string()).collect())
}

/// What must be the same for all, and is not.
fn differing(seen: &[(&str, Request)]) -> Vec<&'static str> {
    let mut differing = Vec::new();
    let is_same = |of: &dyn Fn(&Request) -> Option<String>| {
        let mut values = seen.iter().map(|(_, request)| of(request));
        let first = values.next().flatten();
        first.is_some() && values.all(|value| value == first)
    };
    for name in REQUIRED {
        if !is_same(&|request| request.headers.get(name).cloned()) {
            differing.push(name);
        }
    }
    if !is_same(&|request| Some(request.line.clone())) {
        differing.push("the request line");
    }
    if !is_same(&|request| Some(request.status.to_string())) {
        differing.push("the answer");
    }
    differing
}

fn request(accept: &str) -> Request {
    let headers = [("authorization", "Bearer KEY"), ("accept", accept), ("content-type", "application/json")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Request { line: "GET /events".into(), status: 422, headers }
}

#[test]
fn a_required_header_that_differs_is_named() {
    let json = "application/json";
    assert_eq!(differing(&[("a", request(json)), ("b", request(json))]), <[&str; 0]>::default());
    assert_eq!(differing(&[("a", request(json)), ("b", request("*/*"))]), ["accept"]);
    let mut bare = request(json);
    bare.headers.remove("authorization");
    bare.status = 401;
    assert_eq!(differing(&[("a", request(json)), ("b", bare)]), ["authorization", "the answer"]);
}
