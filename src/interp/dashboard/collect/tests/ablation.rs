//! The effect of taking a feature out, against whole passes.

use super::*;
use crate::model::Hook;

/// Loss of the next token and centred logits, by a whole pass whose activation is exchanged for
/// `x - decode(acts) + decode(acts without the feature)`.
fn by_definition(
    model: &Transformer,
    sae: &StandardSae,
    hook_name: &str,
    tokens: &Tensor,
    feature: Option<usize>,
    pos: usize,
) -> (Option<f64>, Vec<f64>) {
    let (sae, n_features) = (sae.clone(), sae.d_sae());
    let exchange = Hook::new(hook_name, move |x| {
        let rows = x.reshape(((), sae.d_in()))?;
        let acts = sae.encode(&rows)?;
        let kept: Vec<f32> = (0..n_features)
            .map(|f| if Some(f) == feature { 0.0 } else { 1.0 })
            .collect();
        let kept = acts.broadcast_mul(&Tensor::new(kept, x.device())?)?;
        let without = ((rows - sae.decode(&acts)?)? + sae.decode(&kept)?)?;
        Ok(Some(without.reshape(x.shape())?))
    });
    let logits = model.run_with_hooks(tokens, &[exchange]).unwrap();
    let logits: Vec<f64> = logits
        .i((0, pos))
        .unwrap()
        .to_vec1::<f32>()
        .unwrap()
        .into_iter()
        .map(f64::from)
        .collect();
    let log_z = logits.iter().map(|l| l.exp()).sum::<f64>().ln();
    let mean = logits.iter().sum::<f64>() / logits.len() as f64;
    let ids = tokens.i(0).unwrap().to_vec1::<u32>().unwrap();
    let loss = ids.get(pos + 1).map(|&next| log_z - logits[next as usize]);
    (loss, logits.iter().map(|l| l - mean).collect())
}

#[test]
fn the_ablation_is_that_of_a_whole_pass_with_the_error_kept() {
    let (model, texts) = setting(12);
    let places = [
        (POST, 16),
        ("blocks.1.hook_resid_pre", 8),
        ("blocks.0.attn.hook_z", 8),
        ("hook_embed", 8),
        ("blocks.1.mlp.hook_pre", 16),
    ];
    for (hook_name, d_in) in places {
        let sae = dictionary(d_in);
        let found = dashboards(&sae, hook_name, &[7]).unwrap().remove(0);
        let ablation = found.ablation.unwrap();
        let (mut losses, mut change) = (Vec::new(), vec![0.0; texts.tokenizer.n_vocab()]);
        let examples = &found.groups[0].examples;
        let examples = &examples[..examples.len().min(10)];
        for example in examples {
            let (row, pos) = (example.sequence.unwrap(), example.pos.unwrap());
            let tokens = texts.tokens.narrow(0, row, 1).unwrap();
            let run = |feature| by_definition(&model, &sae, hook_name, &tokens, feature, pos);
            let ((before, old), (after, new)) = (run(None), run(Some(7)));
            losses.extend(before.zip(after).map(|(before, after)| after - before));
            for ((sum, old), new) in change.iter_mut().zip(old).zip(new) {
                *sum += (new - old) / examples.len() as f64;
            }
        }
        assert_eq!(
            (ablation.n_examples, ablation.n_losses),
            (examples.len(), losses.len())
        );
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        assert!(
            mean.abs() > 1e-3,
            "the test is of a feature that matters: {mean}"
        );
        assert!(
            (ablation.loss_change - mean).abs() < 1e-4,
            "{hook_name}: {ablation} {mean}"
        );
        let largest = change.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let smallest = change.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(
            (ablation.raised[0].value - largest).abs() < 1e-4,
            "{hook_name}"
        );
        assert!(
            (ablation.lowered[0].value - smallest).abs() < 1e-4,
            "{hook_name}"
        );
        // What a feature before the MLP's nonlinearity writes has no direct way to the logits.
        assert_eq!(
            found.logits.is_none(),
            hook_name.ends_with("hook_pre"),
            "{hook_name}"
        );
    }
}
