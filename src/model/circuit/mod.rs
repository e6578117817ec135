//! A model as a graph: components that write to the residual stream, inputs that read from it.
//! Names of nodes and edges, what each component wrote, gradients of any activation.
//! Source: Elhage et al. 2021; the edges of Conmy et al. 2023 (ACDC), arXiv:2304.14997.

mod activation_gradients;
mod edge;
mod stream_inputs;

pub use edge::{Edge, Receiver, Sender};
