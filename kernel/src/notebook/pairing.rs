//! Matches the cells of a new notebook with those of an old one.

use super::{Cell, CellKind};
use similar::{Algorithm, DiffOp, TextDiff, capture_diff_slices};
use std::collections::HashMap;

/// Cells that share no more than this fraction of their words are different cells.
const ALIKE: f32 = 0.5;

/// Maximum number of pairs that are compared word by word.
const MOST: usize = 4_000;

/// For each new cell its index among the old ones: the same source in the same order, then the same
/// id, then the same source elsewhere, then the most similar text. Cells of different kinds are
/// never paired.
pub fn pairs(old: &[Cell], new: &[Cell]) -> Vec<Option<usize>> {
    let key = |cell: &Cell| (kind(cell), cell.source.trim_end().to_owned());
    let old_keys: Vec<_> = old.iter().map(key).collect();
    let new_keys: Vec<_> = new.iter().map(key).collect();
    let mut found = Found {
        from: vec![None; new.len()],
        free: vec![true; old.len()],
    };
    for op in capture_diff_slices(Algorithm::Patience, &old_keys, &new_keys) {
        if let DiffOp::Equal {
            old_index,
            new_index,
            len,
        } = op
        {
            (0..len).for_each(|n| found.pair(old_index + n, new_index + n));
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
        if let Some(at) = ids.get(cell.id.as_str()).copied()
            && kind(&old[at]) == kind(cell)
        {
            found.pair(at, to);
        }
    }
    for (to, key) in new_keys.iter().enumerate() {
        let same = (0..old.len()).find(|at| found.free[*at] && old_keys[*at] == *key);
        if let (None, Some(at)) = (found.from[to], same) {
            found.pair(at, to);
        }
    }
    found.most_alike(old, new);
    found.from
}

fn kind(cell: &Cell) -> u8 {
    match cell.kind {
        CellKind::Code { .. } => 0,
        CellKind::Markdown => 1,
        CellKind::Raw => 2,
    }
}

struct Found {
    from: Vec<Option<usize>>,
    free: Vec<bool>,
}

impl Found {
    /// Pairs two cells, unless one of them is already paired.
    fn pair(&mut self, at: usize, to: usize) {
        if self.free[at] && self.from[to].is_none() {
            self.from[to] = Some(at);
            self.free[at] = false;
        }
    }

    fn most_alike(&mut self, old: &[Cell], new: &[Cell]) {
        let left: Vec<usize> = (0..old.len()).filter(|at| self.free[*at]).collect();
        let right: Vec<usize> = (0..new.len())
            .filter(|to| self.from[*to].is_none())
            .collect();
        if left.len() * right.len() > MOST {
            return;
        }
        let mut pairs = Vec::new();
        for &to in &right {
            for &at in left.iter().filter(|at| kind(&old[**at]) == kind(&new[to])) {
                let words = TextDiff::from_words(old[at].source.as_str(), new[to].source.as_str());
                pairs.push((words.ratio(), at, to));
            }
        }
        // The stable sort keeps the first of equals.
        pairs.sort_by(|one, other| other.0.total_cmp(&one.0));
        for (_, at, to) in pairs.into_iter().filter(|(ratio, ..)| *ratio > ALIKE) {
            self.pair(at, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moved_edited_and_new_cells_are_told_apart() {
        let code = |sources: &[&str]| -> Vec<Cell> {
            sources.iter().map(|source| Cell::code(*source)).collect()
        };
        let old = code(&[
            "let a = 1;",
            "let b = 2;",
            "print(a, b)",
            "unrelated words entirely",
        ]);
        let new = code(&["print(a, b)", "let c = 3;", "let a = 10;", "let b = 2;"]);
        // `let a = 10;` and `let c = 3;` are equally similar to `let a = 1;`, but only one has the
        // same name.
        assert_eq!(pairs(&old, &new), [Some(2), None, Some(0), Some(1)]);
        let mut markdown = old.clone();
        markdown[0] = Cell::markdown("let a = 1;");
        assert_eq!(pairs(&old, &markdown), [None, Some(1), Some(2), Some(3)]);
    }
}
