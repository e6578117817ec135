//! Transcoders that were trained explain more than random ones, and their graph's predictions hold
//! better in the model itself.

use super::super::testing::*;
use super::super::*;
use crate::model::{NamesFilter, Transformer};
use crate::sae::{Transcoder, TranscoderActivation};
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const D_SAE: usize = 48;
const STEPS: usize = 400;

/// What the MLP of a block reads and writes on random sequences, `[n, 8]` each.
fn data(model: &Transformer, layer: usize) -> [Tensor; 2] {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let ids: Vec<u32> = (0..64 * 8).map(|_| rng.random_range(0..11)).collect();
    let tokens = Tensor::from_vec(ids, (64, 8), &Device::Cpu).unwrap();
    let (_, cache) = model
        .run_with_cache(&tokens, &NamesFilter::All, None)
        .unwrap();
    ["ln2.hook_normalized", "hook_mlp_out"].map(|point| {
        let x = cache.get(&format!("blocks.{layer}.{point}")).unwrap();
        x.flatten_to(1).unwrap()
    })
}

/// A transcoder of ReLU, trained on mean square error and an L1 term.
fn trained(model: &Transformer, layer: usize) -> Transcoder {
    let [x, y] = data(model, layer);
    let rng = &mut ChaCha8Rng::seed_from_u64(2 + layer as u64);
    let var = |t: Tensor| Var::from_tensor(&t).unwrap();
    let zeros = |n: usize| Tensor::zeros(n, DType::F32, &Device::Cpu).unwrap();
    let w_enc = var(normal(&[8, D_SAE], 0.3, rng));
    let w_dec = var(normal(&[D_SAE, 8], 0.2, rng));
    let (b_enc, b_dec) = (var(zeros(D_SAE)), var(y.mean(0).unwrap()));
    let vars = vec![w_enc.clone(), b_enc.clone(), w_dec.clone(), b_dec.clone()];
    let settings = ParamsAdamW {
        lr: 2e-2,
        weight_decay: 0.0,
        ..ParamsAdamW::default()
    };
    let mut adam = AdamW::new(vars, settings).unwrap();
    for _ in 0..STEPS {
        let pre = x.matmul(&w_enc).unwrap().broadcast_add(&b_enc).unwrap();
        let acts = pre.relu().unwrap();
        let y_hat = acts.matmul(&w_dec).unwrap().broadcast_add(&b_dec).unwrap();
        let norms = w_dec.sqr().unwrap().sum(1).unwrap().sqrt().unwrap();
        let l1 = acts
            .broadcast_mul(&norms)
            .unwrap()
            .sum(1)
            .unwrap()
            .mean_all()
            .unwrap();
        let error = (y_hat - &y).unwrap().sqr().unwrap().sum(1).unwrap();
        let loss = (error.mean_all().unwrap() + (l1 * 0.02).unwrap()).unwrap();
        adam.backward_step(&loss).unwrap();
    }
    let [w_enc, b_enc, w_dec, b_dec] = [w_enc, b_enc, w_dec, b_dec].map(|v| v.as_detached_tensor());
    Transcoder::new(
        layer,
        w_enc,
        b_enc,
        w_dec,
        b_dec,
        TranscoderActivation::Relu,
    )
    .unwrap()
}

#[test]
fn a_trained_replacement_explains_more_and_predicts_better() {
    let model = random_model(&small_config(2));
    let transcoders: Vec<Transcoder> = (0..2).map(|layer| trained(&model, layer)).collect();
    let of = |transcoders: &[Transcoder]| {
        let config = AttributionConfig::default();
        attribution_graph(&model, transcoders, &sequence(&IDS), &config).unwrap()
    };
    let (good, bad) = (of(&transcoders), of(&random_transcoders(2)));
    println!("trained: {good}\nrandom: {bad}");
    assert!(good.scores.replacement_score > bad.scores.replacement_score + 0.2);
    assert!(good.scores.completeness > bad.scores.completeness);
    let [good, bad] = [good, bad].map(|graph| graph.check_interventions(20).unwrap());
    println!("trained: {good}\nrandom: {bad}");
    let (good, bad) = (good.logits.unwrap(), bad.logits.unwrap());
    assert!(good.low > 0.3 && good.value > bad.value, "{good}; {bad}");
}
