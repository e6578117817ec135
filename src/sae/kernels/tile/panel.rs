//! The sizes shared by the encoder's kernels: panels of features, chunks of tokens.

/// Features per panel of the packed encoder.
pub(in crate::sae) const PANEL: usize = 32;
/// Tokens per chunk, the unit of parallel work; a multiple of every kernel's rows.
pub(in crate::sae) const CHUNK: usize = 96;

/// The features of one panel.
pub(in crate::sae::kernels) struct Features<'a> {
    pub first: u32,
    /// A set bit for each lane that is a feature: for NaN inputs the other lanes are NaN, too.
    pub lanes: u32,
    pub bias: &'a [f32; PANEL],
    pub top_k: Option<usize>,
}
