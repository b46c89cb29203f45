//! Why a call has no result.

use std::{error::Error, fmt, time::Duration};

use http::StatusCode;

use crate::{ApiError, ApiErrorKind, DecodeError, Delivery, RequestError};

/// Why a call has no result: the error of every adapter, with the HTTP client's own error as `T`.
///
/// Neither it nor its sources show the key, a body, or a URL with a query.
#[non_exhaustive]
pub enum CallError<T> {
    /// The HTTP client could not be made: from an adapter's `build`.
    Setup(T),
    /// The call could not be built; nothing was sent.
    Request(RequestError),
    /// An answer that is not a success.
    Api(ApiError),
    /// A success with another body than expected.
    Decode(DecodeError),
    /// The HTTP client failed.
    #[non_exhaustive]
    Transport {
        /// Whether it may be sent again: the worst over all tries.
        delivery: Delivery,
        /// How often it was sent, or was tried to be.
        tries: u32,
        /// The last answer to an earlier try.
        last_answer: Option<ApiErrorKind>,
        /// The client's own error, of the last try.
        source: T,
    },
    /// The call took longer than its deadline.
    #[non_exhaustive]
    Timeout {
        /// Whether it may be sent again: the worst over all tries.
        delivery: Delivery,
        /// How often it was sent, or was tried to be.
        tries: u32,
        /// The last answer to an earlier try.
        last_answer: Option<ApiErrorKind>,
    },
    /// The answer is larger than allowed, and was not read further.
    #[non_exhaustive]
    TooLarge {
        /// Its status; `None` if the head itself was too large.
        status: Option<StatusCode>,
        /// How often it was sent.
        tries: u32,
        /// The last answer to an earlier try.
        last_answer: Option<ApiErrorKind>,
    },
    /// The limit of the endpoint is used up, and the [`Pacer`](crate::Pacer)'s wait does not fit the call's time: it was
    /// not sent, or not again.
    #[non_exhaustive]
    Paced {
        /// How long until its turn, as far as is known.
        retry_after: Duration,
        /// Whether it may be sent again: the worst over all tries.
        delivery: Delivery,
        /// How often it was sent before, mostly never.
        tries: u32,
        /// The last answer to an earlier try.
        last_answer: Option<ApiErrorKind>,
    },
}

/// What an [`Attempt`](crate::Attempt) knows of the tries before it gives up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct History {
    pub(crate) tries: u32,
    pub(crate) last_answer: Option<ApiErrorKind>,
    pub(crate) may_have_arrived: bool,
}

impl History {
    /// The worst that is known: what was never sent this time may have arrived before.
    fn worst(self, delivery: Delivery) -> Delivery {
        if self.may_have_arrived { Delivery::Unknown } else { delivery }
    }
}

impl<T> CallError<T> {
    /// The HTTP client could not be made; for those who write an adapter.
    pub fn setup(source: T) -> Self {
        Self::Setup(source)
    }

    /// The HTTP client failed; for those who write an adapter.
    pub fn transport(delivery: Delivery, source: T) -> Self {
        Self::Transport { delivery, tries: 1, last_answer: None, source }
    }

    /// The deadline has passed; for those who write an adapter.
    #[must_use]
    pub fn timeout(delivery: Delivery) -> Self {
        Self::Timeout { delivery, tries: 1, last_answer: None }
    }

    /// The answer is too large; for those who write an adapter.
    #[must_use]
    pub fn too_large(status: Option<StatusCode>) -> Self {
        Self::TooLarge { status, tries: 1, last_answer: None }
    }

    pub(crate) fn paced(retry_after: Duration, history: History) -> Self {
        let History { tries, last_answer, .. } = history;
        Self::Paced { retry_after, delivery: history.worst(Delivery::NotSent), tries, last_answer }
    }

