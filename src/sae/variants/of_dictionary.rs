//! Methods that a variant delegates to its dictionary.

/// The methods of [`SparseAutoencoder`](crate::sae::SparseAutoencoder) that a variant delegates to its field
/// `dictionary`, a [`StandardSae`](super::StandardSae): the parameters, and decoding.
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
pub(super) use of_its_dictionary;
