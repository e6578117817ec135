//! Who writes the embedded corpus.

use super::dice::Dice;
use super::grammar::inflect::Noun;
use super::lexicon::Lexicon;
use super::writer::Writer;

/// One who writes a turn: chance, words, and what was said so far.
pub(super) struct Author {
    pub w: Writer,
    pub dice: Dice,
    pub lex: &'static Lexicon,
    pub topic: usize,
    pub mood: usize,
    pub speaker: usize,
    /// People whom the scene is about.
    pub circle: Vec<usize>,
    /// People named in this turn, in order.
    pub named: Vec<usize>,
    /// Things talked about in this turn, in order.
    pub recent: Vec<&'static Noun>,
}
