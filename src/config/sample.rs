//! Which sequences of a split a measurement reads.

/// Random batches of a split.
///
/// ```
/// use holoscope::config::SampleConfig;
/// let few = SampleConfig { n_batches: 4, ..SampleConfig::default() };
/// assert_eq!((few.batch_size, SampleConfig::default().n_batches), (16, 0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleConfig {
    /// Batches; 0: as many as show every sequence of the split once.
    pub n_batches: usize,
    /// Sequences of a batch.
    pub batch_size: usize,
    /// Draws the order of the sequences.
    pub seed: u64,
}

impl SampleConfig {
    /// `n_batches` batches (0: the whole split) of `batch_size` sequences, drawn by `seed`.
    pub fn new(n_batches: usize, batch_size: usize, seed: u64) -> Self {
        Self {
            n_batches,
            batch_size,
            seed,
        }
    }
}

impl Default for SampleConfig {
    /// The whole split, 16 sequences at a time.
    fn default() -> Self {
        Self {
            n_batches: 0,
            batch_size: 16,
            seed: super::SaeConfig::default().seed,
        }
    }
}
