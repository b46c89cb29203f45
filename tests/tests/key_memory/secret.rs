//! A key that is made up at run time, and what to look for to find it again without holding it.

use std::collections::HashSet;

use zeroize::Zeroizing;

/// No text is itself under it, so that what is masked is never taken for what is looked for.
const MASK: u8 = 0xa5;

/// This many bytes in a row are a find: the allocator writes over the beginning of a freed block, so that a longer text
/// would be missed.
pub(crate) const WINDOW: usize = 8;

/// The recipe of a key: the same one makes the same key, so that none has to be passed on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe {
    pub(crate) seed: u64,
    pub(crate) length: usize,
}

impl Recipe {
    /// The key, in the only allocation that ever held it.
    pub(crate) fn key(self) -> String {
        self.fill(|_| true, String::with_capacity(self.length))
    }

    /// The half of it behind the `|`, which a server may quote alone.
    pub(crate) fn half(self) -> Zeroizing<String> {
        Zeroizing::new(self.fill(|place| place > ID, String::with_capacity(self.length)))
    }

    /// What to look for.
    pub(crate) fn needle(self) -> Needle {
        let masked: Vec<u8> = self.characters().map(|byte| byte ^ MASK).collect();
        let windows: HashSet<u64> = masked.windows(WINDOW).filter_map(number).collect();
        let mut begins = vec![false; 1 << 16];
        for window in &windows {
            if let Some(begin) = begins.get_mut(usize::from(begin_of(*window))) {
                *begin = true;
            }
        }
        Needle { windows, begins }
    }

    fn fill(self, takes: impl Fn(usize) -> bool, mut into: String) -> String {
        into.extend(self.characters().enumerate().filter(|(place, _)| takes(*place)).map(|(_, byte)| char::from(byte)));
        into
    }

    /// Shaped as the API's: `7|…`, each character drawn by itself.
    fn characters(self) -> impl Iterator<Item = u8> {
        const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let letter = move |place: usize| {
            let drawn = scramble(self.seed ^ scramble(place as u64)) % LETTERS.len() as u64;
            let letter = LETTERS[usize::try_from(drawn).unwrap_or_default()];
            if place == ID { b'|' } else { letter }
        };
        (0..self.length).map(letter)
    }
}

/// Position of the `|`.
const ID: usize = 2;

/// `SplitMix64`.
fn scramble(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Every window of a key, masked.
pub(crate) struct Needle {
    windows: HashSet<u64>,
    /// Which two bytes a window can begin with: most places in memory need no closer look.
    begins: Vec<bool>,
}

impl Needle {
    /// Where windows stand in what has been [masked](mask).
    pub(crate) fn places(&self, masked: &[u8]) -> impl Iterator<Item = usize> {
        let windows = masked.windows(WINDOW).enumerate();
        windows.filter(|(_, window)| self.is(window)).map(|(place, _)| place)
    }

    fn is(&self, window: &[u8]) -> bool {
        let may_be = |window: &u64| self.begins.get(usize::from(begin_of(*window))).is_some_and(|begin| *begin);
        number(window).filter(may_be).is_some_and(|window| self.windows.contains(&window))
    }
}

/// Where it is: nothing but these bytes ever holds what was read.
pub(crate) fn mask(bytes: &mut [u8]) {
    for byte in bytes {
        *byte ^= MASK;
    }
}

fn number(window: &[u8]) -> Option<u64> {
    window.try_into().ok().map(u64::from_le_bytes)
}

fn begin_of(window: u64) -> u16 {
    let [first, second, ..] = window.to_le_bytes();
    u16::from_le_bytes([first, second])
}
