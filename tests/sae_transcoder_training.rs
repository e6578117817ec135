//! Training of transcoders, crosscoders and cross-layer transcoders on a small model: they learn, repeat, stop,
//! and their scales are folded away.

use candle_core::Tensor;
use holoscope::config::{Architecture, L0Loss, TranscoderConfig, TransformerConfig};
use holoscope::data::Dataset;
use holoscope::error::Error;
use holoscope::interp::{AttributionConfig, attribution_graph, replacement_scores};
use holoscope::model::{NamesFilter, Transformer};
use holoscope::progress::{Reporter, Silent, Tick};
use holoscope::sae::{
    Transcoder, TranscoderActivation, train_cross_layer_transcoder_with, train_crosscoder_with,
    train_transcoder_with, train_transcoders_with,
};

#[path = "common/small_model.rs"]
mod small_model;

const SITES: [&str; 2] = ["blocks.0.hook_resid_post", "blocks.1.mlp.hook_post"];

fn setting() -> (Transformer, Dataset, TranscoderConfig) {
    let (model, data) = small_model::small_model();
    let model = Transformer::new(&TransformerConfig {
        n_layers: 2,
        ..model.cfg().clone()
    })
    .unwrap();
    let cfg = TranscoderConfig {
        d_sae: 96,
        architecture: Architecture::TopK { k: 8 },
        steps: 300,
        batch_size: 256,
        buffer_tokens: 2_048,
        lr: 5e-3,
        sparsity_warmup_steps: 20,
        warmup_steps: 20,
        resample_every: 50,
        dead_steps: 20,
        ..TranscoderConfig::default()
    };
    (model, data, cfg)
}

/// Activations at hook points on sixteen sequences, `[16 * 32, width]` each.
fn activations(model: &Transformer, data: &Dataset, names: &[&str]) -> Vec<Tensor> {
    let tokens = data.train.sequences(16, 32, model.device()).unwrap();
    let filter = NamesFilter::names(names).unwrap();
    let (_, cache) = model
        .run_with_cache_filtered(&tokens, &filter, None)
        .unwrap();
    let at = |name: &&str| cache.get(name).unwrap().flatten_to(1).unwrap();
    names.iter().map(at).collect()
}

/// `sum |y_hat - y|^2 / sum |y - mean|^2`, and the mean squared error of a token.
fn unexplained(y: &Tensor, y_hat: &Tensor) -> (f64, f64) {
    let sum = |t: Tensor| {
        f64::from(
            t.sqr()
                .unwrap()
                .sum_all()
                .unwrap()
                .to_scalar::<f32>()
                .unwrap(),
        )
    };
    let error = sum((y - y_hat).unwrap());
    let centred = y.broadcast_sub(&y.mean_keepdim(0).unwrap()).unwrap();
    (error / sum(centred), error / y.dims()[0] as f64)
}

