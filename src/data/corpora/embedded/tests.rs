//! What the embedded corpus promises.

use super::*;
use crate::data::labels::{Factor, Span};
use std::collections::HashSet;

fn corpus() -> Corpus {
    embedded_corpus(200_000, 3)
}

/// The spans of a factor with their text and the name of their value.
fn spans_of(corpus: &Corpus, name: &str) -> Vec<(Span, String, String)> {
    let labels = corpus.labels.as_ref().unwrap();
    let at = labels.factors.iter().position(|f| f.name == name).unwrap();
    labels
        .spans
        .iter()
        .filter(|s| s.factor as usize == at)
        .map(|s| {
            let text = corpus.text[s.start..s.end].to_owned();
            (
                *s,
                text,
                labels.factors[at].values[s.value as usize].clone(),
            )
        })
        .collect()
}

#[test]
fn a_seed_gives_the_same_bytes_everywhere() {
    // Recorded when the generator was written; a change of its words or grammar changes it.
    let small = embedded_corpus(20_000, 42_069);
    assert_eq!(
        small.digest,
        "504f18045ff246bb835523802e7dbcdcd771f9fad11dafe6b3673e0b54459354"
    );
    assert_ne!(small.digest, embedded_corpus(20_000, 42_070).digest);
}

#[test]
fn a_longer_corpus_begins_with_the_shorter_one() {
    let (short, long) = (embedded_corpus(5_000, 1), embedded_corpus(20_000, 1));
    assert!(long.text.starts_with(&short.text));
    assert!(short.text.len() >= 5_000 && short.text.len() < 7_500);
    assert!(embedded_corpus(0, 1).text.is_empty());
}

#[test]
fn the_format_is_name_colon_lines_and_a_blank_line() {
    let corpus = corpus();
    let names: HashSet<&str> = LEXICON.speakers.iter().map(|s| s.name).collect();
    for turn in crate::data::documents(&corpus.text) {
        let (header, body) = turn.split_once(":\n").unwrap();
        assert!(names.contains(header), "{header}");
        let body = body.strip_suffix("\n\n").unwrap();
        assert!(
            !body.is_empty() && body.lines().all(|l| !l.is_empty() && l.trim() == l),
            "{turn}"
        );
        assert!(body.lines().all(|l| l.len() < 90), "{turn}");
    }
    assert!(corpus.text.is_ascii());
}

#[test]
fn spans_of_a_factor_ascend_without_overlap_and_hold_text() {
    let corpus = corpus();
    let labels = corpus.labels.unwrap();
    for pair in labels.spans.windows(2) {
        assert!(
            pair[0].factor < pair[1].factor || pair[0].end <= pair[1].start,
            "{pair:?}"
        );
    }
    for span in &labels.spans {
        let (text, values) = (
            &corpus.text[span.start..span.end],
            &labels.factors[span.factor as usize].values,
        );
        assert!(!text.is_empty() && text.trim() == text, "{text:?}");
        assert!((1..values.len()).contains(&(span.value as usize)));
    }
}

#[test]
fn every_value_of_every_factor_occurs() {
    let corpus = embedded_corpus(1_000_000, 5);
    let labels = corpus.labels.unwrap();
    for (i, Factor { name, values }) in labels.factors.iter().enumerate() {
        let seen: HashSet<u16> = labels
            .spans
            .iter()
            .filter(|s| s.factor as usize == i)
            .map(|s| s.value)
            .collect();
        assert_eq!(seen.len(), values.len() - 1, "{name}");
    }
}

#[test]
fn verbs_agree_in_number_with_their_subject() {
    let corpus = corpus();
    let numbers = spans_of(&corpus, "number");
    let number_at = |start| {
        let i = numbers.partition_point(|(s, ..)| s.start < start);
        numbers[i].2.clone()
    };
    let mut counts = [0, 0];
    for (span, word, distance) in spans_of(&corpus, "agreement") {
        let expected = match word.to_lowercase().as_str() {
            "is" | "was" | "has" | "does" | "am" => "singular",
            "are" | "were" | "do" => "plural",
            _ => continue,
        };
        assert_eq!(number_at(span.start), expected, "{word}");
        counts[usize::from(distance == "far")] += 1;
    }
    assert!(counts[0] > 500 && counts[1] > 50, "{counts:?}");
}

#[test]
fn a_far_verb_agrees_with_the_head_and_not_with_the_nearest_noun() {
    // Behind "the sailors near the boat" the verb's number is that of the last labelled head.
    let corpus = corpus();
    let numbers = spans_of(&corpus, "number");
    let far: Vec<Span> = spans_of(&corpus, "agreement")
        .into_iter()
        .filter(|(_, _, d)| d == "far")
        .map(|(s, ..)| s)
        .collect();
    for verb in &far {
        let i = numbers.partition_point(|(s, ..)| s.start < verb.start);
        assert_eq!(numbers[i].2, numbers[i - 1].2, "{}", numbers[i - 1].1);
    }
}

#[test]
fn sums_in_code_spans_are_right_and_marks_check() {
    let mut seen = 0;
    for (_, code, kind) in spans_of(&embedded_corpus(600_000, 3), "code") {
        let digits: Vec<usize> = code
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|n| n.parse().ok())
            .collect();
        match (kind.as_str(), digits.as_slice()) {
            ("sum", [a, b, sum]) => assert_eq!(a + b, *sum, "{code}"),
            ("mark", [n]) => assert_eq!((n / 100 + n / 10 % 10) % 10, n % 10, "{code}"),
            ("call", [_]) => assert!(code.ends_with(");") && code.contains('('), "{code}"),
            _ => panic!("{kind}: {code}"),
        }
        seen += 1;
    }
    assert!(seen > 50);
}

#[test]
fn the_vocabulary_is_several_thousand_words() {
    let corpus = embedded_corpus(1_500_000, 7);
    let words: HashSet<String> = corpus
        .text
        .split(|c: char| !c.is_ascii_alphabetic())
        .map(str::to_lowercase)
        .collect();
    assert!(words.len() > 5_000, "{}", words.len());
}
