//! Storage for a session's variables between two cells.
//!
//! A cell takes the variables that it mentions and puts back what it has not moved. It instantiates
//! only what depends on the types of its variables; the rest is compiled here, once.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A variable of some cell.
struct Value(Box<dyn Any>);

// SAFETY: only the thread that runs cells takes and puts values, one cell after the other.
unsafe impl Send for Value {}

static VARIABLES: Mutex<BTreeMap<String, Value>> = Mutex::new(BTreeMap::new());

fn variables() -> MutexGuard<'static, BTreeMap<String, Value>> {
    VARIABLES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stores a variable; an earlier one of that name is dropped.
#[inline(never)]
pub fn put<T: 'static>(name: &str, value: T) {
    put_any(name, Box::new(value));
}

/// Removes a variable and returns it.
///
/// # Panics
/// When the variable is missing or of another type, which the kernel rules out.
#[inline(never)]
pub fn take<T: 'static>(name: &str) -> T {
    let value: *mut dyn Any = Box::into_raw(take_any(name, TypeId::of::<T>()));
    // SAFETY: `take_any` returns a value of this type only, and the box is ours.
    *unsafe { Box::from_raw(value.cast::<T>()) }
}

/// A value that is created on first use and shared by all cells of the session.
///
/// # Panics
/// When another variable has this name.
pub fn shared<T: 'static, F: FnOnce() -> T>(name: &str, create: F) -> Arc<T> {
    let known = variables().get(name).map(|value| {
        let shared = value.0.downcast_ref::<Arc<T>>();
        shared.map(Arc::clone)
    });
    match known {
        Some(Some(value)) => value,
        Some(None) => changed_type(name),
        None => {
            let value = Arc::new(create());
            put_any(name, Box::new(Arc::clone(&value)));
            value
        }
    }
}

/// The names of the variables.
pub(super) fn names() -> Vec<String> {
    variables().keys().cloned().collect()
}

#[inline(never)]
fn put_any(name: &str, value: Box<dyn Any>) {
    let before = variables().insert(name.to_owned(), Value(value));
    // Outside the lock: a drop may run any code.
    drop(before);
}

/// Removes a value, which must be of type `wanted`.
#[inline(never)]
fn take_any(name: &str, wanted: TypeId) -> Box<dyn Any> {
    let value = variables().remove(name);
    match value {
        Some(Value(value)) if (*value).type_id() == wanted => value,
        Some(_) => changed_type(name),
        None => panic!("the variable `{name}` is not there"),
    }
}

#[cold]
#[inline(never)]
fn changed_type(name: &str) -> ! {
    panic!("the variable `{name}` is of another type than the cell was compiled for")
}

/// Drops these variables.
///
/// # Safety
/// `names` is UTF-8 of this length: names separated by line feeds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn holoscope_drop(names: *const u8, length: usize) {
    // SAFETY: promised by the caller.
    let names = unsafe { std::slice::from_raw_parts(names, length) };
    for name in std::str::from_utf8(names).unwrap_or_default().lines() {
        let value = variables().remove(name);
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(value)));
        if let Err(payload) = dropped {
            std::mem::forget(payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_come_back_as_they_were() {
        put("store: n", 41_i64);
        put("store: s", "text".to_owned());
        assert_eq!(take::<i64>("store: n"), 41);
        assert_eq!(take::<String>("store: s"), "text");
        for name in ["store: n", "store: s"] {
            assert!(!names().iter().any(|known| known == name));
        }
    }

    #[test]
    #[should_panic(expected = "of another type")]
    fn a_value_is_never_read_as_another_type() {
        put("store: other", 1_u8);
        take::<i8>("store: other");
    }

    #[test]
    fn a_shared_value_is_made_once() {
        let first = shared("store: pool", || 7);
        assert!(Arc::ptr_eq(&first, &shared("store: pool", || 8)));
    }
}
