//! Aligns two sequences: which elements belong together, and which have no partner.

/// One step of an alignment, by the positions in both sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// These two belong together.
    Both(usize, usize),
    /// Only the first sequence has this.
    Left(usize),
    /// Only the second one has this.
    Right(usize),
}

/// Beyond this many comparisons, elements are paired by position only.
const MOST: usize = 4_000_000;

/// Aligns `n` elements with `m` others: a longest common subsequence by `same`, and the elements
/// between two of its pairs by position. Sequences that are equal by `same` are aligned without a
/// difference.
pub fn align(n: usize, m: usize, same: &dyn Fn(usize, usize) -> bool) -> Vec<Step> {
    let start = (0..n.min(m)).take_while(|&i| same(i, i)).count();
    let ends = (0..n.min(m) - start).take_while(|&i| same(n - 1 - i, m - 1 - i));
    let end = ends.count();
    let mut steps: Vec<Step> = (0..start).map(|i| Step::Both(i, i)).collect();
    let (a, b) = (n - start - end, m - start - end);
    let (mut i, mut j) = (start, start);
    for (x, y) in common(a, b, &|x, y| same(start + x, start + y)) {
        by_place(&mut steps, (i, start + x), (j, start + y));
        steps.push(Step::Both(start + x, start + y));
        (i, j) = (start + x + 1, start + y + 1);
    }
    by_place(&mut steps, (i, n - end), (j, m - end));
    steps.extend((0..end).map(|k| Step::Both(n - end + k, m - end + k)));
    steps
}

/// Pairs two ranges element by element; surplus elements of the longer one have no partner.
fn by_place(steps: &mut Vec<Step>, left: (usize, usize), right: (usize, usize)) {
    let (n, m) = (left.1 - left.0, right.1 - right.0);
    let pairs = n.min(m);
    steps.extend((0..pairs).map(|k| Step::Both(left.0 + k, right.0 + k)));
    steps.extend((left.0 + pairs..left.1).map(Step::Left));
    steps.extend((right.0 + pairs..right.1).map(Step::Right));
}

/// A longest common subsequence.
fn common(n: usize, m: usize, same: &dyn Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    if n == 0 || m == 0 || n.saturating_mul(m) > MOST {
        return Vec::new();
    }
    let at = |i: usize, j: usize| i * (m + 1) + j;
    let mut longest = vec![0u32; (n + 1) * (m + 1)];
    let mut equal = vec![false; n * m];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            equal[i * m + j] = same(i, j);
            longest[at(i, j)] = match equal[i * m + j] {
                true => longest[at(i + 1, j + 1)] + 1,
                false => longest[at(i + 1, j)].max(longest[at(i, j + 1)]),
            };
        }
    }
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < n && j < m {
        if equal[i * m + j] && longest[at(i, j)] == longest[at(i + 1, j + 1)] + 1 {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[at(i + 1, j)] >= longest[at(i, j + 1)] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn steps(a: &str, b: &str) -> Vec<Step> {
        let (a, b) = (a.as_bytes(), b.as_bytes());
        align(a.len(), b.len(), &|i, j| a[i] == b[j])
    }

    #[test]
    fn what_is_missing_and_what_is_new_are_found_in_their_places() {
        use Step::{Both, Left, Right};
        assert_eq!(steps("abc", "ac"), [Both(0, 0), Left(1), Both(2, 1)]);
        assert_eq!(steps("ac", "abc"), [Both(0, 0), Right(1), Both(1, 2)]);
        // Different elements at the same position belong together.
        assert_eq!(
            steps("axcd", "aycd"),
            [Both(0, 0), Both(1, 1), Both(2, 2), Both(3, 3)]
        );
        assert_eq!(steps("", "ab"), [Right(0), Right(1)]);
        assert_eq!(
            steps("xab", "abz"),
            [Left(0), Both(1, 0), Both(2, 1), Right(2)]
        );
    }

    proptest! {
        #[test]
        fn every_element_is_there_once_and_in_order(a in "[abc]{0,12}", b in "[abc]{0,12}") {
            let found = steps(&a, &b);
            let left: Vec<usize> = found.iter().filter_map(|step| match step {
                Step::Both(i, _) | Step::Left(i) => Some(*i),
                Step::Right(_) => None,
            }).collect();
            let right: Vec<usize> = found.iter().filter_map(|step| match step {
                Step::Both(_, j) | Step::Right(j) => Some(*j),
                Step::Left(_) => None,
            }).collect();
            prop_assert_eq!(left, (0..a.len()).collect::<Vec<_>>());
            prop_assert_eq!(right, (0..b.len()).collect::<Vec<_>>());
        }
    }
}
