//! How much of the model's work survives when activations are replaced by their reconstruction.
//! `score = (zero_abl - recons) / (zero_abl - loss)`: 1 for a perfect copy, 0 for one as bad as zeros.
//! Source: Bricken et al. 2023; `get_recons_loss` of 1L-Sparse-Autoencoder.

use crate::config::SampleConfig;
use crate::data::{Batches, TokenSplit};
use crate::error::{Error, Result};
use crate::interp::activations::{hook_rows, own_hook};
use crate::model::{Hook, Transformer, mean_ablate, zero_ablate};
use crate::sae::{Sae, SparseAutoencoder};
use crate::show::{Interrupts, MimeBundle, Show, Table, shows_itself};
use candle_core::{DType, Tensor};
use polars::prelude::df;
use std::fmt;

/// Losses with an activation as it is, reconstructed and ablated. All losses are nats per
/// predicted token, averaged over batch and position.
#[derive(Debug, Clone, PartialEq)]
pub struct ReconstructionScore {
    /// The hook point.
    pub hook_name: String,
    /// Loss of the model as it is.
    pub loss: f64,
    /// Loss with the activation replaced by its reconstruction at every position, BOS included.
    pub recons: f64,
    /// Loss with the activation replaced by zeros.
    pub zero_abl: f64,
    /// Loss with the activation replaced by its mean over the batch's tokens.
    pub mean_abl: f64,
    /// `(zero_abl - recons) / (zero_abl - loss)`.
    pub score: f64,
    /// Active features a token, averaged; NaN where an activation is not finite.
    pub l0: f64,
    /// `1 - sum |x_hat - x|^2 / sum |x - mean x|^2` over all tokens and dimensions.
    pub explained_variance: f64,
    /// Tokens read.
    pub n_tokens: usize,
}

impl ReconstructionScore {
    /// The score against mean ablation, `(mean_abl - recons)/(mean_abl - loss)`. Which of the two
    /// ablations costs more depends on the model, so neither is the harder baseline as such.
    pub fn score_against_mean(&self) -> f64 {
        (self.mean_abl - self.recons) / (self.mean_abl - self.loss)
    }
}

/// How well an autoencoder reconstructs the hook point that it names, on every sequence of a split.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # fn f(model: Transformer, sae: Sae, data: Dataset) -> Result<()> {
/// reconstruction_score(&model, &sae, &data.val)?.evcxr_display();
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// An autoencoder that names no hook point; those of [`reconstruction_score_with`].
pub fn reconstruction_score(
    model: &Transformer,
    sae: &Sae,
    split: &TokenSplit,
) -> Result<ReconstructionScore> {
    let hook_name = own_hook(sae)?;
    reconstruction_score_with(model, sae, hook_name, split, &SampleConfig::default())
}

/// Measures the reconstruction of a hook point on a sample of a split. An interrupt returns the score on the
/// batches done.
///
/// # Errors
/// An unknown hook point, an autoencoder of another width, a split too short for one sequence;
/// [`Error::NotFiniteAt`] for an activation of the model that is NaN or infinite;
/// [`Error::Interrupted`] before the first batch is done.
pub fn reconstruction_score_with(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    split: &TokenSplit,
    sample: &SampleConfig,
) -> Result<ReconstructionScore> {
    let model = model.without_gradients();
    let mut batches = Batches::new(split, model.cfg().n_ctx, sample.batch_size, sample.seed);
    let n_batches = match sample.n_batches {
        0 => batches.batches_per_epoch(),
        n => n,
    };
    let mut losses = [0.0; 4];
    let mut sums = Sums::new(sae.d_in());
    let interrupts = Interrupts::listen();
    let mut done = 0;
    'batches: while done < n_batches {
        let tokens = batches.next_batch(model.device())?; // [batch, pos]
        let x = hook_rows(&model, hook_name, &tokens, sae.d_in())?; // [batch * pos, d_in]
        let acts = sae.encode(&x)?; // [batch * pos, d_sae]
        let x_hat = sae.decode(&acts)?; // [batch * pos, d_in]
        let copy = Hook::new(hook_name, {
            let x_hat = x_hat.clone();
            move |x| Ok(Some(x_hat.reshape(x.shape())?.to_dtype(x.dtype())?))
        });
        let runs = [
            vec![],
            vec![copy],
            vec![zero_ablate(hook_name)],
            vec![mean_ablate(hook_name)],
        ];
        let mut of_batch = [0.0; 4];
        for (loss, hooks) in of_batch.iter_mut().zip(&runs) {
            if interrupts.heard() {
                break 'batches;
            }
            *loss = model.loss_with_hooks(&tokens, hooks)?;
        }
        for (sum, loss) in losses.iter_mut().zip(of_batch) {
            *sum += loss;
        }
        sums.add(&x, &x_hat, &acts)?;
        done += 1;
    }
    if n_batches == 0 {
        return Err(Error::argument(
            "n_batches",
            n_batches,
            "the split has no whole sequence",
        ));
    }
    if done == 0 {
        interrupts.check("the reconstruction score")?;
    }
    let [loss, recons, zero_abl, mean_abl] = losses.map(|sum| sum / done as f64);
    Ok(ReconstructionScore {
        hook_name: hook_name.to_owned(),
        loss,
        recons,
        zero_abl,
        mean_abl,
        score: (zero_abl - recons) / (zero_abl - loss),
        l0: sums.active / sums.n,
        explained_variance: sums.explained_variance(),
        n_tokens: sums.n as usize,
    })
}

