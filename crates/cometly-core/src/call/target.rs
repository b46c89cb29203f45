//! The path and query of a call, encoded while the call is described.
//!
//! A literal path without values, the most frequent one, is looked up in the API's [`UriCache`](super::UriCache) and
//! written at all only if a query follows.

use std::{
    borrow::Cow,
    fmt::{self, Display, Write as _},
};

use bytes::Bytes;
use http::{
    Uri,
    uri::{Parts, PathAndQuery},
};
use percent_encoding::percent_encode_byte;
use smallvec::SmallVec;

use super::Call;
use crate::{
    Api, BaseUrl, RequestError,
    base_url::has_dot_segment,
    base_url::{is_plain_segment, is_unreserved},
};

/// 96 bytes inline: most targets need no allocation before the URI's own, and a call stays cheap to move.
type Text = SmallVec<[u8; 96]>;

#[derive(Clone)]
pub(super) struct Target {
    template: Cow<'static, str>,
    /// Index of the cached URI, if the path has no values and there is no query yet; `text` is then empty.
    known: Option<usize>,
    /// Length of the part of the template that is in `text`.
    written: usize,
    /// Path and query, encoded.
    text: Text,
    /// Length of the path in `text`; the query comes after it.
    path_len: usize,
}

impl Target {
    #[inline]
    pub(super) fn new(template: Cow<'static, str>) -> Self {
        Self { template, known: None, written: 0, text: Text::new(), path_len: 0 }
    }

    /// Checks the template, unless it was checked before, and writes it up to its first placeholder.
    pub(super) fn begin(&mut self, api: &Api) -> Result<(), RequestError> {
        let cache = api.uri_cache();
        let cached = match &self.template {
            Cow::Borrowed(template) => cache.find(template),
            Cow::Owned(_) => None,
        };
        self.known = cached.filter(|index| cache.uri(*index).is_some());
        if self.known.is_some() {
            self.written = self.template.len();
            return Ok(());
        }
        self.write_beginning(api.base_url());
        if cached.is_none() {
            check_template(&self.template, api.base_url())?;
            self.check_len()?;
            if let Cow::Borrowed(template) = self.template {
                let uri = self.to_uri(api).ok();
                let has_uri = uri.is_some();
                self.known = cache.insert(template, uri).filter(|_| has_uri);
            }
        }
        Ok(())
    }

    pub(super) fn segment(&mut self, value: &dyn Display) -> Result<(), RequestError> {
        let Some(close) = self.unwritten().bytes().position(|byte| byte == b'}') else {
            return Err(RequestError::SurplusSegment);
        };
        // A value belongs before the query, which is there only if `query` was called first.
        let query = self.text.get(self.path_len..).filter(|query| !query.is_empty()).map(Text::from);
        self.text.truncate(self.path_len);
        let written = self.write_value(value);
        let segment = self.text.get(self.path_len..).unwrap_or_default();
        let checked = match segment {
            b"" if written.is_ok() => Err(RequestError::Segment),
            // Some servers decode a slash before they read the path.
            _ if written.is_ok() && std::str::from_utf8(segment).is_ok_and(has_dot_segment) => {
                Err(RequestError::Segment)
            }
            _ => written,
        };
        self.written = self.written.saturating_add(close).saturating_add(1);
        self.write_literal();
        if let Some(query) = query {
            self.text.extend_from_slice(&query);
        }
        checked.and_then(|()| self.check_len())
    }

    pub(super) fn query(&mut self, api: &Api, name: &str, value: &dyn Display) -> Result<(), RequestError> {
        if self.known.take().is_some() {
            self.text.clear();
            self.write_beginning(api.base_url());
        }
        self.text.push(if self.text.len() == self.path_len { b'?' } else { b'&' });
        let named = Encoder(&mut self.text).write_str(name);
        self.text.push(b'=');
        named.map_err(|_| RequestError::TooLong).and_then(|()| self.write_value(value)).and_then(|()| self.check_len())
    }

