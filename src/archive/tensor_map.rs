//! What a file of tensors holds.

use candle_core::Tensor;
use std::collections::BTreeMap;

/// The entries of a file, by name.
#[derive(Debug, Default)]
pub(crate) struct TensorMap {
    /// On the CPU. Floats keep their type, integers become i64, truth values u8.
    pub(crate) tensors: BTreeMap<String, Tensor>,
    /// Entries that are no tensors, or of a type that cannot be read: what each is.
    pub(crate) others: BTreeMap<String, String>,
}
