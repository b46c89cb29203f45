//! What goes wrong on demand: the description of a fault, the list of those that are on, the answers that come in place of the
//! backend's, and how an answer is spoiled on its way to the client.

pub(crate) mod active;
pub(crate) mod cursors;
pub(crate) mod delivery;
pub(crate) mod fault;
pub(crate) mod json;
pub(crate) mod responses;
