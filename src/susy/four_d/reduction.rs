//! Reduction to one dimension: of the four-dimensional laws only `d_0` is kept, in temporal gauge.
//! `D_a Phi = i L_a Psi`, `D_a Psi = R_a d_0 Phi`, with `psi = i Psi` and an auxiliary `F = d_0 Phi`.
//! Source: arXiv:0902.3830 and arXiv:1701.00304, section 2.

use super::{Complex, ComplexMatrix, FourDMultiplet, FourMomentum, MultipletAtMomentum};
use crate::error::{Error, Result};
use crate::show::{Html, MimeBundle, Show, escape, shows_itself};
use crate::susy::{GardenCheck, GardenMultiplet, Ratio, SignedPermutation};
use std::fmt;

/// A boson of the one-dimensional multiplet: `Phi = scale * field`, or its time integral.
struct Node {
    field: &'static str,
    scale: f64,
    /// An auxiliary field is the time derivative of its node.
    auxiliary: bool,
}

const fn node(field: &'static str) -> Node {
    Node {
        field,
        scale: 1.0,
        auxiliary: false,
    }
}

const fn auxiliary(field: &'static str) -> Node {
    Node {
        field,
        scale: 1.0,
        auxiliary: true,
    }
}

/// A two-form enters with `Phi = 2 B_mn`, so that L has entries 1.
const fn two_form(field: &'static str, sign: f64) -> Node {
    Node {
        field,
        scale: 2.0 * sign,
        auxiliary: false,
    }
}

/// The matrices of a multiplet in one dimension, of integers; not square where fields are missing.
#[derive(Debug, Clone, PartialEq)]
pub struct ReducedMultiplet {
    /// The multiplet it comes from, for example "CS".
    pub name: String,
    /// The fields of the nodes, in order.
    pub bosons: Vec<String>,
    /// `L_a`, each `[n_bosons, n_fermions]`.
    pub l: [ComplexMatrix; 4],
    /// `R_a`, each `[n_fermions, n_bosons]`.
    pub r: [ComplexMatrix; 4],
}

impl FourDMultiplet {
    /// The off-shell multiplet reduced to one dimension.
    ///
    /// ```
    /// use holoscope::susy::{chiral, four_d::FourDMultiplet};
    /// let reduced = FourDMultiplet::Chiral.reduce()?;
    /// assert_eq!(reduced.garden()?.l, chiral().l);
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// MGM and SG, which are not known off shell.
    pub fn reduce(self) -> Result<ReducedMultiplet> {
        let at = self.off_shell_at(&at_rest()?)?;
        reduced(self.name(), &at, &self.nodes())
    }

    /// The on-shell multiplet, without auxiliaries, reduced to one dimension: L is not square.
    ///
    /// # Errors
    /// MGM and SG, whose gravitino is not one spinor.
    pub fn reduce_on_shell(self) -> Result<ReducedMultiplet> {
        let at = self.at(&at_rest()?);
        let mut nodes = self.nodes();
        nodes.retain(|n| !n.auxiliary);
        if nodes.is_empty() {
            return Err(Error::argument(
                "multiplet",
                self,
                "only a multiplet of one spinor reduces to N = 4 with 4 fermions",
            ));
        }
        reduced(self.name(), &at, &nodes)
    }

    /// The bosons of the reduced multiplet, in the order of `multiplets.rs`.
    fn nodes(self) -> Vec<Node> {
        match self {
            Self::Chiral => vec![node("A"), node("B"), auxiliary("F"), auxiliary("G")],
            Self::Vector => vec![node("A_1"), node("A_2"), node("A_3"), auxiliary("d")],
            Self::AxialVector => vec![node("U_1"), node("U_2"), node("U_3"), auxiliary("d~")],
            Self::Tensor => vec![
                node("phi"),
                two_form("B_12", 1.0),
                two_form("B_23", 1.0),
                // B_31 = -B_13
                two_form("B_13", -1.0),
            ],
            Self::MatterGravitino | Self::Supergravity => Vec::new(),
        }
    }
}

/// The momentum on which only `d_0` is not zero.
fn at_rest() -> Result<FourMomentum> {
    FourMomentum::new([1.0, 0.0, 0.0, 0.0])
}

fn reduced(name: &str, at: &MultipletAtMomentum, nodes: &[Node]) -> Result<ReducedMultiplet> {
    // d_0 = i k_0 with k_0 = 1, so that the time integral is its conjugate.
    let integral = at.momentum.derivative(0).conj();
    let n_fermions = at.fermions.components.len();
    let mut out = ReducedMultiplet {
        name: name.to_owned(),
        bosons: nodes.iter().map(|n| n.field.to_owned()).collect(),
        l: std::array::from_fn(|_| ComplexMatrix::zeros(nodes.len(), n_fermions)),
        r: std::array::from_fn(|_| ComplexMatrix::zeros(n_fermions, nodes.len())),
    };
    for (i, n) in nodes.iter().enumerate() {
        let Some(field) = at.bosons.components.iter().position(|c| c == n.field) else {
            return Err(Error::NotFound {
                kind: "boson",
                name: n.field.to_owned(),
                known: at.bosons.components.clone(),
            });
        };
        // Phi = scale field, or its integral; d_0 Phi likewise.
        let (phi, rate) = match n.auxiliary {
            true => (integral, Complex::ONE),
            false => (Complex::ONE, integral),
        };
        for a in 0..4 {
            for b in 0..n_fermions {
                // D_a Phi = L_a psi.
                let l = at.l[a].entry(field, b) * phi * n.scale;
                out.l[a].add_to(i, b, require_integer(l)?);
                // D_a psi = i R_a d_0 Phi.
                let r = at.r[a].entry(b, field) * rate * -Complex::I * (1.0 / n.scale);
                out.r[a].add_to(b, i, require_integer(r)?);
            }
        }
    }
    Ok(out)
}

