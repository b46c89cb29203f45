//! Every public entry point of cometly-core, so that all of it is compiled and nothing is optimised out.
//!
//! A function is kept by having its address escape; a generic one for each type that it would be called with.

use std::{borrow::Cow, collections::BTreeMap};

use cometly_core::bytes::Bytes;
use serde::{Deserialize, Serialize};

mod api;
mod client;
mod errors;
mod flow;
mod operation;
mod outcome;
#[cfg(feature = "plant")]
mod plant;
mod proxy;

/// Lets the address of a function escape: how many arguments, and which function.
macro_rules! keep {
    (@ 0) => { fn() -> _ };
    (@ 1) => { fn(_) -> _ };
    (@ 2) => { fn(_, _) -> _ };
    (@ 3) => { fn(_, _, _) -> _ };
    (@ 4) => { fn(_, _, _, _) -> _ };
    ($arguments:tt $function:expr) => {
        std::hint::black_box($function as keep!(@ $arguments));
    };
}

/// The same for what a type does without being asked by name.
macro_rules! keep_traits {
    ($type:ty: $($name:ident),+) => { $(keep_traits!(@ $name $type);)+ };
    (@ Debug $type:ty) => { keep!(2 <$type as std::fmt::Debug>::fmt) };
    (@ Display $type:ty) => { keep!(2 <$type as std::fmt::Display>::fmt) };
    (@ Clone $type:ty) => { keep!(1 <$type as Clone>::clone) };
    (@ Default $type:ty) => { keep!(0 <$type as Default>::default) };
    (@ PartialEq $type:ty) => { keep!(2 <$type as PartialEq>::eq) };
    (@ Hash $type:ty) => { keep!(2 <$type as std::hash::Hash>::hash::<std::hash::DefaultHasher>) };
    (@ Error $type:ty) => { keep!(1 <$type as std::error::Error>::source) };
    (@ FromStr $type:ty) => { keep!(1 <$type as std::str::FromStr>::from_str) };
    (@ Drop $type:ty) => { keep!(1 drop::<$type>) };
}

pub(crate) use {keep, keep_traits};

/// What a program sends and reads.
#[derive(Serialize, Deserialize)]
pub(crate) struct Typed<'a> {
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
    amount: f64,
    count: Option<u64>,
    tags: Vec<String>,
    more: BTreeMap<String, i32>,
}

/// The one symbol that is looked up by name.
#[unsafe(no_mangle)]
pub extern "C" fn probes() {
    api::probes();
    client::probes();
    errors::probes();
    flow::probes();
    operation::probes();
    proxy::probes();
    outcome::probes::<Bytes>();
    outcome::probes::<Vec<u8>>();
    outcome::probes::<&'static [u8]>();
    #[cfg(feature = "plant")]
    plant::probes();
}
