//! Files of tensors written by PyTorch (`torch.save`) and NumPy (`np.savez`, `np.savez_compressed`).
//!
//! Both are zip archives, deflated or not. Nothing in them is executed: a pickle is read by a machine
//! that knows the few objects of which a state dict consists, and names any other. candle's own
//! readers know neither deflated members nor most integer types.

mod element;
mod npz;
mod pickle;
mod tensor_map;
mod torch;
mod zip_members;

pub(crate) use npz::read_npz;
pub(crate) use tensor_map::TensorMap;
pub(crate) use torch::read_torch;
