//! How a Laravel backend reads a request and writes an answer: what counts as JSON, which input is trimmed, which rule says
//! what, how a refusal and a page look. The bytes are Laravel's. Nothing in here knows an endpoint, a fault or a socket.

pub(crate) mod answer;
pub(crate) mod cursor;
pub(crate) mod expects_json;
pub(crate) mod input;
pub(crate) mod page;
pub(crate) mod refusal;
pub(crate) mod rules;
pub(crate) mod throttle;
