use super::super::testing::*;
use super::super::{AttributionConfig, GraphNodeKind, attribution_graph};
use super::*;
use crate::show::Show;

fn graph() -> PrunedGraph {
    let model = random_model(&small_config(2));
    let config = AttributionConfig::default();
    let graph = attribution_graph(&model, &random_transcoders(2), &sequence(&IDS), &config);
    graph.unwrap().prune(0.9, 0.9).unwrap()
}

#[test]
fn every_node_and_edge_is_drawn_with_its_text() {
    let graph = graph();
    let svg = graph.figure().unwrap().svg;
    let legend_paths = 2;
    assert_eq!(
        svg.matches("<path").count(),
        graph.edges.len().min(500) + legend_paths
    );
    assert_eq!(svg.matches("<g><title>").count(), graph.nodes.len());
    let features = graph
        .nodes
        .iter()
        .filter(|n| n.kind.name() == "feature")
        .count();
    assert_eq!(svg.matches("<circle").count(), features + 1); // one in the legend
    for node in &graph.nodes {
        assert!(
            svg.contains(&crate::show::escape(&node.name())),
            "{}",
            node.name()
        );
    }
    assert!(
        graph
            .mime_bundle()
            .unwrap()
            .get("text/plain")
            .unwrap()
            .contains("replacement score")
    );
}

#[test]
fn nodes_stand_in_their_rows_and_columns_apart_from_each_other() {
    let graph = graph();
    let place = layout::layout(&graph);
    for (i, node) in graph.nodes.iter().enumerate() {
        let (x, y) = place.places[i];
        assert!(x > 0.0 && x < place.width && y > 0.0 && y < place.height);
        if !matches!(node.kind, GraphNodeKind::Logit { .. }) {
            let (left, right) = place.columns[node.position];
            assert!(left <= x && x <= right);
        }
        for j in 0..i {
            let (dx, dy) = (x - place.places[j].0, y - place.places[j].1);
            assert!(dx.abs() > 15.0 || dy.abs() > 15.0, "{i} {j}");
        }
    }
    // Below each other: embeddings, block 0, block 1, logits.
    let height = |name: &str, layer| {
        let of = graph.nodes.iter().enumerate();
        let mut of = of.filter(|(_, n)| n.kind.name() == name && n.kind.layer() == layer);
        place.places[of.next().unwrap().0].1
    };
    let heights = [
        height("token", None),
        height("feature", Some(0)),
        height("feature", Some(1)),
        height("logit", None),
    ];
    assert!(
        heights.is_sorted_by(|below, above| below > above),
        "{heights:?}"
    );
}

#[test]
fn pinned_nodes_carry_their_names_and_texts_are_escaped() {
    let mut graph = graph();
    graph.nodes[0].label = "<b> & \"q\"".to_owned();
    graph.str_tokens[0] = "<script>".to_owned();
    let svg = graph.pin(&[0]).unwrap().figure().unwrap().svg;
    assert!(svg.contains("&lt;b&gt; &amp;") && !svg.contains("<b>") && !svg.contains("<script>"));
    assert_eq!(svg.matches("stroke-width=\"2.6\"").count(), 1);
    assert_eq!(svg.matches("paint-order").count(), 1);
}

#[test]
fn a_graph_without_nodes_is_an_error() {
    let mut graph = graph();
    graph.nodes.clear();
    graph.edges.clear();
    assert!(graph.figure().is_err());
}
