//! The allocator that counts.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

/// The system's allocator; a program that wants its allocations counted makes it its own.
pub struct Counting;

static CALLS: AtomicU32 = AtomicU32::new(0);
static IS_ON: AtomicBool = AtomicBool::new(false);

/// How often memory was asked for meanwhile: malloc, calloc and realloc.
pub fn during(work: impl FnOnce()) -> u32 {
    CALLS.store(0, Relaxed);
    IS_ON.store(true, Relaxed);
    work();
    IS_ON.store(false, Relaxed);
    CALLS.load(Relaxed)
}

fn note() {
    if IS_ON.load(Relaxed) {
        CALLS.fetch_add(1, Relaxed);
    }
}

// SAFETY: hands every call on to `System`, and touches no memory of its own but two atomics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        unsafe { System.realloc(block, layout, size) }
    }
}
