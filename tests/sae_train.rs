//! Training of an autoencoder on a small model: it learns, repeats, stops and starts again.

use candle_core::DType;
use holoscope::config::{Architecture, Precision, SaeConfig, SampleConfig, TransformerConfig};
use holoscope::data::Dataset;
use holoscope::interp::reconstruction_score_with;
use holoscope::model::{NamesFilter, Transformer};
use holoscope::progress::{Reporter, Silent, Tick};
use holoscope::sae::{ActivationBuffer, SparseAutoencoder, train_sae_with};

#[path = "common/small_model.rs"]
mod small_model;
use small_model::small_model;

fn setting() -> (Transformer, Dataset, SaeConfig) {
    let (model, data) = small_model();
    let cfg = SaeConfig {
        d_in: 32,
        d_sae: 128,
        steps: 300,
        batch_size: 256,
        buffer_tokens: 2_048,
        lr: 5e-3,
        architecture: Architecture::Standard { l1_coeff: 0.02 },
        sparsity_warmup_steps: 20,
        resample_every: 50,
        dead_steps: 20,
        ..SaeConfig::default()
    };
    (model, data, cfg)
}

/// Stops a loop once it has ticked `after` times.
struct StopAfter {
    ticks: usize,
    after: usize,
}

impl Reporter for StopAfter {
    fn tick(&mut self, _: &Tick) {
        self.ticks += 1;
    }
    fn finish(&mut self, _: &Tick) {}
    fn interrupted(&self) -> bool {
        self.ticks >= self.after
    }
}

#[test]
fn training_explains_variance_and_the_scale_is_folded_away() {
    let (model, data, cfg) = setting();
    let (sae, history) = train_sae_with(&model, &data, &cfg, &mut Silent).unwrap();
    assert_eq!((history.steps, history.tokens), (300, 300 * 256));
    let explained = history.explained_variance.last().unwrap().1;
    assert!(explained > 0.8, "explained variance {explained}");
    assert_eq!(sae.hook_name(), Some("blocks.0.mlp.hook_post"));

    // On unscaled activations of the model the result does what the history says.
    let tokens = data.train.sequences(16, 32, model.device()).unwrap();
    let filter = NamesFilter::only(&cfg.hook_name).unwrap();
    let (_, cache) = model
        .run_with_cache_filtered(&tokens, &filter, Some(1))
        .unwrap();
    let x = cache.get(&cfg.hook_name).unwrap();
    let error = (sae.reconstruct(&x).unwrap() - &x).unwrap().sqr().unwrap();
    let l2 = error.sum_all().unwrap().to_scalar::<f32>().unwrap() / (16.0 * 32.0);
    let said = history.l2.last().unwrap().1 as f32;
    assert!(
        l2 < 2.0 * said && l2 > 0.5 * said,
        "l2 {l2}, the history says {said}"
    );
    let norms = sae
        .w_dec()
        .sqr()
        .unwrap()
        .sum(1)
        .unwrap()
        .to_vec1::<f32>()
        .unwrap();
    assert!(norms.iter().all(|n| (n - 1.0).abs() < 1e-4));
}

