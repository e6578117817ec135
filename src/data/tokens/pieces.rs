//! GPT-2's cutting of text into pieces, whole for ASCII, at white space for the rest, and the ids of
//! each ASCII piece once.
//!
//! `'(?:[sdmt]|ll|ve|re)| ?L+| ?N+| ?[^\s L N]+|\s+(?!\S)|\s+`; merges never cross pieces, so
//! a piece has the same ids wherever it stands. Source: OpenAI's gpt-2 `encoder.py`.

use std::collections::HashMap;
use std::ops::Range;
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
    ///
    /// tiktoken's regular expression tries every shorter run of white space when the longest one has
    /// text behind it, and panics at a million tries. So it sees no run but a single one or all of
    /// its text, where it has nothing to try: a longer run is cut as the pattern does, before its
    /// last character, and the ids are the same.
    pub fn encode(&mut self, text: &'t str, out: &mut Vec<u32>) {
        if text.is_ascii() {
            return self.encode_ascii(text, out);
        }
        let mut rest = text;
        while let Some((run, to_next)) = long_space(rest) {
            let (before, from_run) = rest.split_at(run.start);
            out.extend(self.bpe.encode_ordinary(before));
            out.extend(self.bpe.encode_ordinary(&from_run[..run.len()]));
            rest = &rest[to_next..];
        }
        out.extend(self.bpe.encode_ordinary(rest));
    }

    fn encode_ascii(&mut self, text: &'t str, out: &mut Vec<u32>) {
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

/// The first run of two or more white spaces that is a piece of its own, and where the text after
/// it begins: with the run's last character, which belongs to what follows, or with the text's end.
fn long_space(text: &str) -> Option<(Range<usize>, usize)> {
    let mut from = 0;
    loop {
        let start = from + text[from..].find(char::is_whitespace)?;
        let run = &text[start..];
        let length = run.find(|c: char| !c.is_whitespace());
        let end = length.map_or(text.len(), |n| start + n);
        let mut chars = text[start..end].char_indices();
        let (last, _) = chars.next_back()?;
        if chars.next().is_some() {
            let cut = if end == text.len() { end } else { start + last };
            return Some((start..cut, cut));
        }
        from = end;
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

    fn ids(text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        PieceCache::new(tiktoken_rs::r50k_base_singleton()).encode(text, &mut ids);
        ids
    }

    #[test]
    fn long_runs_of_white_space_are_cut_as_the_pattern_cuts_them() {
        let cut = |text| long_space(text).map(|(run, rest)| (&text[run], &text[rest..]));
        assert_eq!(cut("é  ü"), Some((" ", " ü")));
        assert_eq!(cut("é \u{3000}\n ü"), Some((" \u{3000}\n", " ü")));
        assert_eq!(cut("é ü   "), Some(("   ", "")));
        assert_eq!(cut("é ü "), None);
    }

    /// tiktoken itself panics on the first of these: "Max limit for backtracking count exceeded".
    #[test]
    fn a_million_of_anything_is_encoded() {
        let n = 1_000_001;
        let of = |c: &str| c.repeat(n);
        // 1,000,000 spaces stand alone, the last one is part of " é" (two tokens).
        let spaces = ids(&format!("{}é", of(" ")));
        assert_eq!(spaces, [ids(&" ".repeat(n - 1)), ids(" é")].concat());
        for text in [
            format!("é{}x", of("\n")),
            format!("é{}", of(" ")),
            format!("{}é", of("\u{3000}")),
            of("a"),
            of("é"),
            format!("é{}", of("7")),
            format!("é{}", of("'")),
            format!("é{}", of("'s")),
            format!("é{}", of("\u{301}")),
        ] {
            let bytes = tiktoken_rs::r50k_base_singleton().decode_bytes(&ids(&text));
            assert!(bytes.unwrap() == text.as_bytes(), "{:.20}", text);
        }
    }

    proptest! {
        #[test]
        fn spaces_among_other_letters_have_the_ids_of_tiktoken(text in "[ é'st\n\u{a0}\u{3000}世7\u{85}\u{301}]{0,40}") {
            prop_assert_eq!(ids(&text), tiktoken_rs::r50k_base_singleton().encode_ordinary(&text));
        }

        #[test]
        fn ids_are_those_of_tiktoken(text in "[ a-zA-Z0-9'\n\t.,!?\u{0}-\u{7f}]{0,60}|[ 'a-z\n\r]{0,40}|\\PC{0,30}") {
            let bpe = tiktoken_rs::r50k_base_singleton();
            let mut ids = Vec::new();
            PieceCache::new(bpe).encode(&text, &mut ids);
            prop_assert_eq!(ids, bpe.encode_ordinary(&text));
        }
    }
}
