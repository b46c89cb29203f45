//! What goes wrong on demand, and when.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, StatusCode};

/// However slow a fault makes an answer, it ends.
pub(crate) const LONGEST: Duration = Duration::from_secs(600);

/// Something that goes wrong between a client and the API: made by the constructor that names it, narrowed down by the methods,
/// and switched on by [`Emulator::inject`](crate::Emulator::inject).
///
/// By default it strikes every call that it can strike until it is switched off: every call to the API, or, where its
/// constructor says so, only calls that list something, orders of an export, or downloads. At most 256 are on: one more
/// switches the oldest off. A fault holds an answer up for ten minutes at most; a longer pause is cut to that. Of several,
/// the oldest one that applies strikes alone. It either answers in place of the backend, so that the call is not carried
/// out, or spoils the answer to a call that was: its constructor says which. [`carried_out`](Self::carried_out) changes that
/// for some faults, as it says, and has no effect on the others. Making a fault cannot fail.
///
/// ```
/// use cometly_emulator::{Emulator, Fault};
///
/// # fn main() -> std::io::Result<()> {
/// let emulator = Emulator::start()?;
/// // The event is taken in, and the connection breaks before the client hears of it, twice.
/// emulator.inject(Fault::reset_after().for_method("POST").for_path("/events/track").up_to_n_times(2));
/// // One in ten of all calls meets a balancer without a backend: the same calls in every run.
/// emulator.inject(Fault::server_error(502).share(0.1, 42));
/// emulator.clear_faults();
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Fault {
    pub(crate) kind: Kind,
    pub(crate) method: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) after: u64,
    pub(crate) times: Option<u64>,
    pub(crate) share: Option<(f64, u64)>,
    pub(crate) carried_out: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Stub(Arc<Stub>),
    Unauthenticated,
    RevokedKey,
    Forbidden,
    InactiveSubscription,
    TooManyRequests { seconds: u64 },
    ServerError { status: u16 },
    Maintenance { seconds: u64 },
    LoginRedirect,
    CloudflareChallenge,
    CloudflareBlock,
    WafChallenge,
    WafCaptcha,
    HtmlPage,
    ExportFailed,
    CursorCycle,
    CursorFirstPage,
    CursorEmpty,
    CursorMissing,
    CursorLong,
    SlowDownload { pause: Duration },
    CutDownload { bytes: Option<u64> },
    ExpiredDownload,
    ChangedDownload,
    IgnoredRange,
    Slow { pause: Duration },
    Trickle { pause: Duration },
    CutBody,
    Endless,
    Reset,
    Silence,
}

/// An answer that a test makes up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stub {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

/// Which requests a fault can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Any call to the API.
    Api,
    /// Calls that list something.
    Lists,
    /// Calls that order an export.
    ExportOrders,
    /// Requests to the host from which exports are downloaded.
    Downloads,
}

impl Fault {
    fn instead(kind: Kind) -> Self {
        Self { kind, method: None, path: None, after: 0, times: None, share: None, carried_out: false }
    }

    fn spoiled(kind: Kind) -> Self {
        Self { carried_out: true, ..Self::instead(kind) }
    }

