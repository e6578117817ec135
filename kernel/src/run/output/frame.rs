//! What the relay writes to the session: one line per frame, so that output is
//! seen in the order and at the time it was written.
//!
//! A frame is the record separator U+001E and a JSON object; displays of the library
//! are passed on as the line that the library wrote.

use crate::run::pipe::take_utf8;
use serde::{Deserialize, Serialize};

const MARK: char = '\u{1e}';
/// Opens a display line of the library.
const LIBRARY: &[u8] = "\u{1e}HOLOSCOPE ".as_bytes();
const BEGIN: &[u8] = b"EVCXR_BEGIN_CONTENT ";
const END: &[u8] = b"EVCXR_END_CONTENT";
/// The start of a question of `evcxr_input`.
const QUESTION: &[u8] = b"EVCXR_INPUT_REQUEST";

/// One event of the user's process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "snake_case")]
pub enum Frame {
    /// The process that runs cells has this id.
    Pid { pid: u32 },
    /// Text on stdout.
    Out { text: String },
    /// Text on stderr.
    Err { text: String },
    /// An evcxr content block.
    Block { mime: String, text: String },
    /// A display, an update or a notice of the library: JSON, not yet parsed.
    Library { json: String },
    /// A cell begins to run.
    Begin,
    /// The cell has run.
    Complete,
    /// A notice from the library to the kernel: JSON, not yet parsed.
    Notice { json: String },
    /// The cell reads from its standard input.
    Ask { prompt: String, password: bool },
    /// The process ended; `said` is its last output on stderr. If `restored`, the
    /// state from before the cell replaces it.
    Died {
        how: String,
        said: String,
        restored: bool,
    },
    /// The prompt for the next line of input, as `evcxr_input` writes it.
    Question { line: String },
}

impl Frame {
    /// The line to write, with its newline.
    pub fn to_line(&self) -> String {
        match self {
            // Displays may be many megabytes: do not encode them again.
            Frame::Library { json } => format!("{MARK}HOLOSCOPE {json}\n"),
            frame => match serde_json::to_string(frame) {
                Ok(json) => format!("{MARK}{json}\n"),
                Err(error) => format!("cannot encode a frame: {error}\n"),
            },
        }
    }

    /// The frame in a line, if it is one.
    pub fn parse(line: &str) -> Option<Frame> {
        let rest = line.strip_prefix(MARK)?;
        match rest.strip_prefix("HOLOSCOPE ") {
            Some(json) => Some(Frame::Library {
                json: json.to_owned(),
            }),
            None => serde_json::from_str(rest).ok(),
        }
    }
}

/// Splits a byte stream into frames, independently of how it was split into reads.
#[derive(Debug, Default)]
pub struct Splitter {
    /// Bytes of the line that is not finished yet.
    line: Vec<u8>,
    /// MIME type and lines of an open content block.
    block: Option<(String, Vec<u8>)>,
}

impl Splitter {
    /// Takes bytes. With `drained` (nothing more to read just now) an
    /// unfinished line is passed on too, unless it may be a control line.
    pub fn push(&mut self, bytes: &[u8], drained: bool) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut text = Vec::new();
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|&b| b == b'\n') {
            self.line.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            let line = std::mem::take(&mut self.line);
            self.take_line(line, &mut text, &mut frames);
        }
        self.line.extend_from_slice(rest);
        if drained && self.block.is_none() && !may_be_control(&self.line) {
            text.append(&mut self.line);
        }
        let mut cut = Vec::new();
        flush_text(&mut text, &mut frames, &mut cut);
        if !cut.is_empty() {
            // Incomplete UTF-8: wait for the rest of the character.
            cut.append(&mut self.line);
            self.line = cut;
        }
        frames
    }

    /// Returns what is left when the cell or the stream ends; an unclosed block is
    /// returned as text.
    pub fn finish(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut text = std::mem::take(&mut self.line);
        if let Some((_, lines)) = self.block.take() {
            text.splice(0..0, lines);
        }
        if !text.is_empty() {
            frames.push(Frame::Out {
                text: String::from_utf8_lossy(&text).into_owned(),
            });
        }
        frames
    }

    fn take_line(&mut self, line: Vec<u8>, text: &mut Vec<u8>, frames: &mut Vec<Frame>) {
        if let Some((mime, mut lines)) = self.block.take() {
            if line == END {
                let body = String::from_utf8_lossy(&lines);
                frames.push(Frame::Block {
                    mime,
                    text: body.strip_suffix('\n').unwrap_or(&body).to_owned(),
                });
            } else {
                lines.extend(line);
                lines.push(b'\n');
                self.block = Some((mime, lines));
            }
            return;
        }
        match control(&line) {
            None => {
                text.extend(line);
                text.push(b'\n');
            }
            Some((at, control)) => {
                text.extend_from_slice(&line[..at]);
                let mut cut = Vec::new();
                flush_text(text, frames, &mut cut);
                match control {
                    Control::Begin(mime) => self.block = Some((mime, Vec::new())),
                    Control::Frames(more) => frames.extend(more),
                }
            }
        }
    }
}

