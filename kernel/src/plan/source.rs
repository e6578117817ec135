//! The text of a crate, and the origin of each piece of it.

use crate::read::items::MODULE;
use crate::read::{CellText, Insertion};
use std::ops::Range;
use std::sync::Arc;

/// The purpose of generated text in which an error has a special meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// A variable is taken from the store, with its type.
    Take(String),
    /// A variable is put back into the store.
    Put(String),
    /// rustc is made to report the type of a variable.
    Type(String),
    /// The value of the last expression is shown.
    Show,
    /// Names are imported.
    Import(String),
}

/// A stretch of the user's text.
#[derive(Debug, Clone)]
struct Piece {
    range: Range<usize>,
    cell: Arc<CellText>,
    offset: usize,
}

/// The source of a crate.
#[derive(Debug, Default, Clone)]
pub struct Source {
    pub text: String,
    pieces: Vec<Piece>,
    marks: Vec<(Range<usize>, Mark)>,
}

impl Source {
    pub fn generated(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub fn marked(&mut self, mark: Mark, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.marks.push((start..self.text.len(), mark));
    }

    /// Adds a range of a cell with its insertions, in the order of their offsets; `module` is the path of
    /// the cell's module within its crate.
    pub fn users(
        &mut self,
        cell: &Arc<CellText>,
        range: &Range<usize>,
        insertions: &[Insertion],
        module: &str,
    ) {
        let mut from = range.start;
        for insertion in insertions
            .iter()
            .filter(|i| range.contains(&i.at) || i.at == range.end)
        {
            self.piece(cell, from..insertion.at);
            self.generated(&insertion.text.replace(MODULE, module));
            from = insertion.at + insertion.delete;
        }
        self.piece(cell, from..range.end);
    }

    fn piece(&mut self, cell: &Arc<CellText>, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let start = self.text.len();
        self.text.push_str(&cell.text[range.clone()]);
        self.pieces.push(Piece {
            range: start..self.text.len(),
            cell: Arc::clone(cell),
            offset: range.start,
        });
    }

    /// The cell, and the offset in it, for a byte of the source.
    pub fn origin(&self, byte: usize) -> Option<(&Arc<CellText>, usize)> {
        let after = self
            .pieces
            .partition_point(|piece| piece.range.start <= byte);
        let piece = self.pieces.get(after.checked_sub(1)?)?;
        // The end of a piece is a valid position: "expected `;` here".
        (byte <= piece.range.end).then(|| (&piece.cell, piece.offset + byte - piece.range.start))
    }

    /// The cell and the offset in it for a line and a column (both from 1, in characters).
    pub fn origin_of_position(
        &self,
        line: usize,
        column: usize,
    ) -> Option<(&Arc<CellText>, usize)> {
        let mut start = 0;
        for _ in 1..line {
            start += self.text[start..].find('\n')? + 1;
        }
        let within = self.text[start..]
            .char_indices()
            .nth(column.saturating_sub(1))?
            .0;
        // rustc counts the parentheses around an expression as part of it, and the last one has ours.
        let text = &self.text[start + within..];
        let open = text.len() - text.trim_start_matches('(').len();
        (0..=open).find_map(|n| self.origin(start + within + n))
    }

    /// The purpose of the generated text at a byte.
    pub fn mark(&self, byte: usize) -> Option<&Mark> {
        let found = self.marks.iter().find(|(range, _)| range.contains(&byte));
        found.map(|(_, mark)| mark)
    }
}

/// The line (its number from 1, and its text) that contains an offset in a cell.
pub fn line_at(text: &str, offset: usize) -> (usize, &str) {
    let offset = text.floor_char_boundary(offset);
    let before = &text[..offset];
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = text[offset..]
        .find('\n')
        .map_or(text.len(), |at| offset + at);
    (
        before.matches('\n').count() + 1,
        text[start..end].trim_end_matches('\r'),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_the_users_text_is_found_again() {
        let cell = Arc::new(CellText {
            number: 3,
            text: "let a = 1;\nlet b = crate::f(a);".to_owned(),
        });
        let mut source = Source::default();
        source.generated("fn x() {\n");
        let at = cell.text.find("::f").unwrap();
        let insertions = [Insertion::new(at, "::\u{1}")];
        source.users(&cell, &(0..cell.text.len()), &insertions, "cell_3");
        source.marked(Mark::Put("a".to_owned()), "put(a);");
        source.generated("\n}");
        assert!(source.text.contains("let b = crate::cell_3::f(a);put(a);"));
        let byte = source.text.find("f(a)").unwrap();
        let (found, offset) = source.origin(byte).unwrap();
        assert_eq!((found.number, &cell.text[offset..]), (3, "f(a);"));
        assert!(source.origin(3).is_none());
        let byte = source.text.find("put(a)").unwrap();
        assert_eq!(source.mark(byte), Some(&Mark::Put("a".to_owned())));
        let (_, offset) = source.origin_of_position(3, 5).unwrap();
        assert_eq!(line_at(&cell.text, offset), (2, "let b = crate::f(a);"));
    }

    #[test]
    fn parentheses_around_an_expression_are_its_own() {
        let cell = Arc::new(CellText {
            number: 1,
            text: "(x) + 1".to_owned(),
        });
        let mut source = Source::default();
        source.generated("take(x);\n{ (");
        source.users(&cell, &(0..cell.text.len()), &[], "");
        source.marked(Mark::Show, ").evcxr_display(); }");
        // Where the sum begins according to rustc.
        let (_, offset) = source.origin_of_position(2, 3).unwrap();
        assert_eq!(offset, 0);
        assert!(
            source.origin_of_position(1, 5).is_none(),
            "another parenthesis"
        );
    }
}
