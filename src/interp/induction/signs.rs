//! Is a pair of heads an induction circuit? Five signs of one, each with its threshold.
//! Source: Olsson et al. 2022, "In-context Learning and Induction Heads"; Elhage et al. 2021; thresholds ours.

use super::ablations::HeadAblations;
use super::prefix_matching::PrefixMatchingScores;
use crate::error::Result;
use crate::interp::mechanisms::{CompositionScores, CopyingScores, EdgeScores};
use crate::model::{Edge, Receiver, Sender};
use crate::show::shows_itself;
use polars::prelude::{DataFrame, df};
use std::fmt;

/// The induction score without the earlier head must fall to this share.
const FALL: f64 = 0.5;
/// The copying score that the later head must exceed.
const COPIES: f64 = 0.5;

/// One sign.
#[derive(Debug, Clone, PartialEq)]
pub struct InductionSign {
    pub sign: String,
    pub holds: bool,
    /// The number that decides, or the pair or edge that has the largest one.
    pub found: String,
}

/// The signs that two heads form an induction circuit.
#[derive(Debug, Clone, PartialEq)]
pub struct InductionSigns {
    /// The earlier head, which should attend to the previous token: (layer, head).
    pub from: (usize, usize),
    /// The later head, which should complete the pattern.
    pub to: (usize, usize),
    pub rows: Vec<InductionSign>,
}

/// Five signs that the head `from` and the head that `ablations` watched form an induction circuit: the induction score
/// falls by half without the earlier head; the pair has the highest K-composition; it matches the largest share of
/// tokens; the later head copies (score above 0.5); and its edge is the largest of all edges into keys.
///
/// # Errors
/// Heads that the results do not have; results without a score.
pub fn induction_signs(
    ablations: &HeadAblations,
    k_composition: &CompositionScores,
    prefix_matching: &PrefixMatchingScores,
    copying: &CopyingScores,
    edges: &EdgeScores,
    from: (usize, usize),
) -> Result<InductionSigns> {
    let to = ablations.watched;
    let pair = (from.0, from.1, to.0, to.1);
    let name = |(l, h, m, g): (usize, usize, usize, usize)| format!("L{l}H{h} and L{m}H{g}");
    let without = ablations.without(from.0, from.1)?.induction;
    let k = k_composition.highest()?;
    let k = (k.from_layer, k.from_head, k.to_layer, k.to_head);
    let best = prefix_matching.best()?;
    let best = (best.from_layer, best.from_head, best.to_layer, best.to_head);
    let copies = copying.of(to.0, to.1)?;
    let into_keys = edges.top(edges.scores.len()).into_iter();
    let largest = into_keys
        .map(|score| score.edge)
        .find(|edge| matches!(edge.receiver, Receiver::Key { .. }));
    let own = Edge {
        sender: Sender::Head {
            layer: from.0,
            head: from.1,
        },
        receiver: Receiver::Key {
            layer: to.0,
            head: to.1,
        },
    };
    let row = |sign: &str, holds, found| InductionSign {
        sign: sign.to_owned(),
        holds,
        found,
    };
    let rows = vec![
        row(
            "the induction score falls by half without the previous-token head",
            without <= FALL * ablations.induction,
            format!("{:.3} of {:.3} is left", without, ablations.induction),
        ),
        row("the pair has the highest K-composition", k == pair, name(k)),
        row(
            "the pair matches the largest share of tokens",
            best == pair,
            name(best),
        ),
        row(
            "the induction head copies",
            copies > COPIES,
            format!("score {copies:.3}"),
        ),
        row(
            "the largest edge into keys is that of the pair",
            largest == Some(own),
            largest.map_or("none".to_owned(), |edge| edge.to_string()),
        ),
    ];
    Ok(InductionSigns { from, to, rows })
}

impl InductionSigns {
    /// How many of the signs are there.
    pub fn n_hold(&self) -> usize {
        self.rows.iter().filter(|row| row.holds).count()
    }

    /// One row a sign: `sign`, `holds`, `found`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let rows = || self.rows.iter();
        Ok(df![
            "sign" => rows().map(|row| row.sign.as_str()).collect::<Vec<&str>>(),
            "holds" => rows().map(|row| row.holds).collect::<Vec<bool>>(),
            "found" => rows().map(|row| row.found.as_str()).collect::<Vec<&str>>(),
        ]?)
    }
}

impl fmt::Display for InductionSigns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            let answer = if row.holds { "yes" } else { "no " };
            writeln!(f, "{answer} {} ({})", row.sign, row.found)?;
        }
        write!(f, "{} of {} signs", self.n_hold(), self.rows.len())
    }
}

shows_itself!(InductionSigns as text);