    /// The same error as the last of several tries.
    pub(crate) fn after(mut self, history: History) -> Self {
        match &mut self {
            Self::Transport { delivery, tries, last_answer, .. } | Self::Timeout { delivery, tries, last_answer } => {
                *delivery = history.worst(*delivery);
                (*tries, *last_answer) = (history.tries, history.last_answer);
            }
            Self::TooLarge { tries, last_answer, .. } => (*tries, *last_answer) = (history.tries, history.last_answer),
            Self::Setup(_) | Self::Request(_) | Self::Api(_) | Self::Decode(_) | Self::Paced { .. } => {}
        }
        self
    }

    /// Whether the call may be sent again, if it got no whole answer: the worst over all its tries. `None` after an
    /// answer that could be read.
    #[must_use]
    pub fn delivery(&self) -> Option<Delivery> {
        match self {
            Self::Setup(_) | Self::Request(_) => Some(Delivery::NotSent),
            Self::Transport { delivery, .. } | Self::Timeout { delivery, .. } | Self::Paced { delivery, .. } => {
                Some(*delivery)
            }
            Self::TooLarge { .. } => Some(Delivery::Unknown),
            Self::Api(_) | Self::Decode(_) => None,
        }
    }

    /// The status of the answer, if one came.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Api(error) => Some(error.status()),
            Self::TooLarge { status, .. } => *status,
            _ => None,
        }
    }

    /// How long the server, or the [`Pacer`](crate::Pacer), asks to wait, if it does.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api(error) => error.retry_after(),
            Self::Paced { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// How often the call was sent, or was tried to be: 0 if it never was. A [`Decode`](CallError::Decode) error does not
    /// know and says 1.
    #[must_use]
    pub fn tries(&self) -> u32 {
        match self {
            Self::Setup(_) | Self::Request(_) => 0,
            Self::Api(error) => error.attempts(),
            Self::Decode(_) => 1,
            Self::Transport { tries, .. }
            | Self::Timeout { tries, .. }
            | Self::TooLarge { tries, .. }
            | Self::Paced { tries, .. } => *tries,
        }
    }

    /// What was answered last, if it was: to an earlier try, when the last one got no answer.
    #[must_use]
    pub fn last_answer(&self) -> Option<ApiErrorKind> {
        match self {
            Self::Api(error) => Some(error.kind()),
            Self::Setup(_) | Self::Request(_) | Self::Decode(_) => None,
            Self::Transport { last_answer, .. }
            | Self::Timeout { last_answer, .. }
            | Self::TooLarge { last_answer, .. }
            | Self::Paced { last_answer, .. } => *last_answer,
        }
    }

    /// The same error with another type for the client's part, as to box it.
    pub fn map_transport<U>(self, map: impl FnOnce(T) -> U) -> CallError<U> {
        match self {
            Self::Setup(source) => CallError::Setup(map(source)),
            Self::Request(error) => CallError::Request(error),
            Self::Api(error) => CallError::Api(error),
            Self::Decode(error) => CallError::Decode(error),
            Self::Transport { delivery, tries, last_answer, source } => {
                CallError::Transport { delivery, tries, last_answer, source: map(source) }
            }
            Self::Timeout { delivery, tries, last_answer } => CallError::Timeout { delivery, tries, last_answer },
            Self::TooLarge { status, tries, last_answer } => CallError::TooLarge { status, tries, last_answer },
            Self::Paced { retry_after, delivery, tries, last_answer } => {
                CallError::Paced { retry_after, delivery, tries, last_answer }
            }
        }
    }
}

