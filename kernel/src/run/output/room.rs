//! A size limit for a cell's files: a loop that prints must not fill the disk.

use std::fs::File;
use std::io::Write;

/// The limit in bytes for a cell's text, and for its displays.
pub const KEPT: usize = 1 << 30;

/// What may still be written to a file.
#[derive(Debug)]
pub struct Room {
    pub most: usize,
    left: usize,
    /// Whether something did not fit.
    pub full: bool,
    /// Whether a write has failed; everything after it is missing from the file.
    pub failed: bool,
}

impl Room {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            left: most,
            full: false,
            failed: false,
        }
    }

    /// The same limit for another file.
    pub fn emptied(&self) -> Self {
        Self::new(self.most)
    }

    /// Writes the part of a text that fits. A full disk must not stop the cell.
    pub fn write(&mut self, text: &[u8], to: &mut File) {
        if self.failed {
            return;
        }
        let taken = text.len().min(self.left);
        match to.write_all(&text[..taken]) {
            Ok(()) => {
                self.left -= taken;
                self.full |= taken < text.len();
            }
            Err(_) => self.failed = true,
        }
    }

    /// Writes a line if it fits, and nothing after one that did not.
    pub fn write_line(&mut self, line: &[u8], to: &mut File) {
        match self.full || line.len() > self.left {
            true => self.full = true,
            false => self.write(line, to),
        }
    }
}
