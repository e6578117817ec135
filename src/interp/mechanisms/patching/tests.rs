use super::super::testing::{random_model, sequence, small_config, values};
use super::*;
use crate::config::Normalization;
use crate::show::Show;

const CLEAN: [u32; 6] = [3, 1, 4, 1, 5, 9];
/// Differs from position 2 on.
const CORRUPTED: [u32; 6] = [3, 1, 7, 1, 5, 2];
const POSITION: usize = 4;
const SITES: [PatchSite; 5] = [
    PatchSite::ResidPre,
    PatchSite::AttnOut,
    PatchSite::MlpOut,
    PatchSite::Z,
    PatchSite::ZAllPositions,
];

fn metric() -> PatchMetric {
    PatchMetric::logit_difference(POSITION, 7, 4)
}

fn difference(logits: &Tensor) -> f64 {
    let d_vocab = logits.dims()[2];
    let logits = values(logits);
    logits[POSITION * d_vocab + 7] - logits[POSITION * d_vocab + 4]
}

/// The metric of a whole pass of the corrupted tokens, with one slice of one activation replaced
/// element by element: one patch, one pass, nothing shared with the code under test.
fn one_by_one(model: &Transformer, patch: &Patch) -> f64 {
    let layer = patch.layer;
    let name = match patch.site {
        PatchSite::ResidPre => format!("blocks.{layer}.hook_resid_pre"),
        PatchSite::AttnOut => format!("blocks.{layer}.hook_attn_out"),
        PatchSite::MlpOut => format!("blocks.{layer}.hook_mlp_out"),
        PatchSite::Z | PatchSite::ZAllPositions => format!("blocks.{layer}.attn.hook_z"),
    };
    let keep = NamesFilter::only(&name).unwrap();
    let (_, cache) = model
        .run_with_cache_filtered(&sequence(&CLEAN), &keep, None)
        .unwrap();
    let clean = values(&cache.get(&name).unwrap());
    let (head, position) = (patch.head, patch.position);
    let (d_model, d_head) = (model.cfg().d_model, model.cfg().d_head());
    let hook = Hook::new(&name, move |x| {
        let mut new: Vec<f32> = x.flatten_all()?.to_vec1()?;
        for (i, value) in new.iter_mut().enumerate() {
            let (at, of) = (i / d_model, i % d_model / d_head);
            if position.is_none_or(|p| p == at) && head.is_none_or(|h| h == of) {
                *value = clean[i] as f32;
            }
        }
        Ok(Some(Tensor::from_vec(new, x.shape(), x.device())?))
    });
    difference(
        &model
            .run_with_hooks(&sequence(&CORRUPTED), &[hook])
            .unwrap(),
    )
}

/// Every patch against its own pass, by a metric of one position and by one that may read all.
fn check(cfg: &TransformerConfig, sites: &[PatchSite], tokens_per_pass: usize) {
    let model = random_model(cfg);
    let (clean, corrupted) = (sequence(&CLEAN), sequence(&CORRUPTED));
    let m_clean = difference(&model.forward(&clean).unwrap());
    let m_corrupted = difference(&model.forward(&corrupted).unwrap());
    let custom = PatchMetric::new("the same", |logits| Ok(difference(&logits.unsqueeze(0)?)));
    for metric in [metric(), custom] {
        let found = patched(&model, &clean, &corrupted, &metric, sites, tokens_per_pass).unwrap();
        let off = (found.clean - m_clean).abs() + (found.corrupted - m_corrupted).abs();
        assert!(off < 1e-5, "{off}");
        for patch in &found.patches {
            let wanted = one_by_one(&model, patch);
            assert!((patch.metric - wanted).abs() < 1e-4, "{patch:?} {wanted}");
            let effect = (wanted - m_corrupted) / (m_clean - m_corrupted);
            assert!((patch.effect - effect).abs() < 1e-3, "{patch:?} {effect}");
        }
    }
}

#[test]
fn patches_in_batches_are_those_of_one_pass_each() {
    let plain = small_config();
    check(&plain, &SITES, TOKENS_PER_PASS);
    check(&plain, &SITES, 30); // five patches a pass
    check(&plain, &[PatchSite::Z], 1); // one
    let bare = TransformerConfig {
        attn_only: true,
        normalization_type: Normalization::None,
        ..plain
    };
    check(&bare, &[PatchSite::ZAllPositions, PatchSite::AttnOut], 30);
}