    /// Answers as you say, with any status from 200 to 599 (500 for any other number), without a body and with no header but
    /// `Date`, `Content-Length` and those that [`header`](Self::header) adds. No key is asked for, and the path may be one that
    /// the emulator does not serve. By default it strikes every call until it is switched off, and [none is carried
    /// out](Self::carried_out).
    ///
    /// ```
    /// use cometly_emulator::{Emulator, Fault};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let emulator = Emulator::start()?;
    /// let answer = Fault::stub(200).header("Content-Type", "application/json").body(r#"{"data":{"id":7}}"#);
    /// emulator.inject(answer.for_method("GET").for_path("/spaces/{id}"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn stub(status: u16) -> Self {
        let status = Some(status).filter(|status| (200..600).contains(status));
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::instead(Kind::Stub(Arc::new(Stub { status, ..Stub::default() })))
    }

    /// Adds a header to a [`stub`](Self::stub); the same name may be added several times. It is left out if HTTP does not
    /// allow its name or value, and if it is `Content-Length`, `Transfer-Encoding` or `Connection`, which the emulator sets
    /// itself. On any other fault this has no effect.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Kind::Stub(stub) = &mut self.kind
            && let Ok((name, value)) = header(name, value)
        {
            Arc::make_mut(stub).headers.push((name, value));
        }
        self
    }

    /// Sets the body of a [`stub`](Self::stub), in place of an earlier one. On any other fault this has no effect. Without
    /// this call the body is empty.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        if let Kind::Stub(stub) = &mut self.kind {
            Arc::make_mut(stub).body = body.into();
        }
        self
    }

    /// Answers 401, as for an unknown key, whatever key the call has. By default it strikes every call until it is switched
    /// off, and [none is carried out](Self::carried_out).
    pub fn unauthenticated() -> Self {
        Self::instead(Kind::Unauthenticated)
    }

    /// Revokes the key of the call that it strikes, for good: that call and all later ones are answered by 401. What needs no
    /// key, such as the 404 of an unknown path, stays as it is. With [`after`](Self::after), this is a key that is revoked in
    /// the middle of the work. By default it strikes every call until it is switched off.
    pub fn revoked_key() -> Self {
        Self::instead(Kind::RevokedKey)
    }

    /// Answers 403, `This action is unauthorized.`, with rate headers where there is a limit; the call counts against the limit
    /// and is not carried out. What the backend refuses before that stays as it is: 401 for an unknown key, 404 for an unknown
    /// path, 429 beyond the limit. By default it strikes every call until it is switched off.
    pub fn forbidden() -> Self {
        Self::instead(Kind::Forbidden)
    }

    /// Answers 403, `Your subscription is inactive.`, with rate headers where there is a limit; the call counts against the
    /// limit and is not carried out. What the backend refuses before that stays as it is: 401 for an unknown key, 404 for an
    /// unknown path, 429 beyond the limit. By default it strikes every call until it is switched off.
    pub fn inactive_subscription() -> Self {
        Self::instead(Kind::InactiveSubscription)
    }

    /// Answers 429 with this number of seconds in `Retry-After`, and the endpoint's limit in the rate headers, 60 if it has
    /// none. By default it strikes every call until it is switched off, and [none is carried out](Self::carried_out). The
    /// emulator's own count of a call that is not carried out stays as it is.
    pub fn too_many_requests(retry_after_seconds: u64) -> Self {
        Self::instead(Kind::TooManyRequests { seconds: retry_after_seconds })
    }

    /// Answers with this 5xx: 500 and 503 as Laravel writes them, any other as a page of HTML, as a load balancer writes it.
    /// A status that is none of 500 to 599 becomes 500. By default it strikes every call until it is switched off, and [none
    /// is carried out](Self::carried_out).
    pub fn server_error(status: u16) -> Self {
        let status = if (500..600).contains(&status) { status } else { 500 };
        Self::instead(Kind::ServerError { status })
    }

    /// Answers 503 with an HTTP-date in `Retry-After`: `seconds` after the call, by the emulator's clock, at most the end of
    /// the year 9999. By default it strikes every call until it is switched off, and [none is carried
    /// out](Self::carried_out).
    pub fn maintenance(seconds: u64) -> Self {
        Self::instead(Kind::Maintenance { seconds })
    }

    /// Answers 302 to the login page, `/login` of the emulator's own URL. By default it strikes every call until it is switched
    /// off, and [none is carried out](Self::carried_out).
    pub fn login_redirect() -> Self {
        Self::instead(Kind::LoginRedirect)
    }

    /// Answers 403 with `cf-mitigated: challenge` and a page of HTML, as Cloudflare does. By default it strikes every call
    /// until it is switched off, and [none is carried out](Self::carried_out).
    pub fn cloudflare_challenge() -> Self {
        Self::instead(Kind::CloudflareChallenge)
    }

    /// Answers 403 with a page of HTML and no header that names Cloudflare. By default it strikes every call until it is
    /// switched off, and [none is carried out](Self::carried_out).
    pub fn cloudflare_block() -> Self {
        Self::instead(Kind::CloudflareBlock)
    }

    /// Answers 202 with `x-amzn-waf-action: challenge` and no body, as AWS WAF does. By default it strikes every call until
    /// it is switched off, and [none is carried out](Self::carried_out).
    pub fn waf_challenge() -> Self {
        Self::instead(Kind::WafChallenge)
    }

    /// Answers 405 with `x-amzn-waf-action: captcha` and a page of HTML, as AWS WAF does. By default it strikes every call until it
    /// is switched off, and [none is carried out](Self::carried_out).
    pub fn waf_captcha() -> Self {
        Self::instead(Kind::WafCaptcha)
    }

    /// Answers 200 with a page of HTML, as a captive portal does. By default it strikes every call until it is switched off,
    /// and [none is carried out](Self::carried_out).
    pub fn html_page() -> Self {
        Self::instead(Kind::HtmlPage)
    }

    /// Makes each export fail that is ordered while this fault is on: the order is answered as always, and a later status is
    /// `failed`. By default it strikes every order of an export until it is switched off, and no other call.
    pub fn export_failed() -> Self {
        Self::spoiled(Kind::ExportFailed)
    }

    /// Makes the next cursor of a page lead back to the page before, so that a walk never ends. It changes pages that have
    /// one before them. By default it strikes every call that lists something, until it is switched off.
    pub fn cursor_cycle() -> Self {
        Self::spoiled(Kind::CursorCycle)
    }

    /// Ignores the cursor of a call and gives the first page again, as Laravel does with a cursor that it cannot read. By
    /// default it strikes every call that lists something, until it is switched off.
    pub fn cursor_first_page() -> Self {
        Self::spoiled(Kind::CursorFirstPage)
    }

    /// Makes `next_cursor` an empty text where there is a next page. By default it strikes every call that lists something,
    /// until it is switched off.
    pub fn cursor_empty() -> Self {
        Self::spoiled(Kind::CursorEmpty)
    }

    /// Leaves out `next_cursor` and `next_page_url` of a page, which the API always sends, as null if there is no next page.
    /// By default it strikes every call that lists something, until it is switched off.
    pub fn cursor_missing() -> Self {
        Self::spoiled(Kind::CursorMissing)
    }

    /// Makes `next_cursor` 1 MiB long where there is a next page. By default it strikes every call that lists something,
    /// until it is switched off.
    pub fn cursor_long() -> Self {
        Self::spoiled(Kind::CursorLong)
    }

    /// Sends the file of an export in pieces of 1024 bytes, with this pause before each, and closes the connection if the file
    /// is not through after ten minutes. By default it strikes every download until it is switched off.
    pub fn slow_download(pause: Duration) -> Self {
        Self::spoiled(Kind::SlowDownload { pause: pause.min(LONGEST) })
    }

    /// Closes the connection in the middle of the file of an export, after half of what was asked for. By default it strikes
    /// every download until it is switched off.
    pub fn cut_download() -> Self {
        Self::spoiled(Kind::CutDownload { bytes: None })
    }

    /// Closes the connection after the head and the first `bytes` bytes of the body of a download's answer (for a `Range`, of the
    /// part that was asked for); after half of the body, if it has no more than that. By default it strikes every download until it
    /// is switched off.
    pub fn cut_download_after(bytes: u64) -> Self {
        Self::spoiled(Kind::CutDownload { bytes: Some(bytes) })
    }

    /// Answers 403, as for a download URL that has expired: the export gives another one when its status is asked for. By
    /// default it strikes every download until it is switched off.
    pub fn expired_download() -> Self {
        Self::instead(Kind::ExpiredDownload)
    }

    /// Gives the file of an export another `ETag`, the same one each time, and leaves its bytes as they are: an `If-Range` with the
    /// `ETag` from before then brings the file whole. Switch it on after a part was read; from the first request on, there is no
    /// change to notice. By default it strikes every download until it is switched off.
    pub fn changed_download() -> Self {
        Self::spoiled(Kind::ChangedDownload)
    }

    /// Ignores the `Range` of a download: 200 and the whole file. By default it strikes every download until it is switched
    /// off.
    pub fn ignored_range() -> Self {
        Self::spoiled(Kind::IgnoredRange)
    }

    /// Carries the call out as always, and sends its answer this much later, ten minutes at most. By default it strikes every
    /// call until it is switched off.
    pub fn slow(pause: Duration) -> Self {
        Self::spoiled(Kind::Slow { pause: pause.min(LONGEST) })
    }

    /// Carries the call out, sends the body of its answer byte by byte with this pause before each, and closes the connection
    /// if the body is not through after ten minutes. By default it strikes every call until it is switched off.
    pub fn trickle(pause: Duration) -> Self {
        Self::spoiled(Kind::Trickle { pause: pause.min(LONGEST) })
    }

    /// Carries the call out, and closes the connection in the middle of the body of its answer, after half of its bytes. By default
    /// it strikes every call until it is switched off.
    pub fn cut_body() -> Self {
        Self::spoiled(Kind::CutBody)
    }

    /// Carries the call out, and sends its answer with a body that does not end: all but the last byte of its own, and then
    /// white space, 8 KiB every 10 ms. The connection is closed after ten minutes or a GiB. By default it strikes every call
    /// until it is switched off.
    pub fn endless() -> Self {
        Self::spoiled(Kind::Endless)
    }

    /// Resets the connection when the whole call has arrived. By default it strikes every call until it is switched off, and
    /// **none** is carried out, unless [`carried_out`](Self::carried_out) says so.
    pub fn reset_before() -> Self {
        Self::instead(Kind::Reset)
    }

    /// Carries the call out, and resets the connection in place of its answer. By default it strikes every call until it is
    /// switched off.
    pub fn reset_after() -> Self {
        Self::spoiled(Kind::Reset)
    }

    /// Sends nothing for ten minutes, and then closes the connection without an answer. By default it strikes every call until it
    /// is switched off, and [none is carried out](Self::carried_out).
    pub fn silence() -> Self {
        Self::instead(Kind::Silence)
    }

    /// Strikes only calls with this HTTP method, in upper case (none for another spelling); by default those with any method. A
    /// second call replaces it.
    pub fn for_method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Strikes only calls to this path, written as in Cometly's documentation, without the base path and without a query:
    /// `/events/track`, `/contacts/7`, or `/contacts/{id}` for any contact; by default calls to any path. The paths of downloads
    /// are those of their URLs, such as `/exports/events/{id}`. A path that no call has strikes none. A second call replaces it.
    pub fn for_path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Spares the first `calls` of the calls that its kind, method and path fit, counted from
    /// [`inject`](crate::Emulator::inject); 0 by default. A second call replaces the number.
    pub fn after(mut self, calls: u64) -> Self {
        self.after = calls;
        self
    }

    /// Strikes at most `times` calls, and is switched off then; 0 strikes none, and by default there is no end. A second call
    /// replaces the number.
    pub fn up_to_n_times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Strikes only this share of the calls that its kind, method and path fit, from 0 to 1, by default all: which ones is
    /// drawn from `seed`, the same in every run. A number beyond 0 to 1 is clamped; NaN and the infinities count as 0. A second
    /// call replaces both.
    pub fn share(mut self, share: f64, seed: u64) -> Self {
        self.share = Some((if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }, seed));
        self
    }

    /// Sets whether the backend carries the call out before the fault takes the place of its answer, for instance a 502 in
    /// place of a 202; without it, the constructor's docs say which. It has no effect on faults that spoil an answer,
    /// [`slow`](Self::slow) to [`endless`](Self::endless), and on those that the backend itself gives (a revoked key, the 403s,
    /// exports, cursors, downloads).
    pub fn carried_out(mut self, carried_out: bool) -> Self {
        if !self.kind.is_settled() {
            self.carried_out = carried_out;
        }
        self
    }
}

