//! What goes wrong on demand, and when.

use std::time::Duration;

/// However slow a fault makes an answer, it ends.
pub(crate) const LONGEST: Duration = Duration::from_secs(600);

/// Something that goes wrong between a client and the API: made by the constructor that names it, narrowed down by the
/// methods, and switched on by [`Emulator::inject`](crate::Emulator::inject).
///
/// Unless told otherwise it strikes every call to the API until it is cleared. A fault either answers in place of the
/// backend, so that the call is not carried out, or spoils the answer to a call that was;
/// [`carried_out`](Self::carried_out) says which it is.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
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
    Slow { pause: Duration },
    Trickle { pause: Duration },
    CutBody,
    Endless,
    Reset,
    Silence,
}

impl Fault {
    fn instead(kind: Kind) -> Self {
        Self { kind, method: None, path: None, after: 0, times: None, share: None, carried_out: false }
    }

    fn spoiled(kind: Kind) -> Self {
        Self { carried_out: true, ..Self::instead(kind) }
    }

    /// 401, as for an unknown key.
    pub fn unauthenticated() -> Self {
        Self::instead(Kind::Unauthenticated)
    }

    /// Revokes the key of the call that it strikes, for good: that call and all later ones are answered by 401. With
    /// [`after`](Self::after), a key that is revoked in the middle of the work.
    pub fn revoked_key() -> Self {
        Self::instead(Kind::RevokedKey)
    }

    /// 403, `This action is unauthorized.`, with rate headers where there is a limit.
    pub fn forbidden() -> Self {
        Self::instead(Kind::Forbidden)
    }

    /// 403, `Your subscription is inactive.`, with rate headers where there is a limit.
    pub fn inactive_subscription() -> Self {
        Self::instead(Kind::InactiveSubscription)
    }

    /// 429 with so many seconds in `Retry-After`. The emulator's own count stays as it is.
    pub fn too_many_requests(retry_after_seconds: u64) -> Self {
        Self::instead(Kind::TooManyRequests { seconds: retry_after_seconds })
    }

    /// A 5xx: 500 and 503 as Laravel writes them, any other as a page of HTML, as what stands before the API writes it. A
    /// status that is none of 500 to 599 becomes 500.
    pub fn server_error(status: u16) -> Self {
        let status = if (500..600).contains(&status) { status } else { 500 };
        Self::instead(Kind::ServerError { status })
    }

    /// 503 with an HTTP-date in `Retry-After`, so many seconds from now.
    pub fn maintenance(seconds: u64) -> Self {
        Self::instead(Kind::Maintenance { seconds })
    }

    /// 302 to the login page.
    pub fn login_redirect() -> Self {
        Self::instead(Kind::LoginRedirect)
    }

    /// 403 with `cf-mitigated: challenge` and a page of HTML.
    pub fn cloudflare_challenge() -> Self {
        Self::instead(Kind::CloudflareChallenge)
    }

    /// 403 with a page of HTML, and no other sign of who wrote it.
    pub fn cloudflare_block() -> Self {
        Self::instead(Kind::CloudflareBlock)
    }

    /// 202 with `x-amzn-waf-action: challenge` and no body.
    pub fn waf_challenge() -> Self {
        Self::instead(Kind::WafChallenge)
    }

    /// 405 with `x-amzn-waf-action: captcha`.
    pub fn waf_captcha() -> Self {
        Self::instead(Kind::WafCaptcha)
    }

    /// 200 with a page of HTML, as a captive portal answers.
    pub fn html_page() -> Self {
        Self::instead(Kind::HtmlPage)
    }

    /// Lets an export fail that is ordered now. It strikes no other call.
    pub fn export_failed() -> Self {
        Self::spoiled(Kind::ExportFailed)
    }

    /// The call is carried out, and its answer comes so much later: ten minutes at most.
    pub fn slow(pause: Duration) -> Self {
        Self::spoiled(Kind::Slow { pause: pause.min(LONGEST) })
    }

    /// The call is carried out, and the body of its answer comes byte by byte with such a pause before each.
    pub fn trickle(pause: Duration) -> Self {
        Self::spoiled(Kind::Trickle { pause: pause.min(LONGEST) })
    }

    /// The call is carried out, and the connection is closed in the middle of the body.
    pub fn cut_body() -> Self {
        Self::spoiled(Kind::CutBody)
    }

    /// The call is carried out, and the body of its answer goes on and on: for ten minutes or a GiB.
    pub fn endless() -> Self {
        Self::spoiled(Kind::Endless)
    }

    /// The connection is reset when the whole call has arrived, and the call is **not** carried out.
    pub fn reset_before() -> Self {
        Self::instead(Kind::Reset)
    }

    /// The connection is reset when the call has been carried out, in place of its answer.
    pub fn reset_after() -> Self {
        Self::spoiled(Kind::Reset)
    }

    /// The call is not carried out, and nothing comes for ten minutes.
    pub fn silence() -> Self {
        Self::instead(Kind::Silence)
    }

    /// Strikes only calls with this method.
    pub fn for_method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Strikes only calls to this path, written as in Cometly's documentation: `/events/track`, `/contacts/7`, or
    /// `/contacts/{id}` for any contact.
    pub fn for_path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Lets so many of the calls that it would strike pass first.
    pub fn after(mut self, calls: u64) -> Self {
        self.after = calls;
        self
    }

    /// Strikes so often and is gone then.
    pub fn up_to_n_times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Strikes only this share of the calls, from 0 to 1, drawn from the seed.
    pub fn share(mut self, share: f64, seed: u64) -> Self {
        self.share = Some((if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }, seed));
        self
    }

    /// Says whether the backend carries the call out before the fault takes the place of its answer: a 502 in place of a
    /// 202, say. What spoils an answer, [`slow`](Self::slow) to [`endless`](Self::endless), and what the backend itself says
    /// (401, 403) is not changed by this.
    pub fn carried_out(mut self, carried_out: bool) -> Self {
        if !self.kind.is_settled() {
            self.carried_out = carried_out;
        }
        self
    }
}

impl Kind {
    /// Whether the backend gives the answer, as one of its own.
    pub(crate) fn is_for_the_backend(self) -> bool {
        matches!(self, Self::RevokedKey | Self::Forbidden | Self::InactiveSubscription | Self::ExportFailed)
    }

    /// Whether it follows from the fault alone if the call is carried out.
    fn is_settled(self) -> bool {
        let spoils = matches!(self, Self::Slow { .. } | Self::Trickle { .. } | Self::CutBody | Self::Endless);
        spoils || self.is_for_the_backend()
    }
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