enum Control {
    Begin(String),
    Frames(Vec<Frame>),
}

/// The control part of a line and where it starts: user code may have printed
/// an unfinished line before it.
fn control(line: &[u8]) -> Option<(usize, Control)> {
    if let Some(at) = find(line, LIBRARY) {
        let json = String::from_utf8_lossy(&line[at + LIBRARY.len()..]).into_owned();
        return Some((at, Control::Frames(vec![Frame::Library { json }])));
    }
    if let Some(at) = find(line, BEGIN) {
        let mime = String::from_utf8_lossy(&line[at + BEGIN.len()..]);
        let mime = mime.split(' ').next().unwrap_or_default().to_owned();
        return Some((at, Control::Begin(mime)));
    }
    let at = find(line, QUESTION)?;
    let line = String::from_utf8_lossy(&line[at..]).into_owned();
    Some((at, Control::Frames(vec![Frame::Question { line }])))
}

fn find(line: &[u8], word: &[u8]) -> Option<usize> {
    line.windows(word.len()).position(|w| w == word)
}

/// True while an unfinished line could still turn out to be a control line.
fn may_be_control(line: &[u8]) -> bool {
    line.contains(&(MARK as u8))
        || find(line, b"EVCXR_").is_some()
        || b"EVCXR_".starts_with(line) && !line.is_empty()
}

fn flush_text(text: &mut Vec<u8>, frames: &mut Vec<Frame>, cut: &mut Vec<u8>) {
    if let Some(text) = take_utf8(text) {
        frames.push(Frame::Out { text });
    }
    cut.append(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&str]) -> Vec<Frame> {
        let mut splitter = Splitter::default();
        let mut frames: Vec<Frame> = chunks
            .iter()
            .flat_map(|c| splitter.push(c.as_bytes(), false))
            .collect();
        frames.extend(splitter.finish());
        frames
    }

    fn out(text: &str) -> Frame {
        Frame::Out {
            text: text.to_owned(),
        }
    }

    #[test]
    fn control_lines_are_found_after_an_unfinished_print() {
        let frames = split(&["abcEVCXR_INPUT_REQUEST:name?\n"]);
        let question = Frame::Question {
            line: "EVCXR_INPUT_REQUEST:name?".into(),
        };
        assert_eq!(frames, [out("abc"), question]);
    }

    #[test]
    fn a_display_keeps_its_place_among_the_prints() {
        let frames = split(&["one\n\u{1e}HOLOSCOPE {\"type\":\"x\"}\ntwo\n"]);
        assert_eq!(
            frames,
            [
                out("one\n"),
                Frame::Library {
                    json: "{\"type\":\"x\"}".into()
                },
                out("two\n")
            ]
        );
    }

    #[test]
    fn blocks_are_cut_the_same_however_the_reads_fall() {
        let text = "aEVCXR_BEGIN_CONTENT text/html\n<b>\n</b>\nEVCXR_END_CONTENT\nb\nEVCXR_INPUT_REQUEST:a\n";
        let whole = split(&[text]);
        assert!(whole.contains(&Frame::Block {
            mime: "text/html".into(),
            text: "<b>\n</b>".into()
        }));
        assert!(
            whole
                .iter()
                .any(|frame| matches!(frame, Frame::Question { .. }))
        );
        let bytes: Vec<String> = text.chars().map(String::from).collect();
        let pieces: Vec<&str> = bytes.iter().map(String::as_str).collect();
        assert_eq!(split(&pieces), whole);
    }

    #[test]
    fn a_partial_line_is_passed_on_when_nothing_more_comes() {
        let mut splitter = Splitter::default();
        assert_eq!(
            splitter.push("wait: 50 %".as_bytes(), true),
            [out("wait: 50 %")]
        );
        assert_eq!(splitter.push(b"EVCX", true), []);
        assert_eq!(splitter.push(b"\n", true), [out("EVCX\n")]);
        let e = "é".as_bytes();
        assert_eq!(splitter.push(&e[..1], true), []);
        assert_eq!(splitter.push(&e[1..], true), [out("é")]);
    }

    #[test]
    fn frames_survive_the_line() {
        let frame = Frame::Err {
            text: "a\nb\u{1e}".into(),
        };
        assert_eq!(Frame::parse(frame.to_line().trim_end()), Some(frame));
        let library = Frame::Library {
            json: "{\"a\":1}".into(),
        };
        assert_eq!(Frame::parse(library.to_line().trim_end()), Some(library));
        assert_eq!(Frame::parse("plain"), None);
    }
}