fn bits(transcoder: &Transcoder) -> Vec<u32> {
    let t = transcoder;
    let mut all = Vec::new();
    for parameter in [&t.w_enc, &t.b_enc, &t.w_dec, &t.b_dec]
        .into_iter()
        .chain(&t.w_skip)
    {
        let values = parameter.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        all.extend(values.into_iter().map(f32::to_bits));
    }
    all
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
fn every_architecture_learns_with_and_without_a_skip_and_the_scales_fold_away() {
    let (model, data, cfg) = setting();
    let names = ["blocks.1.ln2.hook_normalized", "blocks.1.hook_mlp_out"];
    let xy = activations(&model, &data, &names);
    let jump = |l0_loss| Architecture::JumpReLU {
        l0_coeff: 0.02,
        bandwidth: 0.1,
        init_threshold: 0.05,
        l0_loss,
    };
    for (architecture, skip) in [
        (Architecture::Standard { l1_coeff: 0.02 }, false),
        (Architecture::Standard { l1_coeff: 0.02 }, true),
        (jump(L0Loss::Step), false),
        (jump(L0Loss::Tanh { scale: 4.0 }), true),
        (Architecture::TopK { k: 8 }, true),
        (Architecture::BatchTopK { k: 8.0 }, false),
    ] {
        let name = format!("{} skip {skip}", architecture.name());
        let cfg = TranscoderConfig {
            architecture,
            skip,
            ..cfg.clone()
        };
        let (transcoder, history) =
            train_transcoder_with(&model, &data, 1, &cfg, &mut Silent).unwrap();
        assert_eq!((history.steps, history.tokens), (300, 300 * 256));
        assert_eq!(
            [&transcoder.hook_name[..], &transcoder.hook_name_out],
            names
        );
        assert_eq!(transcoder.w_skip.is_some(), skip);
        let (fvu, l2) = unexplained(&xy[1], &transcoder.reconstruct(&xy[0]).unwrap());
        let said = history.l2.last().unwrap().1;
        println!("{name}: {}, FVU {fvu:.3}", history.summary());
        assert!(fvu < 0.3, "{name}: FVU {fvu}");
        // What the history says in the model's units (BatchTopK's one threshold keeps another number).
        assert!(
            l2 < 2.0 * said && l2 > 0.5 * said,
            "{name}: l2 {l2}, said {said}"
        );
        let norms = transcoder.w_dec.sqr().unwrap().sum(1).unwrap();
        let norms = norms.to_vec1::<f32>().unwrap();
        assert!(norms.iter().all(|n| (n - 1.0).abs() < 1e-4), "{name}");
        let sparse = transcoder.encode_sparse(&xy[0]).unwrap();
        let l0 = sparse.n_active() as f64 / sparse.n_rows() as f64;
        assert!(l0 > 0.5 && l0 < 48.0, "{name}: L0 {l0}");
    }
}

#[test]
fn transcoders_of_all_blocks_are_those_trained_alone_and_make_a_graph() {
    let (model, data, cfg) = setting();
    let (all, histories) = train_transcoders_with(&model, &data, &cfg, &mut Silent).unwrap();
    assert_eq!((all.len(), histories.len()), (2, 2));
    let (alone, _) = train_transcoder_with(&model, &data, 1, &cfg, &mut Silent).unwrap();
    assert!(bits(&alone) == bits(&all[1]));
    let other = TranscoderConfig { seed: 5, ..cfg };
    let (other, _) = train_transcoder_with(&model, &data, 1, &other, &mut Silent).unwrap();
    assert!(bits(&other) != bits(&all[1]));

    let scores = replacement_scores(&model, &all, &data.val, 1, 8, 3).unwrap();
    println!("{scores}");
    // Nothing is trained, so that zeros may do better than the MLP: not the score, but the loss is that of
    // the model.
    for score in &scores.scores {
        let apart = (score.replaced - scores.loss).abs();
        assert!(score.fvu < 0.2 && apart < 0.06, "{scores}");
    }
    assert!((scores.scores[0].l0 - 8.0).abs() < 0.5);

    let tokens = data.val.sequences(1, 10, model.device()).unwrap();
    let config = AttributionConfig::default();
    let graph = attribution_graph(&model, &all, &tokens, &config).unwrap();
    assert!(graph.n_features() > 20 && graph.scores.completeness > 0.0);
    let none = attribution_graph(&model, &[], &tokens, &config).unwrap();
    assert!(graph.scores.replacement_score > none.scores.replacement_score);
}

#[test]
fn a_crosscoder_reconstructs_every_site() {
    let (model, data, cfg) = setting();
    let x = activations(&model, &data, &SITES);
    for architecture in [
        Architecture::Standard { l1_coeff: 0.05 },
        Architecture::BatchTopK { k: 12.0 },
    ] {
        let name = architecture.name();
        let cfg = TranscoderConfig {
            architecture,
            ..cfg.clone()
        };
        let (crosscoder, history) =
            train_crosscoder_with(&model, &data, &SITES, &cfg, &mut Silent).unwrap();
        assert_eq!(crosscoder.d_sites(), [16, 32]);
        assert_eq!(crosscoder.hook_names, SITES);
        println!("{name}: {}", history.summary());
        for (x, x_hat) in x.iter().zip(crosscoder.reconstruct(&x).unwrap()) {
            let (fvu, _) = unexplained(x, &x_hat);
            println!("FVU {fvu:.3}");
            assert!(fvu < 0.35, "{name}: {fvu}");
        }
    }
    let refused = |cfg: TranscoderConfig, sites: &[&str]| {
        let outcome = train_crosscoder_with(&model, &data, sites, &cfg, &mut Silent);
        outcome.unwrap_err().to_string()
    };
    assert!(refused(cfg.clone(), &[]).contains("hook_names"));
    assert!(refused(cfg.clone(), &[SITES[0], SITES[0]]).contains("twice"));
    assert!(refused(cfg.clone(), &["blocks.5.hook_resid_post"]).contains("blocks.5"));
    assert!(refused(cfg.clone(), &["blocks.0.attn.hook_pattern"]).contains("pairs of tokens"));
    let skip = TranscoderConfig {
        skip: true,
        ..cfg.clone()
    };
    assert!(refused(skip, &SITES).contains("skip"));
    let elsewhere = TranscoderConfig {
        hook_name: "hook_embed".to_owned(),
        ..cfg
    };
    assert!(refused(elsewhere, &SITES).contains("hook_name"));
}

#[test]
fn a_cross_layer_transcoder_stands_in_for_all_mlps() {
    let (model, data, cfg) = setting();
    let (clt, history) =
        train_cross_layer_transcoder_with(&model, &data, &cfg, &mut Silent).unwrap();
    println!("{}", history.summary());
    assert_eq!((clt.n_layers(), clt.d_sae()), (2, vec![96, 96]));
    assert_eq!(clt.w_dec[0].dims(), [96, 2, 16]);
    assert!(matches!(
        clt.activations[1],
        TranscoderActivation::TopK { k: 8 }
    ));
    let scores = replacement_scores(&model, &clt, &data.val, 1, 8, 3).unwrap();
    println!("{scores}");
    // Nothing is trained, so that zeros may do better than the MLP: not the score, but the loss is that of
    // the model.
    for score in &scores.scores {
        let apart = (score.replaced - scores.loss).abs();
        assert!(score.fvu < 0.2 && apart < 0.06, "{scores}");
    }
    // What the history says of scaled outputs is what is left of the model's.
    let explained = history.explained_variance.last().unwrap().1;
    assert!((1.0 - explained - scores.all().unwrap().fvu).abs() < 0.1);
    let skip = TranscoderConfig { skip: true, ..cfg };
    let refused = train_cross_layer_transcoder_with(&model, &data, &skip, &mut Silent);
    assert!(matches!(refused, Err(Error::Config { field: "skip", .. })));
}

#[test]
fn an_interruption_returns_what_was_learnt_and_bad_settings_are_named() {
    let (model, data, cfg) = setting();
    let mut reporter = StopAfter { ticks: 0, after: 3 };
    let (all, histories) = train_transcoders_with(&model, &data, &cfg, &mut reporter).unwrap();
    assert!(histories.iter().all(|h| h.interrupted && h.steps == 30));
    assert_eq!(all[0].d_sae(), 96);
    let mut at_once = StopAfter { ticks: 0, after: 0 };
    let outcome = train_crosscoder_with(&model, &data, &SITES, &cfg, &mut at_once);
    assert!(matches!(outcome, Err(Error::Interrupted { .. })));
    let outcome = train_transcoder_with(&model, &data, 2, &cfg, &mut Silent);
    assert!(outcome.unwrap_err().to_string().contains("2 blocks"));
    let gated = TranscoderConfig {
        architecture: Architecture::Gated { l1_coeff: 1.0 },
        ..cfg.clone()
    };
    let outcome = train_transcoder_with(&model, &data, 0, &gated, &mut Silent);
    assert!(matches!(
        outcome,
        Err(Error::Config {
            field: "architecture",
            ..
        })
    ));
    let nowhere = TranscoderConfig {
        hook_name: "blocks.{layer}.hook_nothing".to_owned(),
        ..cfg
    };
    let outcome = train_transcoder_with(&model, &data, 0, &nowhere, &mut Silent);
    assert!(matches!(outcome, Err(Error::UnknownHook { .. })));
}

/// A model with a NaN among its weights is named before anything is learnt.
#[test]
fn activations_that_are_not_finite_are_named() {
    let (model, data, cfg) = setting();
    for (name, var) in model.named_parameters() {
        if name == "blocks.1.mlp.b_out" {
            var.set(&(var.as_tensor() * f64::NAN).unwrap()).unwrap();
        }
    }
    let outcome = train_transcoders_with(&model, &data, &cfg, &mut Silent);
    assert!(
        matches!(outcome, Err(Error::NotFiniteAt { .. })),
        "{outcome:?}"
    );
}
