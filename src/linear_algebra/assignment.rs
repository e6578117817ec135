//! The assignment problem: each row a column of its own, so that the sum of the weights is largest.
//! Shortest augmenting paths with potentials, `O(rows^2 columns)` (the Hungarian method).
//! Source: Kuhn 1955; Jonker and Volgenant 1987.

use crate::error::{Error, Result};

/// The column of each row in an assignment of largest total weight; `weight(row, column)` for
/// `rows <= columns`. `[rows]`
///
/// # Errors
/// [`Error::Shape`] for more rows than columns, [`Error::Argument`] for a weight that is not finite.
pub(crate) fn assignment(
    rows: usize,
    columns: usize,
    weight: impl Fn(usize, usize) -> f64,
) -> Result<Vec<usize>> {
    if rows > columns {
        return Err(Error::shape(
            "weights of an assignment",
            "at most as many rows as columns",
            [rows, columns],
        ));
    }
    let mut state = Placed::new(rows, columns);
    for row in 0..rows {
        state.place(row, &weight)?;
    }
    let mut column_of = vec![0; rows];
    for (column, &row) in state.row_of[..columns].iter().enumerate() {
        if row < rows {
            column_of[row] = column;
        }
    }
    Ok(column_of)
}

/// The rows placed so far, best among themselves. Column index `columns` stands for "none": the row that
/// is being placed starts from that column. Row index `rows` stands for "free".
struct Placed {
    rows: usize,
    columns: usize,
    /// `[columns + 1]`
    row_of: Vec<usize>,
    row_price: Vec<f64>,
    column_price: Vec<f64>,
}

impl Placed {
    fn new(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            columns,
            row_of: vec![rows; columns + 1],
            row_price: vec![0.0; rows + 1],
            column_price: vec![0.0; columns + 1],
        }
    }

    /// Places one more row, by the shortest path to a free column.
    fn place(&mut self, row: usize, weight: &impl Fn(usize, usize) -> f64) -> Result<()> {
        let none = self.columns;
        self.row_of[none] = row;
        let mut slack = vec![f64::INFINITY; self.columns];
        let mut came_from = vec![none; self.columns];
        let mut done = vec![false; self.columns + 1];
        let mut column = none;
        while self.row_of[column] != self.rows {
            done[column] = true;
            let from = self.row_of[column];
            let (mut delta, mut next) = (f64::INFINITY, none);
            for j in (0..self.columns).filter(|&j| !done[j]) {
                let w = weight(from, j);
                if !w.is_finite() {
                    return Err(Error::argument("weight", w, "must be finite"));
                }
                let reduced = -w - self.row_price[from] - self.column_price[j];
                if reduced < slack[j] {
                    slack[j] = reduced;
                    came_from[j] = column;
                }
                if slack[j] < delta {
                    (delta, next) = (slack[j], j);
                }
            }
            for (j, done) in done.iter().enumerate() {
                if *done {
                    self.row_price[self.row_of[j]] += delta;
                    self.column_price[j] -= delta;
                } else if j < self.columns {
                    slack[j] -= delta;
                }
            }
            column = next;
        }
        // The path back: each column takes the row of the one before it.
        while column != none {
            let before = came_from[column];
            self.row_of[column] = self.row_of[before];
            column = before;
        }
        self.row_of[none] = self.rows;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The largest total over all ways to give the rows from `row` on free columns.
    fn brute_force(w: &[Vec<f64>], row: usize, taken: &mut Vec<bool>) -> f64 {
        if row == w.len() {
            return 0.0;
        }
        let mut best = f64::NEG_INFINITY;
        for j in 0..taken.len() {
            if !taken[j] {
                taken[j] = true;
                best = best.max(w[row][j] + brute_force(w, row + 1, taken));
                taken[j] = false;
            }
        }
        best
    }

    proptest! {
        #[test]
        fn no_assignment_does_better(
            rows in 0usize..6, more in 0usize..3,
            entries in prop::collection::vec(-9i32..10, 64), thirds in prop::bool::ANY
        ) {
            // Whole numbers have many ties, thirds have rounding.
            let unit = if thirds { 1.0 / 3.0 } else { 1.0 };
            let columns = rows + more;
            let w: Vec<Vec<f64>> = (0..rows)
                .map(|i| (0..columns).map(|j| unit * f64::from(entries[8 * i + j])).collect())
                .collect();
            let found = assignment(rows, columns, |i, j| w[i][j]).unwrap();
            let mut distinct = found.clone();
            distinct.sort_unstable();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), rows);
            let total: f64 = found.iter().enumerate().map(|(i, &j)| w[i][j]).sum();
            let best = brute_force(&w, 0, &mut vec![false; columns]);
            prop_assert!((total - best).abs() < 1e-12);
        }
    }

    #[test]
    fn more_rows_than_columns_and_weights_that_are_not_finite_are_errors() {
        assert!(assignment(3, 2, |_, _| 0.0).is_err());
        assert!(assignment(2, 2, |_, _| f64::NAN).is_err());
    }
}
