use super::super::testing::*;
use super::super::{AttributionConfig, attribution_graph};
use super::*;

fn graph() -> PrunedGraph {
    let model = random_model(&small_config(2));
    let config = AttributionConfig::default();
    let graph = attribution_graph(&model, &random_transcoders(2), &sequence(&IDS), &config);
    let mut graph = graph.unwrap().pruned().unwrap().pin(&[1, 0]).unwrap();
    graph.nodes[1].label = "says \"x\"".to_owned();
    graph
}

#[test]
fn what_is_written_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let graph = graph();
    let path = graph
        .save_circuit_tracer(dir.path(), "a-b_1", "toy")
        .unwrap();
    let back = PrunedGraph::load_circuit_tracer(&path).unwrap();
    let mut expected = graph;
    (expected.scores, expected.n_nodes_before) = (None, None);
    for node in &mut expected.nodes {
        (node.value, node.bias, node.influence) = (None, None, None);
        node.cumulative_influence = match node.kind {
            GraphNodeKind::Logit { .. } => None,
            _ => node.cumulative_influence,
        };
    }
    assert_eq!(back, expected);
}

#[test]
fn the_file_is_what_circuit_tracer_reads() {
    let dir = tempfile::tempdir().unwrap();
    let graph = graph();
    for slug in ["one", "two", "one"] {
        graph.save_circuit_tracer(dir.path(), slug, "toy").unwrap();
    }
    let text = std::fs::read_to_string(dir.path().join("one.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    // The fields that graph_models.py requires, and Neuronpedia's schema.
    for field in ["slug", "scan", "transcoder_list", "prompt_tokens", "prompt"] {
        assert!(file["metadata"].get(field).is_some(), "{field}");
    }
    for field in ["pinnedIds", "supernodes", "linkType", "clickedId", "sg_pos"] {
        assert!(file["qParams"].get(field).is_some(), "{field}");
    }
    let nodes = file["nodes"].as_array().unwrap();
    for node in nodes {
        for field in ["node_id", "layer", "feature_type", "jsNodeId", "clerp"] {
            assert!(node[field].is_string(), "{field}");
        }
        assert!(node["feature"].is_i64() && node["ctx_idx"].is_u64());
    }
    let of_type = |kind: &str| nodes.iter().find(|n| n["feature_type"] == kind).unwrap();
    // A feature of block 0 and another: pi(x, y) = (x + y)(x + y + 1) / 2 + y.
    let pairs = [(0, 5), (1, 2), (2, 1)];
    assert_eq!(pairs.map(|(x, y)| cantor(x, y).unwrap()), [20, 8, 7]);
    let id = of_type(FEATURE)["node_id"].as_str().unwrap();
    let parts: Vec<usize> = id.split('_').map(|part| part.parse().unwrap()).collect();
    assert_eq!(
        of_type(FEATURE)["feature"],
        cantor(parts[0], parts[1]).unwrap()
    );
    assert_eq!(of_type(FEATURE)["ctx_idx"], parts[2]);
    assert_eq!(of_type(TOKEN)["layer"], "E");
    assert_eq!(of_type(LOGIT)["layer"], "3");
    assert_eq!(of_type(LOGIT)["is_target_logit"], true);
    let text = std::fs::read_to_string(dir.path().join(METADATA)).unwrap();
    let list: Value = serde_json::from_str(&text).unwrap();
    let slugs: Vec<&str> = list["graphs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| g["slug"].as_str().unwrap())
        .collect();
    assert_eq!(slugs, ["two", "one"]);
}

/// As circuit-tracer 0.5 writes it, by `model_dump_json`.
const OF_PEER: &str = r#"{
 "metadata": {"slug": "s", "scan": "gemma", "transcoder_list": [], "prompt_tokens": ["<bos>", " a"],
  "prompt": "<bos> a", "node_threshold": 0.8, "schema_version": 1},
 "qParams": {"pinnedIds": ["3_17_1"], "supernodes": [], "linkType": "both", "clickedId": "", "sg_pos": ""},
 "nodes": [
  {"node_id": "3_17_1", "feature": 227, "layer": "3", "ctx_idx": 1, "feature_type": "cross layer transcoder",
   "token_prob": 0.0, "is_target_logit": false, "run_idx": 0, "reverse_ctx_idx": 0, "jsNodeId": "3_17-0",
   "clerp": "", "influence": 0.4, "activation": 2.5},
  {"node_id": "0_2_1", "feature": -1, "layer": "2", "ctx_idx": 1, "feature_type": "mlp reconstruction error",
   "jsNodeId": "2_1-0", "influence": 0.7, "activation": null},
  {"node_id": "E_9_1", "feature": 1, "layer": "E", "ctx_idx": 1, "feature_type": "embedding",
   "jsNodeId": "E_9-1", "influence": 0.9, "activation": null},
  {"node_id": "27_5_1", "feature": 5, "layer": "27", "ctx_idx": 1, "feature_type": "logit",
   "token_prob": 0.25, "is_target_logit": true, "jsNodeId": "L_5-1", "clerp": "Output \" x\" (p=0.250)",
   "influence": null, "activation": null}],
 "links": [{"source": "E_9_1", "target": "3_17_1", "weight": 1.5},
  {"source": "3_17_1", "target": "27_5_1", "weight": -0.5}]}"#;

fn read_text(text: &str) -> Result<PrunedGraph> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.json");
    std::fs::write(&path, text).unwrap();
    PrunedGraph::load_circuit_tracer(&path)
}

#[test]
fn a_file_of_circuit_tracer_is_read() {
    let graph = read_text(OF_PEER).unwrap();
    assert_eq!(graph.n_layers, 26);
    assert_eq!(graph.pinned, [0]);
    let kinds: Vec<_> = graph.nodes.iter().map(|n| n.kind).collect();
    let expected = [
        GraphNodeKind::Feature {
            layer: 3,
            feature: 17,
        },
        GraphNodeKind::Error { layer: 2 },
        GraphNodeKind::Token { id: 9 },
        GraphNodeKind::Logit { id: 5 },
    ];
    assert_eq!(kinds, expected);
    assert_eq!(graph.nodes[0].activation, Some(2.5));
    assert_eq!(
        (graph.nodes[2].token.as_str(), graph.nodes[3].token.as_str()),
        (" a", " x")
    );
    assert_eq!(graph.nodes[3].probability, Some(0.25));
    assert_eq!(
        (
            graph.edges[1].source,
            graph.edges[1].target,
            graph.edges[1].weight
        ),
        (0, 3, -0.5)
    );
}

#[test]
fn the_largest_layer_and_token_are_read() {
    let text = OF_PEER.replace("\"layer\": \"27\"", "\"layer\": \"10000\"");
    let graph = read_text(&text.replace("E_9_1", "E_4294967295_1")).unwrap();
    assert_eq!(graph.n_layers, 9_999);
    assert_eq!(graph.nodes[2].kind, GraphNodeKind::Token { id: u32::MAX });
}

#[test]
fn a_feature_whose_number_does_not_fit_is_refused() {
    // y (y + 3) / 2 of y = 2^32 - 2 is 2^63 - 2^31 - 1; of the next y it is above 2^63.
    assert_eq!(cantor(0, 4_294_967_294).unwrap(), 9_223_372_034_707_292_159);
    assert!(cantor(0, 4_294_967_295).is_err());
    assert!(cantor(usize::MAX, usize::MAX).is_err());
    let mut graph = graph();
    graph.nodes[0].kind = GraphNodeKind::Feature {
        layer: 1,
        feature: usize::MAX,
    };
    let dir = tempfile::tempdir().unwrap();
    let error = graph.save_circuit_tracer(dir.path(), "x", "toy");
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("feature = ") && text.contains("block 1"),
        "{text}"
    );
}

