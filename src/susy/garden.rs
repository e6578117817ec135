//! Supermultiplets in one dimension: d bosons, d fermions and N colours of signed permutations.
//! GR(d, N): `L_I R_J + L_J R_I = 2 delta_IJ 1`, `R_I L_J + R_J L_I = 2 delta_IJ 1`, `R_I = L_I^T`.
//! Source: arXiv:1701.00304, section 2; `chi_0` from the same.

use super::{Ratio, SignedPermutation};
use crate::error::{Error, Result};
use crate::show::{Html, MimeBundle, Show, escape, shows_itself};
use std::fmt;

/// A named set of `L` matrices, bosons from fermions: `D_I phi = i L_I psi`.
///
/// ```
/// use holoscope::susy::chiral;
/// let cm = chiral();
/// assert!(cm.check().closes());
/// assert_eq!(cm.chi_0()?, 1);
/// # Ok::<(), holoscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GardenMultiplet {
    /// What it is called, for example "CM".
    pub name: String,
    /// `L_1` to `L_N`, each d x d.
    pub l: Vec<SignedPermutation>,
}

/// How far a set of matrices is from the garden algebra, exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GardenCheck {
    /// Which multiplet was checked.
    pub name: String,
    /// For each pair `I <= J` (counted from 1): the largest |entry| of `L_I R_J + L_J R_I - 2 delta_IJ`.
    pub lr: Vec<(usize, usize, i32)>,
    /// The same for `R_I L_J + R_J L_I - 2 delta_IJ`.
    pub rl: Vec<(usize, usize, i32)>,
}

impl GardenCheck {
    /// True when both relations hold for every pair.
    pub fn closes(&self) -> bool {
        self.lr.iter().chain(&self.rl).all(|&(_, _, r)| r == 0)
    }
}

impl GardenMultiplet {
    /// A multiplet of matrices of one size; the garden relations are not assumed, see [`Self::check`].
    ///
    /// # Errors
    /// No matrix, or matrices of different sizes.
    pub fn new(name: &str, l: Vec<SignedPermutation>) -> Result<Self> {
        let Some(first) = l.first() else {
            return Err(Error::argument("L", "[]", "needs at least one matrix"));
        };
        if let Some(other) = l.iter().find(|m| m.d() != first.d()) {
            let d = first.d();
            return Err(Error::shape("L", [d, d], [other.d(), other.d()]));
        }
        Ok(Self {
            name: name.to_owned(),
            l,
        })
    }

    /// Number of bosons, which is the number of fermions.
    pub fn d(&self) -> usize {
        self.l.first().map_or(0, SignedPermutation::d)
    }

    /// Number of colours (supersymmetries), N.
    pub fn n_colours(&self) -> usize {
        self.l.len()
    }

    /// `R_1` to `R_N`, fermions from bosons: the transposes, which are the inverses.
    pub fn r(&self) -> Vec<SignedPermutation> {
        self.l.iter().map(SignedPermutation::transpose).collect()
    }

    /// Checks both garden relations for every pair, exactly in integers.
    pub fn check(&self) -> GardenCheck {
        let r = self.r();
        let (mut lr, mut rl) = (Vec::new(), Vec::new());
        for i in 0..self.l.len() {
            for j in i..self.l.len() {
                let delta = 2 * i32::from(i == j);
                lr.push((i + 1, j + 1, residual(&self.l, &r, i, j, delta)));
                rl.push((i + 1, j + 1, residual(&r, &self.l, i, j, delta)));
            }
        }
        GardenCheck {
            name: self.name.clone(),
            lr,
            rl,
        }
    }

    /// An error that names the first relation that fails; nothing when both hold.
    pub(super) fn require_closed(&self) -> Result<()> {
        let check = self.check();
        for (order, pairs) in [("L R", &check.lr), ("R L", &check.rl)] {
            if let Some((i, j, _)) = pairs.iter().find(|p| p.2 != 0) {
                return Err(Error::argument(
                    "multiplet",
                    format!("{:?}", self.name),
                    format!("the {order} garden relation fails for the pair ({i}, {j})"),
                ));
            }
        }
        Ok(())
    }

    /// `chi_0 = Tr(L_1 R_2 L_3 R_4) / d`: +1 (cis) or -1 (trans) for the minimal N = 4, d = 4.
    ///
    /// # Errors
    /// A number of colours other than 4.
    pub fn chi_0(&self) -> Result<Ratio> {
        let [l1, l2, l3, l4] = self.l.as_slice() else {
            return Err(Error::argument("N", self.n_colours(), "chi_0 needs N = 4"));
        };
        let product = l1.times(&l2.transpose()).times(l3).times(&l4.transpose());
        Ratio::new(product.trace(), self.d() as i64)
    }
}

/// Largest |entry| of `A_I B_J + A_J B_I - delta 1`.
fn residual(
    a: &[SignedPermutation],
    b: &[SignedPermutation],
    i: usize,
    j: usize,
    delta: i32,
) -> i32 {
    let (p, q) = (a[i].times(&b[j]), a[j].times(&b[i]));
    let d = p.d();
    (0..d * d)
        .map(|k| (k / d, k % d))
        .map(|(row, col)| {
            let sum = i32::from(p.entry(row, col)) + i32::from(q.entry(row, col));
            (sum - if row == col { delta } else { 0 }).abs()
        })
        .max()
        .unwrap_or(0)
}

impl fmt::Display for GardenMultiplet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.name)?;
        for (i, l) in self.l.iter().enumerate() {
            write!(f, "{} L{} = {l}", if i == 0 { "" } else { "," }, i + 1)?;
        }
        Ok(())
    }
}

impl fmt::Display for GardenCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failing = |pairs: &[(usize, usize, i32)]| -> String {
            let bad: Vec<String> = pairs
                .iter()
                .filter(|p| p.2 != 0)
                .map(|(i, j, r)| format!("({i}, {j}) by {r}"))
                .collect();
            if bad.is_empty() {
                format!("holds for all {} pairs I <= J", pairs.len())
            } else {
                format!("fails for {}", bad.join(", "))
            }
        };
        write!(
            f,
            "{}: L_I R_J + L_J R_I = 2 delta_IJ {}; R_I L_J + R_J L_I = 2 delta_IJ {}",
            self.name,
            failing(&self.lr),
            failing(&self.rl)
        )
    }
}

impl GardenMultiplet {
    /// The L matrices side by side as tables of +1 and -1; zeros are left blank.
    fn html(&self) -> String {
        let mut out = format!(
            "<div><b>{}</b>, N = {}, d = {}</div>",
            escape(&self.name),
            self.n_colours(),
            self.d()
        );
        for (i, l) in self.l.iter().enumerate() {
            out.push_str(&l.html(&format!("L<sub>{}</sub>", i + 1)));
        }
        out
    }
}

shows_itself!(GardenMultiplet);

impl Show for GardenMultiplet {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Html::new(self.html(), self.to_string()).mime_bundle()
    }
}

shows_itself!(GardenCheck as text);
