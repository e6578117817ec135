mod controls;

use super::*;
use crate::config::{SampleConfig, TransformerConfig};
use crate::data::TokenSplit;
use crate::error::Error;
use crate::interp::dictionaries::{random_dictionary, reconstruction_score_with};
use crate::model::{Hook, Transformer};
use crate::progress::Silent;
use crate::sae::{SparseAutoencoder, StandardSae};
use crate::show::Show;
use candle_core::{DType, Device, Tensor};

const HOOK: &str = "blocks.0.mlp.hook_post";
const N_CTX: usize = 16;

fn model() -> Transformer {
    Transformer::new(&TransformerConfig {
        d_vocab: 50,
        d_model: 8,
        n_heads: 2,
        d_mlp: 12,
        n_ctx: N_CTX,
        init_std: 0.6,
        ..Default::default()
    })
    .unwrap()
}

fn split_of(tokens: Vec<u32>) -> TokenSplit {
    TokenSplit {
        tokens,
        starts: vec![0],
        document_ids: vec![0],
        bos: 0,
        labels: None,
    }
}

/// 48 sequences.
fn split() -> TokenSplit {
    split_of((0..720u32).map(|i| (i * i + i / 40 * 7) % 50).collect())
}

fn cfg() -> MeasureConfig {
    MeasureConfig {
        n_resamples: 200,
        batch_size: 4,
        ..MeasureConfig::at(HOOK)
    }
}

fn measured(sae: &dyn SparseAutoencoder, cfg: &MeasureConfig) -> Measurement {
    measure_with(&model(), sae, &split(), cfg, &mut Silent).unwrap()
}

fn zeros(n: usize) -> Tensor {
    Tensor::zeros(n, DType::F32, &Device::Cpu).unwrap()
}

/// `relu(x)` and `relu(-x)`, decoded to their difference: a perfect copy.
fn copying(d: usize) -> StandardSae {
    let one = Tensor::eye(d, DType::F32, &Device::Cpu).unwrap();
    let both = Tensor::cat(&[&one, &one.neg().unwrap()], 1).unwrap();
    let back = both.t().unwrap().contiguous().unwrap();
    StandardSae::new(both, zeros(2 * d), back, zeros(d)).unwrap()
}

/// [`copying`] with another encoder bias.
fn with_bias(bias: Vec<f32>) -> StandardSae {
    let sae = copying(12);
    let bias = Tensor::from_vec(bias, 24, &Device::Cpu).unwrap();
    StandardSae::new(sae.w_enc, bias, sae.w_dec, sae.b_dec).unwrap()
}

#[test]
fn values_agree_with_the_reconstruction_score() {
    let (model, split) = (model(), split());
    let sae = random_dictionary(&model, HOOK, &split, (12, 30), 4.0, 1).unwrap();
    let found = measured(&sae, &cfg());
    let score = reconstruction_score_with(&model, &sae, HOOK, &split, &SampleConfig::new(0, 48, 0))
        .unwrap();
    assert_eq!((found.n_sequences, found.n_tokens), (48, score.n_tokens));
    let expected = [
        ("l0", score.l0),
        ("explained_variance", score.explained_variance),
        ("ce_loss", score.loss),
        ("ce_loss_with_sae", score.recons),
        ("ce_loss_with_zero_ablation", score.zero_abl),
        // One batch: its mean is the mean of all.
        ("ce_loss_with_mean_ablation", score.mean_abl),
        ("ce_recovered_zero", score.score),
        ("ce_recovered_mean", score.score_against_mean()),
    ];
    for (metric, value) in expected {
        let row = found.get(metric).unwrap();
        assert!(
            (row.value - value).abs() < 2e-4,
            "{metric}: {row:?}, {value}"
        );
        let (low, high) = (row.low.unwrap(), row.high.unwrap());
        assert!(low < row.value && row.value < high, "{row:?}");
    }
    assert!((found.frequencies.l0 - score.l0).abs() < 1e-9);
}

#[test]
fn a_perfect_copy_explains_and_recovers_everything() {
    let found = measured(&copying(12), &cfg());
    for (metric, value) in [
        ("explained_variance", 1.0),
        ("cossim", 1.0),
        ("l2_ratio", 1.0),
        ("relative_reconstruction_bias", 1.0),
        ("mse", 0.0),
        ("fvu", 0.0),
        ("ce_recovered_zero", 1.0),
        ("ce_recovered_resample", 1.0),
        ("kl_with_sae", 0.0),
        ("kl_recovered_mean", 1.0),
        // Each direction has an exact opposite and else nothing but right angles.
        ("mean_max_decoder_cosine", 0.0),
        ("l0", 12.0),
    ] {
        let found = found.value(metric).unwrap();
        assert!((found - value).abs() < 1e-5, "{metric}: {found}");
    }
    assert!(found.value("kl_with_resample_ablation").unwrap() > 0.0);
}

