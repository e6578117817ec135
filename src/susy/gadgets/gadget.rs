//! The gadget: an inner product of supermultiplets through their fermionic holoraumy.
//! `G(R, R') = -1/(d N (N - 1)) sum over I != J of Tr(V~_IJ V~'_IJ)`; 48 for d = N = 4; `G(R, R) = 1`.
//! Source: arXiv:1701.00304, equation (3.1).

use crate::error::{Error, Result};
use crate::show::{MimeBundle, Show, Table, shows_itself};
use crate::susy::{GardenMultiplet, Holoraumy, Ratio};
use polars::prelude::{Column, DataFrame};
use std::fmt;

/// The gadget of two multiplets, exact.
///
/// ```
/// use holoscope::susy::{gadget, tensor, vector};
/// assert_eq!(gadget(&vector(), &tensor())?.to_string(), "-1/3");
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// Multiplets of different d or N, with fewer than two colours, or outside the garden algebra.
pub fn gadget(a: &GardenMultiplet, b: &GardenMultiplet) -> Result<Ratio> {
    if (a.d(), a.n_colours()) != (b.d(), b.n_colours()) {
        return Err(Error::shape(
            format!("multiplet {:?} (N, d)", b.name),
            (a.n_colours(), a.d()),
            (b.n_colours(), b.d()),
        ));
    }
    of_holoraumy(&a.fermionic_holoraumy()?, &b.fermionic_holoraumy()?)
}

fn of_holoraumy(a: &Holoraumy, b: &Holoraumy) -> Result<Ratio> {
    let Some(first) = a.matrices.first() else {
        return Err(Error::argument(
            "N",
            a.n_colours,
            "the gadget needs at least two colours",
        ));
    };
    let traces: i64 = a
        .matrices
        .iter()
        .zip(&b.matrices)
        .map(|(v, w)| v.times(w).trace())
        .sum();
    // The ordered pairs (I, J) and (J, I) give the same trace, hence the factor 2.
    Ratio::new(
        -2 * traces,
        (first.d() * a.n_colours * (a.n_colours - 1)) as i64,
    )
}

/// The gadgets of every two of some multiplets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GadgetMatrix {
    /// Names of the multiplets, for rows and columns.
    pub names: Vec<String>,
    /// Row by row.
    pub values: Vec<Vec<Ratio>>,
}

/// The matrix of gadgets of some multiplets; errors as for [`gadget`].
pub fn gadget_matrix(multiplets: &[GardenMultiplet]) -> Result<GadgetMatrix> {
    let values = multiplets
        .iter()
        .map(|a| multiplets.iter().map(|b| gadget(a, b)).collect())
        .collect::<Result<Vec<Vec<Ratio>>>>()?;
    Ok(GadgetMatrix {
        names: multiplets.iter().map(|m| m.name.clone()).collect(),
        values,
    })
}

impl fmt::Display for GadgetMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8}", "gadget")?;
        for name in &self.names {
            write!(f, " {name:>6}")?;
        }
        for (name, row) in self.names.iter().zip(&self.values) {
            write!(f, "\n{name:>8}")?;
            for value in row {
                write!(f, " {value:>6}")?;
            }
        }
        Ok(())
    }
}

shows_itself!(GadgetMatrix);

impl Show for GadgetMatrix {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let mut columns = vec![Column::new("gadget".into(), self.names.clone())];
        for (k, name) in self.names.iter().enumerate() {
            let values: Vec<String> = self.values.iter().map(|row| row[k].to_string()).collect();
            columns.push(Column::new(name.as_str().into(), values));
        }
        let frame = DataFrame::new(self.names.len(), columns)?;
        Ok(Table::new(frame)
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}
