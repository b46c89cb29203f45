//! The CPU time of this process.

/// So far, in nanoseconds. `getrusage` counts by the tick, which is too coarse for a batch.
pub fn process_cpu() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes into `time`, which is ours.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "every Linux has this clock");
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
