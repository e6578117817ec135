//! The documents of a text, and its line ends.
//!
//! A blank line ends a document. Lines end with LF, CRLF or CR, as in Python's universal newlines
//! (PEP 278); what is learnt from has LF alone.

use std::borrow::Cow;

/// The documents of a text: each ends with its blank line, that is two line ends one after the
/// other (LF, CRLF or CR), the last with the text.
///
/// Concatenated they are the text, to the byte: line ends stay as they are. Putting
/// `<|endoftext|>` before each is the same as putting it before the text and after every blank line
/// that has text behind it.
///
/// ```
/// use holoscope::data::documents;
/// assert_eq!(documents("a\n\nb\nc"), ["a\n\n", "b\nc"]);
/// assert_eq!(documents("a\r\n\r\nb\r\nc"), ["a\r\n\r\n", "b\r\nc"]);
/// ```
pub fn documents(text: &str) -> Vec<&str> {
    if !text.contains('\r') {
        return text.split_inclusive("\n\n").collect();
    }
    let bytes = text.as_bytes();
    let (mut found, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let first = line_end(bytes, at);
        let second = line_end(bytes, at + first);
        at += first + second;
        if first == 0 {
            at += 1;
        } else if second > 0 {
            found.push(&text[start..at]);
            start = at;
        }
    }
    if start < text.len() {
        found.push(&text[start..]);
    }
    found
}

/// Bytes of the line end at `at`; 0 where there is none.
fn line_end(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at..).unwrap_or_default() {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

/// The text with every CRLF and CR as LF.
pub(in crate::data) fn with_unix_line_ends(text: &str) -> Cow<'_, str> {
    match text.contains('\r') {
        true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DataConfig;
    use crate::data::{Corpus, Dataset};
    use proptest::prelude::*;

    #[test]
    fn line_ends_of_any_kind_make_the_same_documents() {
        // Four line ends in a row are two blank lines; the second document is one.
        assert_eq!(documents("a\r\r\r\rb"), ["a\r\r", "\r\r", "b"]);
        // CR CRLF: two line ends. LF CR: two as well.
        assert_eq!(documents("a\r\r\nb\n\rc"), ["a\r\r\n", "b\n\r", "c"]);
        assert_eq!(documents("\r\n"), ["\r\n"]);
        assert!(documents("").is_empty());
    }

    #[test]
    fn a_dataset_of_windows_text_is_that_of_unix_text() {
        let text: String = (0..30).map(|i| format!("N{i}:\nword {i}\n\n")).collect();
        let data = |ends: &str| {
            let corpus = Corpus::from_text("toy", &text.replace('\n', ends));
            Dataset::from_corpus(&corpus, &DataConfig::default()).unwrap()
        };
        let unix = data("\n");
        assert_eq!(unix.n_documents, 30);
        for ends in ["\r\n", "\r"] {
            let other = data(ends);
            assert_eq!(other.n_documents, 30);
            assert_eq!(other.train, unix.train);
            assert_eq!(other.split_digest(), unix.split_digest());
        }
    }

    proptest! {
        #[test]
        fn documents_concatenate_to_the_text(text in "[a-c\n\r]{0,60}") {
            let parts = documents(&text);
            prop_assert_eq!(parts.concat(), text.clone());
            for (i, part) in parts.iter().enumerate() {
                let unix = with_unix_line_ends(part).into_owned();
                prop_assert!(i + 1 == parts.len() || unix.ends_with("\n\n"));
            }
        }

        /// Each line end of a text of LF alone becomes any of the three, each by itself. (A CR before
        /// an LF would be one line end in place of two.)
        #[test]
        fn mixed_line_ends_make_the_documents_of_unix_text(
            text in "[abé\n]{0,60}",
            kinds in prop::collection::vec(0usize..3, 60),
        ) {
            let mut mixed = String::new();
            let mut kinds = kinds.iter();
            for c in text.chars() {
                match (c, kinds.next()) {
                    ('\n', Some(1)) => mixed.push_str("\r\n"),
                    ('\n', Some(2)) => mixed.push('\r'),
                    ('\n', _) if mixed.ends_with('\r') => mixed.push_str("\r\n"),
                    _ => mixed.push(c),
                }
            }
            let unix: Vec<String> = documents(&mixed)
                .iter()
                .map(|part| with_unix_line_ends(part).into_owned())
                .collect();
            prop_assert_eq!(&unix, &documents(&text));
            prop_assert_eq!(Corpus::from_text("t", &mixed).text, text);
        }
    }
}
