//! Which proxy.

use std::{env::VarsOs, ffi::OsString};

use cometly_core::{InvalidProxy, ProxyRules, ProxyScheme, ProxyUrl};

use crate::{keep, keep_traits};

pub(crate) fn probes() {
    keep!(1 ProxyRules::from_vars as fn(VarsOs) -> _);
    keep!(1 ProxyRules::from_vars as fn(Vec<(OsString, OsString)>) -> _);
    keep!(1 ProxyRules::https);
    keep!(1 ProxyRules::https_proxy);
    keep!(2 ProxyRules::proxy_for);
    keep_traits!(ProxyRules: Debug, Clone, Default, Drop);
    keep!(1 ProxyUrl::scheme);
    keep!(1 ProxyUrl::host);
    keep!(1 ProxyUrl::port);
    keep!(1 ProxyUrl::credentials);
    keep!(2 ProxyUrl::usable);
    keep_traits!(ProxyUrl: Debug, Display, Clone, FromStr, PartialEq, Drop);
    keep_traits!(ProxyScheme: Debug, Display, PartialEq);
    keep_traits!(InvalidProxy: Debug, Display, Error, Drop);
}
