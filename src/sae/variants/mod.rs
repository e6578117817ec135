//! The autoencoders that there are, for inference: one file a variant.

/// The methods of [`SparseAutoencoder`](super::SparseAutoencoder) that a variant has from its field
/// `dictionary`, a [`StandardSae`]: the parameters, and decoding.
macro_rules! of_its_dictionary {
    () => {
        fn d_in(&self) -> usize {
            self.dictionary.d_in()
        }

        fn d_sae(&self) -> usize {
            self.dictionary.d_sae()
        }

        fn decode(&self, acts: &Tensor) -> Result<Tensor> {
            self.dictionary.decode(acts)
        }

        fn w_enc(&self) -> Tensor {
            self.dictionary.w_enc()
        }

        fn w_dec(&self) -> Tensor {
            self.dictionary.w_dec()
        }

        fn b_enc(&self) -> Tensor {
            self.dictionary.b_enc()
        }

        fn b_dec(&self) -> Tensor {
            self.dictionary.b_dec()
        }
    };
}

mod any;
mod gated;
mod jump_relu;
mod standard;
mod top_k;
mod transcoder;

pub use any::Sae;
pub use gated::GatedSae;
pub use jump_relu::JumpReLUSae;
pub use standard::StandardSae;
pub use top_k::TopKSae;
pub use transcoder::{Transcoder, TranscoderActivation};
