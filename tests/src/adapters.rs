//! The five flavours that this project ships.

mod isahc;
mod reqwest;
mod ureq;

use crate::Flavour;

/// reqwest async and blocking, ureq, isahc async and blocking.
#[must_use]
pub fn all() -> Vec<Box<dyn Flavour>> {
    vec![
        Box::new(reqwest::Async),
        Box::new(reqwest::Blocking),
        Box::new(ureq::Ureq),
        Box::new(isahc::Async),
        Box::new(isahc::Blocking),
    ]
}
