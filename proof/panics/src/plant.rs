//! What must be seen, or the probe is blind.

use crate::keep;

pub(crate) fn probes() {
    keep!(2 index);
}

fn index(slice: &[u8], index: usize) -> u8 {
    slice[index]
}
