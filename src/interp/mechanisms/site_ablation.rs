//! What a model loses without the activation at one hook point: zeros, then the mean, in its place, batch by batch.
//! `rise_b = L_b(ablated) - L_b`. Zero and mean ablation as in Bricken et al. 2023 and TransformerLens' demos.

use crate::config::SampleConfig;
use crate::data::{Batches, TokenSplit};
use crate::error::{Error, Result};
use crate::model::{HookName, Transformer, mean_ablate, zero_ablate};
use crate::show::{Interrupts, MimeBundle, Show, Table, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// The losses of one batch, nats per predicted token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchAblation {
    /// As the model is.
    pub loss: f64,
    /// With zeros in the activation's place.
    pub zero_abl: f64,
    /// With its mean over the batch's tokens in its place.
    pub mean_abl: f64,
}

/// The losses of a model with and without the activation at one hook point.
#[derive(Debug, Clone, PartialEq)]
pub struct AblatedLoss {
    pub hook_name: String,
    /// What the verdict calls it; the hook point unless [`AblatedLoss::named`] says otherwise.
    pub name: String,
    pub batches: Vec<BatchAblation>,
    /// Tokens read.
    pub n_tokens: usize,
    /// Losses to compare with: a name and nats per token.
    pub baselines: Vec<(String, f64)>,
}

/// Ablates the activation at a hook point on every sequence of a split, 16 sequences a batch.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # fn f(model: Transformer, data: Dataset) -> Result<()> {
/// let attention = ablated_loss(&model, "blocks.0.hook_attn_out", &data.val)?.named("attention");
/// println!("{}", attention.verdict());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of [`ablated_loss_with`].
pub fn ablated_loss(
    model: &Transformer,
    hook_name: &str,
    split: &TokenSplit,
) -> Result<AblatedLoss> {
    ablated_loss_with(model, hook_name, split, &SampleConfig::default())
}

/// [`ablated_loss`] on a sample of a split. An interrupt gives the batches done.
///
/// # Errors
/// An unknown hook point; a split without a whole sequence; [`Error::Interrupted`] before the first batch is done.
pub fn ablated_loss_with(
    model: &Transformer,
    hook_name: &str,
    split: &TokenSplit,
    sample: &SampleConfig,
) -> Result<AblatedLoss> {
    HookName::of_model(hook_name, model.cfg())?;
    let model = model.without_gradients();
    let mut source = Batches::new(split, model.cfg().n_ctx, sample.batch_size, sample.seed);
    let n_batches = match sample.n_batches {
        0 => source.batches_per_epoch(),
        n => n,
    };
    if n_batches == 0 {
        let reason = "the split has no whole sequence";
        return Err(Error::argument("n_batches", n_batches, reason));
    }
    let interrupts = Interrupts::listen();
    let (mut batches, mut n_tokens) = (Vec::new(), 0);
    while batches.len() < n_batches {
        if interrupts.heard() && !batches.is_empty() {
            break;
        }
        interrupts.check("the ablation")?;
        let tokens = source.next_batch(model.device())?; // [batch, pos]
        batches.push(BatchAblation {
            loss: model.loss_with_hooks(&tokens, &[])?,
            zero_abl: model.loss_with_hooks(&tokens, &[zero_ablate(hook_name)])?,
            mean_abl: model.loss_with_hooks(&tokens, &[mean_ablate(hook_name)])?,
        });
        n_tokens += tokens.elem_count();
    }
    Ok(AblatedLoss {
        hook_name: hook_name.to_owned(),
        name: hook_name.to_owned(),
        batches,
        n_tokens,
        baselines: Vec::new(),
    })
}

impl AblatedLoss {
    /// The same result under a name for the reader, such as `attention`.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// The same result with a loss more to compare with, nats per token, such as that of bigrams.
    pub fn with_baseline(mut self, name: &str, loss: f64) -> Self {
        self.baselines.push((name.to_owned(), loss));
        self
    }

    /// Mean loss of the model as it is, nats per predicted token; every batch counts the same.
    pub fn loss(&self) -> f64 {
        self.mean(|b| b.loss)
    }

