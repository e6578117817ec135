//! A pickle as plain data. Nothing is imported and nothing is called.
//!
//! The machine keeps a stack and a memo, as Python's does, and knows what `torch.save` writes:
//! containers, numbers, texts, storages, tensors and `OrderedDict`. Any other object becomes a value
//! that only says of which class it is. Source: CPython's `pickletools`, protocols 2 to 5.

mod bytes;
mod machine;
mod parsed;
mod value;

pub(super) use parsed::Pickle;
pub(super) use value::{Storage, Value};

#[cfg(test)]
mod tests;
