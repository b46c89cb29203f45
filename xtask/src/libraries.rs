//! The libraries that programs are built on, and what each may show of others.

pub(crate) struct Library {
    pub(crate) package: &'static str,
    /// Those that change what is public: not TLS, which takes long to build.
    pub(crate) features: &'static str,
    /// What its public API may name besides the standard library and itself: crates, or single items of one.
    pub(crate) may_name: &'static [&'static str],
}

/// `Deserialize` as the bound of what is read from an answer.
const DESERIALIZE: &str = "serde_core::de::DeserializeOwned";
// In the derived implementations of serde's two traits.
const DESERIALIZER: &str = "serde_core::de::Deserializer";
const SERIALIZER: &str = "serde_core::ser::Serializer";

pub(crate) const LIBRARIES: &[Library] = &[
    Library {
        package: "cometly-core",
        features: "",
        may_name: &[
            "bytes",
            "http",
            "serde_core::de::Deserialize",
            DESERIALIZE,
            DESERIALIZER,
            "serde_core::ser::Serialize",
        ],
    },
    Library {
        package: "cometly",
        features: "events,contacts,companies,jiff",
        may_name: &[
            "bytes",
            "cometly_core",
            "http",
            "jiff",
            // What a row holds beside its known fields.
            "serde_json::map::Map",
            "serde_json::value::Value",
            "serde_core::de::Deserialize",
            DESERIALIZE,
            DESERIALIZER,
            "serde_core::ser::Serialize",
            SERIALIZER,
        ],
    },
    Library {
        package: "cometly-reqwest",
        features: "blocking,stream,tracing",
        may_name: &["bytes", "cometly_core", "futures_core", "http", "reqwest", DESERIALIZE],
    },
    Library {
        package: "cometly-ureq",
        features: "tracing",
        may_name: &["bytes", "cometly_core", "http", "ureq", DESERIALIZE],
    },
    Library {
        package: "cometly-isahc",
        features: "stream,tracing",
        may_name: &["bytes", "cometly_core", "futures_core", "http", "isahc", DESERIALIZE],
    },
    Library {
        package: "cometly-tower",
        features: "tracing",
        may_name: &["bytes", "cometly_core", "http", "http_body", "http_body_util", "tower_service", DESERIALIZE],
    },
    Library { package: "cometly-credentials", features: "", may_name: &["cometly_core"] },
    Library { package: "cometly-fleet", features: "tls", may_name: &["cometly_core"] },
    Library { package: "cometly-emulator", features: "sqlite", may_name: &["bytes", "http"] },
];
