//! The control API and the page, under `/_emulator`: off the public path, for this machine or for clients with the token.
//! Whatever takes a while is done off the thread that answers calls, and without its lock.

mod access;
mod actions;
mod reply;
mod routes;
mod stream;
mod view;

pub(crate) use self::access::{Access, random_token};
pub(crate) use self::routes::Control;
