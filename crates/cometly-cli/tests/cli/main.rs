//! The command as its users meet it: run as a process, against an emulator or a server that answers by script.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "what cannot be had fails the test"
)]

mod auth;
mod emulator;
mod exports;
mod fleet;
mod key_from;
mod killed;
mod lists;
mod manual;
mod namespaces;
mod pages;
mod program;
mod request;
mod script;
mod secrecy;
mod terminal;
mod tls;
mod track;
mod transcripts;