impl<T> fmt::Display for CallError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup(_) => f.write_str("the HTTP client cannot be made; check its proxy and its TLS"),
            Self::Request(error) => write!(f, "the call cannot be built, and nothing was sent: {error}"),
            Self::Api(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::Transport { delivery, tries, last_answer, .. } => {
                write!(f, "the call got no answer{}: {delivery}", Tried(*tries, *last_answer))
            }
            Self::Timeout { delivery, tries, last_answer } => {
                write!(f, "the call got no answer before its deadline{}: {delivery}", Tried(*tries, *last_answer))
            }
            Self::TooLarge { status: Some(status), tries, last_answer } => write!(
                f,
                "the answer (HTTP {}) is larger than allowed{}; ask for less in one call",
                status.as_u16(),
                Tried(*tries, *last_answer)
            ),
            Self::TooLarge { status: None, tries, last_answer } => write!(
                f,
                "the answer's headers are larger than allowed{}; check the base URL and any proxy",
                Tried(*tries, *last_answer)
            ),
            Self::Paced { retry_after, delivery, tries, last_answer } => {
                let wait = retry_after.as_secs_f64().ceil();
                let again = if *tries == 0 { "" } else { " again" };
                write!(
                    f,
                    "the rate limit of this Space for this endpoint is used up, and the call was not sent{again}{}: its \
                     turn comes in {wait} s, which its time does not allow; ",
                    Tried(*tries, *last_answer)
                )?;
                match delivery {
                    Delivery::Unknown => delivery.fmt(f),
                    _ => f.write_str("call again then, or give it more time"),
                }
            }
        }
    }
}

/// How often it was tried and what was answered, when that is more than the error itself says.
struct Tried(u32, Option<ApiErrorKind>);

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = match self.1 {
            None => "",
            Some(ApiErrorKind::RateLimited) => ", refused by the rate limit before",
            Some(ApiErrorKind::ServerError) => ", answered with a server error before",
            Some(_) => ", answered before",
        };
        match (self.0, answer) {
            (0 | 1, "") => Ok(()),
            (1, answer) => write!(f, " (1 try{answer})"),
            (tries, answer) => write!(f, " ({tries} tries{answer})"),
        }
    }
}

/// Shows what a person is told, and the client's own error behind it.
impl<T: fmt::Debug> fmt::Debug for CallError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        match self {
            Self::Setup(source) | Self::Transport { source, .. } => write!(f, ": {source:?}"),
            _ => Ok(()),
        }
    }
}

impl<T: Error + 'static> Error for CallError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Setup(source) | Self::Transport { source, .. } => Some(source),
            // Shown in full by `Display`.
            Self::Request(_)
            | Self::Api(_)
            | Self::Decode(_)
            | Self::Timeout { .. }
            | Self::TooLarge { .. }
            | Self::Paced { .. } => None,
        }
    }
}

impl<T> From<RequestError> for CallError<T> {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl<T> From<ApiError> for CallError<T> {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl<T> From<DecodeError> for CallError<T> {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Api, ApiKey};

    #[test]
    fn each_error_says_whether_to_send_again() {
        let api_error = Api::new(ApiKey::new("k").unwrap())
            .read(
                http::Response::builder()
                    .status(429)
                    .header("retry-after", "3")
                    .header("x-ratelimit-limit", "7")
                    .body("")
                    .unwrap(),
            )
            .into_result()
            .unwrap_err();
        let io = || std::io::Error::other("SOURCE");
        for (error, delivery, status, wait) in [
            (CallError::setup(io()), Some(Delivery::NotSent), None, None),
            (CallError::from(RequestError::Path), Some(Delivery::NotSent), None, None),
            (CallError::from(api_error), None, Some(429), Some(3)),
            (CallError::transport(Delivery::NotSent, io()), Some(Delivery::NotSent), None, None),
            (CallError::transport(Delivery::Untrusted, io()), Some(Delivery::Untrusted), None, None),
            (CallError::timeout(Delivery::Unknown), Some(Delivery::Unknown), None, None),
            (CallError::too_large(Some(StatusCode::OK)), Some(Delivery::Unknown), Some(200), None),
            (CallError::too_large(None), Some(Delivery::Unknown), None, None),
        ] {
            let error = error.map_transport(|io| io);
            assert_eq!(error.delivery(), delivery, "{error}");
            assert_eq!(error.status().map(|status| status.as_u16()), status, "{error}");
            assert_eq!(error.retry_after(), wait.map(Duration::from_secs), "{error}");
            if let Some(source) = error.source() {
                assert!(!error.to_string().contains(&source.to_string()), "a display never repeats its source");
            }
        }
    }

