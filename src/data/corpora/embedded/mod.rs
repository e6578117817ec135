//! The embedded corpus: generated plays with known latent factors.
//!
//! `scene (topic, mood, circle of people) -> turns (speaker, mood) -> sentences -> words`, drawn
//! by one seed in TinyShakespeare's format (`NAME:`, lines, blank line). Text of our own.

mod author;
mod dice;
mod factors;
mod grammar;
mod lexicon;
mod topics;
mod words;
mod writer;

use super::super::digest::sha256_hex;
use super::super::labels::SpanLabels;
use super::corpus::Corpus;
use crate::show::report_data;
use author::Author;
use dice::Dice;
use factors::{F, factors};
use lexicon::Lexicon;
use std::sync::LazyLock;
use writer::Writer;

static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::new);

/// How many sentences a turn has: weights of 1, 2, 3, ...
const TURN_LENGTHS: [usize; 7] = [20, 24, 22, 14, 10, 6, 4];

/// Generates at least `n_bytes` bytes of text (it ends with a whole turn), labelled.
///
/// The same `n_bytes` and `seed` give the same bytes on every machine, and a longer
/// corpus begins with the shorter one of its seed.
///
/// ```
/// use holoscope::data::embedded_corpus;
/// let corpus = embedded_corpus(10_000, 1);
/// assert_eq!(corpus.digest, embedded_corpus(10_000, 1).digest);
/// let labels = corpus.labels.unwrap();
/// assert_eq!(labels.factors[1].name, "topic");
/// ```
pub fn embedded_corpus(n_bytes: usize, seed: u64) -> Corpus {
    let lex: &'static Lexicon = &LEXICON;
    let mut author = Author {
        w: Writer::default(),
        dice: Dice::new(seed),
        lex,
        topic: 0,
        mood: 0,
        speaker: 0,
        circle: vec![0],
        named: Vec::new(),
        recent: Vec::new(),
    };
    while author.w.text.len() < n_bytes {
        scene(&mut author, n_bytes);
    }
    let Writer {
        text, mut spans, ..
    } = author.w;
    // By factor and place; within a factor spans do not overlap.
    spans.sort_by_key(|s| (s.factor, s.start));
    let digest = sha256_hex(text.as_bytes());
    report_data(&format!("Embedded, seed {seed}"), &digest);
    Corpus {
        name: "Embedded".to_owned(),
        source_note: format!(
            "The embedded corpus: {} bytes of generated speaker-and-line text (seed {seed}), not a work of literature.",
            text.len()
        ),
        digest,
        text,
        labels: Some(SpanLabels {
            factors: factors(lex),
            spans,
        }),
    }
}

/// Some turns of two to four speakers about one topic and the same people.
fn scene(author: &mut Author, n_bytes: usize) {
    let lex = author.lex;
    let n_speakers = 2 + author.dice.weighted(&[40, 40, 20]);
    let mut cast: Vec<usize> = Vec::with_capacity(n_speakers);
    while cast.len() < n_speakers {
        let speaker = author.dice.zipf(lex.speakers.len());
        if !cast.contains(&speaker) {
            cast.push(speaker);
        }
    }
    // Each speaker has three topics of their own; the first one's decide mostly.
    author.topic = if author.dice.chance(80) {
        (cast[0] * 5 + author.dice.below(3) * 3) % lex.topics.len()
    } else {
        author.dice.below(lex.topics.len())
    };
    author.circle = (0..5).map(|_| author.dice.zipf(lex.people.len())).collect();
    let mood = author.dice.below(lex.moods.len());
    let n_turns = 5 + author.dice.below(10);
    let mut at = 0;
    for _ in 0..n_turns {
        if author.w.text.len() >= n_bytes {
            return;
        }
        // Mostly the next one; never the same one twice running.
        at += 1 + usize::from(n_speakers > 2 && author.dice.chance(20));
        author.speaker = cast[at % n_speakers];
        author.mood = match author.dice.weighted(&[45, 35, 20]) {
            0 => author.speaker % lex.moods.len(),
            1 => mood,
            _ => author.dice.below(lex.moods.len()),
        };
        turn(author);
    }
}

/// One document: header, sentences, blank line.
fn turn(author: &mut Author) {
    let speaker = &author.lex.speakers[author.speaker];
    author.named.clear();
    author.recent.clear();
    let start = author.w.here();
    author.w.header(speaker.name, speaker.verse);
    let body = author.w.here();
    let n = 1 + author.dice.weighted(&TURN_LENGTHS);
    for _ in 0..n {
        author.sentence();
    }
    author.w.label(start, F::Speaker, 1 + author.speaker as u16);
    author.w.label(body, F::Topic, 1 + author.topic as u16);
    author.w.label(body, F::Mood, 1 + author.mood as u16);
    let style = if speaker.verse { 1 } else { 2 };
    author.w.label(body, F::Style, style);
    author.w.end_turn();
}

#[cfg(test)]
mod tests;
