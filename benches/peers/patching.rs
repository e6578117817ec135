//! Activation patching of layers by positions: the peer of `mechanisms.py patching`.

use crate::{Args, Result, measure};
use holoscope::candle::{Device, Tensor};
use holoscope::config::TransformerConfig;
use holoscope::interp::{PatchMetric, PatchSite, activation_patching};
use holoscope::model::Transformer;

const N_POS: usize = 32;
/// `get_act_patch_block_every` of TransformerLens has these three.
const SITES: [PatchSite; 3] = [PatchSite::ResidPre, PatchSite::AttnOut, PatchSite::MlpOut];

/// Patches a second. The sequences differ from the second token on, and the metric reads the last position,
/// so that all but the patches of the first position must be run.
pub fn patching(args: &Args) -> Result<()> {
    let cfg = TransformerConfig {
        n_layers: 4,
        d_model: 256,
        n_heads: 8,
        d_mlp: 1_024,
        n_ctx: N_POS,
        d_vocab: 5_000,
        ..TransformerConfig::default()
    };
    let model = Transformer::new(&cfg)?.without_gradients();
    let clean: Vec<u32> = (0..N_POS as u32).map(|i| 1 + i * 37 % 4_999).collect();
    let mut corrupted = clean.clone();
    corrupted[1] = 4_321;
    let [clean, corrupted] =
        [clean, corrupted].map(|t| Tensor::from_vec(t, (1, N_POS), &Device::Cpu));
    let (clean, corrupted) = (clean?, corrupted?);
    let metric = PatchMetric::logit_difference(N_POS - 1, 17, 23);
    let n = cfg.n_layers * N_POS * SITES.len();
    measure(args, n, ", \"unit\": \"patches\"", || {
        let found = activation_patching(&model, &clean, &corrupted, &metric, &SITES)?;
        assert_eq!(found.patches.len(), n);
        Ok(())
    })
}
