//! A whole pickle.

use super::machine::run;
use super::value::{Id, Value};

/// A pickle that has been read.
#[derive(Debug)]
pub(in crate::archive) struct Pickle {
    values: Vec<Value>,
    root: Id,
}

impl Pickle {
    /// Reads a pickle.
    ///
    /// # Errors
    /// The first thing that is not understood, and at which byte.
    pub(in crate::archive) fn read(bytes: &[u8]) -> Result<Self, String> {
        let (values, root) = run(bytes)?;
        Ok(Self { values, root })
    }

    pub(in crate::archive) fn root(&self) -> &Value {
        self.get(self.root)
    }

    pub(in crate::archive) fn get(&self, id: Id) -> &Value {
        &self.values[id]
    }
}
