//! The bytes that a cell's files may have: a loop that prints must not fill the disk.

use std::fs::File;
use std::io::Write;

/// Bytes of a cell's text, and of its displays.
pub const KEPT: usize = 1 << 30;

/// What may still be written to a file.
#[derive(Debug)]
pub struct Room {
    pub most: usize,
    left: usize,
    /// Whether something had no place.
    pub full: bool,
    /// Whether the file could not be written; what came after that is not in it.
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

    /// The same for another file.
    pub fn emptied(&self) -> Self {
        Self::new(self.most)
    }

    /// Writes the part of a text that has a place. A full disk must not stop the cell.
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

    /// Writes a line if it has a place, and nothing after one that had none.
    pub fn write_line(&mut self, line: &[u8], to: &mut File) {
        match self.full || line.len() > self.left {
            true => self.full = true,
            false => self.write(line, to),
        }
    }
}
