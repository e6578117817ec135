//! Graphs as circuit-tracer and Neuronpedia write and read them: one JSON file a graph.
//! `{metadata, qParams, nodes, links}`; a feature's number is the Cantor pairing of block and feature.
//! Source: circuit-tracer's `frontend/graph_models.py`; Neuronpedia's `graph-schema.json`.

use super::node::{GraphEdge, GraphNode, GraphNodeKind};
use super::pruned::PrunedGraph;
use crate::error::{Error, Result};
use crate::file::write_whole;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const FORMAT: &str = "circuit-tracer graph";
const METADATA: &str = "graph-metadata.json";
/// A layer above this is refused: drawings have a row for each one.
const MAX_LAYER: usize = 10_000;

const FEATURE: &str = "cross layer transcoder";
const ERROR: &str = "mlp reconstruction error";
const TOKEN: &str = "embedding";
/// Not one of circuit-tracer's, which has no nodes of positions.
const POSITION: &str = "position embedding";
const LOGIT: &str = "logit";

#[derive(Debug, Serialize, Deserialize)]
struct File {
    metadata: Metadata,
    #[serde(rename = "qParams", default)]
    q_params: QParams,
    nodes: Vec<Node>,
    links: Vec<Link>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Metadata {
    slug: String,
    scan: String,
    #[serde(default)]
    transcoder_list: Vec<String>,
    prompt_tokens: Vec<String>,
    prompt: String,
    node_threshold: Option<f64>,
    schema_version: Option<u32>,
    /// Whatever else there is.
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct QParams {
    pinned_ids: Vec<String>,
    supernodes: Vec<Vec<String>>,
    link_type: String,
    clicked_id: String,
    #[serde(rename = "sg_pos")]
    sg_pos: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Node {
    node_id: String,
    feature: Option<i64>,
    layer: String,
    ctx_idx: usize,
    feature_type: String,
    #[serde(default)]
    token_prob: f64,
    #[serde(default)]
    is_target_logit: bool,
    #[serde(default)]
    run_idx: usize,
    #[serde(default)]
    reverse_ctx_idx: usize,
    #[serde(rename = "jsNodeId", default)]
    js_node_id: String,
    #[serde(default)]
    clerp: String,
    influence: Option<f64>,
    activation: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Link {
    source: String,
    target: String,
    weight: f64,
}

impl PrunedGraph {
    /// Writes `{folder}/{slug}.json` as circuit-tracer's server and Neuronpedia read it, and the
    /// graph's metadata into `{folder}/graph-metadata.json`, which lists all graphs of the folder.
    /// `scan` names the transcoders. The folder is made if missing; the file's path is returned.
    ///
    /// Nodes of positions, which circuit-tracer does not have, are of the type `position embedding`
    /// in the layer `E`. `value`, `bias` and the scores have no place in the format; `influence` is
    /// cumulative there, as `cumulative_influence` here.
    ///
    /// # Errors
    /// [`Error::Argument`] for a slug that is not letters, digits, `-` and `_`, and for a feature whose
    /// number does not fit the format; [`Error::Io`] when a file cannot be written;
    /// [`Error::Format`] when there is a metadata file that is none.
    pub fn save_circuit_tracer(
        &self,
        folder: impl AsRef<Path>,
        slug: &str,
        scan: &str,
    ) -> Result<PathBuf> {
        let folder = folder.as_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if slug.is_empty() || !slug.chars().all(plain) {
            let reason = "must be letters, digits, - and _, at least one";
            return Err(Error::argument("slug", format!("{slug:?}"), reason));
        }
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let file = self.file(slug, scan)?;
        let path = folder.join(format!("{slug}.json"));
        write_whole(&path, serde_json::to_string_pretty(&file)?.as_bytes())?;
        list(
            &folder.join(METADATA),
            slug,
            serde_json::to_value(&file.metadata)?,
        )?;
        Ok(path)
    }

    /// Reads a graph that circuit-tracer, Neuronpedia or [`PrunedGraph::save_circuit_tracer`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for what is not such a file, a node of an unknown type, two
    /// nodes of one id, a link to a node that is not there, a layer above 10,000, a token's number
    /// beyond 32 bits, or supernodes, which this graph does not have.
    pub fn load_circuit_tracer(path: impl AsRef<Path>) -> Result<PrunedGraph> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let bad = |reason: String| Error::format(path, FORMAT, reason);
        let file: File = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        read(file).map_err(bad)
    }

    fn file(&self, slug: &str, scan: &str) -> Result<File> {
        let ids: Vec<String> = self.nodes.iter().map(|n| self.id(n)).collect();
        let mut others = Map::new();
        let pruning = json!({
            "node_threshold": self.node_threshold,
            "edge_threshold": self.edge_threshold,
        });
        others.insert("pruning_settings".to_owned(), pruning);
        Ok(File {
            metadata: Metadata {
                slug: slug.to_owned(),
                scan: scan.to_owned(),
                transcoder_list: Vec::new(),
                prompt_tokens: self.str_tokens.clone(),
                prompt: self.str_tokens.concat(),
                node_threshold: Some(self.node_threshold),
                schema_version: Some(1),
                others,
            },
            q_params: QParams {
                pinned_ids: self.pinned.iter().map(|&i| ids[i].clone()).collect(),
                link_type: "both".to_owned(),
                ..QParams::default()
            },
            nodes: self.file_nodes(&ids)?,
            links: self
                .edges
                .iter()
                .map(|edge| Link {
                    source: ids[edge.source].clone(),
                    target: ids[edge.target].clone(),
                    weight: edge.weight,
                })
                .collect(),
        })
    }

    fn id(&self, node: &GraphNode) -> String {
        let p = node.position;
        match node.kind {
            GraphNodeKind::Feature { layer, feature } => format!("{layer}_{feature}_{p}"),
            // As newer versions write it: "0_{layer}_{p}" of 0.5 can be a feature's id, too.
            GraphNodeKind::Error { layer } => format!("{layer}_-1_{p}"),
            GraphNodeKind::Token { id } => format!("E_{id}_{p}"),
            GraphNodeKind::Position => format!("E_pos_{p}"),
            GraphNodeKind::Logit { id } => format!("{}_{id}_{p}", self.n_layers + 1),
        }
    }

    fn file_nodes(&self, ids: &[String]) -> Result<Vec<Node>> {
        let first_logit = self.nodes.iter().position(|n| n.kind.name() == "logit");
        let nodes = self.nodes.iter().zip(ids).enumerate();
        let of = |(i, (node, id)): (usize, (&GraphNode, &String))| -> Result<Node> {
            let p = node.position;
            let (feature, layer, kind, js) = match node.kind {
                GraphNodeKind::Feature { layer, feature } => {
                    let js = format!("{layer}_{feature}-0");
                    (cantor(layer, feature)?, layer.to_string(), FEATURE, js)
                }
                GraphNodeKind::Error { layer } => {
                    (-1, layer.to_string(), ERROR, format!("{layer}_-1-{p}"))
                }
                GraphNodeKind::Token { id } => {
                    (p as i64, "E".to_owned(), TOKEN, format!("E_{id}-{p}"))
                }
                GraphNodeKind::Position => {
                    (p as i64, "E".to_owned(), POSITION, format!("E_pos-{p}"))
                }
                GraphNodeKind::Logit { id } => {
                    let layer = (self.n_layers + 1).to_string();
                    (i64::from(id), layer, LOGIT, format!("L_{id}-{p}"))
                }
            };
            let probability = node.probability.unwrap_or(0.0);
            Ok(Node {
                node_id: id.clone(),
                feature: Some(feature),
                layer,
                ctx_idx: p,
                feature_type: kind.to_owned(),
                token_prob: probability,
                is_target_logit: first_logit == Some(i),
                run_idx: 0,
                reverse_ctx_idx: 0,
                js_node_id: js,
                clerp: match node.kind {
                    GraphNodeKind::Logit { .. } => {
                        format!("Output \"{}\" (p={probability:.3})", node.token)
                    }
                    _ => node.label.clone(),
                },
                influence: node.cumulative_influence,
                activation: node.activation,
            })
        };
        nodes.map(of).collect()
    }
}

/// Cantor's pairing of a block and a feature.
fn cantor(layer: usize, feature: usize) -> Result<i64> {
    let (x, y) = (layer as u128, feature as u128);
    let twice = (x + y).checked_mul(x + y + 1);
    let number = twice.and_then(|twice| i64::try_from(twice / 2 + y).ok());
    number.ok_or_else(|| {
        let reason = format!("its number together with block {layer} does not fit 64 bits");
        Error::argument("feature", feature, reason)
    })
}

/// Puts a graph's metadata into the list of the folder, in the place of one of the same slug.
fn list(path: &Path, slug: &str, metadata: Value) -> Result<()> {
    let mut graphs = match std::fs::read_to_string(path) {
        Ok(text) => {
            let known: Value = serde_json::from_str(&text)
                .map_err(|error| Error::format(path, FORMAT, error.to_string()))?;
            match known.get("graphs") {
                Some(Value::Array(graphs)) => graphs.clone(),
                _ => return Err(Error::format(path, FORMAT, "there is no list \"graphs\"")),
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    graphs.retain(|graph| graph.get("slug").and_then(Value::as_str) != Some(slug));
    graphs.push(metadata);
    let text = serde_json::to_string_pretty(&json!({ "graphs": graphs }))?;
    write_whole(path, text.as_bytes())
}

fn read(file: File) -> Result<PrunedGraph, String> {
    let n_supernodes = file.q_params.supernodes.len();
    if n_supernodes > 0 {
        return Err(format!(
            "qParams has {n_supernodes} supernodes, which are not supported: empty that list"
        ));
    }
    let tokens = file.metadata.prompt_tokens;
    let mut index = HashMap::new();
    let mut nodes = Vec::with_capacity(file.nodes.len());
    for (i, node) in file.nodes.iter().enumerate() {
        if index.insert(node.node_id.as_str(), i).is_some() {
            let id = &node.node_id;
            return Err(format!(
                "two nodes have the id {id:?}, so that links are ambiguous"
            ));
        }
        nodes.push(read_node(node, &tokens)?);
    }
    let find = |id: &str| {
        let found = index.get(id).copied();
        found.ok_or_else(|| format!("there is no node {id:?}, to which a link or pin refers"))
    };
    let edges = file.links.iter().map(|link| {
        Ok(GraphEdge {
            source: find(&link.source)?,
            target: find(&link.target)?,
            weight: link.weight,
        })
    });
    let pinned = file.q_params.pinned_ids.iter().map(|id| find(id));
    let layers = nodes.iter().zip(&file.nodes).filter_map(|(read, node)| {
        Some(match read.kind {
            GraphNodeKind::Logit { .. } => node.layer.parse::<usize>().ok()?.saturating_sub(1),
            kind => kind.layer()? + 1,
        })
    });
    let n_layers = layers.max().unwrap_or(0);
    let pruning = file.metadata.others.get("pruning_settings");
    let edge_threshold = pruning.and_then(|p| p.get("edge_threshold")?.as_f64());
    Ok(PrunedGraph {
        n_layers,
        edges: edges.collect::<Result<_, String>>()?,
        pinned: pinned.collect::<Result<_, String>>()?,
        nodes,
        str_tokens: tokens,
        node_threshold: file.metadata.node_threshold.unwrap_or(1.0),
        edge_threshold,
        scores: None,
        n_nodes_before: None,
    })
}

fn read_node(node: &Node, tokens: &[String]) -> Result<GraphNode, String> {
    let id = &node.node_id;
    let Some(token) = tokens.get(node.ctx_idx) else {
        let n = tokens.len();
        return Err(format!(
            "node {id:?} is at position {} of {n} tokens",
            node.ctx_idx
        ));
    };
    let part = |i: usize| {
        let number = id
            .split('_')
            .nth(i)
            .and_then(|part| part.parse::<usize>().ok());
        number.ok_or_else(|| format!("the id {id:?} of a node is not layer_number_position"))
    };
    let layer = || {
        let layer = node.layer.parse::<usize>();
        let layer =
            layer.map_err(|_| format!("the layer {:?} of node {id:?} is no number", node.layer))?;
        match layer <= MAX_LAYER {
            true => Ok(layer),
            false => Err(format!(
                "the layer {layer} of node {id:?} is above {MAX_LAYER}"
            )),
        }
    };
    let vocab = || {
        let token = part(1)?;
        u32::try_from(token).map_err(|_| {
            let most = u32::MAX;
            format!("the token {token} of node {id:?} is above {most}, the largest id of a token")
        })
    };
    let kind = match node.feature_type.as_str() {
        FEATURE => GraphNodeKind::Feature {
            layer: layer()?,
            feature: part(1)?,
        },
        ERROR => GraphNodeKind::Error { layer: layer()? },
        TOKEN => GraphNodeKind::Token { id: vocab()? },
        POSITION => GraphNodeKind::Position,
        LOGIT => {
            layer()?;
            GraphNodeKind::Logit { id: vocab()? }
        }
        other => return Err(format!("node {id:?} is of the unknown type {other:?}")),
    };
    let is_logit = node.feature_type == LOGIT;
    let predicted = || {
        let quoted = node.clerp.strip_prefix("Output \"")?;
        Some(quoted[..quoted.rfind("\" (p=")?].to_owned())
    };
    Ok(GraphNode {
        token: match is_logit {
            true => predicted().unwrap_or_else(|| node.clerp.clone()),
            false => token.clone(),
        },
        activation: node.activation,
        probability: is_logit.then_some(node.token_prob),
        cumulative_influence: node.influence,
        label: match is_logit {
            true => String::new(),
            false => node.clerp.clone(),
        },
        ..GraphNode::new(kind, node.ctx_idx)
    })
}

#[cfg(test)]
mod tests;