#[test]
fn there_is_one_patch_a_site_layer_head_and_position() {
    let model = random_model(&small_config());
    let (clean, corrupted) = (sequence(&CLEAN), sequence(&CORRUPTED));
    let sites = [SITES.as_slice(), &[PatchSite::Z]].concat(); // one of them twice
    let found = activation_patching(&model, &clean, &corrupted, &metric(), &sites).unwrap();
    // Three layers; six positions thrice, two heads at six positions, two heads.
    assert_eq!(found.patches.len(), 3 * (6 * 3 + 6 * 2 + 2));
    assert_eq!(found.sites(), SITES);
    assert_eq!(found.frame().unwrap().shape(), (96, 6));
    for site in SITES {
        assert!(found.heatmap(site).is_ok());
    }
    let alt = found.mime_bundle().unwrap();
    let svg = alt.get("image/svg+xml").unwrap();
    // Rows: three layers of three sites, and six heads.
    assert!(svg.contains("15 rows, 6 columns"), "{svg}");
}

#[test]
fn the_stream_at_the_only_position_that_differs_restores_everything() {
    let model = random_model(&small_config());
    let corrupted = sequence(&[3, 1, 7, 1, 5, 9]);
    let site = [PatchSite::ResidPre];
    let found =
        activation_patching(&model, &sequence(&CLEAN), &corrupted, &metric(), &site).unwrap();
    let effect = |position: usize| found.patches[position].effect; // of the first block
    assert!((effect(2) - 1.0).abs() < 1e-4);
    for position in [0, 1, 3, 4, 5] {
        assert!(effect(position).abs() < 1e-4, "{position}");
    }
}

#[test]
fn the_metrics_agree_with_the_logits() {
    let model = random_model(&small_config());
    let tokens = sequence(&CLEAN);
    let logits = values(&model.forward(&tokens).unwrap());
    let row = &logits[POSITION * 11..][..11];
    let x = model.residual_before(&tokens, 3).unwrap();
    let of = |metric: PatchMetric| metric.of_residual(&model, &x).unwrap()[0];
    let log_z = row.iter().map(|z| z.exp()).sum::<f64>().ln();
    let log_prob = of(PatchMetric::log_prob(POSITION, 7));
    assert!((log_prob - (row[7] - log_z)).abs() < 1e-5);
    assert!((of(metric()) - (row[7] - row[4])).abs() < 1e-5);
    let custom = PatchMetric::new("sum of all", |logits| {
        assert_eq!(logits.dims(), [6, 11]);
        Ok(f64::from(logits.sum_all()?.to_scalar::<f32>()?))
    });
    assert!((of(custom) - logits.iter().sum::<f64>()).abs() < 1e-3);
}

#[test]
fn wrong_input_is_refused() {
    let model = random_model(&small_config());
    let message = |clean: &[u32], corrupted: &[u32], metric: PatchMetric, sites: &[PatchSite]| {
        let (clean, corrupted) = (sequence(clean), sequence(corrupted));
        let found = activation_patching(&model, &clean, &corrupted, &metric, sites);
        found.unwrap_err().to_string()
    };
    let lengths = message(&CLEAN, &CORRUPTED[..5], metric(), &SITES);
    assert!(lengths.contains("[1, 5], expected [1, 6]"), "{lengths}");
    assert!(message(&CLEAN, &CORRUPTED, metric(), &[]).contains("sites"));
    assert!(message(&CLEAN, &CLEAN, metric(), &SITES).contains("nothing to restore"));
    let nan = PatchMetric::new("NaN", |_| Ok(f64::NAN));
    assert!(message(&CLEAN, &CORRUPTED, nan, &SITES).contains("nothing to restore"));
    let late = PatchMetric::log_prob(6, 1);
    assert!(message(&CLEAN, &CORRUPTED, late, &SITES).contains("position = 6"));
    let unknown = PatchMetric::log_prob(5, 11);
    assert!(message(&CLEAN, &CORRUPTED, unknown, &SITES).contains("token id = 11"));
    assert!(
        message(&[11, 1, 1, 1, 1], &CORRUPTED[..5], metric(), &SITES).contains("token id = 11")
    );
    let attn_only = random_model(&TransformerConfig {
        attn_only: true,
        ..small_config()
    });
    let (clean, corrupted) = (sequence(&CLEAN), sequence(&CORRUPTED));
    let sites = [PatchSite::MlpOut];
    let found = activation_patching(&attn_only, &clean, &corrupted, &metric(), &sites);
    assert!(matches!(found, Err(Error::UnknownHook { .. })));
}
