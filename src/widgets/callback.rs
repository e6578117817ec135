//! Running a callback: what it returns, and what becomes of a panic.

use std::cell::RefCell;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a callback may return: nothing, or a result whose error is shown under the widget.
pub trait CallbackResult {
    /// The error's text.
    fn error(self) -> Option<String>;
}

impl CallbackResult for () {
    fn error(self) -> Option<String> {
        None
    }
}

impl<T, E: Display> CallbackResult for Result<T, E> {
    fn error(self) -> Option<String> {
        self.err().map(|e| e.to_string())
    }
}

thread_local! {
    /// How many callbacks run on this thread, one within another, and the last panic of theirs.
    static RUNNING: RefCell<(usize, Option<String>)> = const { RefCell::new((0, None)) };
}

/// Whether a panic on this thread is a callback's: then it is not the cell's.
pub(crate) fn takes_panics() -> bool {
    RUNNING.with_borrow(|(depth, _)| *depth > 0)
}

/// Keeps a panic's message and place, which only its hook knows.
pub(crate) fn note_panic(message: String) {
    RUNNING.with_borrow_mut(|(_, last)| *last = Some(message));
}

/// Runs a callback; the error to show, if it has failed.
pub(super) fn run(callback: &mut dyn FnMut() -> Option<String>) -> Option<String> {
    RUNNING.with_borrow_mut(|(depth, _)| *depth += 1);
    let ended = catch_unwind(AssertUnwindSafe(callback));
    let said = RUNNING.with_borrow_mut(|(depth, last)| {
        *depth -= 1;
        last.take()
    });
    match ended {
        Ok(error) => error,
        Err(payload) => {
            // A payload whose drop panics must not end the process.
            if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                std::mem::forget(second);
            }
            // An interrupt unwinds without a panic's hook.
            Some(said.unwrap_or_else(|| "interrupted".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_ends_well_with_an_error_or_with_a_panic() {
        assert_eq!(run(&mut || ().error()), None);
        let failed: Result<(), &str> = Err("no such feature");
        assert_eq!(
            run(&mut || failed.error()).as_deref(),
            Some("no such feature")
        );
        assert!(run(&mut || panic!("on purpose")).is_some());
        assert!(!takes_panics());
    }
}
