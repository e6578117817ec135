//! How often each value stands in the matrix of gadgets of a whole space, exactly.
//! With holoraumy matrices as signed axes `G = (equal - opposite) / (pairs of colours)`.
//! Source: arXiv:1701.00304: 36,864^2 entries for GR(4, 4), of four values.

use crate::error::Result;
use crate::show::{Interrupts, MimeBundle, Show, Table, shows_itself};
use crate::susy::{GardenSpace, HoloraumyClasses, Ratio, Sector};
use polars::prelude::df;
use rayon::prelude::*;
use std::collections::HashMap;
use std::fmt;

/// Columns of the matrix that are evaluated together. A byte counts them, so fewer than 256;
/// 192 divides 36,864.
const BLOCK: usize = 192;
/// Largest |equal - opposite|: the pairs of four colours.
const MAX_PAIRS: usize = 6;
/// Possible values of `equal - opposite`.
const LEVELS: usize = 2 * MAX_PAIRS + 1;

/// A code that neither equals an axis nor its opposite.
const NO_AXIS: u8 = 254;

/// One value of the gadget and how many entries of the matrix have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GadgetCount {
    pub value: Ratio,
    pub count: u64,
}

/// Rows of the gadget matrix that hold each value equally often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GadgetRow {
    /// How often each value stands in one such row, by increasing value.
    pub counts: Vec<GadgetCount>,
    /// How many rows are such.
    pub rows: u64,
}

/// The entries of a gadget matrix by value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GadgetCounts {
    /// Which holoraumy the gadget was built from.
    pub sector: Sector,
    /// Rows, and columns, of the matrix.
    pub adinkras: u64,
    /// By increasing value.
    pub counts: Vec<GadgetCount>,
    /// The kinds of row; one entry when every adinkra has the same row of counts.
    pub rows: Vec<GadgetRow>,
}

impl GadgetCounts {
    /// Number of entries of the matrix.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|c| c.count).sum()
    }

    /// Number of entries that are not 0.
    pub fn nonzero(&self) -> u64 {
        let nonzero = self.counts.iter().filter(|c| !c.value.is_zero());
        nonzero.map(|c| c.count).sum()
    }

    /// Sums rows of levels, each with how many adinkras have it.
    fn new(classes: &HoloraumyClasses, rows: impl Iterator<Item = ([u64; LEVELS], u64)>) -> Self {
        let n_pairs = classes.n_pairs() as i64;
        let listed = |levels: &[u64; LEVELS]| -> Vec<GadgetCount> {
            let counts = (-(MAX_PAIRS as i64)..).zip(levels);
            let counts = counts.filter(|(_, count)| **count > 0);
            counts
                .map(|(level, &count)| GadgetCount {
                    value: Ratio::reduced(level, n_pairs),
                    count,
                })
                .collect()
        };
        let mut kinds: HashMap<[u64; LEVELS], u64> = HashMap::new();
        for (levels, multiplicity) in rows {
            *kinds.entry(levels).or_default() += multiplicity;
        }
        let mut total = [0; LEVELS];
        for (levels, rows) in &kinds {
            for (sum, count) in total.iter_mut().zip(levels) {
                *sum += count * rows;
            }
        }
        let mut kinds: Vec<([u64; LEVELS], u64)> = kinds.into_iter().collect();
        kinds.sort_unstable();
        Self {
            sector: classes.sector,
            adinkras: classes.class_of.len() as u64,
            counts: listed(&total),
            rows: kinds
                .iter()
                .map(|(levels, rows)| GadgetRow {
                    counts: listed(levels),
                    rows: *rows,
                })
                .collect(),
        }
    }
}

impl GardenSpace {
    /// The counts by classes: one gadget for each two of the distinct holoraumy sets, weighted by
    /// how many adinkras carry them.
    ///
    /// ```
    /// use holoscope::susy::{Sector, garden_space};
    /// let counts = garden_space(4, 4)?.gadget_counts(Sector::Fermionic)?;
    /// assert_eq!(counts.total(), 36_864 * 36_864);
    /// assert_eq!(counts.nonzero(), 226_492_416); // published
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fewer than two colours.
    pub fn gadget_counts(&self, sector: Sector) -> Result<GadgetCounts> {
        let classes = self.holoraumy_classes(sector)?;
        let n_pairs = classes.n_pairs();
        let mut first: Vec<&[u8]> = vec![&[]; classes.len()];
        for (codes, &id) in classes.codes.chunks_exact(n_pairs).zip(&classes.class_of) {
            first[id as usize] = codes;
        }
        let rows = first.iter().zip(&classes.sizes).map(|(a, &size)| {
            let mut levels = [0; LEVELS];
            for (b, other) in first.iter().zip(&classes.sizes) {
                let level: i8 = a.iter().zip(*b).map(|(&x, &y)| overlap(x, y)).sum();
                levels[(level + MAX_PAIRS as i8) as usize] += other;
            }
            (levels, size)
        });
        Ok(GadgetCounts::new(&classes, rows))
    }

