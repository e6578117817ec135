//! Blocks of dictionary features, found by direction alone: groups of near features, in each group
//! blocks of near features. Nothing here knows signs, matchings or the algebra.
//! Spherical k-means: `max sum of cos(row, its centre)`. Source: Dhillon and Modha 2001.

use crate::error::{Error, Result};
use crate::linear_algebra::dot;
use crate::susy::analogy::families::unit_columns;
use crate::susy::analogy::{RealMatrix, best_assignment};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Rounds of assigning and averaging.
const ROUNDS: usize = 100;
/// Rounds inside a group, where blocks have a fixed size.
const BALANCED_ROUNDS: usize = 20;

/// Rows in clusters by direction.
#[derive(Debug, Clone, PartialEq)]
pub struct SphericalClusters {
    /// The cluster of each row.
    pub cluster_of: Vec<usize>,
    /// Centres of unit length, `[n_clusters, d]`.
    pub centres: RealMatrix,
    /// The mean cosine of a row with its centre.
    pub mean_cosine: f64,
}

/// Spherical k-means on `rows` `[n, d]`, started by k-means++ (Arthur and Vassilvitskii 2007) with
/// distance `1 - cos`. Same seed, same clusters; each round can only raise the mean cosine.
///
/// # Errors
/// A row of length 0, no cluster, more clusters than rows.
pub fn spherical_k_means(
    rows: &RealMatrix,
    n_clusters: usize,
    seed: u64,
) -> Result<SphericalClusters> {
    if n_clusters == 0 || n_clusters > rows.n_rows() {
        let reason = format!("must be 1 to the number of rows, {}", rows.n_rows());
        return Err(Error::argument("n_clusters", n_clusters, reason));
    }
    let unit = unit_columns(&rows.transpose())?.transpose();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut centres = start(&unit, n_clusters, &mut rng);
    let mut cluster_of = Vec::new();
    let mut cosines = Vec::new();
    for _ in 0..ROUNDS {
        let similarity = unit.times(&centres.transpose()); // [n, n_clusters]
        let nearest: Vec<usize> = (0..unit.n_rows())
            .map(|i| largest(similarity.row(i)))
            .collect();
        cosines = (0..unit.n_rows())
            .map(|i| similarity.entry(i, nearest[i]))
            .collect();
        if nearest == cluster_of {
            break;
        }
        cluster_of = nearest;
        centres = averages(&unit, &cluster_of, &centres, &cosines);
    }
    Ok(SphericalClusters {
        cluster_of,
        centres,
        mean_cosine: cosines.iter().sum::<f64>() / unit.n_rows() as f64,
    })
}

/// The first of the largest.
fn largest(values: &[f64]) -> usize {
    let mut best = 0;
    for (i, v) in values.iter().enumerate() {
        if *v > values[best] {
            best = i;
        }
    }
    best
}

/// Rows as centres: each next one with a probability proportional to its distance from the last.
fn start(unit: &RealMatrix, n_clusters: usize, rng: &mut ChaCha8Rng) -> RealMatrix {
    let n = unit.n_rows();
    let mut chosen = vec![rng.random_range(0..n)];
    let mut distance = vec![f64::INFINITY; n];
    while chosen.len() < n_clusters {
        let last = unit.row(chosen[chosen.len() - 1]);
        for (i, d) in distance.iter_mut().enumerate() {
            let cosine = dot(unit.row(i), last);
            *d = d.min((1.0 - cosine).max(0.0));
        }
        for &c in &chosen {
            distance[c] = 0.0;
        }
        let total: f64 = distance.iter().sum();
        let mut left = rng.random_range(0.0..1.0) * total;
        let drawn = distance.iter().position(|d| {
            left -= d;
            *d > 0.0 && left <= 0.0
        });
        // Where all rows are copies of the centres, any row not yet taken.
        let other = || (0..n).find(|i| !chosen.contains(i)).unwrap_or(0);
        let next = drawn.unwrap_or_else(other);
        chosen.push(next);
    }
    RealMatrix::from_entries(n_clusters, unit.n_columns(), |c, j| {
        unit.entry(chosen[c], j)
    })
}

/// Unit sums of the rows of each cluster; an empty one takes the row that fits its own centre least, one
/// whose rows cancel keeps its centre.
fn averages(
    unit: &RealMatrix,
    cluster_of: &[usize],
    centres: &RealMatrix,
    cosines: &[f64],
) -> RealMatrix {
    let (n_clusters, d) = (centres.n_rows(), unit.n_columns());
    let mut sums = vec![vec![0.0; d]; n_clusters];
    let mut sizes = vec![0usize; n_clusters];
    for (i, &c) in cluster_of.iter().enumerate() {
        sizes[c] += 1;
        for (sum, x) in sums[c].iter_mut().zip(unit.row(i)) {
            *sum += x;
        }
    }
    let mut worst_first: Vec<usize> = (0..cosines.len()).collect();
    worst_first.sort_by(|&a, &b| cosines[a].total_cmp(&cosines[b]));
    let mut spare = worst_first.into_iter();
    for (c, sum) in sums.iter_mut().enumerate() {
        if sizes[c] == 0
            && let Some(i) = spare.next()
        {
            sum.copy_from_slice(unit.row(i));
        }
        let norm = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm > 1e-12 {
            sum.iter_mut().for_each(|x| *x /= norm);
        } else {
            sum.copy_from_slice(centres.row(c));
        }
    }
    RealMatrix::from_entries(n_clusters, d, |c, j| sums[c][j])
}