/// Sums over tokens, in f64.
struct Sums {
    n: f64,
    /// Per dimension. `[d_in]`
    x: Vec<f64>,
    x_squared: f64,
    error_squared: f64,
    active: f64,
}

impl Sums {
    fn new(d_in: usize) -> Self {
        Self {
            n: 0.0,
            x: vec![0.0; d_in],
            x_squared: 0.0,
            error_squared: 0.0,
            active: 0.0,
        }
    }

    fn add(&mut self, x: &Tensor, x_hat: &Tensor, acts: &Tensor) -> Result<()> {
        let rows = x.to_vec2::<f32>()?;
        let copies = x_hat.to_dtype(DType::F32)?.to_vec2::<f32>()?;
        for (row, copy) in rows.iter().zip(&copies) {
            for ((sum, &v), &w) in self.x.iter_mut().zip(row).zip(copy) {
                let (v, w) = (f64::from(v), f64::from(w));
                *sum += v;
                self.x_squared += v * v;
                self.error_squared += (v - w) * (v - w);
            }
        }
        self.n += rows.len() as f64;
        // A count knows no NaN; the sum of what is counted does.
        if !acts.sum_all()?.to_scalar::<f32>()?.is_finite() {
            self.active = f64::NAN;
        }
        self.active += acts
            .ne(0.0)?
            .to_dtype(DType::F32)?
            .sum(1)?
            .to_vec1::<f32>()?
            .iter()
            .map(|&count| f64::from(count))
            .sum::<f64>();
        Ok(())
    }

    fn explained_variance(&self) -> f64 {
        let mean_part: f64 = self.x.iter().map(|s| s * s).sum::<f64>() / self.n;
        1.0 - self.error_squared / (self.x_squared - mean_part)
    }
}

impl fmt::Display for ReconstructionScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "reconstruction score {:.2} %: loss {:.4}, reconstructed {:.4}, zero ablation {:.4}, \
             mean ablation {:.4} nats/token; L0 {:.1}, explained variance {:.3}, {} tokens",
            100.0 * self.score,
            self.loss,
            self.recons,
            self.zero_abl,
            self.mean_abl,
            self.l0,
            self.explained_variance,
            self.n_tokens
        )
    }
}

shows_itself!(ReconstructionScore);

impl Show for ReconstructionScore {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let frame = df![
            "quantity" => [
                "loss, model as it is (nats/token)",
                "loss, activation reconstructed (nats/token)",
                "loss, activation zeroed (nats/token)",
                "loss, activation at its mean (nats/token)",
                "score against zero ablation",
                "score against mean ablation",
                "L0 (active features a token)",
                "explained variance",
            ],
            "value" => [
                format!("{:.4}", self.loss),
                format!("{:.4}", self.recons),
                format!("{:.4}", self.zero_abl),
                format!("{:.4}", self.mean_abl),
                format!("{:.2} %", 100.0 * self.score),
                format!("{:.2} %", 100.0 * self.score_against_mean()),
                format!("{:.1}", self.l0),
                format!("{:.3}", self.explained_variance),
            ],
        ]?;
        let caption = format!(
            "Reconstruction at {} on {} tokens",
            self.hook_name, self.n_tokens
        );
        Ok(Table::new(frame)
            .caption(caption)
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}
