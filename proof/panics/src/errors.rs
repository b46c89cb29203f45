//! What went wrong.

use std::io;

use cometly_core::{
    ApiError, ApiErrorKind, CallError, DecodeCategory, DecodeError, Delivery, FieldError, ForbiddenReason, InvalidApiKey,
    InvalidBaseUrl, InvalidUserAgent, KeyStatus, RateLimit, Redirected, RequestError, UnexpectedCause,
};

use crate::{keep, keep_traits};

type Error = CallError<io::Error>;

pub(crate) fn probes() {
    keep!(1 CallError::<io::Error>::setup);
    keep!(2 CallError::<io::Error>::transport);
    keep!(1 CallError::<io::Error>::timeout);
    keep!(1 CallError::<io::Error>::too_large);
    keep!(1 CallError::<io::Error>::delivery);
    keep!(1 CallError::<io::Error>::status);
    keep!(1 CallError::<io::Error>::retry_after);
    keep!(1 CallError::<io::Error>::tries);
    keep!(1 CallError::<io::Error>::last_answer);
    keep!(2 CallError::<io::Error>::map_transport as fn(_, fn(io::Error) -> String) -> _);
    keep!(1 <Error as From<RequestError>>::from);
    keep!(1 <Error as From<ApiError>>::from);
    keep!(1 <Error as From<DecodeError>>::from);
    keep_traits!(Error: Debug, Display, Error, Drop);

    keep!(1 ApiError::kind);
    keep!(1 ApiError::key_status);
    keep!(1 ApiError::status);
    keep!(1 ApiError::rate_limit);
    keep!(1 ApiError::retry_after);
    keep!(1 ApiError::tries);
    keep!(1 ApiError::message);
    keep!(1 ApiError::field_errors);
    keep_traits!(ApiError: Debug, Display, Clone, Error, Drop);
    keep_traits!(ApiErrorKind: Debug, Display, PartialEq, Hash);
    keep_traits!(UnexpectedCause: Debug, Display, PartialEq, Hash);
    keep_traits!(ForbiddenReason: Debug, PartialEq, Hash);
    keep_traits!(KeyStatus: Debug, PartialEq, Hash);
    keep_traits!(FieldError<'static>: Debug, Clone, PartialEq, Drop);
    keep_traits!(Redirected: Debug);

    keep!(1 DecodeError::category);
    keep!(1 DecodeError::line);
    keep!(1 DecodeError::column);
    keep_traits!(DecodeError: Debug, Display, PartialEq, Error);
    keep_traits!(DecodeCategory: Debug, Display, PartialEq, Hash);
    keep_traits!(Delivery: Debug, Display, PartialEq, Hash);
    keep_traits!(InvalidApiKey: Debug, Display, PartialEq, Error);
    keep_traits!(InvalidBaseUrl: Debug, Display, PartialEq, Error);
    keep_traits!(InvalidUserAgent: Debug, Display, PartialEq, Error);
    keep_traits!(RequestError: Debug, Display, Clone, PartialEq, Error, Drop);

    keep!(1 RateLimit::limit);
    keep!(1 RateLimit::remaining);
    keep!(1 RateLimit::reset);
    keep_traits!(RateLimit: Debug, Clone, Default, PartialEq);
}
