//! Simple statements about a token that may explain when a feature is active.
//! Each is true or false at a position and looks only at that token and those before it.
//! Source: the hand-written proxies of Bricken et al. 2023, section "Arabic script" and following.

use crate::data::Tokenizer;
use crate::show::visible_token;
use std::collections::HashMap;
use std::fmt;

/// A kind of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TokenClass {
    /// `<|endoftext|>`, between documents and before every sequence.
    Separator,
    /// Holds a line break.
    Newline,
    /// Only punctuation (and space).
    Punctuation,
    /// Holds a digit.
    Number,
    /// A word of two capitals or more, such as the parts of `GLOUCESTER`.
    AllCaps,
    /// A word that begins with a capital and goes on in small letters.
    Capitalised,
    /// Letters that go on a word: no space before them, letters at the end of the token before.
    Continuation,
    /// The first token of a line or document.
    LineStart,
    /// In the line that names the speaker: from a document's begin to its first colon.
    SpeakerLine,
    /// Behind an apostrophe, such as `s` in `'s`, or with one before it.
    Contraction,
}

const LINE_ENDS: [char; 2] = ['\n', '\r'];

const CLASSES: [TokenClass; 10] = [
    TokenClass::Separator,
    TokenClass::Newline,
    TokenClass::Punctuation,
    TokenClass::Number,
    TokenClass::AllCaps,
    TokenClass::Capitalised,
    TokenClass::Continuation,
    TokenClass::LineStart,
    TokenClass::SpeakerLine,
    TokenClass::Contraction,
];

/// A statement about a token in its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Predicate {
    /// The token is this one (as shown: spaces as `·`).
    Token(String),
    /// The token is this word, in any case and with or without the space before it.
    Word(String),
    /// The token before is this one.
    PreviousToken(String),
    /// The token is of a class.
    Class(TokenClass),
    /// The token before is of a class.
    PreviousClass(TokenClass),
    /// A latent factor of a labelled corpus has a value.
    Factor { factor: String, value: String },
}

/// Which predicates hold at which token.
pub(super) struct PredicateIndex {
    pub predicates: Vec<Predicate>,
    /// `held[offsets[t]..offsets[t + 1]]`: the predicates that hold at token t.
    offsets: Vec<usize>,
    held: Vec<u32>,
}

impl PredicateIndex {
    /// The predicates about the text of `tokens`, sequences of `n_ctx` one after another.
    pub(super) fn of_text(tokenizer: &Tokenizer, tokens: &[u32], n_ctx: usize) -> Self {
        let mut index = Builder::default();
        let mut texts: HashMap<u32, TokenText> = HashMap::new();
        for sequence in tokens.chunks(n_ctx) {
            let mut place = Place::default();
            for &id in sequence {
                let text = texts.entry(id).or_insert_with(|| TokenText {
                    shown: visible_token(&tokenizer.token_str(id)),
                    text: tokenizer.decode(&[id]),
                });
                place.step(text, id == tokenizer.bos());
                index.push(place.predicates(text));
            }
        }
        index.finish()
    }

    /// From the predicates that hold at each token in turn.
    pub(super) fn of_rows(rows: Vec<Vec<Predicate>>) -> Self {
        let mut index = Builder::default();
        for row in rows {
            index.push(row);
        }
        index.finish()
    }

    /// Places in `predicates` of those that hold at token `t`.
    pub(super) fn at(&self, t: usize) -> &[u32] {
        &self.held[self.offsets[t]..self.offsets[t + 1]]
    }

    /// For each predicate, at how many of the tokens `range` it holds.
    pub(super) fn totals(&self, range: std::ops::Range<usize>) -> Vec<u64> {
        let mut totals = vec![0; self.predicates.len()];
        for t in range {
            for &p in self.at(t) {
                totals[p as usize] += 1;
            }
        }
        totals
    }
}

#[derive(Default)]
struct Builder {
    known: HashMap<Predicate, u32>,
    predicates: Vec<Predicate>,
    offsets: Vec<usize>,
    held: Vec<u32>,
}

impl Builder {
    fn push(&mut self, row: Vec<Predicate>) {
        self.offsets.push(self.held.len());
        for predicate in row {
            let next = self.predicates.len() as u32;
            let id = *self.known.entry(predicate).or_insert_with_key(|new| {
                self.predicates.push(new.clone());
                next
            });
            self.held.push(id);
        }
    }

