//! What the views of the logit lens and of attribution graphs have in their state.

#[path = "common/analyses.rs"]
mod analyses;

use analyses::{dataset, model};
use holoscope::interp::{GraphEdge, GraphNode, GraphNodeKind, PrunedGraph, logit_lens};
use holoscope::show::Show;
use holoscope::widgets::{Widget, attribution_graph_view, logit_lens_view};
use serde_json::{Value, json};

const TEXT: &str = "The king saw the old king and went home,\nand so the day went by.\nThe cat saw the old cat and went home";

fn floats(bytes: &[u8]) -> Vec<f32> {
    let one = |b: &[u8]| f32::from_le_bytes(b.try_into().unwrap());
    bytes.chunks_exact(4).map(one).collect()
}

/// Asks as a view does: some keys and the next number.
fn ask(view: &Widget, keys: &[(&str, Value)]) {
    let next = view.get("request").as_i64().unwrap() + 1;
    let keys = keys.iter().map(|(key, value)| (*key, value.clone().into()));
    view.set_all(keys.chain([("request", next.into())]));
    assert_eq!(view.get("answered"), next);
    assert_eq!(view.get("error"), Value::Null);
}

#[test]
fn a_logit_lens_view_says_what_the_logit_lens_says() {
    let data = dataset();
    let model = model(&data, 16);
    let scope = logit_lens_view(&model, &data.tokenizer).unwrap();
    let view = scope.widget();
    ask(&view, &[("text", TEXT.into()), ("selected", json!([0, 3]))]);
    let mut ids = vec![data.tokenizer.bos()];
    ids.extend(data.tokenizer.encode(TEXT));
    ids.truncate(model.cfg().n_ctx);
    let n = ids.len();
    let tokens = candle_core::Tensor::from_slice(&ids, (1, n), &candle_core::Device::Cpu).unwrap();
    let lens = logit_lens(&model, &tokens, 10).unwrap();
    assert_eq!(view.get("layers"), json!(lens.hook_names));
    let (top, next) = (
        floats(&view.bytes("probabilities")),
        floats(&view.bytes("next_probabilities")),
    );
    assert_eq!((top.len(), next.len()), (2 * n, 2 * n));
    for layer in 0..2 {
        for pos in 0..n {
            let expected = &lens.predictions[layer][0][pos];
            let token = data.tokenizer.token_str(expected.top[0]);
            assert_eq!(view.get("top")[layer][pos], token);
            assert_eq!(top[layer * n + pos], expected.top_log_probs[0].exp() as f32);
            match expected.next_log_prob {
                Some(p) => assert_eq!(next[layer * n + pos], p.exp() as f32),
                None => assert!(pos == n - 1 && next[layer * n + pos].is_nan()),
            }
        }
    }
    assert_eq!(view.get("next")[2], data.tokenizer.token_str(ids[3]));
    assert_eq!(view.get("next")[n - 1], Value::Null);
    let list = view.get("list");
    let first = &lens.predictions[0][0][3];
    assert_eq!(list.as_array().unwrap().len(), 10);
    assert_eq!(list[0]["token"], data.tokenizer.token_str(first.top[0]));
    assert_eq!(list[0]["probability"], first.top_log_probs[0].exp());
    // A cell that is not there is the nearest that is.
    ask(&view, &[("text", "".into()), ("selected", json!([7, 99]))]);
    assert_eq!(view.get("selected"), json!([1, 0]));
}

#[test]
fn a_graph_view_has_the_graph_s_nodes_and_edges_and_needs_no_kernel() {
    let node = |kind, position, influence| GraphNode {
        kind,
        position,
        token: " king".to_owned(),
        activation: None,
        value: Some(1.234_567_89),
        bias: None,
        probability: None,
        influence,
        cumulative_influence: Some(f64::NAN),
        label: String::new(),
    };
    let feature = GraphNodeKind::Feature {
        layer: 1,
        feature: 12,
    };
    let graph = PrunedGraph {
        nodes: vec![
            node(feature, 1, Some(0.25)),
            node(GraphNodeKind::Token { id: 3 }, 0, None),
            node(GraphNodeKind::Logit { id: 5 }, 1, None),
        ],
        edges: vec![
            GraphEdge {
                source: 1,
                target: 0,
                weight: -0.5,
            },
            GraphEdge {
                source: 0,
                target: 2,
                weight: 2.0,
            },
        ],
        str_tokens: vec!["The".to_owned(), " king".to_owned()],
        n_layers: 2,
        node_threshold: 0.8,
        edge_threshold: None,
        scores: None,
        n_nodes_before: None,
        pinned: vec![0],
    };
    let shown = attribution_graph_view(&graph);
    let state = shown.widget().get("graph");
    assert_eq!(state["edges"], json!([[1, 0, -0.5], [0, 2, 2.0]]));
    let of = |key: &str| [0, 1, 2].map(|i: usize| state["nodes"][i][key].clone());
    assert_eq!(of("kind"), ["feature", "token", "logit"]);
    assert_eq!(of("layer"), [1, -1, 2]);
    assert_eq!(of("feature"), [json!(12), Value::Null, Value::Null]);
    assert_eq!(of("value"), [1.2346; 3]);
    assert!(of("share").iter().all(Value::is_null), "JSON has no NaN");
    let bundle = shown.mime_bundle().unwrap();
    let live: Value =
        serde_json::from_str(bundle.get("application/vnd.holoscope.live+json").unwrap()).unwrap();
    assert_eq!(live["state"]["graph"], state);
    assert_eq!((&live["view"], live.get("model")), (&json!("graph"), None));
    assert!(bundle.get("image/svg+xml").is_some());
}