    /// The same counts by evaluating every entry of the matrix: 1,358,954,496 gadgets for
    /// GR(4, 4), on all cores, without knowing that some adinkras carry the same holoraumy.
    ///
    /// # Errors
    /// Fewer than two colours; [`Error::Interrupted`](crate::Error::Interrupted).
    pub fn gadget_counts_by_pairs(&self, sector: Sector) -> Result<GadgetCounts> {
        let classes = self.holoraumy_classes(sector)?;
        let n_pairs = classes.n_pairs();
        let blocks = blocks(&classes.codes, n_pairs);
        let padding = (blocks.len() / n_pairs * BLOCK - self.len()) as u64;
        let interrupts = Interrupts::listen();
        let rows: Vec<Vec<[u64; LEVELS]>> = classes
            .codes
            .par_chunks(n_pairs * BLOCK)
            .map(|rows| {
                interrupts.check("the count of gadgets by pairs")?;
                let mut levels = vec![[0u64; LEVELS]; rows.len() / n_pairs];
                for block in blocks.chunks_exact(n_pairs) {
                    for (row, levels) in rows.chunks_exact(n_pairs).zip(&mut levels) {
                        count_block(row, block, levels);
                    }
                }
                levels.iter_mut().for_each(|l| l[MAX_PAIRS] -= padding);
                Ok(levels)
            })
            .collect::<Result<_>>()?;
        Ok(GadgetCounts::new(
            &classes,
            rows.into_iter().flatten().map(|r| (r, 1)),
        ))
    }
}

/// The codes of BLOCK sets at a time, `[block, n_pairs, BLOCK]`: one pair of colours lies side by
/// side. The last block is filled up with sets that overlap nothing.
fn blocks(codes: &[u8], n_pairs: usize) -> Vec<[u8; BLOCK]> {
    let sets = codes.chunks(n_pairs * BLOCK);
    sets.flat_map(|sets| {
        (0..n_pairs).map(move |pair| {
            let mut plane = [NO_AXIS; BLOCK];
            for (code, set) in plane.iter_mut().zip(sets.chunks_exact(n_pairs)) {
                *code = set[pair];
            }
            plane
        })
    })
    .collect()
}

/// 1 for the same signed axis, -1 for the opposite one, 0 for another: `-Tr(V W)/d`.
#[inline(always)]
fn overlap(x: u8, y: u8) -> i8 {
    i8::from(x == y) - i8::from(x ^ 1 == y)
}

/// Adds the levels of one row in BLOCK columns. Plain loops over bytes of a fixed number, which
/// the compiler turns into the vector instructions of any machine. The sums cannot overflow;
/// saying that they wrap keeps the loops plain where overflow is checked.
fn count_block(row: &[u8], block: &[[u8; BLOCK]], levels: &mut [u64; LEVELS]) {
    let mut sums = [0i8; BLOCK];
    for (&x, plane) in row.iter().zip(block) {
        for (sum, &y) in sums.iter_mut().zip(plane) {
            *sum = sum.wrapping_add(overlap(x, y));
        }
    }
    for (level, count) in (-(MAX_PAIRS as i8)..).zip(levels) {
        // At most BLOCK < 256 columns, so that a byte is enough.
        let equal = sums.iter().map(|&s| u8::from(s == level));
        let here = equal.fold(0, u8::wrapping_add);
        *count += u64::from(here);
    }
}

impl fmt::Display for GadgetCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} x {} {} gadgets:",
            self.adinkras, self.adinkras, self.sector
        )?;
        for c in &self.counts {
            write!(f, " {} ({} times)", c.value, c.count)?;
        }
        write!(
            f,
            "; {} not 0; kinds of row: {}",
            self.nonzero(),
            self.rows.len()
        )
    }
}

shows_itself!(GadgetCounts);

impl Show for GadgetCounts {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let values: Vec<String> = self.counts.iter().map(|c| c.value.to_string()).collect();
        let counts: Vec<u64> = self.counts.iter().map(|c| c.count).collect();
        let frame = df!["gadget" => values, "entries" => counts]?;
        let caption = format!("{0} × {0} {1} gadgets", self.adinkras, self.sector);
        Ok(Table::new(frame)
            .caption(caption)
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}
