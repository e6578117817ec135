//! Replacement scores of transcoders whose right answers are known.

use super::*;
use crate::config::{Activation, DataConfig, TransformerConfig};
use crate::data::{Corpus, Dataset};
use crate::model::Transformer;
use crate::sae::{CrossLayerTranscoder, Transcoder, TranscoderActivation};
use crate::show::Show;
use candle_core::{DType, Device, Tensor};

fn setting() -> (Transformer, Dataset) {
    let text = "The king saw the old cat and went home, and so the day went by.\n\n".repeat(60);
    let corpus = Corpus::from_text("toy", &text);
    let data = Dataset::from_corpus(&corpus, &DataConfig::default()).unwrap();
    let model = Transformer::new(&TransformerConfig {
        n_layers: 2,
        d_model: 16,
        n_heads: 2,
        d_mlp: 24,
        n_ctx: 16,
        act_fn: Activation::Relu,
        d_vocab: data.tokenizer.n_vocab(),
        init_std: 0.5,
        ..TransformerConfig::default()
    })
    .unwrap();
    (model, data)
}

/// The MLP itself as a transcoder: its neurons are the features. It reads the normalised stream, before the
/// norm's weight and bias, which go into the encoder.
fn of_mlp(model: &Transformer, layer: usize) -> Transcoder {
    let at = |name: &str| model.parameter(&format!("blocks.{layer}.{name}")).unwrap();
    let (w, b) = (at("ln2.w"), at("ln2.b"));
    let w_in = at("mlp.W_in");
    let w_enc = w_in.broadcast_mul(&w.unsqueeze(1).unwrap()).unwrap();
    let shift = b
        .unsqueeze(0)
        .unwrap()
        .matmul(&w_in)
        .unwrap()
        .squeeze(0)
        .unwrap();
    let b_enc = (at("mlp.b_in") + shift).unwrap();
    let relu = TranscoderActivation::Relu;
    Transcoder::new(layer, w_enc, b_enc, at("mlp.W_out"), at("mlp.b_out"), relu).unwrap()
}

/// Transcoders side by side as one across layers, that writes nothing to later layers.
fn as_cross_layer(transcoders: &[Transcoder]) -> CrossLayerTranscoder {
    let n = transcoders.len();
    let of = |f: fn(&Transcoder) -> Tensor| transcoders.iter().map(f).collect::<Vec<_>>();
    let w_dec = transcoders.iter().enumerate().map(|(l, t)| {
        let own = t.w_dec.unsqueeze(1).unwrap();
        let later = Tensor::zeros((t.d_sae(), n - l - 1, t.d_out()), DType::F32, &Device::Cpu);
        Tensor::cat(&[own, later.unwrap()], 1).unwrap()
    });
    let w_dec = w_dec.collect();
    let relu = vec![TranscoderActivation::Relu; n];
    CrossLayerTranscoder::new(
        of(|t| t.w_enc.clone()),
        of(|t| t.b_enc.clone()),
        w_dec,
        of(|t| t.b_dec.clone()),
        relu,
    )
    .unwrap()
}

#[test]
fn an_mlp_in_its_own_place_loses_nothing_and_zeros_lose_all() {
    let (model, data) = setting();
    let mut transcoders: Vec<Transcoder> = (0..2).map(|l| of_mlp(&model, l)).collect();
    let scores = replacement_scores(&model, &transcoders, &data.train, 2, 4, 1).unwrap();
    assert_eq!((scores.scores.len(), scores.n_tokens), (3, 2 * 4 * 16));
    for s in &scores.scores {
        assert!(s.fvu < 1e-6 && (s.score - 1.0).abs() < 1e-3, "{s:?}");
    }
    let all = scores.all().unwrap();
    assert!((all.l0 - scores.scores[0].l0 - scores.scores[1].l0).abs() < 1e-9);
    assert!((all.replaced - scores.loss).abs() < 1e-5 && all.l0 > 1.0);
    let same = as_cross_layer(&transcoders);
    let across = replacement_scores(&model, &same, &data.train, 2, 4, 1).unwrap();
    for (a, b) in across.scores.iter().zip(&scores.scores) {
        assert!((a.replaced - b.replaced).abs() < 1e-5 && (a.l0 - b.l0).abs() < 1e-9);
    }

    // Of the second layer nothing is left: alone it scores 0, and all at once what the ablation costs.
    let second = &mut transcoders[1];
    second.w_dec = second.w_dec.zeros_like().unwrap();
    second.b_dec = second.b_dec.zeros_like().unwrap();
    let broken = replacement_scores(&model, &transcoders, &data.train, 2, 4, 1).unwrap();
    let s = &broken.scores[1];
    assert!(s.score.abs() < 1e-6 && s.fvu >= 1.0, "{s:?}");
    assert!((broken.all().unwrap().replaced - s.zero_abl).abs() < 1e-5);
    let frame = broken.frame().unwrap();
    assert_eq!((frame.height(), frame.width()), (3, 7));
    let html = broken.mime_bundle().unwrap();
    assert!(html.get("text/html").unwrap().contains("all at once"));
    assert!(broken.to_string().contains("blocks.1.hook_mlp_out"));
}

#[test]
fn what_does_not_fit_is_named() {
    let (model, data) = setting();
    let transcoder = of_mlp(&model, 0);
    let of = |transcoders: &[Transcoder]| {
        let scores = replacement_scores(&model, transcoders, &data.train, 1, 2, 1);
        scores.unwrap_err().to_string()
    };
    assert!(of(&[]).contains("transcoders"));
    assert!(of(&[transcoder.clone(), transcoder.clone()]).contains("blocks.0.hook_mlp_out"));
    let elsewhere = transcoder
        .clone()
        .between("blocks.7.hook_resid_mid", "blocks.0.hook_mlp_out");
    assert!(of(&[elsewhere]).contains("blocks.7"));
    let wide = transcoder
        .clone()
        .between("blocks.0.mlp.hook_post", "blocks.0.hook_mlp_out");
    assert!(of(&[wide]).contains("24"));
    let backwards = transcoder.between("blocks.1.ln2.hook_normalized", "blocks.0.hook_mlp_out");
    assert!(of(&[backwards]).contains("computed after"));
}