#[test]
fn files_that_say_nonsense_are_refused() {
    let message = |from: &str, to: &str| {
        read_text(&OF_PEER.replace(from, to))
            .unwrap_err()
            .to_string()
    };
    assert!(message("\"links\"", "\"lines\"").contains("links"));
    assert!(
        message("\"source\": \"E_9_1\"", "\"source\": \"E_8_1\"").contains("no node \"E_8_1\"")
    );
    assert!(message("\"node_id\": \"0_2_1\"", "\"node_id\": \"3_17_1\"").contains("two nodes"));
    assert!(
        message("\"mlp reconstruction error\"", "\"lorsa\"").contains("unknown type \"lorsa\"")
    );
    assert!(
        message(
            "\"ctx_idx\": 1, \"feature_type\": \"logit\"",
            "\"ctx_idx\": 2, \"feature_type\": \"logit\""
        )
        .contains("position 2 of 2")
    );
    assert!(message("\"node_id\": \"3_17_1\"", "\"node_id\": \"3-17-1\"").contains("3-17-1"));
    let text = message(
        "\"supernodes\": []",
        "\"supernodes\": [[\"a group\", \"3_17_1\"]]",
    );
    assert!(text.contains("1 supernodes"), "{text}");
    for layer in ["3", "2", "27"] {
        let (from, to) = (format!("\"layer\": \"{layer}\""), "\"layer\": \"10001\"");
        let text = message(&from, to);
        assert!(text.contains("the layer 10001 of node"), "{text}");
    }
    for (from, to) in [("E_9_1", "E_4294967296_1"), ("27_5_1", "27_4294967296_1")] {
        let text = message(from, to);
        assert!(text.contains("the token 4294967296 of node"), "{text}");
    }
    assert!(PrunedGraph::load_circuit_tracer("/nowhere/x.json").is_err());
    let dir = tempfile::tempdir().unwrap();
    for slug in ["", "a/b", ".."] {
        assert!(
            graph()
                .save_circuit_tracer(dir.path(), slug, "toy")
                .is_err()
        );
    }
    std::fs::write(dir.path().join(METADATA), "{}").unwrap();
    let error = graph()
        .save_circuit_tracer(dir.path(), "x", "toy")
        .unwrap_err();
    assert!(error.to_string().contains("graphs"), "{error}");
}