/// The entry itself; every number on the way to it is exact, so no tolerance is needed.
fn require_integer(z: Complex) -> Result<Complex> {
    if z.im == 0.0 && z.re.fract() == 0.0 {
        return Ok(z);
    }
    Err(Error::argument(
        "entry of L or R",
        z,
        "must be an integer for the garden algebra",
    ))
}

impl ReducedMultiplet {
    /// The same as signed permutations, with `R = L^T` as the garden algebra has it.
    ///
    /// # Errors
    /// Matrices that are not signed permutations (as on shell), or R that is not `L^T`.
    pub fn garden(&self) -> Result<GardenMultiplet> {
        let mut matrices = Vec::new();
        for (l, r) in self.l.iter().zip(&self.r) {
            let (mut columns, mut signs) = (Vec::new(), Vec::new());
            for row in 0..l.n_rows() {
                let entry = |column: &usize| l.entry(row, *column).re;
                let found: Vec<usize> = (0..l.n_columns()).filter(|c| entry(c) != 0.0).collect();
                match found.as_slice() {
                    [column] if entry(column).abs() == 1.0 => {
                        columns.push(*column);
                        signs.push(entry(column) as i8);
                    }
                    _ => return Err(self.no_permutation()),
                }
            }
            if l.n_rows() != l.n_columns() || *r != l.transpose() {
                return Err(self.no_permutation());
            }
            matrices.push(SignedPermutation::new(&columns, &signs)?);
        }
        GardenMultiplet::new(&self.name, matrices)
    }

    fn no_permutation(&self) -> Error {
        Error::argument(
            "multiplet",
            format!("{:?}", self.name),
            "its L are not signed permutations with R = L^T",
        )
    }

    /// Both garden relations, exactly: the largest |entry| of each, for each pair.
    pub fn check(&self) -> GardenCheck {
        let relation = |x: &[ComplexMatrix; 4], y: &[ComplexMatrix; 4]| {
            let mut pairs = Vec::new();
            for i in 0..4 {
                for j in i..4 {
                    pairs.push((i + 1, j + 1, residual(x, y, i, j)));
                }
            }
            pairs
        };
        GardenCheck {
            name: self.name.clone(),
            lr: relation(&self.l, &self.r),
            rl: relation(&self.r, &self.l),
        }
    }

    /// `chi_0 = Tr(L_1 R_2 L_3 R_4) / 4`.
    ///
    /// # Errors
    /// Matrices whose trace is not an integer.
    pub fn chi_0(&self) -> Result<Ratio> {
        let product = self.l[0]
            .times(&self.r[1])
            .times(&self.l[2])
            .times(&self.r[3]);
        let trace: f64 = (0..product.n_rows()).map(|i| product.entry(i, i).re).sum();
        // An f64 holds each integer up to 2^53.
        if trace.fract() != 0.0 || trace.abs() > 2f64.powi(53) {
            let reason = "is not an integer, as it is for a reduced multiplet";
            return Err(Error::argument("Tr(L_1 R_2 L_3 R_4)", trace, reason));
        }
        Ok(Ratio::reduced(trace as i64, 4))
    }
}

/// Largest |entry| of `X_I Y_J + X_J Y_I - 2 delta_IJ`, rounded up; `i32::MAX` where one is NaN.
fn residual(x: &[ComplexMatrix; 4], y: &[ComplexMatrix; 4], i: usize, j: usize) -> i32 {
    let sum = x[i].times(&y[j]).plus(&x[j].times(&y[i]));
    let delta = if i == j { 2.0 } else { 0.0 };
    let gap = sum.minus(&ComplexMatrix::identity(sum.n_rows()).scaled(delta));
    let entries = (0..gap.n_rows() * gap.n_columns())
        .map(|k| gap.entry(k / gap.n_columns(), k % gap.n_columns()).re.abs());
    let largest = entries.fold(0.0, |most: f64, entry| match entry.is_nan() {
        true => f64::INFINITY,
        false => most.max(entry),
    });
    largest.ceil() as i32
}

impl fmt::Display for ReducedMultiplet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in one dimension: {}",
            self.name,
            self.bosons.join(", ")
        )?;
        for (a, l) in self.l.iter().enumerate() {
            write!(f, "\nL{}\n{l}", a + 1)?;
        }
        Ok(())
    }
}

shows_itself!(ReducedMultiplet);

impl Show for ReducedMultiplet {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let mut html = format!(
            "<div><b>{}</b> in one dimension: {}</div>",
            escape(&self.name),
            escape(&self.bosons.join(", "))
        );
        for (a, l) in self.l.iter().enumerate() {
            html.push_str(&l.html(&format!("L<sub>{}</sub>", a + 1)));
        }
        Html::new(html, self.to_string()).mime_bundle()
    }
}
