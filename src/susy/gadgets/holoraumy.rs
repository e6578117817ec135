//! Holoraumy: what commuting two supersymmetries does to bosons and to fermions.
//! `V_IJ = (L_I R_J - L_J R_I)/2` (bosons), `V~_IJ = (R_I L_J - R_J L_I)/2` (fermions); `V^2 = -1`.
//! Source: arXiv:1701.00304, sections 2 and 3, with its su(2) x su(2) bases alpha and beta.

use crate::error::{Error, Result};
use crate::show::{Html, MimeBundle, Show, Table, escape, shows_itself};
use crate::susy::{GardenMultiplet, Ratio, SignedPermutation};
use polars::prelude::df;
use std::fmt;

/// Which fields a holoraumy matrix acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sector {
    /// `V_IJ`, on the d bosons.
    Bosonic,
    /// `V~_IJ`, on the d fermions.
    Fermionic,
}

impl Sector {
    /// The holoraumy matrix of two colours of a closed set: `L_I R_J` or `R_I L_J`.
    pub(in crate::susy) fn product(
        self,
        a: &SignedPermutation,
        b: &SignedPermutation,
    ) -> SignedPermutation {
        match self {
            Sector::Bosonic => a.times(&b.transpose()),
            Sector::Fermionic => a.transpose().times(b),
        }
    }
}

/// All holoraumy matrices of one multiplet in one sector, exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holoraumy {
    /// The multiplet's name.
    pub name: String,
    pub sector: Sector,
    /// Number of colours N.
    pub n_colours: usize,
    /// Matrices of the pairs (1, 2), (1, 3), ..., (N - 1, N).
    pub matrices: Vec<SignedPermutation>,
}

impl GardenMultiplet {
    /// `V_IJ = (L_I R_J - L_J R_I)/2` of all pairs.
    ///
    /// # Errors
    /// A multiplet that does not satisfy the garden algebra, of which `V_IJ` need not be a
    /// signed permutation.
    pub fn bosonic_holoraumy(&self) -> Result<Holoraumy> {
        Holoraumy::of(self, Sector::Bosonic)
    }

    /// `V~_IJ = (R_I L_J - R_J L_I)/2` of all pairs; errors as for the bosons.
    pub fn fermionic_holoraumy(&self) -> Result<Holoraumy> {
        Holoraumy::of(self, Sector::Fermionic)
    }
}

impl Holoraumy {
    fn of(multiplet: &GardenMultiplet, sector: Sector) -> Result<Self> {
        multiplet.require_closed()?;
        let l = &multiplet.l;
        let mut matrices = Vec::new();
        for i in 0..l.len() {
            for j in i + 1..l.len() {
                // The garden algebra makes the two terms equal, so half their sum is the first.
                matrices.push(sector.product(&l[i], &l[j]));
            }
        }
        Ok(Self {
            name: multiplet.name.clone(),
            sector,
            n_colours: l.len(),
            matrices,
        })
    }

    /// The pairs I < J, counted from 1, in the order of `matrices`.
    pub fn pairs(&self) -> Vec<(usize, usize)> {
        let n = self.n_colours;
        (1..=n)
            .flat_map(|i| (i + 1..=n).map(move |j| (i, j)))
            .collect()
    }

    /// The matrix of the colours I and J, counted from 1; `V_JI = -V_IJ`.
    ///
    /// # Errors
    /// Colours outside 1..=N or equal (`V_II = 0` is no signed permutation).
    pub fn matrix(&self, i: usize, j: usize) -> Result<SignedPermutation> {
        let wanted = (i.min(j), i.max(j));
        match self.pairs().iter().position(|&p| p == wanted) {
            Some(k) if i < j => Ok(self.matrices[k]),
            Some(k) => Ok(-self.matrices[k]),
            None => Err(Error::argument(
                "(I, J)",
                format!("({i}, {j})"),
                format!("must be two different colours of 1 to {}", self.n_colours),
            )),
        }
    }

    /// Expands every matrix in the alpha and beta bases of su(2) x su(2).
    ///
    /// The coefficient of a basis matrix m is `i Tr(m V)/4`, so `V = -i sum (coefficient) m`.
    ///
    /// # Errors
    /// d other than 4.
    pub fn coefficients(&self) -> Result<Su2Coefficients> {
        let [alpha, beta] = su2_basis();
        let mut rows = Vec::new();
        for ((i, j), v) in self.pairs().into_iter().zip(&self.matrices) {
            if v.d() != 4 {
                return Err(Error::argument("d", v.d(), "so(4) = su(2) x su(2) needs 4"));
            }
            let along = |m: SignedPermutation| Ratio::reduced(m.times(v).trace(), 4);
            rows.push(PairCoefficients {
                i,
                j,
                alpha: alpha.map(along),
                beta: beta.map(along),
            });
        }
        Ok(Su2Coefficients {
            name: self.name.clone(),
            sector: self.sector,
            rows,
        })
    }
}

