//! Where a session's variables are between two cells.
//!
//! evcxr puts a module like this one into the source of every cell, and rustc
//! compiles it, with a hash map, for every cell. The kernel puts this one in its
//! place, which is compiled already: a cell instantiates only what depends on the
//! types of its variables. Names and behaviour are those of evcxr 0.22's
//! `evcxr_internal_runtime.rs`, to which the code that evcxr generates around a
//! cell refers.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;

/// Opens the line that tells evcxr that a variable's type is no longer what it was.
pub const VARIABLE_CHANGED_TYPE: &str = "EVCXR_VARIABLE_CHANGED_TYPE:";
/// The line that tells evcxr that a `?` has met an error.
pub const USER_ERROR_OCCURRED: &str = "EVCXR_ERROR_OCCURRED";

/// What `?` in a cell makes of an error: it is printed, and evcxr is told.
#[doc(hidden)]
pub struct EvcxrUserCodeError {}

impl<T: std::fmt::Display> From<T> for EvcxrUserCodeError {
    fn from(error: T) -> Self {
        tell_error(&error);
        Self {}
    }
}

#[inline(never)]
fn tell_error(error: &dyn std::fmt::Display) {
    eprintln!("{error}");
    println!("{USER_ERROR_OCCURRED}");
}

/// The variables by name.
#[derive(Default)]
pub struct VariableStore {
    variables: HashMap<String, Box<dyn Any>>,
}

impl VariableStore {
    /// A store without variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a variable; one of that name is dropped.
    pub fn put_variable<T: 'static>(&mut self, name: &str, value: T) {
        self.put(name, Box::new(value));
    }

    /// Whether a variable, if it is there, has the type `T`. Where it has not, evcxr
    /// is told to forget it.
    pub fn check_variable<T: 'static>(&mut self, name: &str) -> bool {
        self.check(name, TypeId::of::<T>())
    }

    /// Takes a variable out.
    ///
    /// # Panics
    /// Where it is not there or of another type, which `check_variable` excludes.
    pub fn take_variable<T: 'static>(&mut self, name: &str) -> T {
        let value: *mut dyn Any = Box::into_raw(self.take(name, TypeId::of::<T>()));
        // SAFETY: `take` gives a value of this type only, and the box is ours.
        *unsafe { Box::from_raw(value.cast::<T>()) }
    }

    /// A shared value that is made where it is first asked for.
    ///
    /// # Panics
    /// Where the name is that of something else.
    pub fn lazy_arc<T: 'static, F: FnOnce() -> T>(&mut self, name: &str, create: F) -> Arc<T> {
        if self.get(name).is_none() {
            self.put(name, Box::new(Arc::new(create())));
        }
        match self.get(name).and_then(|value| value.downcast_ref()) {
            Some(value) => Arc::clone(value),
            None => changed_type(),
        }
    }

    /// Takes all variables of another store.
    pub fn merge(&mut self, other: Self) {
        self.variables.extend(other.variables);
    }

    // What follows depends on no type, and is not compiled again in a cell.

    #[inline(never)]
    fn put(&mut self, name: &str, value: Box<dyn Any>) {
        self.variables.insert(name.to_owned(), value);
    }

    #[inline(never)]
    fn get(&self, name: &str) -> Option<&dyn Any> {
        self.variables.get(name).map(|value| &**value)
    }

    #[inline(never)]
    fn check(&self, name: &str, wanted: TypeId) -> bool {
        let fits = self.get(name).is_none_or(|value| value.type_id() == wanted);
        if !fits {
            tell_changed(name);
        }
        fits
    }

    /// A value of the type that is wanted.
    #[inline(never)]
    fn take(&mut self, name: &str, wanted: TypeId) -> Box<dyn Any> {
        match self.variables.remove(name) {
            Some(value) if (*value).type_id() == wanted => value,
            Some(_) => changed_type(),
            None => panic!("Variable '{name}' has gone missing"),
        }
    }
}

#[inline(never)]
fn tell_changed(name: &str) {
    eprintln!("The type of the variable {name} was redefined, so was lost.");
    println!("{VARIABLE_CHANGED_TYPE}{name}");
}

#[cold]
#[inline(never)]
fn changed_type() -> ! {
    panic!("Variable changed type")
}

/// A store for a session's first variable; it lives as long as the process.
pub fn create_variable_store() -> *mut VariableStore {
    Box::into_raw(Box::new(VariableStore::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_come_back_as_they_were_and_a_changed_type_is_noticed() {
        let mut store = VariableStore::new();
        store.put_variable("n", 41_i64);
        store.put_variable("s", "text".to_owned());
        assert!(store.check_variable::<i64>("n") && store.check_variable::<i64>("absent"));
        assert!(!store.check_variable::<u8>("n"));
        assert_eq!(store.take_variable::<i64>("n"), 41);
        let mut other = VariableStore::new();
        other.merge(store);
        assert_eq!(other.take_variable::<String>("s"), "text");
    }

    #[test]
    fn a_shared_value_is_made_once() {
        let mut store = VariableStore::new();
        let first = store.lazy_arc("pool", || 7);
        assert!(Arc::ptr_eq(&first, &store.lazy_arc("pool", || 8)));
    }
}
