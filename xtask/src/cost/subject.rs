//! The programs that are built, and what may be added.

/// The core's crates, itself included.
pub(super) const MOST_CORE_CRATES: f64 = 24.0;
/// CPU seconds to build all of them.
pub(super) const MOST_CORE_SECONDS: f64 = 20.0;
/// What an adapter may bring beside its client's crates and the core's, itself included.
pub(super) const MOST_MORE_CRATES: f64 = 3.0;
/// Bytes of machine code and constants that adapter and core may add to a program with the client.
pub(super) const MOST_TEXT: f64 = 120_000.0;

/// The core's own program.
pub(super) const CORE: &str = "cometly-core";

/// A program as small as can be.
pub(super) struct Subject {
    pub(super) name: &'static str,
    /// Whose text is not its own.
    pub(super) over: Option<&'static str>,
    /// Lines of its manifest; `ROOT` is our folder.
    pub(super) dependencies: &'static str,
    pub(super) main: &'static str,
}

const TOKIO: &str = "tokio = { version = \"1\", default-features = false, features = [\"net\", \"rt\", \"time\"] }";

/// Without TLS, which would be the same with us and without. What others are compared with comes before them.
pub(super) const SUBJECTS: &[Subject] = &[
    Subject { name: "nothing", over: None, dependencies: "", main: "fn main() { println!(\"x\"); }" },
    Subject {
        name: CORE,
        over: Some("nothing"),
        dependencies: "cometly-core = { path = \"ROOT/crates/cometly-core\" }",
        main: include_str!("programs/core.rs"),
    },
    Subject {
        name: "reqwest",
        over: None,
        dependencies: "reqwest = { version = \"0.13\", default-features = false }\nTOKIO",
        main: include_str!("programs/reqwest.rs"),
    },
    Subject {
        name: "cometly-reqwest",
        over: Some("reqwest"),
        dependencies: "cometly-reqwest = { path = \"ROOT/crates/cometly-reqwest\", default-features = false }\nTOKIO",
        main: include_str!("programs/cometly_reqwest.rs"),
    },
    Subject {
        name: "ureq",
        over: None,
        dependencies: "ureq = { version = \"3\", default-features = false }",
        main: include_str!("programs/ureq.rs"),
    },
    Subject {
        name: "cometly-ureq",
        over: Some("ureq"),
        dependencies: "cometly-ureq = { path = \"ROOT/crates/cometly-ureq\", default-features = false }",
        main: include_str!("programs/cometly_ureq.rs"),
    },
    Subject {
        name: "isahc",
        over: None,
        dependencies: "isahc = { version = \"2\", default-features = false, features = [\"static-curl\"] }",
        main: include_str!("programs/isahc.rs"),
    },
    Subject {
        name: "cometly-isahc",
        over: Some("isahc"),
        dependencies: "cometly-isahc = { path = \"ROOT/crates/cometly-isahc\", default-features = false }",
        main: include_str!("programs/cometly_isahc.rs"),
    },
];

impl Subject {
    pub(super) fn manifest(&self, root: &str) -> String {
        let dependencies = self.dependencies.replace("ROOT", root).replace("TOKIO", TOKIO);
        format!(
            "[package]\nname = \"cost\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n{dependencies}\n"
        )
    }
}
