//! Which cell of a notebook has become which of another.

use crate::notebook::{Cell, Notebook};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::HashMap;

/// What has become of a cell, by places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Removed(usize),
    Added(usize),
    Pair { from: usize, to: usize, moved: bool },
}

/// All cells of both notebooks, in the order of the new one; removed ones where they stood.
pub fn changes(old: &Notebook, new: &Notebook) -> Vec<Change> {
    let from = pairs(&old.cells, &new.cells);
    let stays = in_order(&from);
    let mut gone = vec![true; old.cells.len()];
    for at in from.iter().flatten() {
        gone[*at] = false;
    }
    let mut found = Vec::new();
    let mut next = 0;
    for (to, from) in from.iter().enumerate() {
        if let (Some(from), true) = (from, stays[to]) {
            found.extend((next..*from).filter(|at| gone[*at]).map(Change::Removed));
            next = from + 1;
        }
        found.push(match from {
            Some(from) => Change::Pair {
                from: *from,
                to,
                moved: !stays[to],
            },
            None => Change::Added(to),
        });
    }
    found.extend(
        (next..old.cells.len())
            .filter(|at| gone[*at])
            .map(Change::Removed),
    );
    found
}

/// For each new cell the old one: the same source in the same order, then the same id, then the
/// same source elsewhere, then what stands between the same neighbours and is alike.
fn pairs(old: &[Cell], new: &[Cell]) -> Vec<Option<usize>> {
    let key = |cell: &Cell| (cell.is_code(), cell.source.trim_end().to_owned());
    let (old_keys, new_keys): (Vec<_>, Vec<_>) =
        (old.iter().map(key).collect(), new.iter().map(key).collect());
    let mut from = vec![None; new.len()];
    let mut free = vec![true; old.len()];
    let mut open = Vec::new();
    for op in capture_diff_slices(Algorithm::Patience, &old_keys, &new_keys) {
        match op {
            DiffOp::Equal {
                old_index,
                new_index,
                len,
            } => {
                for n in 0..len {
                    from[new_index + n] = Some(old_index + n);
                    free[old_index + n] = false;
                }
            }
            DiffOp::Replace {
                old_index,
                old_len,
                new_index,
                new_len,
            } => open.push((
                old_index..old_index + old_len,
                new_index..new_index + new_len,
            )),
            DiffOp::Insert { .. } | DiffOp::Delete { .. } => {}
        }
    }
    let ids: HashMap<&str, usize> = old
        .iter()
        .enumerate()
        .map(|(at, cell)| (cell.id.as_str(), at))
        .collect();
    for (to, cell) in new
        .iter()
        .enumerate()
        .filter(|(_, cell)| !cell.id.is_empty())
    {
        if let (None, Some(at)) = (from[to], ids.get(cell.id.as_str()).copied())
            && free[at]
            && old[at].is_code() == cell.is_code()
        {
            from[to] = Some(at);
            free[at] = false;
        }
    }
    for (to, place) in from.iter_mut().enumerate() {
        if place.is_none()
            && let Some(at) = (0..old.len()).find(|at| free[*at] && old_keys[*at] == new_keys[to])
        {
            *place = Some(at);
            free[at] = false;
        }
    }
    for (old_range, new_range) in open {
        for to in new_range {
            if from[to].is_none()
                && let Some(at) = old_range
                    .clone()
                    .find(|at| free[*at] && are_alike(&old[*at], &new[to]))
            {
                from[to] = Some(at);
                free[at] = false;
            }
        }
    }
    from
}

/// Whether more than half of the text is the same.
fn are_alike(old: &Cell, new: &Cell) -> bool {
    let ratio = similar::TextDiff::from_words(old.source.as_str(), new.source.as_str()).ratio();
    old.is_code() == new.is_code() && ratio > 0.5
}

/// Which places keep their order: a longest increasing run of them.
fn in_order(from: &[Option<usize>]) -> Vec<bool> {
    let places: Vec<(usize, usize)> = from
        .iter()
        .enumerate()
        .filter_map(|(to, at)| Some((to, (*at)?)))
        .collect();
    let mut best: Vec<(usize, Option<usize>)> = Vec::with_capacity(places.len());
    for (n, (_, at)) in places.iter().enumerate() {
        let before = (0..n)
            .filter(|m| places[*m].1 < *at)
            .max_by_key(|m| best[*m].0);
        best.push((before.map_or(1, |m| best[m].0 + 1), before));
    }
    let mut stays = vec![false; from.len()];
    let mut last = (0..places.len()).max_by_key(|n| best[*n].0);
    while let Some(n) = last {
        stays[places[n].0] = true;
        last = best[n].1;
    }
    stays
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notebook(sources: &[&str]) -> Notebook {
        let mut notebook = Notebook::new();
        notebook.cells = sources.iter().map(|source| Cell::code(*source)).collect();
        notebook
    }

    #[test]
    fn cells_are_found_again() {
        let old = notebook(&["let a = 1;", "let b = 2;", "c", "let d = 4 + a;"]);
        let new = notebook(&["c", "let a = 1;", "new", "let d = 5 + a;"]);
        let pair = |from, to, moved| Change::Pair { from, to, moved };
        assert_eq!(
            changes(&old, &new),
            [
                pair(2, 0, true),
                pair(0, 1, false),
                Change::Added(2),
                Change::Removed(1),
                pair(3, 3, false),
            ]
        );
    }

    #[test]
    fn the_same_is_the_same() {
        let one = notebook(&["a", "a", "b"]);
        let found = changes(&one, &one);
        assert!(found.iter().enumerate().all(|(n, change)| *change
            == Change::Pair {
                from: n,
                to: n,
                moved: false
            }));
    }
}
