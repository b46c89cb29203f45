//! Commands that are programs which cargo runs, one after another: a row each.

use std::ffi::OsString;

use crate::{Outcome, say, tool};

/// Programs that are run in turn, up to the first that fails.
pub(crate) struct Rows {
    help: &'static str,
    /// What is said before the first.
    notice: &'static str,
    list: &'static [Row],
}

struct Row {
    /// Of cargo.
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    needs: Needs,
    /// Whether what follows our command's name is added, and what is added if nothing does.
    rest: Option<&'static [&'static str]>,
}

#[derive(Clone, Copy)]
enum Needs {
    Nothing,
    /// A program of `proof/tools.txt`.
    Tool(&'static str),
    /// The nightly compiler; without one the row is skipped, and that is said.
    Nightly,
}

const fn row(arguments: &'static [&'static str]) -> Row {
    Row { arguments, environment: &[], needs: Needs::Nothing, rest: None }
}

/// The same with the command's own arguments.
const fn open(arguments: &'static [&'static str]) -> Row {
    Row { rest: Some(&[]), ..row(arguments) }
}

pub(crate) const DEMO: Rows = Rows {
    help: "\
cargo xtask demo                  the calls of Cometly's authentication page, on the built-in emulator, and on the
                                  command line
cargo xtask demo --base-url URL   one call that reads, on another server; the key is taken from COMETLY_API_KEY
cargo xtask demo --live           the same on Cometly itself; it changes nothing, and counts against the Space's limit

Prints what every HTTP stack made of each call. Ends with 1 if two of them disagree, or an outcome is not the one
expected.
",
    notice: "\
First the emulator, the three clients and the command line are built: some
five minutes and 1.5 GB below target/ on two cores, once. The calls then take
half a minute: some wait for a rate limit.
",
    list: &[
        row(&[
            "build",
            "--package",
            "cometly-conformance",
            "--example",
            "demo",
            "--package",
            "cometly-cli",
            "--bin",
            "cometly",
        ]),
        open(&["run", "--quiet", "--package", "cometly-conformance", "--example", "demo", "--"]),
    ],
};

pub(crate) const SOAK: Rows = Rows {
    help: "\
cargo xtask soak               every flavour for two minutes under seeded faults, 64 calls at once
cargo xtask soak --minutes N   for N minutes; a fraction will do
cargo xtask soak --seed N      other faults, in another order

Each flavour is a process with servers of its own: the emulator with its faults, and the fault server, plain and by TLS. The
outcome of each call is written in its plan. Ends with 1 if an outcome is not as planned, if arrivals are not attempts, or if
memory, sockets or threads grow. Reads /proc, so it needs Linux.
",
    notice: "",
    list: &[open(&["run", "--release", "--package", "cometly-conformance", "--example", "soak", "--"])],
};

pub(crate) const SIMULATE: Rows = Rows {
    help: "\
cargo xtask simulate [OPTIONS]   thousands of jobs against one rate limit, in virtual time, by our policies and by others'

tests/examples/simulate has the options: cargo run --release --package cometly-conformance --example simulate -- --help
",
    notice: "",
    list: &[open(&["run", "--release", "--package", "cometly-conformance", "--example", "simulate", "--"])],
};

pub(crate) const SAMPLES: Rows = Rows {
    help: "\
cargo xtask samples   the curl, fetch, PHP and Python programs of Cometly's authentication page, against the emulator

They run as they stand on the page, but for base URL and key, and their requests are shown beside ours, header by header.
A sample whose interpreter is missing is named and skipped. Ends with 1 if a header that the API requires differs. It is
the test `samples` of the suite.
",
    notice: "",
    list: &[row(&["test", "--package", "cometly-conformance", "--test", "samples", "--", "--nocapture"])],
};

pub(crate) const DOCS: Rows = Rows {
    help: "\
cargo xtask docs   build the libraries' documentation on nightly with `--cfg docsrs`, as docs.rs does
",
    notice: "",
    list: &[Row {
        environment: &[("RUSTDOCFLAGS", "--cfg docsrs -D warnings")],
        needs: Needs::Nightly,
        ..row(&[
            "doc",
            "--no-deps",
            "--workspace",
            "--exclude=cometly-conformance",
            "--exclude=cometly-cli",
            "--exclude=xtask",
            "--no-default-features",
            "--features=cometly/companies,cometly/contacts,cometly/events,cometly/jiff,cometly-emulator/sqlite,\
             cometly-isahc/tracing,cometly-reqwest/blocking,cometly-reqwest/tracing,cometly-tower/tracing,\
             cometly-ureq/tracing",
        ])
    }],
};

pub(crate) const SEMVER: Rows = Rows {
    help: "\
cargo xtask semver                       compare the libraries with the commit before
cargo xtask semver --baseline-rev REV    with another revision, as the tag of the last release

Fails when the version must rise and did not. Needs cargo-semver-checks in the version of proof/tools.txt.
",
    notice: "",
    list: &[
        semver(&["semver-checks", "--only-explicit-features", "--package=cometly-core"]),
        semver(&[
            "semver-checks",
            "--only-explicit-features",
            "--package=cometly",
            "--features=companies,contacts,events,jiff",
        ]),
        semver(&[
            "semver-checks",
            "--only-explicit-features",
            "--package=cometly-reqwest",
            "--features=blocking,tracing",
        ]),
        semver(&["semver-checks", "--only-explicit-features", "--package=cometly-ureq", "--features=tracing"]),
        semver(&["semver-checks", "--only-explicit-features", "--package=cometly-isahc", "--features=tracing"]),
        semver(&["semver-checks", "--only-explicit-features", "--package=cometly-tower", "--features=tracing"]),
        semver(&["semver-checks", "--only-explicit-features", "--package=cometly-credentials"]),
        semver(&["semver-checks", "--only-explicit-features", "--package=cometly-fleet"]),
        semver(&["semver-checks", "--only-explicit-features", "--package=cometly-emulator", "--features=sqlite"]),
    ],
};

const fn semver(arguments: &'static [&'static str]) -> Row {
    Row { needs: Needs::Tool("cargo-semver-checks"), rest: Some(&["--baseline-rev", "HEAD^"]), ..row(arguments) }
}

impl Rows {
    pub(crate) fn run(&self, arguments: &[OsString]) -> Outcome {
        if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
            return say(self.help);
        }
        if let (Some(unexpected), true) = (arguments.first(), self.list.iter().all(|row| row.rest.is_none())) {
            return Err(format!("this command takes no `{}`\n\n{}", unexpected.display(), self.help).into());
        }
        say(self.notice)?;
        for row in self.list {
            if !row.run(arguments)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Row {
    fn run(&self, arguments: &[OsString]) -> Outcome {
        let mut cargo = match self.needs {
            Needs::Nothing => tool::cargo(),
            Needs::Tool(name) => tool::pinned(name).map(|()| tool::cargo())?,
            Needs::Nightly => match tool::nightly_cargo() {
                Some(cargo) => cargo,
                None => return say("skipped: no nightly\n"),
            },
        };
        cargo.args(self.arguments).envs(self.environment.iter().copied());
        match self.rest {
            Some(default) if arguments.is_empty() => cargo.args(default),
            Some(_) => cargo.args(arguments),
            None => &mut cargo,
        };
        tool::run(&mut cargo)
    }
}