    /// Mean loss with zeros in the activation's place.
    pub fn zero_abl(&self) -> f64 {
        self.mean(|b| b.zero_abl)
    }

    /// Mean loss with the activation's mean in its place.
    pub fn mean_abl(&self) -> f64 {
        self.mean(|b| b.mean_abl)
    }

    /// The smallest rise of the loss in any batch by either ablation; negative where an ablation helped, NaN where a
    /// loss is.
    pub fn least_rise(&self) -> f64 {
        let rises = self.batches.iter();
        let rises = rises.flat_map(|b| [b.zero_abl - b.loss, b.mean_abl - b.loss]);
        rises.fold(f64::INFINITY, |least, rise| {
            match least.is_nan() || rise >= least {
                true => least,
                // A NaN too, which is never read as a small rise.
                false => rise,
            }
        })
    }

    /// Whether both ablations raise the loss in every batch.
    pub fn contributes(&self) -> bool {
        self.least_rise() > 0.0
    }

    fn mean(&self, of: fn(&BatchAblation) -> f64) -> f64 {
        self.batches.iter().map(of).sum::<f64>() / self.batches.len() as f64
    }

    /// Whether the activation contributes and by how much, and for each baseline whether the model is below it with
    /// and without the activation, in words.
    pub fn verdict(&self) -> String {
        let name = &self.name;
        let mut words = match self.contributes() {
            true => {
                let what = "contributes, in every batch and against both ablations";
                format!("{} {what}", self.at_start())
            }
            false => format!("A contribution of {name} is not shown in every batch"),
        };
        let [loss, zero, mean] = [self.loss(), self.zero_abl(), self.mean_abl()];
        words.push_str(&format!(
            ": without it the loss is {:.3} nats a token higher (zeros) or {:.3} higher (mean), by \
             batch at least {:.3}.",
            zero - loss,
            mean - loss,
            self.least_rise()
        ));
        for (baseline, value) in &self.baselines {
            let position = match (loss < *value, zero.min(mean) < *value) {
                (true, false) => format!("Only with {name} is this model"),
                (true, true) => format!("With and without {name} this model is"),
                (false, _) => format!("Neither with nor without {name} is this model"),
            };
            words.push_str(&format!(" {position} below the {baseline} baseline."));
        }
        words
    }

    /// The name at the start of a sentence: a hook point keeps its case.
    fn at_start(&self) -> String {
        let mut letters = self.name.chars();
        match letters.next() {
            Some(first) if self.name != self.hook_name => {
                first.to_uppercase().chain(letters).collect()
            }
            _ => self.name.clone(),
        }
    }

    /// One row a batch: `batch`, `loss`, `zero_abl`, `mean_abl`, nats per token.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let of = |value: fn(&BatchAblation) -> f64| -> Vec<f64> {
            self.batches.iter().map(value).collect()
        };
        Ok(df![
            "batch" => (0..self.batches.len() as u32).collect::<Vec<u32>>(),
            "loss" => of(|b| b.loss),
            "zero_abl" => of(|b| b.zero_abl),
            "mean_abl" => of(|b| b.mean_abl),
        ]?)
    }

    /// What stands in the activation's place, the mean loss and its rise.
    fn rows(&self) -> Vec<(String, f64, f64)> {
        let losses = [
            ("as it is", self.loss()),
            ("zeros", self.zero_abl()),
            ("its mean", self.mean_abl()),
        ];
        let baselines = self.baselines.iter();
        losses
            .map(|(name, loss)| (name.to_owned(), loss))
            .into_iter()
            .chain(baselines.map(|(name, loss)| (format!("{name} baseline"), *loss)))
            .map(|(name, loss)| (name, loss, loss - self.loss()))
            .collect()
    }

    fn title(&self) -> String {
        format!(
            "Loss with other values at {}, nats a token; {} batches, {} tokens; least rise in a batch {:.3}",
            self.hook_name,
            self.batches.len(),
            self.n_tokens,
            self.least_rise()
        )
    }
}

impl fmt::Display for AblatedLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title())?;
        for (name, loss, rise) in self.rows() {
            write!(f, "\n{name}: {loss:.3} ({rise:+.3})")?;
        }
        Ok(())
    }
}

