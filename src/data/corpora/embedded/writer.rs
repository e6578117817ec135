//! Text with labels: words, punctuation, line breaks, and a span for every label.

use super::factors::{F, P};
use crate::data::labels::Span;

/// Widths at which lines break, taken in turn so that lines are uneven.
const VERSE_WIDTHS: [usize; 7] = [42, 38, 45, 40, 36, 44, 41];
const PROSE_WIDTHS: [usize; 5] = [66, 70, 62, 68, 64];

/// The growing text and its spans.
#[derive(Default)]
pub(super) struct Writer {
    pub text: String,
    pub spans: Vec<Span>,
    verse: bool,
    line_start: usize,
    n_lines: usize,
    /// The next word begins with a capital letter.
    capital: bool,
    /// No blank before the next word.
    glued: bool,
}

impl Writer {
    /// Begins a turn: `NAME:` and a line break.
    pub fn header(&mut self, name: &str, verse: bool) {
        let start = self.text.len();
        self.text.push_str(name);
        self.text.push(':');
        self.label(start, F::Header, 1);
        self.text.push('\n');
        self.verse = verse;
        self.begin_line();
        self.begin_sentence();
    }

    /// Ends a turn with a blank line.
    pub fn end_turn(&mut self) {
        self.text.push_str("\n\n");
    }

    /// The next word begins a sentence.
    pub fn begin_sentence(&mut self) {
        self.capital = true;
    }

    /// Appends a word (or an unbreakable phrase) after a blank or a line break;
    /// answers where it begins.
    pub fn word(&mut self, word: &str, part: P) -> usize {
        let first = self.separate(word.len());
        let start = self.text.len();
        let mut letters = word.chars();
        match letters.next() {
            Some(c) if self.capital || (self.verse && first) => {
                self.text.extend(c.to_uppercase());
                self.text.push_str(letters.as_str());
            }
            _ => self.text.push_str(word),
        }
        self.capital = false;
        if part != P::Other {
            self.label(start, F::Part, part as u16);
        }
        if first {
            self.label(start, F::LineStart, 1);
        }
        start
    }

    /// Appends characters as they are, never capitalised or broken; answers where they begin.
    pub fn verbatim(&mut self, characters: &str) -> usize {
        let first = self.separate(characters.len());
        let start = self.text.len();
        self.text.push_str(characters);
        self.capital = false;
        if first {
            self.label(start, F::LineStart, 1);
        }
        start
    }

    /// Appends several words of one part of speech; answers where the first begins.
    pub fn words(&mut self, phrase: &str, part: P) -> usize {
        let mut start = None;
        for word in phrase.split(' ') {
            let at = self.word(word, part);
            start.get_or_insert(at);
        }
        start.unwrap_or(self.text.len())
    }

    /// Appends punctuation to the last word.
    pub fn punctuation(&mut self, mark: &str) {
        self.text.push_str(mark);
    }

    /// Opens a quotation: a mark, and a capital letter; answers where it begins.
    pub fn open_quotation(&mut self) -> usize {
        // Room for the mark and a short word, so that no line ends with the mark.
        self.separate(6);
        let start = self.text.len();
        self.text.push('"');
        self.glued = true;
        self.capital = true;
        start
    }

    /// Labels everything from `start` (its leading blanks excepted) to here.
    pub fn label(&mut self, start: usize, factor: F, value: u16) {
        let blank = self.text[start..].len() - self.text[start..].trim_start().len();
        self.spans.push(Span {
            start: start + blank,
            end: self.text.len(),
            factor: factor as u16,
            value,
        });
    }

    /// Where the next label may begin.
    pub fn here(&self) -> usize {
        self.text.len()
    }

    /// Puts the blank or line break before a word; true if the word begins a line.
    fn separate(&mut self, length: usize) -> bool {
        if std::mem::take(&mut self.glued) {
            return false;
        }
        let used = self.text.len() - self.line_start;
        if used == 0 {
            return true;
        }
        let width = if self.verse {
            VERSE_WIDTHS[self.n_lines % VERSE_WIDTHS.len()]
        } else {
            PROSE_WIDTHS[self.n_lines % PROSE_WIDTHS.len()]
        };
        if used + 1 + length > width {
            self.text.push('\n');
            self.begin_line();
            true
        } else {
            self.text.push(' ');
            false
        }
    }

    fn begin_line(&mut self) {
        self.line_start = self.text.len();
        self.n_lines += 1;
    }
}
