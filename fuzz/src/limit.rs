//! An allocator that ends the process where more memory is in use than any small file may take.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// An .xz file may ask for a dictionary of 64 MiB; inputs of the fuzzer have some kB.
const LIMIT: usize = 256 << 20;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

struct Limited;

#[global_allocator]
static LIMITED: Limited = Limited;

// SAFETY: every call goes on to the system's allocator as it is.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size() > LIMIT {
            // Neither a message nor an unwinding may allocate here.
            std::process::abort();
        }
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }
}
