//! Nodes and edges of a transformer's computation: what writes to the residual stream, and what
//! reads it. Queries, keys and values of a head read it apart from each other.
//! Source: the graph of Conmy et al. 2023 (ACDC), arXiv:2304.14997, without its split of positions.

use crate::config::TransformerConfig;
use crate::error::{Error, Result};
use std::fmt;

/// A component that writes to the residual stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sender {
    /// The token embedding.
    Embed,
    /// The position embedding.
    PosEmbed,
    /// A head's `z W_O`, without the block's `b_O`, which belongs to no head.
    Head { layer: usize, head: usize },
    /// A block's MLP, with its `b_out`.
    Mlp { layer: usize },
}

/// An input that reads the residual stream, through a norm where the model has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Receiver {
    /// What a head's queries are made of.
    Query { layer: usize, head: usize },
    /// What a head's keys are made of.
    Key { layer: usize, head: usize },
    /// What a head's values are made of.
    Value { layer: usize, head: usize },
    /// What an MLP reads.
    Mlp { layer: usize },
    /// What the unembedding reads.
    Logits,
}

/// A direct path: what the sender wrote, as the receiver reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edge {
    pub sender: Sender,
    pub receiver: Receiver,
}

impl Sender {
    /// Every sender of a model, in the order of computation.
    pub fn all(cfg: &TransformerConfig) -> Vec<Sender> {
        let mut all = vec![Sender::Embed, Sender::PosEmbed];
        for layer in 0..cfg.n_layers {
            all.extend((0..cfg.n_heads).map(|head| Sender::Head { layer, head }));
            if !cfg.attn_only {
                all.push(Sender::Mlp { layer });
            }
        }
        all
    }

    /// An error unless the model has it.
    pub(crate) fn check(self, cfg: &TransformerConfig) -> Result<()> {
        known("sender", self, &Sender::all(cfg))
    }

    /// Its stage: attention `2 layer`, MLP `2 layer + 1`.
    fn stage(self) -> Option<usize> {
        match self {
            Sender::Embed | Sender::PosEmbed => None,
            Sender::Head { layer, .. } => Some(2 * layer),
            Sender::Mlp { layer } => Some(2 * layer + 1),
        }
    }
}

impl Receiver {
    /// Every receiver of a model, in the order of computation.
    pub fn all(cfg: &TransformerConfig) -> Vec<Receiver> {
        let mut all = Vec::new();
        for layer in 0..cfg.n_layers {
            for head in 0..cfg.n_heads {
                all.push(Receiver::Query { layer, head });
                all.push(Receiver::Key { layer, head });
                all.push(Receiver::Value { layer, head });
            }
            if !cfg.attn_only {
                all.push(Receiver::Mlp { layer });
            }
        }
        all.push(Receiver::Logits);
        all
    }

    /// Whether the sender wrote to the stream before this reads it.
    pub fn can_read(self, sender: Sender) -> bool {
        sender.stage().is_none_or(|stage| stage < self.stage())
    }

    /// Whether it decides where a head attends, and not what it moves or what else is computed.
    pub fn is_query_or_key(self) -> bool {
        matches!(self, Receiver::Query { .. } | Receiver::Key { .. })
    }

    /// An error unless the model has it.
    pub(crate) fn check(self, cfg: &TransformerConfig) -> Result<()> {
        known("receiver", self, &Receiver::all(cfg))
    }

    fn stage(self) -> usize {
        match self {
            Receiver::Query { layer, .. }
            | Receiver::Key { layer, .. }
            | Receiver::Value { layer, .. } => 2 * layer,
            Receiver::Mlp { layer } => 2 * layer + 1,
            Receiver::Logits => usize::MAX,
        }
    }
}

impl Edge {
    /// Every edge of a model, by receiver, then by sender, both in the order of computation.
    ///
    /// ```
    /// use holoscope::{config::TransformerConfig, model::Edge};
    /// let cfg = TransformerConfig { n_layers: 1, n_heads: 2, ..Default::default() };
    /// // Six inputs of heads read two embeddings, the MLP also two heads, the logits all five.
    /// assert_eq!(Edge::all(&cfg).len(), 6 * 2 + 4 + 5);
    /// ```
    pub fn all(cfg: &TransformerConfig) -> Vec<Edge> {
        let senders = Sender::all(cfg);
        let of = |receiver: Receiver| {
            let read = senders.iter().filter(move |s| receiver.can_read(**s));
            read.map(move |&sender| Edge { sender, receiver })
        };
        Receiver::all(cfg).into_iter().flat_map(of).collect()
    }

    /// An error unless the model has it.
    pub(crate) fn check(self, cfg: &TransformerConfig) -> Result<()> {
        self.sender.check(cfg)?;
        self.receiver.check(cfg)?;
        match self.receiver.can_read(self.sender) {
            true => Ok(()),
            false => {
                let reason = "the sender writes only after the receiver has read";
                Err(Error::argument("edge", self, reason))
            }
        }
    }
}

fn known<T: PartialEq + fmt::Display>(kind: &'static str, one: T, all: &[T]) -> Result<()> {
    match all.contains(&one) {
        true => Ok(()),
        false => Err(Error::NotFound {
            kind,
            name: one.to_string(),
            known: all.iter().map(T::to_string).collect(),
        }),
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sender::Embed => f.write_str("embed"),
            Sender::PosEmbed => f.write_str("pos_embed"),
            Sender::Head { layer, head } => write!(f, "L{layer}H{head}"),
            Sender::Mlp { layer } => write!(f, "mlp{layer}"),
        }
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Receiver::Query { layer, head } => write!(f, "L{layer}H{head}.q"),
            Receiver::Key { layer, head } => write!(f, "L{layer}H{head}.k"),
            Receiver::Value { layer, head } => write!(f, "L{layer}H{head}.v"),
            Receiver::Mlp { layer } => write!(f, "mlp{layer}"),
            Receiver::Logits => f.write_str("logits"),
        }
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.sender, self.receiver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cfg() -> TransformerConfig {
        TransformerConfig {
            n_layers: 2,
            n_heads: 2,
            ..TransformerConfig::default()
        }
    }

    #[test]
    fn edges_go_forward_only() {
        let all = Edge::all(&cfg());
        // Block 0: 6 inputs x 2 senders, MLP 4; block 1: 6 x 5, MLP 7; logits 8.
        assert_eq!(all.len(), 12 + 4 + 30 + 7 + 8);
        let has = |text: &str| all.iter().any(|edge| edge.to_string() == text);
        assert!(has("L0H1 -> mlp0") && has("mlp0 -> L1H0.q") && has("embed -> logits"));
        assert!(!has("mlp0 -> L0H0.q") && !has("L0H0 -> L0H1.v") && !has("mlp1 -> mlp1"));
        for edge in all {
            edge.check(&cfg()).unwrap();
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        let edge = |sender, receiver| Edge { sender, receiver };
        let late = edge(Sender::Mlp { layer: 1 }, Receiver::Mlp { layer: 0 });
        let message = late.check(&cfg()).unwrap_err().to_string();
        assert!(message.contains("edge = mlp1 -> mlp0"), "{message}");
        let absent = edge(Sender::Head { layer: 0, head: 2 }, Receiver::Logits);
        let message = absent.check(&cfg()).unwrap_err().to_string();
        assert!(message.contains("no sender named \"L0H2\""), "{message}");
    }
}
