//! Dashboards against the dense activations of a small model.

mod ablation;

use super::*;
use crate::data::Tokenizer;
use crate::interp::{FeatureDashboard, feature_acts};
use crate::progress::{Silent, Tick};
use crate::sae::{StandardSae, TopKSae};
use candle_core::{Device, IndexOp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

const POST: &str = "blocks.0.mlp.hook_post";
const POS: usize = 10;

fn setting(n_sequences: usize) -> (Transformer, DashboardTexts) {
    let gpt2 = Tokenizer::gpt2().unwrap();
    let text = "The king saw the old queen, and the cat went home by day and by night.";
    let tokenizer = Tokenizer::compact(&gpt2.encode(text)).unwrap();
    let cfg = crate::config::TransformerConfig {
        n_layers: 2,
        d_model: 8,
        n_heads: 2,
        d_mlp: 16,
        n_ctx: POS,
        d_vocab: tokenizer.n_vocab(),
        // Large, so that every part matters although nothing is trained.
        init_std: 0.5,
        ..Default::default()
    };
    let model = Transformer::new(&cfg).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let d_vocab = tokenizer.n_vocab() as u32;
    let ids: Vec<u32> = (0..n_sequences * POS)
        .map(|_| rng.random_range(0..d_vocab))
        .collect();
    let tokens = Tensor::from_vec(ids, (n_sequences, POS), &Device::Cpu).unwrap();
    (model, DashboardTexts::new(&tokenizer, &tokens))
}

fn normal(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n = shape.iter().product();
    let values: Vec<f32> = (0..n).map(|_| rng.sample(StandardNormal)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// A dictionary of 24 features, of which the first is dead.
fn dictionary(d_in: usize) -> StandardSae {
    let dead: Vec<f32> = (0..24).map(|f| if f == 0 { -1e4 } else { -0.5 }).collect();
    StandardSae::new(
        normal(&[d_in, 24], 1),
        Tensor::new(dead, &Device::Cpu).unwrap(),
        normal(&[24, d_in], 2),
        normal(&[d_in], 3),
    )
    .unwrap()
}

fn dashboards(
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    features: &[usize],
) -> Result<Vec<FeatureDashboard>> {
    let (model, texts) = setting(12);
    let options = DashboardOptions::default();
    let page = feature_dashboards_with(
        &model,
        sae,
        hook_name,
        &texts,
        features,
        &options,
        &mut Silent,
    )?;
    Ok(page.dashboards)
}

#[test]
fn figures_are_those_of_the_dense_activations() {
    let (model, texts) = setting(12);
    let standard = dictionary(16);
    let top_k = TopKSae::new(standard.clone(), 5).unwrap();
    for sae in [&standard as &dyn SparseAutoencoder, &top_k] {
        let acts = feature_acts(&model, sae, POST, &texts.tokens).unwrap(); // [12, 10, 24]
        let ids = texts
            .tokens
            .flatten_all()
            .unwrap()
            .to_vec1::<u32>()
            .unwrap();
        for found in dashboards(sae, POST, &[7, 3, 20]).unwrap() {
            let dense = acts
                .i((.., .., found.feature_id))
                .unwrap()
                .flatten_all()
                .unwrap();
            let dense: Vec<f64> = dense
                .to_vec1::<f32>()
                .unwrap()
                .into_iter()
                .map(f64::from)
                .collect();
            let mut active: Vec<f64> = dense.iter().copied().filter(|a| *a > 0.0).collect();
            active.sort_by(f64::total_cmp);
            let n = active.len();
            assert!(n > 5, "the test is of features that are active");
            let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-4, "{a} {b}");
            assert_eq!((found.n_tokens, found.n_active), (120, n));
            near(found.density, n as f64 / 120.0);
            near(found.max_act, active[n - 1]);
            near(found.mean_act, active.iter().sum::<f64>() / n as f64);
            // The median by its definition.
            near(
                found.quantiles[1].1,
                (active[(n - 1) / 2] + active[n / 2]) / 2.0,
            );
            assert_eq!(found.act_histogram.counts.iter().sum::<f64>(), n as f64);
            near(found.act_histogram.range().unwrap().1, active[n - 1]);
            let of_token = |id: u32| {
                let own = dense.iter().zip(&ids).filter(|(_, i)| **i == id);
                own.map(|(a, _)| a).sum::<f64>() / dense.iter().sum::<f64>()
            };
            let shares = (0..texts.tokenizer.n_vocab() as u32).map(of_token);
            near(found.top_tokens[0].value, shares.fold(0.0, f64::max));
            let best = &found.groups[0].examples[0];
            near(f64::from(best.peak_act()), active[n - 1]);
            let at = best.sequence.unwrap() * POS + best.pos.unwrap();
            assert_eq!(best.token(), texts.tokenizer.token_str(ids[at]));
            near(dense[at], active[n - 1]);
            assert_eq!(found.frame().unwrap().height(), {
                found.groups.iter().map(|g| g.examples.len()).sum::<usize>()
            });
        }
    }
}

#[test]
fn neuronpedia_keeps_what_its_format_holds() {
    let mut found = dashboards(&dictionary(16), POST, &[7]).unwrap().remove(0);
    found.label = "a label".to_owned();
    let text = found.to_neuronpedia("tiny", "0-test").unwrap();
    let read = FeatureDashboard::from_neuronpedia(&text).unwrap();
    assert_eq!(
        (read.model_id.as_str(), read.layer.as_str()),
        ("tiny", "0-test")
    );
    let mut read = read.dashboard;
    assert_eq!(
        read.groups.len() + 1,
        found.groups.len(),
        "all but the random ones"
    );
    for (group, own) in read.groups.iter_mut().zip(&found.groups) {
        for (example, own) in group.examples.iter_mut().zip(&own.examples) {
            (example.sequence, example.pos) = (own.sequence, own.pos);
        }
        assert_eq!(group, own);
    }
    assert_eq!(
        (&read.label, &read.hook_name),
        (&found.label, &found.hook_name)
    );
    assert_eq!((read.density, read.max_act), (found.density, found.max_act));
    assert_eq!(read.logits, found.logits);
    assert_eq!(read.act_histogram, found.act_histogram);
    assert_eq!(
        (&read.similar, &read.neurons),
        (&found.similar, &found.neurons)
    );
    assert_eq!(read.correlated_neurons, found.correlated_neurons);
    for (read, own) in read.correlated.iter().zip(&found.correlated) {
        assert_eq!(
            (read.feature_id, read.pearson),
            (own.feature_id, own.pearson)
        );
    }
}

#[test]
fn features_are_compared_by_decoder_and_weights() {
    let sae = dictionary(16);
    let found = dashboards(&sae, POST, &[7]).unwrap().remove(0);
    let rows = sae.w_dec.to_vec2::<f32>().unwrap();
    let cosine = |a: &[f32], b: &[f32]| {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let mut all: Vec<(usize, f32)> = (0..24)
        .filter(|&f| f != 7)
        .map(|f| (f, cosine(&rows[f], &rows[7])))
        .collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (similar, right) in found.similar.iter().zip(&all) {
        assert_eq!(similar.feature_id, right.0);
        assert!((similar.cosine - f64::from(right.1)).abs() < 1e-5);
    }
    assert_eq!(found.similar.len(), 5);
    let l1: f32 = rows[7].iter().map(|w| w.abs()).sum();
    let most = rows[7]
        .iter()
        .copied()
        .enumerate()
        .max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    let (index, weight) = most.unwrap();
    assert_eq!(
        (found.neurons[0].index, found.neurons[0].weight),
        (index, f64::from(weight))
    );
    assert!((found.neurons[0].share_of_l1 - f64::from(weight.abs() / l1)).abs() < 1e-6);
    assert_eq!(found.n_correlation_tokens, 120);
    assert!(!found.correlated.is_empty() && found.correlated_neurons.len() == 5);
}

#[test]
fn a_dead_feature_is_defined_and_says_so() {
    let found = dashboards(&dictionary(16), POST, &[0]).unwrap().remove(0);
    assert!(found.is_dead() && found.groups.is_empty() && found.ablation.is_none());
    assert_eq!(
        (found.density, found.max_act, found.mean_act),
        (0.0, 0.0, 0.0)
    );
    assert!(found.correlated.is_empty() && found.act_histogram.middles.is_empty());
    assert!(
        !found.logits.as_ref().unwrap().top.is_empty(),
        "it writes nevertheless"
    );
    let text = found.to_string();
    assert!(
        text.contains("feature 0 at blocks.0.mlp.hook_post: dead, active on none of 120"),
        "{text}"
    );
    let html = crate::show::Show::mime_bundle(&found).unwrap();
    assert!(
        html.get("text/html")
            .unwrap()
            .contains("dead: active on none of 120 tokens")
    );
    let read = FeatureDashboard::from_neuronpedia(&found.to_neuronpedia("m", "0-x").unwrap());
    assert!(read.unwrap().dashboard.is_dead());
}

#[test]
fn what_cannot_be_shown_is_refused_by_name() {
    let sae = dictionary(16);
    let error = |sae: &StandardSae, hook: &str, features: &[usize]| {
        dashboards(sae, hook, features).unwrap_err().to_string()
    };
    assert!(error(&sae, POST, &[3, 24]).contains("feature_id = 24"));
    assert!(error(&sae, "blocks.0.mlp.hook_pots", &[3]).contains("unknown hook point"));
    assert!(error(&sae, "blocks.0.hook_resid_pre", &[3]).contains("d_in = 16"));
    assert_eq!(dashboards(&sae, POST, &[]).unwrap(), []);
    let (model, texts) = setting(2);
    let run = |texts: &DashboardTexts| {
        let options = DashboardOptions::default();
        feature_dashboards_with(&model, &sae, POST, texts, &[3], &options, &mut Silent)
    };
    for shape in [(0, POS), (2, 0)] {
        let tokens = Tensor::zeros(shape, DType::U32, &Device::Cpu).unwrap();
        let error = run(&DashboardTexts::new(&texts.tokenizer, &tokens))
            .unwrap_err()
            .to_string();
        assert!(error.contains("at least one token"), "{error}");
    }
    let gpt2 = Tokenizer::gpt2().unwrap();
    assert!(run(&DashboardTexts::new(&gpt2, &texts.tokens)).is_err());
    let mut broken = sae.clone();
    let nan: Vec<f32> = (0..24)
        .map(|f| if f == 5 { f32::NAN } else { 0.0 })
        .collect();
    broken.b_enc = Tensor::new(nan, &Device::Cpu).unwrap();
    let message = error(&broken, POST, &[4, 5]);
    assert!(
        message.contains("the activation of feature 5 is NaN at position 0 of sequence 0"),
        "{message}"
    );
}

/// Interrupts when a batch is done.
struct Impatient(bool);

impl Reporter for Impatient {
    fn tick(&mut self, tick: &Tick) {
        self.0 |= tick.done > 0;
    }
    fn finish(&mut self, _: &Tick) {}
    fn interrupted(&self) -> bool {
        self.0
    }
}

#[test]
fn examples_do_not_depend_on_company_and_an_interrupt_gives_a_part() {
    let sae = dictionary(16);
    let (model, texts) = setting(250);
    let run = |features: &[usize], reporter: &mut dyn Reporter| {
        let options = DashboardOptions::default();
        feature_dashboards_with(&model, &sae, POST, &texts, features, &options, reporter).unwrap()
    };
    let (alone, both) = (run(&[9], &mut Silent), run(&[4, 9], &mut Silent));
    // Of activations that agree to rounding.
    let places = |page: &DashboardPage| -> Vec<_> {
        let groups = page.get(9).unwrap().groups.iter();
        groups
            .flat_map(|g| g.examples.iter().map(|e| (g.kind, e.sequence, e.pos)))
            .collect()
    };
    assert_eq!(places(&alone), places(&both));
    assert_eq!(alone.get(9).unwrap().n_tokens, 2_500);
    assert!(alone.get(4).is_none());
    let part = run(&[9], &mut Impatient(false));
    // One batch is 102 sequences of 10 tokens.
    assert_eq!(part.get(9).unwrap().n_tokens, 1_020);
}