/// A group of features near each other, in blocks of one size.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureGroup {
    /// N blocks of k features.
    pub blocks: Vec<Vec<usize>>,
    /// The mean cosine of the group's features with its centre.
    pub mean_cosine: f64,
}

/// Groups of `n_blocks` blocks of `block_size` features, from the directions of `features` alone.
///
/// The rows of `w_dec` `[d_sae, d_in]` that belong to `features` (for example those that are not
/// dead) are put into `n_groups` clusters by [`spherical_k_means`]. Of each cluster with enough
/// features the `n_blocks block_size` nearest to the centre make a group, smaller clusters are left
/// out; inside the group the blocks are clusters again, of equal size (an assignment of features to
/// places, repeated until it stays). Signs and overlaps between blocks play no part, so that what the
/// algebra then says about them is not built in; that near features share a block is, and a control with
/// blocks from other groups ([`shuffled_colours`](super::super::shuffled_colours)) keeps it.
///
/// Features of one block are near each other, while the algebra wants the columns of a block
/// orthonormal: unit columns are all that [`Family::directions`](super::super::Family::directions) can
/// give here.
///
/// # Errors
/// Those of [`spherical_k_means`]; a feature that is not there; no blocks or empty ones.
pub fn feature_blocks(
    w_dec: &RealMatrix,
    features: &[usize],
    n_groups: usize,
    (n_blocks, block_size): (usize, usize),
    seed: u64,
) -> Result<Vec<FeatureGroup>> {
    let size = n_blocks * block_size;
    if size == 0 {
        let value = format!("({n_blocks}, {block_size})");
        return Err(Error::argument(
            "(n_blocks, block_size)",
            value,
            "must be 1 or more",
        ));
    }
    if let Some(bad) = features.iter().find(|f| **f >= w_dec.n_rows()) {
        let reason = format!("there are {}", w_dec.n_rows());
        return Err(Error::argument("feature", bad, reason));
    }
    let rows = w_dec.transpose().permuted_columns(features);
    let unit = unit_columns(&rows)?.transpose(); // [features, d_in]
    let clusters = spherical_k_means(&unit, n_groups, seed)?;
    let cosine = unit.times(&clusters.centres.transpose());
    let mut groups = Vec::new();
    for c in 0..n_groups {
        let of_cluster = (0..features.len()).filter(|&i| clusters.cluster_of[i] == c);
        let mut members: Vec<usize> = of_cluster.collect();
        if members.len() < size {
            continue;
        }
        members.sort_by(|&a, &b| cosine.entry(b, c).total_cmp(&cosine.entry(a, c)));
        members.truncate(size);
        let mean = members.iter().map(|&i| cosine.entry(i, c)).sum::<f64>() / size as f64;
        let group = unit.transpose().permuted_columns(&members).transpose();
        let blocks = equal_blocks(&group, n_blocks, block_size, seed.wrapping_add(c as u64))?;
        groups.push(FeatureGroup {
            blocks: (blocks.into_iter())
                .map(|block| block.into_iter().map(|i| features[members[i]]).collect())
                .collect(),
            mean_cosine: mean,
        });
    }
    Ok(groups)
}

/// Rows in `n_blocks` clusters of exactly `size` rows.
fn equal_blocks(
    unit: &RealMatrix,
    n_blocks: usize,
    size: usize,
    seed: u64,
) -> Result<Vec<Vec<usize>>> {
    let mut centres = spherical_k_means(unit, n_blocks, seed)?.centres;
    let mut block_of: Vec<usize> = Vec::new();
    for _ in 0..BALANCED_ROUNDS {
        let similarity = unit.times(&centres.transpose());
        let n = unit.n_rows();
        // Each block has `size` places.
        let places = RealMatrix::from_entries(n, n, |i, p| similarity.entry(i, p / size));
        let next: Vec<usize> = best_assignment(&places)?.iter().map(|p| p / size).collect();
        if next == block_of {
            break;
        }
        let cosines: Vec<f64> = (0..n).map(|i| similarity.entry(i, next[i])).collect();
        block_of = next;
        centres = averages(unit, &block_of, &centres, &cosines);
    }
    let members = |b: usize| (0..unit.n_rows()).filter(|&i| block_of[i] == b).collect();
    Ok((0..n_blocks).map(members).collect())
}

