//! From the labels of a text's bytes to those of its tokens.
//!
//! A token takes the label of its last byte, because GPT-2's tokens carry the space before a word,
//! which belongs to no word.

use super::super::corpora::{Corpus, documents, with_unix_line_ends};
use super::super::labels::{Span, SpanLabels, TokenLabels};
use super::tokenizer::Tokenizer;
use crate::error::{Error, Result};
use std::borrow::Cow;

/// Labels of the corpus's tokens in the order of its documents, each beginning
/// with `<|endoftext|>` (which has no label); `None` for a corpus without labels.
///
/// # Errors
/// [`Error::Tokenise`] if the tokens do not spell the corpus (a compact tokenizer
/// made from another text).
pub fn labels_for(corpus: &Corpus, tokenizer: &Tokenizer) -> Result<Option<TokenLabels>> {
    let (text, Some(spans)) = unix_text(corpus) else {
        return Ok(None);
    };
    let docs = tokenizer.encode_documents(&documents(&text));
    token_labels(&spans, &docs, tokenizer, text.len()).map(Some)
}

/// Text and labels of a corpus with LF alone, the labels on the bytes where their text now is.
pub(in crate::data) fn unix_text(corpus: &Corpus) -> (Cow<'_, str>, Option<Cow<'_, SpanLabels>>) {
    let text = with_unix_line_ends(&corpus.text);
    let labels = corpus.labels.as_ref().map(|labels| match &text {
        Cow::Borrowed(_) => Cow::Borrowed(labels),
        Cow::Owned(_) => Cow::Owned(moved(labels, &corpus.text)),
    });
    (text, labels)
}

/// The labels after every CRLF of `text` has become one byte.
fn moved(labels: &SpanLabels, text: &str) -> SpanLabels {
    let crlf: Vec<usize> = text.match_indices("\r\n").map(|(at, _)| at).collect();
    // What lies between the two bytes, or behind both, moves.
    let to = |at: usize| at - crlf.partition_point(|&cr| cr < at);
    SpanLabels {
        factors: labels.factors.clone(),
        spans: labels
            .spans
            .iter()
            .map(|span| Span {
                start: to(span.start),
                end: to(span.end),
                ..*span
            })
            .collect(),
    }
}

/// [`labels_for`] when the documents' tokens are there already.
pub(in crate::data) fn token_labels(
    labels: &SpanLabels,
    docs: &[Vec<u32>],
    tokenizer: &Tokenizer,
    n_bytes: usize,
) -> Result<TokenLabels> {
    let lengths: Vec<usize> = (0..tokenizer.n_vocab() as u32)
        .map(|id| tokenizer.decode_bytes(&[id]).len())
        .collect();
    // Index of each token's last byte; `None` for the separators.
    let n_tokens = docs.iter().map(Vec::len).sum();
    let mut last_byte = Vec::with_capacity(n_tokens);
    let mut at = 0;
    for doc in docs {
        last_byte.push(None);
        for &id in &doc[1..] {
            at += lengths[id as usize];
            last_byte.push(Some(at - 1));
        }
    }
    if at != n_bytes {
        return Err(Error::Tokenise(format!(
            "the tokens hold {at} bytes and the text {n_bytes}: this tokenizer does not keep all tokens of the text"
        )));
    }
    let mut values = Vec::with_capacity(labels.factors.len());
    let mut painted = vec![0_u16; n_bytes];
    for factor in 0..labels.factors.len() {
        painted.fill(0);
        for span in labels.spans.iter().filter(|s| s.factor as usize == factor) {
            painted[span.start..span.end].fill(span.value);
        }
        values.push(
            last_byte
                .iter()
                .map(|b| b.map_or(0, |b| painted[b]))
                .collect(),
        );
    }
    Ok(TokenLabels {
        factors: labels.factors.clone(),
        values,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Factor;

    #[test]
    fn a_token_takes_the_label_of_its_last_byte() {
        let text = "the red fox\n\nran".to_owned();
        let factor = Factor {
            name: "word".to_owned(),
            values: ["none", "colour", "animal", "verb"]
                .map(String::from)
                .to_vec(),
        };
        let span = |start, end, value| Span {
            start,
            end,
            factor: 0,
            value,
        };
        let corpus = Corpus {
            name: "toy".to_owned(),
            digest: String::new(),
            source_note: String::new(),
            labels: Some(SpanLabels {
                factors: vec![factor],
                spans: vec![span(4, 7, 1), span(8, 11, 2), span(13, 16, 3)],
            }),
            text,
        };
        let tokenizer = Tokenizer::gpt2().unwrap();
        let labels = labels_for(&corpus, &tokenizer).unwrap().unwrap();
        // EOT, "the", " red", " fox", "\n\n", EOT, "ran"
        assert_eq!(labels.column("word").unwrap(), [0, 0, 1, 2, 0, 0, 3]);
        assert_eq!(
            labels.indicator("word", "animal").unwrap(),
            [false, false, false, true, false, false, false]
        );
        assert!(labels.column("colour").is_err());
        assert!(labels.indicator("word", "tree").is_err());
    }

    #[test]
    fn a_corpus_made_by_hand_keeps_its_labels_on_their_words() {
        let text = "the\r\nred fox\r\n\r\nran";
        let span = |word: &str, value| {
            let start = text.find(word).unwrap();
            let end = start + word.len();
            Span {
                start,
                end,
                factor: 0,
                value,
            }
        };
        let corpus = Corpus {
            text: text.to_owned(),
            labels: Some(SpanLabels {
                factors: vec![Factor {
                    name: "word".to_owned(),
                    values: ["none", "colour", "animal", "verb"]
                        .map(String::from)
                        .to_vec(),
                }],
                spans: vec![span("red", 1), span("fox", 2), span("ran", 3)],
            }),
            ..Corpus::from_text("toy", "")
        };
        let labels = labels_for(&corpus, &Tokenizer::gpt2().unwrap());
        // EOT, "the", "\n", "red", " fox", "\n\n", EOT, "ran"
        let column = labels.unwrap().unwrap().column("word").unwrap();
        assert_eq!(column, [0, 0, 0, 1, 2, 0, 0, 3]);
    }

    #[test]
    fn a_tokenizer_of_another_text_is_refused() {
        let corpus = Corpus {
            name: "toy".to_owned(),
            text: "zebra".to_owned(),
            digest: String::new(),
            source_note: String::new(),
            labels: Some(SpanLabels::default()),
        };
        let other = Tokenizer::compact(&[0, 1]).unwrap();
        assert!(labels_for(&corpus, &other).is_err());
    }
}
