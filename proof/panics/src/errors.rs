//! What went wrong.

use std::io;

use cometly_core::{
    ApiError, ApiErrorKind, CallError, CallErrorKind, DecodeCategory, DecodeError, Delivery, EncodeError, FieldError,
    ForbiddenReason, FromEnvError, InvalidApiKey, InvalidBaseUrl, InvalidUserAgent, KeyStatus, RateLimit, ReachedLimit,
    Redirected, RequestError, UnexpectedCause,
};

use crate::{keep, keep_traits};

type Error = CallError<io::Error>;

pub(crate) fn probes() {
    keep!(1 CallError::<io::Error>::setup);
    keep!(1 CallError::<io::Error>::kind);
    keep!(1 CallError::<io::Error>::method);
    keep!(1 CallError::<io::Error>::path_template);
    keep!(1 CallError::<io::Error>::attempts);
    keep!(1 CallError::<io::Error>::delivery);
    keep!(1 CallError::<io::Error>::is_safe_to_resend);
    keep!(1 CallError::<io::Error>::api_error);
    keep!(1 CallError::<io::Error>::decode_error);
    keep!(1 CallError::<io::Error>::into_decode_error);
    keep!(1 CallError::<io::Error>::request_error);
    keep!(1 CallError::<io::Error>::flow_error);
    keep!(1 CallError::<io::Error>::is_not_found);
    keep!(1 CallError::<io::Error>::limit);
    keep!(1 CallError::<io::Error>::status);
    keep!(1 CallError::<io::Error>::retry_after);
    keep!(1 CallError::<io::Error>::error_type);
    keep!(2 CallError::<io::Error>::map_source as fn(_, fn(io::Error) -> String) -> _);
    keep_traits!(CallErrorKind: Debug, PartialEq, Hash);
    keep_traits!(ReachedLimit: Debug, PartialEq);
    keep!(1 <Error as From<RequestError>>::from);
    keep!(1 <Error as From<ApiError>>::from);
    keep!(1 <Error as From<DecodeError>>::from);
    keep_traits!(Error: Debug, Display, Error, Drop);

    keep!(1 ApiError::kind);
    keep!(1 ApiError::key_status);
    keep!(1 ApiError::status);
    keep!(1 ApiError::rate_limit);
    keep!(1 ApiError::retry_after);
    keep!(1 ApiError::headers);
    keep!(1 ApiError::attempts);
    keep!(1 ApiError::body_text);
    keep!(1 ApiError::message);
    keep!(1 ApiError::field_errors);
    keep_traits!(ApiError: Debug, Display, Clone, Error, Drop);
    keep!(1 ApiErrorKind::error_type);
    keep_traits!(ApiErrorKind: Debug, Display, PartialEq, Hash);
    keep_traits!(UnexpectedCause: Debug, Display, PartialEq, Hash);
    keep_traits!(ForbiddenReason: Debug, PartialEq, Hash);
    keep_traits!(KeyStatus: Debug, PartialEq, Hash);
    keep_traits!(FieldError<'static>: Debug, Clone, PartialEq, Drop);
    keep_traits!(Redirected: Debug);

    keep!(1 DecodeError::category);
    keep!(1 DecodeError::path);
    keep!(2 DecodeError::with_reply);
    keep!(1 DecodeError::into_reply);
    keep!(1 DecodeError::line);
    keep!(1 DecodeError::column);
    keep_traits!(DecodeError: Debug, Display, Error, Drop);
    keep_traits!(DecodeCategory: Debug, Display, PartialEq, Hash);
    keep_traits!(Delivery: Debug, Display, PartialEq, Hash);
    keep_traits!(EncodeError: Debug, Display, Clone, PartialEq, Error, Drop);
    keep_traits!(FromEnvError: Debug, Display, Error, Drop);
    keep_traits!(InvalidApiKey: Debug, Display, PartialEq, Error);
    keep_traits!(InvalidBaseUrl: Debug, Display, PartialEq, Error);
    keep_traits!(InvalidUserAgent: Debug, Display, PartialEq, Error);
    keep_traits!(RequestError: Debug, Display, Clone, PartialEq, Error, Drop);

    keep!(1 RateLimit::limit);
    keep!(1 RateLimit::remaining);
    keep!(1 RateLimit::reset);
    keep_traits!(RateLimit: Debug, Clone, Default, PartialEq);
}