/// Autoencoders are f32: what a model in half precision gives them is widened, not refused.
#[test]
fn a_model_in_half_precision_has_features_too() {
    let (full, data, cfg) = setting();
    let model = Transformer::new(&TransformerConfig {
        dtype: Precision::Bf16,
        ..full.cfg().clone()
    })
    .unwrap();
    for (name, var) in model.named_parameters() {
        let value = full.parameter(&name).unwrap();
        var.set(&value.to_dtype(DType::BF16).unwrap()).unwrap();
    }
    let (sae, history) = train_sae_with(&model, &data, &cfg, &mut Silent).unwrap();
    let explained = history.explained_variance.last().unwrap().1;
    assert!(explained > 0.8, "explained variance {explained}");

    let tokens = data.train.sequences(4, 32, model.device()).unwrap();
    let filter = NamesFilter::only(&cfg.hook_name).unwrap();
    let (_, cache) = model
        .run_with_cache_filtered(&tokens, &filter, Some(1))
        .unwrap();
    let half = cache.get(&cfg.hook_name).unwrap();
    assert_eq!(half.dtype(), DType::BF16);
    let wide = half.to_dtype(DType::F32).unwrap();
    assert_eq!(
        sae.encode_sparse(&half).unwrap(),
        sae.encode_sparse(&wide).unwrap()
    );
    assert_eq!(sae.activity(&half).unwrap(), sae.activity(&wide).unwrap());
    let values = |x| {
        let y = sae.reconstruct(x).unwrap().flatten_all().unwrap();
        y.to_vec1::<f32>().unwrap()
    };
    assert_eq!(values(&half), values(&wide));
    let hook = &cfg.hook_name;
    // Losses of a few nats, of logits that are rounded to one part in 256 a few times over.
    let score = |model| {
        reconstruction_score_with(model, &sae, hook, &data.train, &SampleConfig::new(2, 8, 0))
            .unwrap()
    };
    let (found, wanted) = (score(&model), score(&full));
    for (found, wanted) in [
        (found.loss, wanted.loss),
        (found.recons, wanted.recons),
        (found.zero_abl, wanted.zero_abl),
    ] {
        assert!((found - wanted).abs() < wanted / 100.0, "{found}, {wanted}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_does_not() {
    let (model, data, cfg) = setting();
    let weights = |seed| {
        let cfg = SaeConfig {
            seed,
            steps: 60,
            ..cfg.clone()
        };
        let (sae, _) = train_sae_with(&model, &data, &cfg, &mut Silent).unwrap();
        [sae.w_enc(), sae.w_dec(), sae.b_enc(), sae.b_dec()]
            .map(|p| p.flatten_all().unwrap().to_vec1::<f32>().unwrap())
    };
    assert!(weights(1) == weights(1));
    assert!(weights(1) != weights(2));
}

#[test]
fn an_interruption_returns_what_was_learnt() {
    let (model, data, cfg) = setting();
    let mut reporter = StopAfter { ticks: 0, after: 3 };
    let (sae, history) = train_sae_with(&model, &data, &cfg, &mut reporter).unwrap();
    assert!(history.interrupted);
    assert_eq!(history.steps, 3 * cfg.log_every);
    assert_eq!(sae.d_sae(), 128);
}

#[test]
fn batches_are_activations_of_the_model_and_each_is_given_out_once() {
    let (model, data, cfg) = setting();
    let cfg = SaeConfig {
        skip_bos: true,
        ..cfg
    };
    let mut buffer = ActivationBuffer::new(&model, &data, &cfg).unwrap();
    let pool: Vec<Vec<u32>> = buffer.rows().chunks_exact(32).map(bits).collect();
    let mut batch = Vec::new();
    let mut given = Vec::new();
    for _ in 0..4 {
        buffer.next_batch(256, &mut batch).unwrap();
        given.extend(batch.chunks_exact(32).map(bits));
    }
    // Equal tokens at equal places give equal rows, so the comparison is of counts.
    let count = |rows: &[Vec<u32>], row: &Vec<u32>| rows.iter().filter(|r| *r == row).count();
    for row in &given {
        let (given, held) = (count(&given, row), count(&pool, row));
        assert!(
            held > 0 && given <= held,
            "a row given {given} times, held {held} times"
        );
    }
    buffer.next_batch(1_024, &mut batch).unwrap();
    assert_eq!(buffer.remaining(), 1_024);
    buffer.next_batch(1, &mut batch).unwrap();
    assert_eq!(buffer.remaining(), 2_047);
}

fn bits(row: &[f32]) -> Vec<u32> {
    row.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn a_wrong_width_and_a_wrong_hook_are_named() {
    let (model, data, cfg) = setting();
    let wide = SaeConfig {
        d_in: 33,
        ..cfg.clone()
    };
    let message = train_sae_with(&model, &data, &wide, &mut Silent)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("blocks.0.mlp.hook_post") && message.contains("33"),
        "{message}"
    );
    let lost = SaeConfig {
        hook_name: "blocks.1.mlp.hook_post".to_owned(),
        ..cfg
    };
    let message = train_sae_with(&model, &data, &lost, &mut Silent)
        .unwrap_err()
        .to_string();
    assert!(message.contains("blocks.0.mlp.hook_post"), "{message}");
}

#[test]
fn training_finds_the_features_that_made_the_data() {
    // Sparse combinations of known directions: each should be some decoder row. Tested on the
    // step itself, where no model stands between the truth and the activations.
    use holoscope::sae::{StandardParams, StandardStep};
    use rand::{Rng, SeedableRng};
    use rand_distr::{Distribution, StandardNormal};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let unit_rows = |n: usize, rng: &mut rand_chacha::ChaCha8Rng| -> Vec<f32> {
        let mut rows: Vec<f32> = StandardNormal.sample_iter(rng).take(n * 32).collect();
        for row in rows.chunks_exact_mut(32) {
            let norm = row.iter().map(|w| w * w).sum::<f32>().sqrt();
            row.iter_mut().for_each(|w| *w /= norm);
        }
        rows
    };
    let truth = unit_rows(48, &mut rng);
    let w_dec = unit_rows(192, &mut rng);
    let mut step = StandardStep::new(
        StandardParams {
            d_in: 32,
            d_sae: 192,
            w_enc_t: w_dec.clone(),
            w_dec,
            b_enc: vec![0.0; 192],
            b_dec: vec![0.0; 32],
        },
        0.9,
        0.99,
    )
    .unwrap();
    for _ in 0..1_500 {
        let mut x = vec![0f32; 256 * 32];
        for row in x.chunks_exact_mut(32) {
            for feature in truth.chunks_exact(32) {
                if rng.random_bool(0.05) {
                    let a: f32 = rng.random_range(1.0..4.0);
                    row.iter_mut().zip(feature).for_each(|(r, f)| *r += a * f);
                }
            }
        }
        step.step(&x, 3e-3, 0.3).unwrap();
    }
    let found = truth
        .chunks_exact(32)
        .filter(|f| {
            let cosine = |row: &[f32]| row.iter().zip(*f).map(|(a, b)| a * b).sum::<f32>();
            step.params()
                .w_dec
                .chunks_exact(32)
                .map(cosine)
                .fold(0.0, f32::max)
                > 0.9
        })
        .count();
    assert!(found >= 43, "{found} of 48 directions found");
}
