//! From a key to a request.

use std::{borrow::Cow, io};

use cometly_core::{Api, ApiBuilder, ApiKey, BaseUrl, Call, backend_trim, bytes::Bytes};

use crate::{Typed, keep, keep_traits};

pub(crate) fn probes() {
    keep!(1 ApiKey::new as fn(&'static str) -> _);
    keep!(1 ApiKey::new as fn(String) -> _);
    keep!(0 ApiKey::from_env);
    keep!(1 ApiKey::expose_secret);
    keep_traits!(ApiKey: Debug, Clone, FromStr, Drop);

    keep!(1 BaseUrl::new);
    keep!(1 BaseUrl::from_untrusted);
    keep!(1 BaseUrl::insecure_http);
    keep!(1 BaseUrl::scheme);
    keep!(1 BaseUrl::authority);
    keep!(1 BaseUrl::path);
    keep!(1 <BaseUrl as TryFrom<&str>>::try_from);
    keep_traits!(BaseUrl: Debug, Display, Clone, Default, PartialEq, FromStr, Drop);

    keep!(1 Api::new);
    keep!(0 Api::from_env);
    keep!(1 Api::builder);
    keep!(1 Api::base_url);
    keep!(1 Api::pacer);
    keep!(2 Api::rotate);
    keep!(1 Api::key_generation);
    keep!(1 Api::refused_generation);
    keep!(2 Api::get as fn(_, &'static str) -> _);
    keep!(2 Api::post as fn(_, String) -> _);
    keep!(2 Api::put as fn(_, Cow<'static, str>) -> _);
    keep!(3 Api::request as fn(_, _, &'static str) -> _);
    keep!(2 Api::authorize::<Bytes>);
    keep!(2 Api::authorize::<()>);
    keep!(2 Api::read::<Bytes>);
    keep!(2 Api::read::<Vec<u8>>);
    keep!(2 Api::read::<&'static [u8]>);
    keep!(2 Api::read::<&'static str>);
    keep_traits!(Api: Debug, Clone, Drop);

    keep!(2 ApiBuilder::base_url);
    keep!(1 ApiBuilder::base_url_from_env);
    keep!(2 ApiBuilder::user_agent);
    keep!(2 ApiBuilder::pacer);
    keep!(1 ApiBuilder::build);
    keep_traits!(ApiBuilder: Debug, Drop);

    keep!(2 Call::segment as fn(_, &'static str) -> _);
    keep!(2 Call::segment as fn(_, u64) -> _);
    keep!(3 Call::query as fn(_, _, &'static str) -> _);
    keep!(3 Call::query as fn(_, _, f64) -> _);
    keep!(3 Call::query_opt as fn(_, _, Option<u64>) -> _);
    keep!(3 Call::query_all::<u64> as fn(_, _, Vec<u64>) -> _);
    keep!(2 Call::query_from::<Typed<'static>>);
    keep!(3 Call::header as fn(_, &'static str, String) -> _);
    keep!(2 Call::json::<Typed<'static>>);
    keep!(2 Call::json::<str>);
    keep!(2 Call::idempotency_key as fn(_, &'static str) -> _);
    keep!(2 Call::body as fn(_, Bytes) -> _);
    keep!(2 Call::body as fn(_, Vec<u8>) -> _);
    keep!(2 Call::body as fn(_, &'static str) -> _);
    keep!(1 backend_trim);
    keep!(1 Call::idempotent);
    keep!(1 Call::api);
    keep!(1 Call::method);
    keep!(1 Call::path_template);
    keep!(1 Call::is_idempotent);
    keep!(1 Call::to_request);
    keep!(2 Call::timeout);
    keep!(2 Call::retry_policy);
    std::hint::black_box(Call::start::<Bytes, io::Error> as fn(_, _, _, _, _) -> _);
    std::hint::black_box(Call::start::<Vec<u8>, ()> as fn(_, _, _, _, _) -> _);
    keep_traits!(Call: Debug, Clone, Drop);
}
