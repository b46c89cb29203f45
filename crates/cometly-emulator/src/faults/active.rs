//! The faults that are switched on, and which of them strikes a call.

use std::collections::VecDeque;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::faults::fault::{Fault, Target};
use crate::path::{API, fits};
use crate::scramble::scramble;

/// The oldest fault gives way to one beyond these.
const MAX_FAULTS: usize = 256;

/// What [`Target::Lists`] strikes.
const LISTS: [&str; 3] = ["/events", "/contacts", "/companies"];

/// The id of a fault that was switched on, for [`Emulator::remove_fault`](crate::Emulator::remove_fault). No two faults of an
/// emulator have the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultId(u64);

/// A fault that is switched on, as it was when it was listed; from [`Emulator::faults`](crate::Emulator::faults).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InjectedFault {
    /// The id by which the fault is switched off.
    pub id: FaultId,
    /// The fault, as it was injected.
    pub fault: Fault,
    /// How many calls the fault had struck when it was listed.
    pub struck: u64,
    /// How many calls it might have struck, if it had struck all.
    met: u64,
}

#[derive(Default)]
pub(crate) struct Faults {
    active: VecDeque<InjectedFault>,
    count: u64,
}

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) -> FaultId {
        self.count = self.count.saturating_add(1);
        let id = FaultId(self.count);
        self.active.push_back(InjectedFault { id, fault, struck: 0, met: 0 });
        if self.active.len() > MAX_FAULTS {
            self.active.pop_front();
        }
        id
    }

    pub(crate) fn remove(&mut self, id: FaultId) -> bool {
        let before = self.active.len();
        self.active.retain(|active| active.id != id);
        self.active.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    pub(crate) fn list(&self) -> Vec<InjectedFault> {
        self.active.iter().cloned().collect()
    }

    /// The fault that strikes this call: the oldest one whose turn it is.
    pub(crate) fn strike(&mut self, method: &Method, path: &str) -> Option<Fault> {
        let path = percent_decode_str(path).decode_utf8().ok()?;
        let path = path.trim_end_matches('/').strip_prefix(API)?;
        self.strike_one(method, path, |target| match target {
            Target::Api => true,
            Target::Lists => method == Method::GET && LISTS.contains(&path),
            Target::ExportOrders => method == Method::POST && path.ends_with("/exports"),
            Target::Downloads => false,
        })
    }

    /// The fault that strikes this request to the host of the exports.
    pub(crate) fn strike_download(&mut self, method: &Method, path: &str) -> Option<Fault> {
        self.strike_one(method, path, |target| target == Target::Downloads)
    }

    fn strike_one(&mut self, method: &Method, path: &str, is_hit: impl Fn(Target) -> bool) -> Option<Fault> {
        let hit = self.active.iter_mut().filter(|active| is_hit(active.fault.kind.target()));
        let fault = hit.into_iter().find_map(|active| active.meet(method, path))?;
        self.active.retain(|active| active.fault.times.is_none_or(|times| active.struck < times));
        Some(fault)
    }
}

impl FaultId {
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    pub(crate) fn of(number: u64) -> Self {
        Self(number)
    }
}

impl InjectedFault {
    fn meet(&mut self, method: &Method, path: &str) -> Option<Fault> {
        let Fault { method: wanted, path: template, after, share, times, .. } = &self.fault;
        let it_fits = wanted.as_deref().is_none_or(|wanted| wanted == method.as_str())
            && template.as_deref().is_none_or(|template| fits(template, path).is_some());
        if !it_fits {
            return None;
        }
        self.met = self.met.saturating_add(1);
        let drawn = share.is_none_or(|(share, seed)| fraction(scramble(seed ^ scramble(self.met))) < share);
        let is_over = times.is_some_and(|times| self.struck >= times);
        if self.met <= *after || !drawn || is_over {
            return None;
        }
        self.struck = self.struck.saturating_add(1);
        Some(self.fault.clone())
    }
}

/// A number from 0 up to 1, which is not reached.
#[expect(clippy::cast_precision_loss, reason = "32 bits fit")]
fn fraction(number: u64) -> f64 {
    (number >> 32) as f64 / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each call, whether it was struck.
    fn strikes(fault: Fault, calls: &[(&str, &str)]) -> Vec<bool> {
        let mut faults = Faults::default();
        faults.inject(fault);
        let strike = |(method, path): &(&str, &str)| faults.strike(&method.parse().unwrap(), path).is_some();
        calls.iter().map(strike).collect()
    }

    #[test]
    fn a_fault_strikes_what_it_is_narrowed_down_to() {
        let calls = [
            ("GET", "/public-api/v1/contacts/7"),
            ("PUT", "/public-api/v1/contacts/7/"),
            ("GET", "/public-api/v1/contacts"),
            ("GET", "/login"),
        ];
        let fault = Fault::html_page;
        assert_eq!(strikes(fault(), &calls), [true, true, true, false]);
        assert_eq!(strikes(fault().for_method("PUT"), &calls), [false, true, false, false]);
        assert_eq!(strikes(fault().for_path("/contacts/{id}"), &calls), [true, true, false, false]);
        assert_eq!(strikes(fault().for_path("/contacts"), &calls), [false, false, true, false]);
        assert_eq!(
            strikes(Fault::export_failed(), &[("POST", "/public-api/v1/events/exports"), calls[0]]),
            [true, false]
        );
    }

    #[test]
    fn it_waits_for_its_turn_and_ends() {
        let calls = [("GET", "/public-api/v1/events"); 5];
        let fault = Fault::html_page().after(1).up_to_n_times(2);
        assert_eq!(strikes(fault, &calls), [false, true, true, false, false]);
        assert_eq!(strikes(Fault::html_page().up_to_n_times(0), &calls), [false; 5]);
    }

    #[test]
    fn a_share_is_drawn_from_its_seed() {
        let calls = vec![("GET", "/public-api/v1/events"); 1000];
        let drawn = strikes(Fault::html_page().share(0.3, 1), &calls);
        let count = drawn.iter().filter(|struck| **struck).count();
        assert!((250..350).contains(&count), "{count}");
        assert_eq!(drawn, strikes(Fault::html_page().share(0.3, 1), &calls));
        assert_ne!(drawn, strikes(Fault::html_page().share(0.3, 2), &calls));
        assert!(!strikes(Fault::html_page().share(0.0, 1), &calls).contains(&true));
        assert!(!strikes(Fault::html_page().share(1.0, 1), &calls).contains(&false));
        assert!(!strikes(Fault::html_page().share(f64::NAN, 1), &calls).contains(&true));
    }

    #[test]
    fn the_oldest_strikes_first_and_gives_way_first() {
        let mut faults = Faults::default();
        let first = faults.inject(Fault::html_page().up_to_n_times(1));
        faults.inject(Fault::forbidden());
        let mut strike = || faults.strike(&Method::GET, "/public-api/v1/events").unwrap().name();
        assert_eq!([strike(), strike()], ["html_page", "forbidden"]);
        assert!(!faults.remove(first));
        for _ in 0..MAX_FAULTS {
            faults.inject(Fault::html_page());
        }
        assert!(faults.list().len() == MAX_FAULTS && faults.list().iter().all(|one| one.fault == Fault::html_page()));
        faults.clear();
        assert!(faults.list().is_empty());
    }
}
