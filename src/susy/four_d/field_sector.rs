//! The bosons or the fermions of a multiplet at one momentum: field equations, gauge freedom, and
//! the gauge-invariant field strength W with its duality rotation J, `J^2 = -1`.
//! Source: arXiv:1906.02971; every map is a matrix on the component fields.

use super::ComplexMatrix;

/// Component fields of one statistics and what is known of them at one momentum.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldSector {
    /// Names of the n components, for example "A_0".
    pub components: Vec<String>,
    /// Field equations, `[n_equations, n]`: they send a solution to 0. No row off shell.
    pub equations: ComplexMatrix,
    /// Pure gauge, one column each, `[n, n_gauge]`.
    pub gauge: ComplexMatrix,
    /// How W is written, for example "F_mn".
    pub strength_name: &'static str,
    /// W of the fields, `[n_strengths, n]`; it sends pure gauge to 0.
    pub strength: ComplexMatrix,
    /// How J is written, for example "*".
    pub rotation_name: &'static str,
    /// J on W, `[n_strengths, n_strengths]`; 0 on auxiliary fields.
    pub rotation: ComplexMatrix,
}

impl FieldSector {
    /// An orthonormal basis of the solutions of the field equations, pure gauge included:
    /// `[n, n_solutions]`.
    pub fn solutions(&self) -> ComplexMatrix {
        if self.equations.n_rows() == 0 {
            return ComplexMatrix::identity(self.components.len());
        }
        self.equations.null_space()
    }

    /// Number of independent field strengths of the solutions: the physical states.
    pub fn n_states(&self) -> usize {
        self.strength.times(&self.solutions()).rank()
    }

    /// The same fields without field equations.
    pub(super) fn off_shell(mut self) -> Self {
        self.equations = ComplexMatrix::zeros(0, self.components.len());
        self
    }

    /// The same fields off shell with auxiliary fields, which are their own field strengths.
    pub(super) fn with_auxiliaries(mut self, names: &[&str]) -> Self {
        let n = names.len();
        self.components
            .extend(names.iter().map(|s| (*s).to_owned()));
        self.gauge = self.gauge.beside(&ComplexMatrix::zeros(n, 0));
        self.strength = self.strength.beside(&ComplexMatrix::identity(n));
        self.rotation = self.rotation.beside(&ComplexMatrix::zeros(n, n));
        self.off_shell()
    }
}
