//! Matching pursuit of a chunk of rows: each step takes the feature that best fits the residual.
//! Mallat & Zhang 1993; stopping rules as in SAELens' `matching_pursuit`.

use super::encode::PackedEncoder;
use super::lists::ActiveLists;
use super::rows::{add_scaled, dot};
use super::screen::{Screen, ScreenScratch};
use super::tile::panel::CHUNK;

/// The stopping rules of matching pursuit for a token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PursuitRules {
    /// Stop when the norm of the residual is less than this; 0: never.
    pub residual_threshold: f64,
    /// Stop after this many steps; `None`: after `d_in`.
    pub max_iterations: Option<usize>,
    /// Stop when a feature is chosen again (that step counts).
    pub stop_on_duplicate_support: bool,
}

/// SAELens' defaults.
impl Default for PursuitRules {
    fn default() -> Self {
        Self {
            residual_threshold: 1e-2,
            max_iterations: None,
            stop_on_duplicate_support: true,
        }
    }
}

/// The steps of one token, in order: feature and value, above 0 or NaN.
pub(in crate::sae) type Picks = Vec<(u32, f32)>;

/// Memory that a chunk's pursuit reuses.
#[derive(Debug, Default)]
pub(in crate::sae) struct PursuitScratch {
    /// The residuals of the unfinished rows, `[CHUNK, d_in]`.
    rows: Vec<f32>,
    live: Vec<usize>,
    lists: ActiveLists,
    encode: ScreenScratch,
}

impl PursuitRules {
    /// Pursues the first `n` rows of `residuals`, `[CHUNK, d_in]`, which become the final residuals; `picks` gets the
    /// steps of each. `packed` has the rows of `w_dec`, `[d_sae, d_in]`, no biases, and `top_k` of 1; `screen` is
    /// prepared with it.
    ///
    /// A row that is not finite gets no step and is unchanged.
    pub(in crate::sae) fn pursue(
        &self,
        (packed, screen): (&PackedEncoder, &Screen),
        w_dec: &[f32],
        residuals: &mut [f32],
        n: usize,
        scratch: &mut PursuitScratch,
        picks: &mut Vec<Picks>,
    ) {
        let d = residuals.len() / CHUNK;
        let at = |i: usize| i * d..(i + 1) * d;
        picks.clear();
        picks.resize_with(n, Picks::new);
        let PursuitScratch {
            rows,
            live,
            lists,
            encode,
        } = scratch;
        rows.resize(CHUNK * d, 0.0);
        live.clear();
        live.extend((0..n).filter(|&i| residuals[at(i)].iter().all(|x| x.is_finite())));
        for _ in 0..self.max_iterations.unwrap_or(d) {
            if live.is_empty() {
                return;
            }
            for (place, &i) in live.iter().enumerate() {
                rows[at(place)].copy_from_slice(&residuals[at(i)]);
            }
            screen.encode(packed, w_dec, (rows, live.len()), 0.0, encode, lists);
            let mut place = 0;
            live.retain(|&i| {
                place += 1;
                // No feature has a positive product with the residual, and none will later.
                let Some(&j) = lists.row(place - 1).0.first() else {
                    return false;
                };
                self.advance(j, w_dec, &mut residuals[at(i)], &mut picks[i])
            });
        }
    }

    /// One step of one row with feature `j`; returns whether another follows.
    fn advance(&self, j: u32, w_dec: &[f32], residual: &mut [f32], picks: &mut Picks) -> bool {
        let w = &w_dec[j as usize * residual.len()..][..residual.len()];
        let value = dot(residual, w);
        // Possible, since rounding differs from that of the product that selected the feature.
        if value <= 0.0 {
            return false;
        }
        let known = picks.iter().any(|pick| pick.0 == j);
        picks.push((j, value));
        add_scaled(-value, w, residual);
        let left = f64::from(dot(residual, residual)).sqrt();
        value.is_finite()
            && left.is_finite()
            && !(known && self.stop_on_duplicate_support)
            && left >= self.residual_threshold
    }
}
