//! Bad input is refused with what is wrong in the message.

use super::super::testing::*;
use super::super::*;
use crate::config::TransformerConfig;
use crate::sae::{Transcoder, TranscoderActivation};
use candle_core::{DType, Device, Tensor};

fn message(
    cfg: &TransformerConfig,
    transcoders: &[Transcoder],
    tokens: &Tensor,
    config: &AttributionConfig,
) -> String {
    let model = random_model(cfg);
    let found = attribution_graph(&model, transcoders, tokens, config);
    found.unwrap_err().to_string()
}

fn with(transcoders: &[Transcoder]) -> String {
    let config = AttributionConfig::default();
    message(&small_config(2), transcoders, &sequence(&IDS), &config)
}

#[test]
fn an_empty_prompt_and_several_sequences_are_refused() {
    let config = AttributionConfig::default();
    let of = |tokens: &Tensor| message(&small_config(1), &[], tokens, &config);
    let empty = Tensor::zeros((1, 0), DType::U32, &Device::Cpu).unwrap();
    assert!(of(&empty).contains("the prompt"), "{}", of(&empty));
    let two = sequence(&[1, 2, 3, 4]).reshape((2, 2)).unwrap();
    assert!(of(&two).contains("the prompt"));
    assert!(of(&sequence(&[11])).contains("token id = 11"));
    assert!(of(&sequence(&[1; 13])).contains("n_ctx = 12"));
}

#[test]
fn transcoders_of_missing_places_or_other_widths_are_refused() {
    let relu = |layer| random_transcoder(layer, TranscoderActivation::Relu);
    assert!(with(&[relu(2)]).contains("blocks.2.hook_mlp_out"));
    assert!(with(&[relu(1), relu(1)]).contains("two transcoders of block 1"));
    let out = "blocks.1.hook_mlp_out";
    assert!(with(&[relu(1).between("blocks.1.ln2.hook_normalised", out)]).contains("did you mean"));
    assert!(with(&[relu(1).between("blocks.0.hook_resid_mid", out)]).contains("may read"));
    assert!(with(&[relu(1).between("blocks.1.mlp.hook_pre", out)]).contains("may read"));
    let elsewhere = relu(1).between("blocks.1.hook_resid_mid", "blocks.1.hook_attn_out");
    assert!(with(&[elsewhere]).contains("hook_name_out"));
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let wide = Transcoder::new(
        0,
        zeros(&[9, 4]),
        zeros(&[4]),
        zeros(&[4, 8]),
        zeros(&[8]),
        TranscoderActivation::Relu,
    );
    let text = with(&[wide.unwrap()]);
    assert!(text.contains("d_in of the transcoder of block 0"), "{text}");
    // An attention-only model has no MLP to stand for.
    let cfg = TransformerConfig {
        attn_only: true,
        ..small_config(2)
    };
    let config = AttributionConfig::default();
    assert!(message(&cfg, &[relu(0)], &sequence(&IDS), &config).contains("unknown hook point"));
}

#[test]
fn blocks_of_attention_and_mlp_in_parallel_are_refused() {
    let parallel = |attn_only| TransformerConfig {
        parallel_attn_mlp: true,
        attn_only,
        ..small_config(2)
    };
    let config = AttributionConfig::default();
    for transcoders in [Vec::new(), random_transcoders(2)] {
        let text = message(&parallel(false), &transcoders, &sequence(&IDS), &config);
        assert!(text.contains("parallel_attn_mlp = true"), "{text}");
    }
    // Without MLPs the field changes nothing.
    let model = random_model(&parallel(true));
    attribution_graph(&model, &[], &sequence(&IDS), &config).unwrap();
}

#[test]
fn what_is_not_finite_is_an_error_that_says_where() {
    let mut transcoders = random_transcoders(2);
    let nan = |t: &Tensor| t.affine(0.0, f64::NAN).unwrap();
    let sound = transcoders[1].clone();
    transcoders[1].b_dec = nan(&sound.b_dec);
    assert!(with(&transcoders).contains("the transcoder of block 1"));
    transcoders[1] = Transcoder {
        b_enc: nan(&sound.b_enc),
        ..sound
    };
    assert!(with(&transcoders).contains("the transcoder of block 1"));
    let cfg = small_config(2);
    let model = random_model(&cfg);
    let mut parameters = std::collections::BTreeMap::new();
    for (name, value) in model.named_parameters() {
        let value = value.as_tensor().clone();
        let value = if name == "blocks.1.attn.W_V" {
            nan(&value)
        } else {
            value
        };
        parameters.insert(name, value);
    }
    let model = crate::model::Transformer::from_parameters(&cfg, &parameters).unwrap();
    let found = attribution_graph(&model, &[], &sequence(&IDS), &AttributionConfig::default());
    let text = found.unwrap_err().to_string();
    assert!(text.contains("blocks.1") && text.contains("NaN"), "{text}");
}

#[test]
fn fields_out_of_range_are_named() {
    type Change = fn(&mut AttributionConfig);
    let cases: [(&str, Change); 8] = [
        ("logit_probability", |c| c.logit_probability = 1.5),
        ("node_threshold", |c| c.node_threshold = -0.1),
        ("edge_threshold", |c| c.edge_threshold = f64::NAN),
        ("max_logits", |c| c.max_logits = 0),
        ("batch_size", |c| c.batch_size = 0),
        ("target token", |c| c.targets = vec![11]),
        ("is there twice", |c| c.targets = vec![1, 1]),
        ("d_vocab = 11", |c| c.targets = vec![1, 99]),
    ];
    for (name, change) in cases {
        let mut config = AttributionConfig::default();
        change(&mut config);
        let text = message(&small_config(1), &[], &sequence(&IDS), &config);
        assert!(text.contains(name), "{text}");
    }
    let graph = attribution_graph(
        &random_model(&small_config(1)),
        &[],
        &sequence(&IDS),
        &AttributionConfig::default(),
    )
    .unwrap();
    assert!(graph.prune(1.1, 0.5).is_err() && graph.prune(0.5, f64::NAN).is_err());
    assert!(graph.incoming(graph.nodes.len()).is_err());
    assert!(graph.outgoing(graph.nodes.len()).is_err());
    assert!(graph.find(GraphNodeKind::Error { layer: 1 }, 0).is_err());
    assert!(graph.pruned().unwrap().pin(&[10_000]).is_err());
}
