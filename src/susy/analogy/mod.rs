//! Does a trained network hold a garden algebra? Families of its maps, quantities that no change of
//! basis alters, controls, and a test of the instrument itself on planted algebras.
//! Source: ours; the algebra is that of arXiv:1701.00304.

mod analogy_table;
mod assignment;
mod blocks;
mod clusters;
mod complex_structure;
mod decompositions;
mod dictionaries;
mod eigenvalues;
mod family;
mod generators;
mod matrix;
mod nearest_adinkra;
mod nulls;
mod places;
mod planted;
mod power;
mod power_curve;
mod ranges;
mod spectrum;
mod statistic;
mod statistics;

pub use analogy_table::{AnalogyRow, AnalogyTable, AnalogyTest, Verdict};
pub use assignment::best_assignment;
pub use blocks::{BlockOverlap, block_overlap};
pub use clusters::{
    FeatureGroup, SphericalClusters, feature_blocks, random_blocks, spherical_k_means,
};
pub use complex_structure::{GardenDefect, complex_structure_defect};
pub use decompositions::SingularValues;
pub use dictionaries::{k_means_dictionary, pca_dictionary};
pub use family::{Family, Gauge, Side};
pub use generators::{aligned_generators, closure_residual, generator_gadget};
pub use matrix::RealMatrix;
pub use nearest_adinkra::NearestAdinkra;
pub use nulls::{Null, NullSampler, shuffled_colours};
pub use places::centred_embedding;
pub use planted::{Planting, planted_family};
pub use power::{PowerDesign, power_curve, power_curves};
pub use power_curve::{PowerCurve, PowerCurves, PowerPoint};
pub use ranges::{radon_hurwitz, range_distance_sqr};
pub use spectrum::{MapSpectrum, map_spectrum, symmetry_index};
pub use statistic::Statistic;
pub use statistics::{
    Interval, Tail, bootstrap_interval, effect_size, permutation_p, q_values, wilson_interval,
};