shows_itself!(AblatedLoss);

impl Show for AblatedLoss {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let rows = self.rows();
        let frame = df![
            "in its place" => rows.iter().map(|r| r.0.clone()).collect::<Vec<String>>(),
            "loss" => rows.iter().map(|r| r.1).collect::<Vec<f64>>(),
            "rise" => rows.iter().map(|r| r.2).collect::<Vec<f64>>(),
        ]?;
        Ok(Table::new(frame)
            .caption(self.title())
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransformerConfig;

    fn by_hand(batches: &[[f64; 3]]) -> AblatedLoss {
        AblatedLoss {
            hook_name: "blocks.0.hook_attn_out".to_owned(),
            name: "blocks.0.hook_attn_out".to_owned(),
            batches: batches
                .iter()
                .map(|&[loss, zero_abl, mean_abl]| BatchAblation {
                    loss,
                    zero_abl,
                    mean_abl,
                })
                .collect(),
            n_tokens: 64,
            baselines: Vec::new(),
        }
    }

    #[test]
    fn the_verdict_follows_from_every_batch() {
        let all = by_hand(&[[5.0, 6.0, 5.5], [5.2, 5.4, 5.8]]).named("attention");
        assert!((all.loss() - 5.1).abs() < 1e-12 && (all.least_rise() - 0.2).abs() < 1e-12);
        let verdict = all.with_baseline("bigram", 5.6).verdict();
        assert_eq!(
            verdict,
            "Attention contributes, in every batch and against both ablations: without it the loss is \
             0.600 nats a token higher (zeros) or 0.550 higher (mean), by batch at least 0.200. Only \
             with attention is this model below the bigram baseline."
        );
        let some = by_hand(&[[5.0, 6.0, 5.5], [5.2, 5.1, 5.8]]).with_baseline("bigram", 4.0);
        assert!(!some.contributes() && (some.least_rise() + 0.1).abs() < 1e-12);
        let verdict = some.verdict();
        assert!(verdict.starts_with("A contribution of blocks.0.hook_attn_out is not shown"));
        assert!(verdict.contains("Neither with nor without"), "{verdict}");
        assert!(!by_hand(&[[5.0, f64::NAN, 6.0], [5.0, 6.0, 6.0]]).contributes());
    }

    #[test]
    fn the_losses_are_those_of_the_model_run_with_hooks() {
        let cfg = TransformerConfig {
            d_model: 8,
            n_heads: 2,
            d_mlp: 12,
            n_ctx: 6,
            d_vocab: 10,
            init_std: 0.5,
            ..TransformerConfig::default()
        };
        let model = Transformer::new(&cfg).unwrap();
        let split = TokenSplit {
            tokens: (0..80).map(|i| (i * i) % 10).collect(),
            starts: vec![0],
            document_ids: vec![0],
            bos: 0,
            labels: None,
        };
        let sample = SampleConfig::new(3, 2, 5);
        let site = "blocks.0.hook_mlp_out";
        let found = ablated_loss_with(&model, site, &split, &sample).unwrap();
        assert_eq!((found.batches.len(), found.n_tokens), (3, 3 * 2 * 6));
        let mut batches = Batches::new(&split, 6, 2, 5);
        for batch in &found.batches {
            let tokens = batches.next_batch(model.device()).unwrap();
            let loss = model
                .loss_with_hooks(&tokens, &[zero_ablate(site)])
                .unwrap();
            assert_eq!(batch.zero_abl, loss);
            assert_ne!(batch.zero_abl, batch.loss);
        }
        assert_eq!(found.frame().unwrap().shape(), (3, 4));
        let shown = found.mime_bundle().unwrap();
        assert!(shown.get("text/html").unwrap().contains("its mean"));
        // As many batches as show every sequence.
        let whole = ablated_loss(&model, site, &split).unwrap();
        assert_eq!(
            whole.batches.len(),
            Batches::new(&split, 6, 16, 0).batches_per_epoch()
        );
        let unknown = ablated_loss(&model, "blocks.0.hook_mlp_ou", &split).unwrap_err();
        assert!(unknown.to_string().contains("hook_mlp_out"));
    }
}
