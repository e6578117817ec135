//! A text and where it came from.

use super::super::digest::sha256_hex;
use super::super::labels::SpanLabels;
use super::documents::with_unix_line_ends;
use crate::show::report_data;
use std::borrow::Cow;

/// A text with its provenance and, if it was generated, its ground truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Corpus {
    /// "TinyShakespeare" or "Embedded".
    pub name: String,
    /// The text. What was handed in or read with CRLF or CR at the end of lines has LF here.
    pub text: String,
    /// One plain sentence: where the text came from.
    pub source_note: String,
    /// SHA-256 of the bytes as they were handed in or read, lower-case hexadecimal.
    pub digest: String,
    /// Latent factors by bytes, for a generated text.
    pub labels: Option<SpanLabels>,
}

impl Corpus {
    /// Any text as a corpus; documents end with blank lines. Line ends become LF, and the note says
    /// so where they were others.
    pub fn from_text(name: &str, text: &str) -> Corpus {
        let note = format!("{name}: a text of {} bytes handed in.", text.len());
        Corpus::read(name, text, &note, sha256_hex(text.as_bytes()))
    }

    pub(in crate::data) fn read(name: &str, text: &str, note: &str, digest: String) -> Corpus {
        report_data(name, &digest);
        let unix = with_unix_line_ends(text);
        let ends = match unix {
            Cow::Borrowed(_) => "",
            Cow::Owned(_) => " Its line ends, CRLF or CR, are read as LF.",
        };
        Corpus {
            name: name.to_owned(),
            source_note: format!("{note}{ends}"),
            digest,
            text: unix.into_owned(),
            labels: None,
        }
    }
}