    #[test]
    fn an_error_after_several_tries_says_so_and_is_as_bad_as_the_worst_of_them() {
        let history = History { tries: 3, last_answer: Some(ApiErrorKind::ServerError), may_have_arrived: true };
        let failed = CallError::transport(Delivery::NotSent, std::io::Error::other("SOURCE")).after(history);
        let expected = "the call got no answer (3 tries, answered with a server error before): it may have arrived; send \
                        it again only if doing it twice does no harm";
        assert_eq!(failed.to_string(), expected);
        let timeout = CallError::<()>::timeout(Delivery::NotSent).after(history);
        let large = CallError::<()>::too_large(None).after(history);
        let paced = CallError::<()>::paced(Duration::from_millis(7_001), history);
        assert!(paced.to_string().contains("in 8 s"), "{paced}");
        assert_eq!(paced.retry_after(), Some(Duration::from_millis(7_001)));
        for error in [failed.map_transport(|_| ()), timeout, large, paced] {
            assert_eq!(error.tries(), 3, "{error}");
            assert_eq!(error.last_answer(), Some(ApiErrorKind::ServerError), "{error}");
            assert_eq!(error.delivery(), Some(Delivery::Unknown), "{error}");
            assert!(error.to_string().contains("3 tries, answered with a server error"), "{error}");
            let is_whole = matches!(error, CallError::TooLarge { .. });
            assert!(is_whole || error.to_string().contains("only if doing it twice does no harm"), "{error}");
        }
    }

    #[test]
    fn tries_and_answers_before_are_said_when_they_are_more_than_the_error_itself() {
        for (tries, last_answer, expected) in [
            (1, None, ""),
            (2, None, " (2 tries)"),
            (1, Some(ApiErrorKind::ServerError), " (1 try, answered with a server error before)"),
            (2, Some(ApiErrorKind::RateLimited), " (2 tries, refused by the rate limit before)"),
            (3, Some(ApiErrorKind::Rejected), " (3 tries, answered before)"),
        ] {
            assert_eq!(Tried(tries, last_answer).to_string(), expected);
        }
    }

    #[test]
    fn the_clients_own_error_is_behind_ours_and_the_others_say_all_themselves() {
        let io = || std::io::Error::other("SOURCE");
        for (error, shown) in [
            (CallError::setup(io()), "check its proxy and its TLS"),
            (CallError::transport(Delivery::Unknown, io()), "only if doing it twice does no harm"),
        ] {
            let source = error.source().map(ToString::to_string);
            assert_eq!(source.as_deref(), Some("SOURCE"), "{error}");
            let debug = format!("{error:?}");
            assert!(
                debug.contains(shown) && debug.ends_with(r#": Custom { kind: Other, error: "SOURCE" }"#),
                "{debug}"
            );
        }
        let told = CallError::<std::io::Error>::timeout(Delivery::Unknown);
        assert!(told.source().is_none());
        assert_eq!(format!("{told:?}"), told.to_string());
    }

    #[test]
    fn a_paced_call_was_never_sent_and_says_when_to_call_again() {
        let paced = CallError::<()>::paced(Duration::from_secs(60), History::default());
        let expected = "the rate limit of this Space for this endpoint is used up, and the call was not sent: its turn \
                        comes in 60 s, which its time does not allow; call again then, or give it more time";
        assert_eq!(paced.to_string(), expected);
        assert_eq!((paced.delivery(), paced.tries()), (Some(Delivery::NotSent), 0));
    }

    #[test]
    fn an_error_is_small() {
        assert_eq!(size_of::<ApiError>(), size_of::<usize>());
        assert!(size_of::<CallError<Box<dyn Error>>>() <= 48);
    }
}