/// `i m` for the six basis matrices m: alpha = (s2 x s1, 1 x s2, s2 x s3) and
/// beta = (s1 x s2, s2 x 1, s3 x s2), with Pauli matrices s.
///
/// Each m is imaginary and antisymmetric, so `i m` is a real signed permutation:
/// `i s2 = (2+ 1-)`.
pub fn su2_basis() -> [[SignedPermutation; 3]; 2] {
    let two = |c: [usize; 2], s: [i8; 2]| {
        SignedPermutation::new(&c, &s).expect("a permutation of two columns")
    };
    let one = two([0, 1], [1, 1]);
    let s1 = two([1, 0], [1, 1]);
    let i_s2 = two([1, 0], [1, -1]);
    let s3 = two([0, 1], [1, -1]);
    let x = |a: &SignedPermutation, b: &SignedPermutation| {
        a.kronecker(b).expect("two times two is at most 16")
    };
    [
        [x(&i_s2, &s1), x(&one, &i_s2), x(&i_s2, &s3)],
        [x(&s1, &i_s2), x(&i_s2, &one), x(&s3, &i_s2)],
    ]
}

/// Coefficients of one pair of colours in the alpha and beta bases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairCoefficients {
    /// First colour, counted from 1.
    pub i: usize,
    /// Second colour, counted from 1.
    pub j: usize,
    pub alpha: [Ratio; 3],
    pub beta: [Ratio; 3],
}

/// The su(2) x su(2) coefficients of all pairs of one multiplet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Su2Coefficients {
    /// The multiplet's name.
    pub name: String,
    pub sector: Sector,
    pub rows: Vec<PairCoefficients>,
}

impl Su2Coefficients {
    /// True when no beta appears.
    pub fn is_alpha_only(&self) -> bool {
        self.rows.iter().all(|r| r.beta.iter().all(Ratio::is_zero))
    }

    /// True when no alpha appears.
    pub fn is_beta_only(&self) -> bool {
        self.rows.iter().all(|r| r.alpha.iter().all(Ratio::is_zero))
    }
}

impl fmt::Display for PairCoefficients {
    /// `-alpha2`, `+beta3`, `+1/2 alpha1 -1/2 beta1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut terms = Vec::new();
        for (basis, coefficients) in [("alpha", &self.alpha), ("beta", &self.beta)] {
            for (k, c) in coefficients
                .iter()
                .enumerate()
                .filter(|(_, c)| !c.is_zero())
            {
                let sign = if c.numerator() < 0 { '-' } else { '+' };
                let size = match (c.numerator().unsigned_abs(), c.denominator()) {
                    (1, 1) => String::new(),
                    (numerator, 1) => format!("{numerator} "),
                    (numerator, denominator) => format!("{numerator}/{denominator} "),
                };
                terms.push(format!("{sign}{size}{basis}{}", k + 1));
            }
        }
        f.pad(&terms.join(" "))
    }
}

impl fmt::Display for Sector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Sector::Bosonic => "bosonic",
            Sector::Fermionic => "fermionic",
        })
    }
}

impl fmt::Display for Su2Coefficients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} holoraumy:", self.name, self.sector)?;
        for row in &self.rows {
            write!(f, " {}{} {row}", row.i, row.j)?;
        }
        Ok(())
    }
}

impl fmt::Display for Holoraumy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} holoraumy:", self.name, self.sector)?;
        for ((i, j), m) in self.pairs().into_iter().zip(&self.matrices) {
            write!(f, " {i}{j} {m}")?;
        }
        Ok(())
    }
}

impl Holoraumy {
    fn symbol(&self) -> &'static str {
        match self.sector {
            Sector::Bosonic => "V",
            Sector::Fermionic => "Ṽ",
        }
    }
}

shows_itself!(Holoraumy);

impl Show for Holoraumy {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let mut html = format!(
            "<div><b>{}</b>, {} holoraumy</div>",
            escape(&self.name),
            self.sector
        );
        for ((i, j), m) in self.pairs().into_iter().zip(&self.matrices) {
            html.push_str(&m.html(&format!("{}<sub>{i}{j}</sub>", self.symbol())));
        }
        Html::new(html, self.to_string()).mime_bundle()
    }
}

shows_itself!(Su2Coefficients);

impl Show for Su2Coefficients {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let column = |part: &dyn Fn(&PairCoefficients) -> String| -> Vec<String> {
            self.rows.iter().map(part).collect()
        };
        let frame = df![
            "pair" => column(&|r| format!("{}{}", r.i, r.j)),
            "alpha1" => column(&|r| r.alpha[0].to_string()),
            "alpha2" => column(&|r| r.alpha[1].to_string()),
            "alpha3" => column(&|r| r.alpha[2].to_string()),
            "beta1" => column(&|r| r.beta[0].to_string()),
            "beta2" => column(&|r| r.beta[1].to_string()),
            "beta3" => column(&|r| r.beta[2].to_string()),
            "sum" => column(&|r| r.to_string()),
        ]?;
        Ok(Table::new(frame)
            .caption(format!(
                "{}: {} holoraumy in su(2) × su(2)",
                self.name, self.sector
            ))
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}
