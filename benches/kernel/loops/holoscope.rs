//! The part of the library that a check in a loop calls, as it is there.

#![crate_type = "dylib"]

pub mod host {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

    #[inline(always)]
    pub fn check() {
        if INTERRUPTED.load(Relaxed) {
            unwind();
        }
    }

    #[cold]
    #[inline(never)]
    pub fn unwind() {
        // A second panic would end the process.
        if !std::thread::panicking() {
            std::panic::resume_unwind(Box::new(()));
        }
    }
}
