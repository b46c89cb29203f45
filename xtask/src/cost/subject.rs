//! The programs that are built, and what may be added.

/// The core's crates, itself included.
pub(super) const MOST_CORE_CRATES: f64 = 24.0;
/// CPU seconds to build all of them.
pub(super) const MOST_CORE_SECONDS: f64 = 20.0;
/// Bytes of machine code and constants that a program has more for it than one that does nothing: what there was, and a
/// little room.
pub(super) const MOST_CORE_TEXT: f64 = 240_000.0;
/// What an adapter may bring beside its client's crates and the core's, itself included.
pub(super) const MOST_MORE_CRATES: f64 = 3.0;
/// Bytes of machine code and constants of an adapter: what it adds to a program that drives the core on the same client
/// by hand.
pub(super) const MOST_TEXT: f64 = 120_000.0;

/// What is held to a bound.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Yardstick,
    Core,
    Adapter,
}

/// A program as small as can be.
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The program that it is compared with.
    pub(super) over: Option<&'static str>,
    /// Lines of its manifest; `ROOT` is our folder, `CORE` and `TOKIO` are lines of their own.
    pub(super) dependencies: &'static str,
    pub(super) main: &'static str,
}

const CORE: &str = "cometly-core = { path = \"ROOT/crates/cometly-core\" }";
const TOKIO: &str = "tokio = { version = \"1\", default-features = false, features = [\"net\", \"rt\", \"time\"] }";

/// Without TLS, which would be the same with us and without. What others are compared with comes before them.
pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "nothing",
        kind: Kind::Yardstick,
        over: None,
        dependencies: "",
        main: "fn main() { println!(\"x\"); }",
    },
    Subject {
        name: "cometly-core",
        kind: Kind::Core,
        over: Some("nothing"),
        dependencies: "CORE",
        main: include_str!("../../../proof/cost/core.rs"),
    },
    Subject {
        name: "reqwest",
        kind: Kind::Yardstick,
        over: None,
        dependencies: "reqwest = { version = \"0.13\", default-features = false }\nTOKIO",
        main: include_str!("../../../proof/cost/reqwest.rs"),
    },
    Subject {
        name: "reqwest, the core by hand",
        kind: Kind::Yardstick,
        over: Some("reqwest"),
        dependencies: "reqwest = { version = \"0.13\", default-features = false }\nTOKIO\nCORE",
        main: include_str!("../../../proof/cost/reqwest_by_hand.rs"),
    },
    Subject {
        name: "cometly-reqwest",
        kind: Kind::Adapter,
        over: Some("reqwest, the core by hand"),
        dependencies: "cometly-reqwest = { path = \"ROOT/crates/cometly-reqwest\", default-features = false }\nTOKIO",
        main: include_str!("../../../proof/cost/cometly_reqwest.rs"),
    },
    Subject {
        name: "ureq",
        kind: Kind::Yardstick,
        over: None,
        dependencies: "ureq = { version = \"3\", default-features = false }",
        main: include_str!("../../../proof/cost/ureq.rs"),
    },
    Subject {
        name: "ureq, the core by hand",
        kind: Kind::Yardstick,
        over: Some("ureq"),
        dependencies: "ureq = { version = \"3\", default-features = false }\nCORE",
        main: concat!(
            include_str!("../../../proof/cost/ureq_by_hand.rs"),
            include_str!("../../../proof/cost/blocking_by_hand.rs")
        ),
    },
    Subject {
        name: "cometly-ureq",
        kind: Kind::Adapter,
        over: Some("ureq, the core by hand"),
        dependencies: "cometly-ureq = { path = \"ROOT/crates/cometly-ureq\", default-features = false }",
        main: include_str!("../../../proof/cost/cometly_ureq.rs"),
    },
    Subject {
        name: "isahc",
        kind: Kind::Yardstick,
        over: None,
        dependencies: "isahc = { version = \"2\", default-features = false, features = [\"static-curl\"] }",
        main: include_str!("../../../proof/cost/isahc.rs"),
    },
    Subject {
        name: "isahc, the core by hand",
        kind: Kind::Yardstick,
        over: Some("isahc"),
        dependencies: "isahc = { version = \"2\", default-features = false, features = [\"static-curl\"] }\nCORE",
        main: concat!(
            include_str!("../../../proof/cost/isahc_by_hand.rs"),
            include_str!("../../../proof/cost/blocking_by_hand.rs")
        ),
    },
    Subject {
        name: "cometly-isahc",
        kind: Kind::Adapter,
        over: Some("isahc, the core by hand"),
        dependencies: "cometly-isahc = { path = \"ROOT/crates/cometly-isahc\", default-features = false }",
        main: include_str!("../../../proof/cost/cometly_isahc.rs"),
    },
];

impl Subject {
    pub(super) fn manifest(&self, root: &str) -> String {
        let dependencies = self.dependencies.replace("CORE", CORE).replace("TOKIO", TOKIO).replace("ROOT", root);
        format!(
            "[package]\nname = \"cost\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n{dependencies}\n"
        )
    }
}
