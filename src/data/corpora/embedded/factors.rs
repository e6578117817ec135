//! The latent factors of the embedded corpus and the names of their values.

use super::lexicon::Lexicon;
use crate::data::labels::Factor;

/// Which factor; the discriminant is its index in the labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum F {
    /// Who speaks: the whole turn, header included.
    Speaker,
    /// What is talked about: the whole turn but the header.
    Topic,
    /// In which mood: the whole turn but the header.
    Mood,
    /// How lines break: verse (short, capitalised lines) or prose.
    Style,
    /// What kind of sentence: every byte of it.
    Sentence,
    /// Number of the subject, on its head and on the verb that agrees with it.
    Number,
    /// On a verb that agrees: whether another noun stands between it and its subject.
    Agreement,
    /// Tense, on the words of the verb group.
    Tense,
    /// Part of speech.
    Part,
    /// Inside a quotation, the marks included.
    Quotation,
    /// Inside an enumeration, its commas included.
    List,
    /// A proper name: of a person or a place.
    Name,
    /// Gender, on names of people and on pronouns that stand for them.
    Gender,
    /// Whether a person was named before in this turn.
    Mention,
    /// A code-like span.
    Code,
    /// The speaker's name and colon.
    Header,
    /// The first word of a line.
    LineStart,
}

pub(super) const PARTS: [&str; 11] = [
    "none",
    "determiner",
    "noun",
    "verb",
    "adjective",
    "adverb",
    "pronoun",
    "preposition",
    "conjunction",
    "number",
    "interjection",
];

/// Part of speech; the discriminant is its place in [`PARTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum P {
    Other,
    Determiner,
    Noun,
    Verb,
    Adjective,
    Adverb,
    Pronoun,
    Preposition,
    Conjunction,
    Number,
    Interjection,
}

/// Kinds of sentence in the order of their values.
pub(super) const SENTENCES: [&str; 12] = [
    "none",
    "statement",
    "question",
    "command",
    "exclamation",
    "condition",
    "report",
    "enumeration",
    "ledger",
    "comparison",
    "saying",
    "contrast",
];

/// All factors in the order of [`F`].
pub(super) fn factors(lexicon: &Lexicon) -> Vec<Factor> {
    let factor = |name: &str, values: Vec<String>| Factor {
        name: name.to_owned(),
        values: std::iter::once("none".to_owned()).chain(values).collect(),
    };
    let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    vec![
        factor(
            "speaker",
            lexicon.speakers.iter().map(|s| s.name.to_owned()).collect(),
        ),
        factor(
            "topic",
            lexicon.topics.iter().map(|t| t.name.to_owned()).collect(),
        ),
        factor(
            "mood",
            lexicon.moods.iter().map(|m| m.name.to_owned()).collect(),
        ),
        factor("style", words(&["verse", "prose"])),
        factor("sentence", words(&SENTENCES[1..])),
        factor("number", words(&["singular", "plural"])),
        factor("agreement", words(&["near", "far"])),
        factor("tense", words(&["present", "past", "future", "perfect"])),
        factor("part", words(&PARTS[1..])),
        factor("quotation", words(&["quoted"])),
        factor("list", words(&["listed"])),
        factor("name", words(&["person", "place"])),
        factor("gender", words(&["feminine", "masculine"])),
        factor("mention", words(&["first", "again"])),
        factor("code", words(&["mark", "sum", "call"])),
        factor("header", words(&["header"])),
        factor("line_start", words(&["first word"])),
    ]
}
