//! Blocks of dictionary features, how they match, and dictionaries made without an autoencoder.

mod blocks;
mod clusters;
mod dictionaries;

pub use blocks::{BlockOverlap, block_overlap};
pub use clusters::{
    FeatureGroup, SphericalClusters, feature_blocks, random_blocks, spherical_k_means,
};
pub use dictionaries::{k_means_dictionary, pca_dictionary};