#[test]
fn an_autoencoder_that_is_all_dead_is_zero_ablation() {
    let found = measured(&with_bias(vec![-1e9; 24]), &cfg());
    for (metric, value) in [
        ("l0", 0.0),
        ("dead_share", 1.0),
        ("freq_over_1_percent", 0.0),
        ("ce_recovered_zero", 0.0),
        ("kl_recovered_zero", 0.0),
        ("cossim", 0.0),
    ] {
        let found = found.value(metric).unwrap();
        assert!((found - value).abs() < 1e-12, "{metric}: {found}");
    }
    assert!(
        found
            .value("relative_reconstruction_bias")
            .unwrap()
            .is_nan()
    );
    assert!(found.mime_bundle().unwrap().get("text/html").is_some());
    assert!(found.density_histogram().is_ok());
}

#[test]
fn a_feature_of_nan_makes_its_metrics_nan() {
    let mut bias = vec![0.0; 24];
    bias[3] = f32::NAN;
    let found = measured(&with_bias(bias), &cfg());
    for metric in [
        "l0",
        "l1",
        "explained_variance",
        "ce_loss_with_sae",
        "dead_share",
        "mse",
    ] {
        let row = found.get(metric).unwrap();
        assert!(row.value.is_nan(), "{row:?}");
        assert!(row.low.is_none_or(f64::is_nan));
    }
    assert!(found.value("ce_loss").unwrap().is_finite());
    let sae = copying(12);
    let nan = sae.w_dec.affine(f64::NAN, 0.0).unwrap();
    let sae = StandardSae::new(sae.w_enc, sae.b_enc, nan, sae.b_dec).unwrap();
    let error = measure_with(&model(), &sae, &split(), &cfg(), &mut Silent);
    assert!(matches!(error, Err(Error::NotFiniteAt { .. })));
}

#[test]
fn constant_activations_have_no_variance_to_explain() {
    let cfg = MeasureConfig {
        hook_name: "hook_embed".to_owned(),
        ..cfg()
    };
    let split = split_of(vec![0; 300]);
    let found = measure_with(&model(), &copying(8), &split, &cfg, &mut Silent).unwrap();
    for metric in ["explained_variance", "fvu", "kl_recovered_resample"] {
        assert!(found.value(metric).unwrap().is_nan(), "{metric}");
    }
    assert!(found.value("mse").unwrap().abs() < 1e-12);
}

#[test]
fn bos_can_be_left_out() {
    let model = model();
    let cfg = MeasureConfig {
        exclude_bos: true,
        ..cfg()
    };
    let found = measured(&copying(12), &cfg);
    assert_eq!(found.n_tokens, 48 * (N_CTX - 1));
    let tokens = split().sequences(48, N_CTX, &Device::Cpu).unwrap();
    let hook = Hook::new(HOOK, |x| {
        let first = x.narrow(1, 0, 1)?;
        let rest = x.narrow(1, 1, N_CTX - 1)?.zeros_like()?;
        Ok(Some(Tensor::cat(&[first, rest], 1)?))
    });
    let expected = model.loss_with_hooks(&tokens, &[hook]).unwrap();
    let zero = found.value("ce_loss_with_zero_ablation").unwrap();
    assert!((zero - expected).abs() < 1e-5);
}

#[test]
fn resample_ablation_takes_from_another_sequence_at_the_same_position() {
    // Two sequences: each can only get the other's activations.
    let model = model();
    let tokens = split().sequences(2, N_CTX, &Device::Cpu).unwrap();
    let found = measure_tokens_with(&model, &copying(12), &tokens, &cfg(), &mut Silent).unwrap();
    let hook = Hook::new(HOOK, |x| {
        Ok(Some(Tensor::cat(
            &[x.narrow(0, 1, 1)?, x.narrow(0, 0, 1)?],
            0,
        )?))
    });
    let expected = model.loss_with_hooks(&tokens, &[hook]).unwrap();
    let swapped = found.value("ce_loss_with_resample_ablation").unwrap();
    assert!((swapped - expected).abs() < 1e-5);
}

