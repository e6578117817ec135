//! GPT-2's cutting of text into pieces, for ASCII, and the ids of each piece once.
//!
//! `'(?:[sdmt]|ll|ve|re)| ?L+| ?N+| ?[^\s L N]+|\s+(?!\S)|\s+`; merges never cross pieces, so
//! a piece has the same ids wherever it stands. Source: OpenAI's gpt-2 `encoder.py`.

use std::collections::HashMap;
use tiktoken_rs::CoreBPE;

/// Ids of the pieces seen so far. Natural text repeats its pieces, so most of them
/// cost one look-up instead of a regular expression and a merge.
pub(super) struct PieceCache<'t> {
    bpe: &'static CoreBPE,
    ids: HashMap<&'t str, Vec<u32>>,
}

impl<'t> PieceCache<'t> {
    pub fn new(bpe: &'static CoreBPE) -> PieceCache<'t> {
        PieceCache {
            bpe,
            ids: HashMap::new(),
        }
    }

    /// Appends the ids of a text without special tokens.
    pub fn encode(&mut self, text: &'t str, out: &mut Vec<u32>) {
        if !text.is_ascii() {
            out.extend(self.bpe.encode_ordinary(text));
            return;
        }
        let mut at = 0;
        while at < text.len() {
            let piece = &text[at..piece_end(text.as_bytes(), at)];
            at += piece.len();
            let bpe = self.bpe;
            let ids = self
                .ids
                .entry(piece)
                .or_insert_with(|| bpe.encode_ordinary(piece));
            out.extend_from_slice(ids);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Letter,
    Digit,
    Other,
}

fn class(byte: u8) -> Class {
    match byte {
        b'\t'..=b'\r' | b' ' => Class::Space,
        b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
        b'0'..=b'9' => Class::Digit,
        _ => Class::Other,
    }
}

/// End of the run of one class that begins at `at`.
fn run_end(text: &[u8], at: usize) -> usize {
    let kind = class(text[at]);
    let length = text[at..].iter().position(|&b| class(b) != kind);
    length.map_or(text.len(), |n| at + n)
}

/// End of the piece that begins at `at < text.len()`.
fn piece_end(text: &[u8], at: usize) -> usize {
    if text[at] == b'\'' {
        match text.get(at + 1..).unwrap_or_default() {
            [b's' | b'd' | b'm' | b't', ..] => return at + 2,
            [b'l', b'l', ..] | [b'v', b'e', ..] | [b'r', b'e', ..] => return at + 3,
            _ => {}
        }
    }
    if class(text[at]) != Class::Space {
        return run_end(text, at);
    }
    let after = run_end(text, at);
    match after - at {
        // A single blank belongs to the word behind it, other white space stands alone.
        1 if text[at] == b' ' && after < text.len() => run_end(text, after),
        1 => after,
        // Of a longer run the last one is left to what follows.
        _ if after < text.len() => after - 1,
        _ => after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(text: &str) -> Vec<&str> {
        let (mut at, mut out) = (0, Vec::new());
        while at < text.len() {
            let end = piece_end(text.as_bytes(), at);
            out.push(&text[at..end]);
            at = end;
        }
        out
    }

    #[test]
    fn pieces_are_words_with_the_blank_before_them() {
        assert_eq!(
            pieces("I'll go  to 12 'shops'\n\nnow. "),
            [
                "I", "'ll", " go", " ", " to", " 12", " '", "shops", "'", "\n", "\n", "now", ".",
                " "
            ]
        );
        assert_eq!(pieces("a\n\n"), ["a", "\n\n"]);
        assert_eq!(pieces("'tis it's '"), ["'t", "is", " it", "'s", " '"]);
    }

    proptest! {
        #[test]
        fn ids_are_those_of_tiktoken(text in "[ a-zA-Z0-9'\n\t.,!?\u{0}-\u{7f}]{0,60}|[ 'a-z\n\r]{0,40}|\\PC{0,30}") {
            let bpe = tiktoken_rs::r50k_base_singleton();
            let mut ids = Vec::new();
            PieceCache::new(bpe).encode(&text, &mut ids);
            prop_assert_eq!(ids, bpe.encode_ordinary(&text));
        }
    }
}
