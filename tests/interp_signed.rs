//! What is measured of signed activations (AbsTopK) is what is measured of their two parts: of a TopK autoencoder with every
//! feature twice, the second time negated, whose `k` largest positive activations are the `k` largest absolute values.

#[path = "common/small_model.rs"]
mod small_model;

use candle_core::{Device, Tensor};
use holoscope::data::{Dataset, TokenSplit};
use holoscope::interp::{
    ActivationSign, DashboardOptions, DashboardTexts, ExampleGroup, ExampleKind, FeatureDashboard,
    HookedSae, describe_feature_with, factor_recovery_with, factor_scores_with,
    feature_dashboards_with, interpretable_features_with,
};
use holoscope::model::Transformer;
use holoscope::progress::Silent;
use holoscope::sae::{AbsTopKSae, Sae, SparseAutoencoder, StandardSae, TopKSae};
use holoscope::show::Show;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use small_model::small_model;

const HOOK: &str = "blocks.0.mlp.hook_post";
const D_IN: usize = 32;
const D_SAE: usize = 40;
const K: usize = 6;

fn normal(shape: &[usize], scale: f32, seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n = shape.iter().product();
    let values: Vec<f32> = (0..n)
        .map(|_| scale * rng.sample::<f32, _>(StandardNormal))
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// AbsTopK, and TopK of its parts: feature `D_SAE + j` is feature `j` negated.
fn dictionaries() -> (AbsTopKSae, TopKSae) {
    let (w_enc, w_dec) = (
        normal(&[D_IN, D_SAE], 1.0, 1),
        normal(&[D_SAE, D_IN], 1.0, 2),
    );
    let (b_enc, b_dec) = (normal(&[D_SAE], 0.1, 3), normal(&[D_IN], 0.1, 4));
    let both = |t: &Tensor, dim| Tensor::cat(&[t, &t.neg().unwrap()], dim).unwrap();
    let parts = StandardSae::new(
        both(&w_enc, 1),
        both(&b_enc, 0),
        both(&w_dec, 0),
        b_dec.clone(),
    );
    let signed = StandardSae::new(w_enc, b_enc, w_dec, b_dec).unwrap();
    let signed = AbsTopKSae::new(signed, K).unwrap();
    (signed, TopKSae::new(parts.unwrap(), K).unwrap())
}

/// The feature of the doubled dictionary.
fn part(feature: usize, sign: ActivationSign) -> usize {
    match sign {
        ActivationSign::Positive => feature,
        ActivationSign::Negative => D_SAE + feature,
    }
}

fn setting() -> (Transformer, Dataset, TokenSplit) {
    let (model, data) = small_model();
    let split = data.train.clone();
    (model, data, split)
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-4 || (a.is_nan() && b.is_nan())
}

#[test]
fn factors_are_scored_with_the_two_parts_of_each_feature() {
    let (model, _, split) = setting();
    let (signed, parts) = dictionaries();
    let of = |sae: &dyn SparseAutoencoder| {
        factor_scores_with(&model, sae, HOOK, &split, &mut Silent).unwrap()
    };
    let (found, wanted) = (of(&signed), of(&parts));
    assert!(found.scores.len() > 10, "{found}");
    assert_eq!(found.scores.len(), wanted.scores.len());
    for (found, wanted) in found.scores.iter().zip(&wanted.scores) {
        assert_eq!(
            (&found.factor, &found.value),
            (&wanted.factor, &wanted.value)
        );
        assert_eq!(part(found.feature_id, found.sign), wanted.feature_id);
        assert!(near(
            f64::from(found.threshold),
            f64::from(wanted.threshold)
        ));
        assert_eq!(found.held_out, wanted.held_out);
        let auc = found.auc_feature_id.map(|id| part(id, found.auc_sign));
        assert_eq!(auc, wanted.auc_feature_id);
        let correlation = found.correlation_feature_id;
        let correlation = correlation.map(|id| part(id, found.correlation_sign));
        assert_eq!(correlation, wanted.correlation_feature_id);
        assert!(near(found.auc, wanted.auc) && near(found.correlation, wanted.correlation));
        assert_eq!(wanted.sign, ActivationSign::Positive);
    }
    let negative = |s: &ActivationSign| *s == ActivationSign::Negative;
    assert!(found.scores.iter().map(|s| s.sign).any(|s| negative(&s)));
    // The column is there where it says something.
    assert!(found.frame().unwrap().column("sign").is_ok());
    assert!(wanted.frame().unwrap().column("sign").is_err());

    let of = |sae: &dyn SparseAutoencoder| {
        factor_recovery_with(&model, sae, HOOK, &split, &mut Silent).unwrap()
    };
    let (found, wanted) = (of(&signed), of(&parts));
    assert!(found.factors.len() > 10, "{found}");
    assert_eq!(found.factors.len(), wanted.factors.len());
    for (found, wanted) in found.factors.iter().zip(&wanted.factors) {
        assert_eq!(
            (&found.factor, &found.value),
            (&wanted.factor, &wanted.value)
        );
        assert_eq!(part(found.feature_id, found.sign), wanted.feature_id);
        assert_eq!(found.held_out, wanted.held_out);
    }
    assert!(found.factors.iter().map(|f| f.sign).any(|s| negative(&s)));
    let html = found.mime_bundle().unwrap();
    assert!(html.get("text/html").unwrap().contains(">negative<"));
}

#[test]
fn the_facade_takes_signed_activations() {
    let (model, data, _) = setting();
    let sae = Sae::from(dictionaries().0);
    let hooked = HookedSae::at(HOOK, &model, sae, &data.tokenizer).unwrap();
    let scores = hooked.factor_scores(&data.train).unwrap();
    assert!(
        scores
            .scores
            .iter()
            .any(|s| s.sign == ActivationSign::Negative)
    );
}

#[test]
fn a_predicate_describes_one_sign() {
    let (model, data, split) = setting();
    let (signed, parts) = dictionaries();
    let of = |sae: &dyn SparseAutoencoder| {
        let tokenizer = &data.tokenizer;
        interpretable_features_with(&model, sae, HOOK, tokenizer, &split, 12, &mut Silent).unwrap()
    };
    let (found, wanted) = (of(&signed), of(&parts));
    assert_eq!(
        (found.n_features, found.n_scored),
        (2 * D_SAE, wanted.n_scored)
    );
    assert_eq!(found.all_mcc, wanted.all_mcc);
    assert_eq!(found.features.len(), 12);
    let mut best_part = None;
    for (found, wanted) in found.features.iter().zip(&wanted.features) {
        assert_eq!(part(found.feature_id, found.sign), wanted.feature_id);
        assert_eq!(
            (&found.predicate, found.held_out),
            (&wanted.predicate, wanted.held_out)
        );
        assert!(near(found.mass_share, wanted.mass_share));
        assert!(near(found.frequency, wanted.frequency));
        let factor = match found.sign {
            ActivationSign::Positive => 1.0,
            ActivationSign::Negative => -1.0,
        };
        for (found, wanted) in found.examples.iter().zip(&wanted.examples) {
            let (found, wanted) = (f64::from(found.activation), f64::from(wanted.activation));
            assert!(near(factor * found, wanted), "{found} {wanted}");
        }
        if found.sign == ActivationSign::Negative {
            assert!(found.sentence().contains("(negative part)"), "{found}");
            assert!(found.sentence().contains("active below"), "{found}");
            best_part.get_or_insert(found.clone());
        }
    }
    // Both parts of one feature are looked at; the better one is described.
    let negative = best_part.expect("one of the twelve is a negative part");
    let id = negative.feature_id;
    let describe = |sae: &dyn SparseAutoencoder, id| {
        describe_feature_with(&model, sae, HOOK, &data.tokenizer, &split, id, &mut Silent)
    };
    let one = describe(&signed, id).unwrap();
    let of_parts = [describe(&parts, id), describe(&parts, D_SAE + id)];
    let most = of_parts.iter().flatten().map(|s| s.chosen_mcc);
    let most = most.fold(f64::NEG_INFINITY, f64::max);
    // Ranked in hundredths.
    assert!(
        (one.chosen_mcc - most).abs() < 0.011,
        "{} {most}",
        one.chosen_mcc
    );
}

fn page(sae: &dyn SparseAutoencoder, features: &[usize]) -> Vec<FeatureDashboard> {
    let (model, data, split) = setting();
    let texts = DashboardTexts::of_split(&model, &data.tokenizer, &split, 1_024).unwrap();
    let options = DashboardOptions::default();
    feature_dashboards_with(&model, sae, HOOK, &texts, features, &options, &mut Silent)
        .unwrap()
        .dashboards
}

fn tops(dashboard: &FeatureDashboard) -> Vec<&ExampleGroup> {
    let top = |group: &&ExampleGroup| group.kind == ExampleKind::Top;
    dashboard.groups.iter().filter(top).collect()
}

#[test]
fn a_dashboard_shows_each_sign_by_absolute_value() {
    let (signed, parts) = dictionaries();
    let features = [0, 3, 7, 11, 19];
    let both: Vec<usize> = features.iter().flat_map(|&f| [f, D_SAE + f]).collect();
    let (found, wanted) = (page(&signed, &features), page(&parts, &both));
    let mut shown = 0;
    for (found, wanted) in found.iter().zip(wanted.chunks(2)) {
        let [positive, negative] = wanted else {
            unreachable!("two parts of each")
        };
        assert_eq!(found.n_active, positive.n_active + negative.n_active);
        assert!(near(found.max_act, positive.max_act));
        assert!(near(found.min_act, -negative.max_act));
        let largest = positive.max_act.max(negative.max_act);
        assert!(near(found.largest(), largest));
        let total = found.act_histogram.counts.iter().sum::<f64>();
        assert_eq!(total as usize, found.n_active);
        let (low, high) = found.act_histogram.range().unwrap();
        assert!(near(low, -negative.max_act) && near(high, positive.max_act));
        let groups = tops(found);
        for (group, (wanted, factor)) in groups.iter().zip([(positive, 1.0), (negative, -1.0)]) {
            let wanted = tops(wanted)[0];
            assert_eq!(group.share, wanted.share);
            assert_eq!(group.examples.len(), wanted.examples.len());
            for (example, wanted) in group.examples.iter().zip(&wanted.examples) {
                let act = f64::from(factor * example.peak_act());
                assert!(near(act, f64::from(wanted.peak_act())));
                assert_eq!(
                    (example.sequence, example.pos),
                    (wanted.sequence, wanted.pos)
                );
            }
            shown += group.examples.len();
        }
        // Without the feature both parts are gone; on the same examples the effect is that of the larger part.
        let larger = match negative.max_act > positive.max_act {
            true => negative,
            false => positive,
        };
        let (effect, wanted) = (found.ablation.as_ref(), larger.ablation.as_ref());
        let (effect, wanted) = (effect.unwrap(), wanted.unwrap());
        assert!(
            (effect.loss_change - wanted.loss_change).abs() < 0.2,
            "{effect} {wanted}"
        );
        assert_eq!(effect.n_examples, wanted.n_examples);

        let html = found.mime_bundle().unwrap();
        let html = html.get("text/html").unwrap();
        assert!(html.contains("Lowest activations") && html.contains("other than 0"));
        let text = found.to_neuronpedia("tiny", "0-test").unwrap();
        let read = FeatureDashboard::from_neuronpedia(&text).unwrap().dashboard;
        assert!(near(read.min_act, found.min_act) && near(read.max_act, found.max_act));
        assert_eq!(tops(&read).len(), 1, "the lowest are an interval there");
    }
    assert!(shown > 40, "{shown}");
}
