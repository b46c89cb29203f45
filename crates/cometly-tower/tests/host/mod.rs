//! tokio as a host, so that paused time counts.

use std::time::Duration;

use cometly_tower::{Host, cometly_core::Moment};

#[derive(Clone)]
pub(crate) struct Tokio;

impl Host for Tokio {
    type Sleep = tokio::time::Sleep;

    fn now(&self) -> Moment {
        tokio::time::Instant::now().into_std().into()
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        tokio::time::sleep(time)
    }

    fn seed(&self) -> u64 {
        7
    }
}