    /// Leaves of a template that was refused what may be shown: its beginning, as far as that is a plain path. Behind it may
    /// be a query, a user's name, or what steers a terminal.
    pub(super) fn keep_plain_beginning(&mut self) {
        const MAX_LEN: usize = 128;

        let is_plain = |byte: &u8| is_unreserved(*byte) || b"/{}".contains(byte);
        let len = self.template.bytes().take(MAX_LEN).take_while(is_plain).count();
        if len < self.template.len() {
            self.template = format!("{}…", self.template.get(..len).unwrap_or_default()).into();
        }
    }

    pub(super) fn template(&self) -> &Cow<'static, str> {
        &self.template
    }

    /// Where the call goes.
    #[inline]
    pub(super) fn to_uri(&self, api: &Api) -> Result<Uri, RequestError> {
        match self.known.and_then(|index| api.uri_cache().uri(index)) {
            Some(uri) => Ok(uri.clone()),
            None => self.make_uri(api),
        }
    }

    fn make_uri(&self, api: &Api) -> Result<Uri, RequestError> {
        if !self.unwritten().is_empty() {
            return Err(RequestError::MissingSegment);
        }
        let target =
            PathAndQuery::from_maybe_shared(Bytes::copy_from_slice(&self.text)).map_err(|_| RequestError::Path)?;
        let mut parts = Parts::default();
        parts.scheme = Some(api.base_url().scheme().clone());
        parts.authority = Some(api.base_url().authority().clone());
        parts.path_and_query = Some(target);
        Uri::from_parts(parts).map_err(|_| RequestError::Path)
    }

    fn unwritten(&self) -> &str {
        self.template.get(self.written..).unwrap_or_default()
    }

    /// The path of the base URL, and the template up to its first placeholder.
    fn write_beginning(&mut self, base: &BaseUrl) {
        self.text.extend_from_slice(base.path().as_bytes());
        self.text.push(b'/');
        self.written = usize::from(self.template.starts_with('/'));
        self.write_literal();
    }

    /// Copies the template up to its next placeholder.
    fn write_literal(&mut self) {
        let rest = self.template.as_bytes().get(self.written..).unwrap_or_default();
        let literal = rest.split(|byte| *byte == b'{').next().unwrap_or_default();
        self.text.extend_from_slice(literal);
        self.written = self.written.saturating_add(literal.len());
        self.path_len = self.text.len();
    }

    fn write_value(&mut self, value: &dyn Display) -> Result<(), RequestError> {
        write!(Encoder(&mut self.text), "{value}").map_err(|_| match self.text.len() {
            len if len > Call::MAX_TARGET_LEN => RequestError::TooLong,
            _ => RequestError::Value,
        })
    }

    fn check_len(&self) -> Result<(), RequestError> {
        if self.text.len() > Call::MAX_TARGET_LEN { Err(RequestError::TooLong) } else { Ok(()) }
    }
}

fn check_template(template: &str, base: &BaseUrl) -> Result<(), RequestError> {
    let path = template.split('?').next().unwrap_or_default();
    if path.starts_with("//") || path.contains("://") {
        return Err(RequestError::PathIsUrl);
    }
    if path.len() < template.len() {
        return Err(RequestError::PathHasQuery);
    }
    // Not the base URL's path, whatever it is: a gateway's `/events` may well have a path that begins with `events`.
    let api = BaseUrl::DEFAULT_PATH;
    if base.path().ends_with(api) && template.contains(api.trim_start_matches('/')) {
        return Err(RequestError::PathHasBase);
    }
    let mut segments = template.strip_prefix('/').unwrap_or(template).split('/');
    let is_valid = segments.all(|segment| {
        let name = segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}'));
        is_plain_segment(name.unwrap_or(segment))
    });
    if is_valid { Ok(()) } else { Err(RequestError::Path) }
}

/// Percent-encodes what is written to it, and fails once the target is too long to be sent.
struct Encoder<'a>(&'a mut Text);

impl fmt::Write for Encoder<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.0.len() > Call::MAX_TARGET_LEN {
                return Err(fmt::Error);
            }
            if is_unreserved(byte) {
                self.0.push(byte);
            } else {
                self.0.extend_from_slice(percent_encode_byte(byte).as_bytes());
            }
        }
        Ok(())
    }
}
