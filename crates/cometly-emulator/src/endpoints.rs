//! What the API does, one file for each endpoint or its data. An endpoint gets a `Visit` and gives back an answer or a
//! refusal; it sees no key, no limit, no fault and no socket. `routes` is the table of all of them.

pub(crate) mod companies;
pub(crate) mod contact;
pub(crate) mod contacts;
pub(crate) mod events;
pub(crate) mod exports;
pub(crate) mod period;
pub(crate) mod routes;
pub(crate) mod track;
