//! What counts as equal: tolerances, masks, sanitising files, and what cells ask for.

pub mod cell;
pub mod sanitise;
pub mod tolerance;

use super::text::mask::Masks;
use sanitise::Sanitiser;
use tolerance::Tolerances;

/// What a check is asked for as a whole; cells may ask for more (see [`cell::CellRules`]).
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
    /// These tolerances, all else as it is by default.
    pub fn with_tolerances(tolerances: &[&str]) -> Self {
        let mut rules = Self::default();
        for text in tolerances {
            rules.tolerances.add(text).unwrap();
        }
        rules
    }
}
