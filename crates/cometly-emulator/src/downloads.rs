//! The host from which exports are downloaded: another origin, which wants no key and tells when it was shown one. It answers
//! as an object store does, `Range` and `If-Range` included. A file is made when it is asked for first, off the thread that
//! answers calls, and kept for the requests that go on in it.

pub(crate) mod file;
pub(crate) mod host;
pub(crate) mod range;
pub(crate) mod response;

pub(crate) use self::host::Downloads;
