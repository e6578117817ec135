//! Activations sequence by sequence, positions in order.

use crate::config::SaeConfig;
use crate::data::{Batches, Dataset};
use crate::error::{Error, Result};
use crate::model::{HookName, NamesFilter, Transformer};
use candle_core::DType;

/// The source of sequences of activations.
pub(in crate::sae::training) struct Sequences {
    model: Transformer,
    batches: Batches,
    hook: HookName,
    stop_at_layer: Option<usize>,
    skip_bos: bool,
    d_in: usize,
}

impl Sequences {
    /// Batches of as many sequences as have about `cfg.batch_size` tokens, at least one.
    pub(in crate::sae::training) fn new(
        model: &Transformer,
        data: &Dataset,
        cfg: &SaeConfig,
    ) -> Result<Self> {
        let hook = HookName::of_model(&cfg.hook_name, model.cfg())?;
        let n_ctx = model.cfg().n_ctx;
        let n = (cfg.batch_size / positions(model, cfg)?).max(1);
        Ok(Self {
            model: model.without_gradients(),
            batches: Batches::new(&data.train, n_ctx, n, cfg.seed),
            hook,
            stop_at_layer: match hook {
                HookName::Embed | HookName::PosEmbed => Some(0),
                HookName::Block { layer, .. } => Some(layer + 1),
                _ => None,
            },
            skip_bos: cfg.skip_bos,
            d_in: cfg.d_in,
        })
    }

    /// Seeks to the position after `batches` batches.
    pub(in crate::sae::training) fn seek(&mut self, batches: usize) {
        self.batches.seek(batches);
    }

    /// The next batch, `[sequences * pos, d_in]`, sequence by sequence, row-major.
    ///
    /// # Errors
    /// [`Error::Shape`] when the activations are not `d_in` wide; [`Error::Argument`] when the split is too short;
    /// [`Error::NotFiniteAt`] for an activation that is NaN or infinite.
    pub(in crate::sae::training) fn next(&mut self) -> Result<Vec<f32>> {
        let tokens = self.batches.next_batch(self.model.device())?; // [sequences, n_ctx]
        let filter = NamesFilter::Names(vec![self.hook]);
        let (_, cache) =
            self.model
                .run_with_cache_filtered(&tokens, &filter, self.stop_at_layer)?;
        let acts = cache.at(self.hook)?; // [sequences, n_ctx, ..]
        let (n, n_ctx) = tokens.dims2()?;
        if acts.elem_count() != n * n_ctx * self.d_in || self.hook.is_attention_square() {
            let name = format!("{} (SaeConfig.d_in)", self.hook);
            let expected = format!("[{n}, {n_ctx}, {}]", self.d_in);
            return Err(Error::shape(name, expected, acts.dims()));
        }
        self.model.check_activation(&tokens, self.hook, &acts)?;
        let acts = acts.reshape((n, n_ctx, self.d_in))?.to_dtype(DType::F32)?;
        let acts = match self.skip_bos {
            true => acts.narrow(1, 1, n_ctx - 1)?,
            false => acts,
        };
        Ok(acts.flatten_all()?.to_vec1()?)
    }
}

/// Number of positions read per sequence.
///
/// # Errors
/// [`Error::Argument`] if the first is left out and there is no other.
pub(super) fn positions(model: &Transformer, cfg: &SaeConfig) -> Result<usize> {
    match model.cfg().n_ctx - usize::from(cfg.skip_bos) {
        0 => {
            let reason = "the model's n_ctx is 1: without the first position nothing is left";
            Err(Error::argument("skip_bos", true, reason))
        }
        n => Ok(n),
    }
}
