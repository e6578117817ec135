//! How much of the model's loss the reconstruction recovers, measured during training.
//! `(zero_abl - recons) / (zero_abl - loss)`, Bricken et al. 2023; the losses without the autoencoder are
//! measured once.

use crate::config::SaeConfig;
use crate::data::{Batches, Dataset};
use crate::error::Result;
use crate::model::{Hook, Transformer, zero_ablate};
use crate::sae::autoencoder::SparseAutoencoder;
use crate::sae::variants::Sae;
use candle_core::{DType, Device, Tensor};

/// Batches of the validation set, and sequences in each.
const BATCHES: usize = 2;
const BATCH_SIZE: usize = 8;

/// The batches with their losses.
pub(super) struct Score {
    model: Transformer,
    hook_name: String,
    batches: Vec<Tensor>,
    loss: f64,
    zero_abl: f64,
}

impl Score {
    pub(super) fn new(model: &Transformer, data: &Dataset, cfg: &SaeConfig) -> Result<Self> {
        let model = model.without_gradients();
        let mut batches = Batches::new(&data.val, model.cfg().n_ctx, BATCH_SIZE, cfg.seed);
        let batches: Result<Vec<Tensor>> = (0..BATCHES)
            .map(|_| batches.next_batch(model.device()))
            .collect();
        let mut score = Self {
            hook_name: cfg.hook_name.clone(),
            batches: batches?,
            loss: 0.0,
            zero_abl: 0.0,
            model,
        };
        score.loss = score.mean_loss(&[])?;
        score.zero_abl = score.mean_loss(&[zero_ablate(&score.hook_name)])?;
        Ok(score)
    }

    /// Device of the model.
    pub(super) fn device(&self) -> &Device {
        self.model.device()
    }

    /// The share that `sae` recovers; NaN where the activation makes no difference to the loss.
    pub(super) fn of(&self, sae: &Sae) -> Result<f64> {
        let (sae, d_in) = (sae.clone(), sae.d_in());
        let copy = Hook::new(&self.hook_name, move |x| {
            // Whole sequences, since the temporal autoencoder needs them.
            let n = x.dim(0)?;
            let sequences = x.reshape((n, x.elem_count() / (n * d_in).max(1), d_in))?;
            let x_hat = sae.reconstruct(&sequences.to_dtype(DType::F32)?)?;
            Ok(Some(x_hat.reshape(x.shape())?.to_dtype(x.dtype())?))
        });
        let recons = self.mean_loss(&[copy])?;
        Ok((self.zero_abl - recons) / (self.zero_abl - self.loss))
    }

    fn mean_loss(&self, hooks: &[Hook]) -> Result<f64> {
        let mut sum = 0.0;
        for tokens in &self.batches {
            sum += self.model.loss_with_hooks(tokens, hooks)?;
        }
        Ok(sum / BATCHES as f64)
    }
}