    fn finish(mut self) -> PredicateIndex {
        self.offsets.push(self.held.len());
        PredicateIndex {
            predicates: self.predicates,
            offsets: self.offsets,
            held: self.held,
        }
    }
}

/// A token as it is shown, and its text, in which a part of a character is no letter and no digit.
#[derive(Clone)]
struct TokenText {
    shown: String,
    text: String,
}

/// Where in the text we are.
#[derive(Default)]
struct Place {
    previous: Option<TokenText>,
    previous_classes: Vec<TokenClass>,
    classes: Vec<TokenClass>,
    current: Option<TokenText>,
    /// After a document's separator, before the first colon.
    in_speaker: bool,
    /// The token before is a document's separator. The BOS of a sequence is not one: the text
    /// behind it begins anywhere.
    after_separator: bool,
}

impl Place {
    fn step(&mut self, token: &TokenText, separator: bool) {
        let text = token.text.as_str();
        self.previous = self.current.take();
        self.previous_classes = std::mem::take(&mut self.classes);
        let before = self.previous.as_ref().map(|token| token.text.as_str());
        let was_speaker = self.in_speaker;
        let after_separator = self.after_separator;
        self.after_separator = separator && before.is_some();
        if separator {
            self.in_speaker = self.after_separator;
        } else if text.contains(':') || text.contains(LINE_ENDS) {
            self.in_speaker = false;
        }
        let holds = |class: &TokenClass| match class {
            TokenClass::Separator => separator,
            _ if separator => false,
            TokenClass::SpeakerLine => was_speaker,
            TokenClass::LineStart => {
                !text.contains(LINE_ENDS)
                    && (after_separator || before.is_some_and(|b| b.ends_with(LINE_ENDS)))
            }
            _ => is_of_class(*class, text, before),
        };
        self.classes = CLASSES.iter().copied().filter(holds).collect();
        self.current = Some(token.clone());
    }

    fn predicates(&self, token: &TokenText) -> Vec<Predicate> {
        let mut held = vec![Predicate::Token(token.shown.clone())];
        let word = token.text.trim();
        if word.chars().all(char::is_alphabetic) && !word.is_empty() {
            held.push(Predicate::Word(word.to_lowercase()));
        }
        if let Some(previous) = &self.previous {
            held.push(Predicate::PreviousToken(previous.shown.clone()));
        }
        held.extend(self.classes.iter().map(|&c| Predicate::Class(c)));
        let before = self.previous_classes.iter();
        held.extend(before.map(|&c| Predicate::PreviousClass(c)));
        held
    }
}

/// Whether a token that is no separator is of a class that needs no memory beyond the token before.
fn is_of_class(class: TokenClass, text: &str, before: Option<&str>) -> bool {
    let word = text.trim();
    let letters = !word.is_empty() && word.chars().all(char::is_alphabetic);
    let capitals = word.chars().filter(|c| c.is_uppercase()).count();
    let apostrophe = |s: &str| s.contains('\'') || s.contains('’');
    match class {
        TokenClass::Newline => text.contains(LINE_ENDS),
        TokenClass::Punctuation => {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_punctuation())
        }
        TokenClass::Number => word.chars().any(|c| c.is_ascii_digit()),
        TokenClass::AllCaps => letters && capitals >= 2 && capitals == word.chars().count(),
        TokenClass::Capitalised => letters && capitals == 1 && word.starts_with(char::is_uppercase),
        TokenClass::Continuation => {
            letters
                && text.starts_with(char::is_alphabetic)
                && before.is_some_and(|b| b.ends_with(char::is_alphabetic))
        }
        TokenClass::Contraction => {
            (letters
                && text.starts_with(char::is_alphabetic)
                && before.is_some_and(|b| b.ends_with(['\'', '’'])))
                || (word.len() > 1 && apostrophe(word))
        }
        TokenClass::Separator | TokenClass::SpeakerLine | TokenClass::LineStart => false,
    }
}

