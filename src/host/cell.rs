//! How a cell runs and ends.

use super::notices::notify;
use serde_json::json;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The error that `?` in a cell produces: it reports the original error's text and ends the cell.
#[doc(hidden)]
#[derive(Debug)]
pub struct CellError(());

impl<T: std::fmt::Display> From<T> for CellError {
    fn from(error: T) -> Self {
        tell_error(&error);
        Self(())
    }
}

#[inline(never)]
fn tell_error(error: &dyn std::fmt::Display) {
    notify(&json!({ "type": "error", "message": error.to_string() }));
}

/// Carries the type of a variable, for the compiler's lint of unused results.
#[doc(hidden)]
#[derive(Debug)]
pub struct Typed<T: ?Sized>(std::marker::PhantomData<T>);

/// The kernel passes a new variable to this to learn its type (`kernel/src/compile/types.rs`).
#[doc(hidden)]
#[inline(always)]
pub fn typed<T: ?Sized>(_: &T) -> Typed<T> {
    Typed(std::marker::PhantomData)
}

/// Unwinds from a cell that was interrupted.
struct Interrupted;

/// Called at the start of the loops of a cell: ends the cell if it was interrupted.
#[inline(always)]
pub fn check() {
    if crate::show::interrupted() {
        stop();
    }
}

#[cold]
#[inline(never)]
fn stop() {
    // During a panic, a second one would end the process.
    if !std::thread::panicking() {
        resume_unwind(Box::new(Interrupted));
    }
}

/// Runs the body of a cell; returns whether it completed.
#[inline]
pub fn guard<F: FnOnce() -> Result<(), CellError>>(body: F) -> bool {
    let mut body = Some(body);
    run(&mut || body.take().is_none_or(|body| body().is_ok()))
}

/// Not generic, so that a cell does not compile it again.
#[inline(never)]
fn run(body: &mut dyn FnMut() -> bool) -> bool {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(true) => true,
        Ok(false) => {
            notify(&json!({ "type": "failed" }));
            false
        }
        Err(payload) => {
            let kind = match payload.is::<Interrupted>() {
                true => "interrupted",
                false => "panicked",
            };
            forget(payload);
            notify(&json!({ "type": kind }));
            false
        }
    }
}

/// Drops a payload; a panic in its drop must not end the process.
fn forget(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}
