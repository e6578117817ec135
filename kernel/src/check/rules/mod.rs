//! What counts as equal: tolerances, masks, sanitising files, and settings of cells.

pub mod cell;
pub mod sanitise;
pub mod tolerance;

use super::text::mask::Masks;
use sanitise::Sanitiser;
use tolerance::Tolerances;

/// Rules of a whole check; cells may add their own (see [`cell::CellRules`]).
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub tolerances: Tolerances,
    pub masks: Masks,
    pub sanitiser: Sanitiser,
    /// Only cells tagged `nbval-check-output` are compared.
    pub lax: bool,
}

#[cfg(test)]
impl Rules {
    /// These tolerances, with defaults for all other rules.
    pub fn with_tolerances(tolerances: &[&str]) -> Self {
        let mut rules = Self::default();
        for text in tolerances {
            rules.tolerances.add(text).unwrap();
        }
        rules
    }
}
