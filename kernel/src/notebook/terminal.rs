//! The text that a terminal would show: `\r` and `\b` move the cursor back and
//! further text overwrites, `ESC [ K` erases. Colours stay with their
//! characters.
//! Source: ECMA-48; JupyterLab's rendermime `removeOverwrittenChars`.

/// The text written so far; its last line can still be overwritten.
#[derive(Debug, Clone, Default)]
pub struct Screen {
    /// Finished lines, each with its `\n`.
    done: String,
    /// The current line: each character with the escape sequences before it.
    line: Vec<String>,
    cursor: usize,
    /// Escape sequences to be attached to the next character.
    pending: String,
    /// An escape sequence that the last write left unfinished.
    partial: String,
}

impl Screen {
    /// Adds text at the cursor.
    pub fn write(&mut self, text: &str) {
        let joined = std::mem::take(&mut self.partial) + text;
        let mut rest = joined.as_str();
        while let Some(c) = rest.chars().next() {
            if c == '\u{1b}' {
                match escape_len(rest) {
                    Some(len) => {
                        self.escape(&rest[..len]);
                        rest = &rest[len..];
                    }
                    None => {
                        self.partial = rest.to_owned();
                        return;
                    }
                }
                continue;
            }
            rest = &rest[c.len_utf8()..];
            match c {
                '\n' => self.end_line(),
                '\r' => self.cursor = 0,
                '\u{8}' => self.cursor = self.cursor.saturating_sub(1),
                c => self.put(c),
            }
        }
    }

    /// The visible text.
    pub fn text(&self) -> String {
        let mut text = self.done.clone();
        text.extend(self.line.iter().map(String::as_str));
        text + &self.pending
    }

    fn put(&mut self, c: char) {
        let mut cell = std::mem::take(&mut self.pending);
        cell.push(c);
        match self.line.get_mut(self.cursor) {
            Some(old) => *old = cell,
            None => self.line.push(cell),
        }
        self.cursor += 1;
    }

    fn end_line(&mut self) {
        self.done.extend(self.line.drain(..));
        self.done.push_str(&std::mem::take(&mut self.pending));
        self.done.push('\n');
        self.cursor = 0;
    }

    fn escape(&mut self, sequence: &str) {
        match sequence {
            "\u{1b}[K" | "\u{1b}[0K" => self.line.truncate(self.cursor),
            "\u{1b}[2K" => self.line.truncate(0),
            colour if colour.ends_with('m') => self.pending.push_str(colour),
            // Cursor movements and titles make no sense in a document.
            _ => {}
        }
        self.cursor = self.cursor.min(self.line.len());
    }
}

/// The length of the escape sequence that `text` begins with; `None` if it is
/// not finished yet.
pub fn escape_len(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.get(1)? {
        b'[' => {
            let end = bytes[2..]
                .iter()
                .position(|b| !(0x20..=0x3f).contains(b))
                .map(|at| at + 2)?;
            // A byte that cannot end a sequence belongs to the text.
            Some(if (0x40..=0x7e).contains(&bytes[end]) {
                end + 1
            } else {
                end
            })
        }
        // A title or a link: up to BEL or ESC \.
        b']' => {
            let bell = text.find('\u{7}').map(|at| at + 1);
            let end = text.find("\u{1b}\\").map(|at| at + 2);
            match (bell, end) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (found, None) | (None, found) => found,
            }
        }
        b if b.is_ascii() => Some(2),
        _ => Some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(writes: &[&str]) -> String {
        let mut screen = Screen::default();
        writes.iter().for_each(|text| screen.write(text));
        screen.text()
    }

    #[test]
    fn a_progress_bar_leaves_its_last_state() {
        assert_eq!(shown(&["10%\r", "50%\r", "100%\n"]), "100%\n");
        assert_eq!(shown(&["loading\rdone"]), "doneing");
        assert_eq!(shown(&["loading\r\u{1b}[Kdone\n"]), "done\n");
        assert_eq!(shown(&["loading\u{1b}[2K\rdone\n"]), "done\n");
        assert_eq!(shown(&["12\u{8}3"]), "13");
    }

    #[test]
    fn windows_line_ends_overwrite_nothing() {
        assert_eq!(shown(&["a\r\nb\r", "\nc"]), "a\nb\nc");
    }

    #[test]
    fn colours_stay_and_go_with_their_characters() {
        assert_eq!(
            shown(&["\u{1b}[31mred\u{1b}[0m\n"]),
            "\u{1b}[31mred\u{1b}[0m\n"
        );
        assert_eq!(shown(&["\u{1b}[31mred\u{1b}[0m\rgreen"]), "\u{1b}[0mgreen");
        assert_eq!(shown(&["\u{1b}[3", "1mred"]), "\u{1b}[31mred");
        assert_eq!(shown(&["\u{1b}]0;title\u{7}text"]), "text");
    }

    #[test]
    fn nothing_hangs_or_panics_on_broken_sequences() {
        for text in [
            "\u{1b}",
            "\u{1b}[",
            "\u{1b}[31",
            "\u{1b}é",
            "\u{1b}]x",
            "\u{1b}[é",
        ] {
            shown(&[text]);
        }
        assert_eq!(shown(&["\u{1b}[é"]), "é");
    }
}
