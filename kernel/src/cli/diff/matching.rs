//! Matches the cells of two notebooks.

use crate::notebook::{Notebook, pairs};

/// What happened to a cell; the numbers are indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Removed(usize),
    Added(usize),
    Pair { from: usize, to: usize, moved: bool },
}

/// All cells of both notebooks, in the order of the new one; removed ones at their old position.
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

/// Which cells keep their order: a longest increasing subsequence.
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
    use crate::notebook::Cell;

    fn notebook(sources: &[&str]) -> Notebook {
        let mut notebook = Notebook::new();
        notebook.cells = sources.iter().map(|source| Cell::code(*source)).collect();
        notebook
    }

    #[test]
    fn cells_are_found_again() {
        let old = notebook(&[
            "let a = 1;",
            "gone with all its words",
            "last(c)",
            "let d = 4 + a;",
        ]);
        let new = notebook(&["last(c)", "let a = 1;", "of other words", "let d = 5 + a;"]);
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