/// A control: groups of the same sizes, of features drawn at random without repetition.
///
/// # Errors
/// More features wanted than there are.
pub fn random_blocks(
    groups: &[FeatureGroup],
    features: &[usize],
    seed: u64,
) -> Result<Vec<Vec<Vec<usize>>>> {
    let wanted: usize = groups.iter().flat_map(|g| &g.blocks).map(Vec::len).sum();
    if wanted > features.len() {
        let reason = format!("the groups need {wanted}");
        return Err(Error::argument("features", features.len(), reason));
    }
    let mut deck = features.to_vec();
    deck.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut deck = deck.into_iter();
    let mut deal = |block: &Vec<usize>| deck.by_ref().take(block.len()).collect();
    Ok(groups
        .iter()
        .map(|g| g.blocks.iter().map(&mut deal).collect())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `n` rows about each of `centres` orthogonal directions, in turn.
    fn clumps(centres: usize, n: usize, noise: f64, seed: u64) -> RealMatrix {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let scatter = RealMatrix::gaussian(centres * n, 16, &mut rng);
        RealMatrix::from_entries(centres * n, 16, |i, j| {
            f64::from(u8::from(i % centres == j)) + noise * scatter.entry(i, j)
        })
    }

    #[test]
    fn separate_clumps_are_found() {
        let found = spherical_k_means(&clumps(5, 20, 0.02, 1), 5, 3).unwrap();
        for i in 0..100 {
            assert_eq!(found.cluster_of[i], found.cluster_of[i % 5]);
        }
        assert!(found.mean_cosine > 0.99);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]

        /// A fixed point: every row is nearest to its own centre, and lengths play no part.
        #[test]
        fn rows_are_with_their_nearest_centre(seed in 0u64..1000, k in 1usize..8) {
            let rows = RealMatrix::gaussian(40, 5, &mut ChaCha8Rng::seed_from_u64(seed));
            let found = spherical_k_means(&rows, k, seed).unwrap();
            let similarity = rows.times(&found.centres.transpose());
            for i in 0..40 {
                let own = similarity.entry(i, found.cluster_of[i]);
                prop_assert!((0..k).all(|c| similarity.entry(i, c) <= own + 1e-9));
            }
            let longer = spherical_k_means(&rows.scaled(8.0), k, seed).unwrap();
            prop_assert_eq!(&longer.cluster_of, &found.cluster_of);
        }

        #[test]
        fn blocks_are_of_one_size_and_share_no_feature(seed in 0u64..1000) {
            let rows = clumps(4, 15, 0.1, seed);
            let features: Vec<usize> = (0..60).filter(|f| f % 7 != 0).collect();
            let groups = feature_blocks(&rows, &features, 4, (3, 3), seed).unwrap();
            prop_assert!(!groups.is_empty());
            let mut all: Vec<usize> = Vec::new();
            for group in &groups {
                prop_assert_eq!(group.blocks.len(), 3);
                prop_assert!(group.blocks.iter().all(|b| b.len() == 3));
                all.extend(group.blocks.iter().flatten());
            }
            let n = all.len();
            all.sort_unstable();
            all.dedup();
            prop_assert_eq!(all.len(), n);
            prop_assert!(all.iter().all(|f| features.contains(f)));
            let control = random_blocks(&groups, &features, seed).unwrap();
            prop_assert_eq!(control.len(), groups.len());
            let dealt: std::collections::HashSet<usize> =
                control.iter().flatten().flatten().copied().collect();
            prop_assert_eq!(dealt.len(), n);
        }
    }

    #[test]
    fn blocks_inside_a_group_are_its_clumps() {
        // Two far groups of two near clumps each: blocks are the clumps.
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let scatter = RealMatrix::gaussian(16, 6, &mut rng);
        let rows = RealMatrix::from_entries(16, 6, |i, j| {
            let (group, clump) = (i / 8, i % 2);
            let centre = match j {
                0 | 3 => f64::from(u8::from(j == 3 * group)),
                1 | 4 => f64::from(u8::from(j == 3 * group + 1)) * (clump as f64 - 0.5),
                _ => 0.0,
            };
            centre + 0.01 * scatter.entry(i, j)
        });
        let all: Vec<usize> = (0..16).collect();
        let groups = feature_blocks(&rows, &all, 2, (2, 4), 1).unwrap();
        assert_eq!(groups.len(), 2);
        for block in groups.iter().flat_map(|g| &g.blocks) {
            assert!(
                block
                    .iter()
                    .all(|f| f % 2 == block[0] % 2 && f / 8 == block[0] / 8)
            );
        }
    }

    #[test]
    fn impossible_clusters_are_errors() {
        let rows = clumps(2, 3, 0.1, 1);
        assert!(spherical_k_means(&rows, 0, 1).is_err());
        assert!(spherical_k_means(&rows, 7, 1).is_err());
        assert!(spherical_k_means(&RealMatrix::zeros(3, 2), 1, 1).is_err());
        assert!(feature_blocks(&rows, &[6], 1, (1, 1), 1).is_err());
        assert!(feature_blocks(&rows, &[0, 1], 1, (0, 1), 1).is_err());
        // Copies of one direction still fill their clusters' seeds.
        let copies = RealMatrix::from_entries(4, 3, |_, _| 1.0);
        assert_eq!(
            spherical_k_means(&copies, 3, 1).unwrap().cluster_of.len(),
            4
        );
    }
}