impl fmt::Display for TokenClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TokenClass::Separator => "a document separator",
            TokenClass::Newline => "a line break",
            TokenClass::Punctuation => "punctuation",
            TokenClass::Number => "a number",
            TokenClass::AllCaps => "in capitals",
            TokenClass::Capitalised => "a capitalised word",
            TokenClass::Continuation => "the continuation of a word",
            TokenClass::LineStart => "the first of a line",
            TokenClass::SpeakerLine => "in the speaker's line",
            TokenClass::Contraction => "part of a contraction",
        })
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Predicate::Token(t) => write!(f, "the token is “{t}”"),
            Predicate::Word(w) => write!(f, "the token is the word “{w}” in any case"),
            Predicate::PreviousToken(t) => write!(f, "the token before is “{t}”"),
            Predicate::Class(c) => write!(f, "the token is {c}"),
            Predicate::PreviousClass(c) => write!(f, "the token before is {c}"),
            Predicate::Factor { factor, value } => write!(f, "{factor} is {value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(text: &str) -> Vec<(String, Vec<Predicate>)> {
        let tokenizer = Tokenizer::gpt2().unwrap();
        let ids = tokenizer.encode(text);
        let index = PredicateIndex::of_text(&tokenizer, &ids, ids.len());
        ids.iter()
            .enumerate()
            .map(|(t, &id)| {
                let of = index
                    .at(t)
                    .iter()
                    .map(|&p| index.predicates[p as usize].clone());
                (tokenizer.token_str(id), of.collect())
            })
            .collect()
    }

    fn with(text: &str, predicate: Predicate) -> Vec<String> {
        let rows = held(text).into_iter();
        rows.filter(|(_, p)| p.contains(&predicate))
            .map(|(t, _)| t)
            .collect()
    }

    const TEXT: &str = "<|endoftext|><|endoftext|>ROMEO:\nI'll go, King\nand the 7 kings' the\n\n";

    #[test]
    fn classes_are_what_a_reader_would_mark() {
        let class = |c| with(TEXT, Predicate::Class(c));
        assert_eq!(class(TokenClass::Separator).len(), 2);
        assert_eq!(class(TokenClass::SpeakerLine).concat(), "ROMEO:");
        assert_eq!(class(TokenClass::Capitalised), ["I", " King"]);
        assert_eq!(class(TokenClass::Number), [" 7"]);
        assert_eq!(class(TokenClass::LineStart), [&held(TEXT)[2].0, "I", "and"]);
        assert!(class(TokenClass::AllCaps).concat().contains("ROM"));
        assert_eq!(class(TokenClass::Punctuation), [":", ",", "'"]);
        assert_eq!(class(TokenClass::Contraction), ["'ll"]);
    }

    #[test]
    fn words_and_neighbours_are_found() {
        assert_eq!(with(TEXT, Predicate::Word("king".into())), [" King"]);
        assert_eq!(
            with(TEXT, Predicate::Token("·the".into())),
            [" the", " the"]
        );
        assert_eq!(
            with(TEXT, Predicate::PreviousToken("·the".into())),
            [" 7", "\n\n"]
        );
        let after_comma = Predicate::PreviousToken(",".into());
        assert_eq!(with(TEXT, after_comma), [" King"]);
    }

    #[test]
    fn a_part_of_a_character_is_shown_by_its_bytes_and_is_no_number() {
        // 日 is e6 97 a5, two tokens.
        let rows = held("日");
        assert!(
            rows[0]
                .1
                .contains(&Predicate::Token(r"\xe6\x97".to_owned()))
        );
        let number = Predicate::Class(TokenClass::Number);
        assert!(rows.iter().all(|(_, held)| !held.contains(&number)));
    }

    #[test]
    fn a_carriage_return_ends_a_line() {
        let class = |c| with("<|endoftext|>a\r\nb\rc", Predicate::Class(c));
        assert_eq!(class(TokenClass::LineStart), ["b", "c"]);
        assert_eq!(class(TokenClass::Newline).concat(), "\r\n\r");
    }

    #[test]
    fn totals_count_a_range() {
        let tokenizer = Tokenizer::gpt2().unwrap();
        let ids = tokenizer.encode(" a a b a");
        let index = PredicateIndex::of_text(&tokenizer, &ids, 4);
        let a = index
            .predicates
            .iter()
            .position(|p| *p == Predicate::Token("·a".into()));
        assert_eq!(index.totals(0..4)[a.unwrap()], 3);
        assert_eq!(index.totals(2..4)[a.unwrap()], 1);
    }
}