impl Kind {
    pub(crate) fn target(&self) -> Target {
        match self {
            Self::ExportFailed => Target::ExportOrders,
            Self::CursorCycle | Self::CursorFirstPage | Self::CursorEmpty | Self::CursorMissing | Self::CursorLong => {
                Target::Lists
            }
            Self::SlowDownload { .. }
            | Self::CutDownload { .. }
            | Self::ExpiredDownload
            | Self::ChangedDownload
            | Self::IgnoredRange => Target::Downloads,
            _ => Target::Api,
        }
    }

    /// Whether the backend gives the answer, as one of its own.
    pub(crate) fn is_for_the_backend(&self) -> bool {
        let own = matches!(self, Self::RevokedKey | Self::Forbidden | Self::InactiveSubscription);
        own || self.target() != Target::Api
    }

    /// Whether it follows from the fault alone if the call is carried out.
    fn is_settled(&self) -> bool {
        let spoils = matches!(self, Self::Slow { .. } | Self::Trickle { .. } | Self::CutBody | Self::Endless);
        spoils || self.is_for_the_backend()
    }
}

/// A header that a stub may have; an error says why it may not.
pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = HeaderName::try_from(name).map_err(|_| format!("`{name}` is no name of a header"))?;
    if [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(&parsed) {
        return Err(format!("`{name}` follows from the body; leave it out"));
    }
    let value = HeaderValue::try_from(value).map_err(|_| format!("the value of `{name}` is none of a header"))?;
    Ok((parsed, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_a_call_is_carried_out_can_be_said_where_it_is_open() {
        assert!(Fault::server_error(502).carried_out(true).carried_out);
        assert!(Fault::cut_body().carried_out(false).carried_out);
        assert_eq!(Fault::reset_before().carried_out(true), Fault::reset_after());
        assert!(!Fault::forbidden().carried_out(true).carried_out);
    }
}