#[test]
fn impossible_measurements_are_clear_errors() {
    let (model, sae) = (model(), copying(12));
    let run = |cfg: &MeasureConfig, split: &TokenSplit, sae: &StandardSae| {
        measure_with(&model, sae, split, cfg, &mut Silent).unwrap_err()
    };
    let short = split_of(vec![1; N_CTX - 1]);
    assert!(
        run(&cfg(), &short, &sae)
            .to_string()
            .contains("sequences = 1")
    );
    assert!(
        run(&cfg(), &split_of(Vec::new()), &sae)
            .to_string()
            .contains("sequences = 0")
    );
    let one = MeasureConfig {
        batch_size: 1,
        ..cfg()
    };
    assert!(
        run(&one, &split(), &sae)
            .to_string()
            .contains("batch_size = 1")
    );
    let unknown = MeasureConfig::at("blocks.0.mlp.hook_pst");
    assert!(matches!(
        run(&unknown, &split(), &sae),
        Error::UnknownHook { .. }
    ));
    assert!(matches!(
        run(&cfg(), &split(), &copying(7)),
        Error::Shape { .. }
    ));
    let found = measured(&sae, &cfg());
    assert!(
        found
            .get("l00")
            .unwrap_err()
            .to_string()
            .contains("explained_variance")
    );
}

#[test]
fn the_same_seed_gives_the_same_rows_and_no_resamples_no_intervals() {
    let sae = copying(12);
    let some = MeasureConfig {
        n_sequences: 9,
        ..cfg()
    };
    assert_eq!(measured(&sae, &some).rows, measured(&sae, &some).rows);
    let other = MeasureConfig {
        seed: 1,
        n_resamples: 0,
        ..some.clone()
    };
    let found = measured(&sae, &other);
    let drawn = |m: &Measurement| m.value("ce_loss").unwrap();
    assert_ne!(drawn(&found), drawn(&measured(&sae, &some)));
    assert!(found.rows.iter().all(|row| row.low.is_none()));
    assert_eq!(found.frame().unwrap().shape(), (30, 4));
}

#[test]
fn each_of_many_is_measured_as_alone_and_the_frontier_has_a_curve_a_name() {
    let (model, split) = (model(), split());
    let sparse = random_dictionary(&model, HOOK, &split, (12, 30), 2.0, 1).unwrap();
    let dense = random_dictionary(&model, HOOK, &split, (12, 30), 6.0, 1).unwrap();
    let copy = copying(12);
    let all: [(&str, &dyn SparseAutoencoder); 3] =
        [("random", &dense), ("copy", &copy), ("random", &sparse)];
    let found = measure_each_with(&model, &all, &split, &cfg(), &mut Silent).unwrap();
    for (m, (name, sae)) in found.measurements.iter().zip(all) {
        let mut alone = measured(sae, &cfg());
        alone.name = name.to_owned();
        assert_eq!(m, &alone);
    }
    let figure = found.frontier("explained_variance").unwrap();
    assert!(figure.svg.contains("random") && figure.svg.contains("copy"));
    // One path of bars a curve.
    assert_eq!(figure.svg.matches("stroke-width=\"16\"").count(), 2);
    assert!(figure.svg.contains("Explained variance (share)"));
    assert!(figure.svg.contains("L0 (active features per token)"));
    // A row a dictionary; three columns a metric beside the names.
    let table = found.table(&["l0", "dead_share"]).unwrap();
    assert_eq!(table.frame().unwrap().shape(), (3, 7));
    assert_eq!(
        table.rows[1].metrics[0].value,
        found.measurements[1].value("l0").unwrap()
    );
    assert!(
        table
            .mime_bundle()
            .unwrap()
            .get("text/html")
            .unwrap()
            .contains("dead_share")
    );
    assert!(found.table(&["l_0"]).is_err());
    // Of the two random ones the denser is nearer to 6; places are those of the whole.
    assert_eq!(
        found.nearest_to_l0(&["random", "copy"], 6.0).unwrap(),
        [0, 1]
    );
    assert_eq!(found.nearest_to_l0(&["random"], 2.0).unwrap(), [2]);
    assert!(found.nearest_to_l0(&["randon"], 2.0).is_err());
    assert_eq!(found.at(&[2, 0]).measurements[0], found.measurements[2]);
    let unknown = found.frontier("fuv").unwrap_err().to_string();
    assert!(
        unknown.contains("fuv") && unknown.contains("fvu"),
        "{unknown}"
    );
    assert_eq!(
        found.frame().unwrap().height(),
        3 * found.measurements[0].rows.len()
    );
    let none = measure_each_with(&model, &[], &split, &cfg(), &mut Silent);
    assert!(matches!(none, Err(Error::Argument { .. })));
}
