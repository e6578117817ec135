//! TensorBoard event files: scalars that `tensorboard --logdir` draws.
//!
//! A file is a row of TFRecords `len u64 | masked crc32c(len) | bytes | masked crc32c(bytes)`, each
//! holding an `Event` protobuf, written by hand (tensorflow/core/util/event.proto, summary.proto).

use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Appends scalars to one event file; each is on disk when the call returns.
#[derive(Debug)]
pub struct EventWriter {
    file: File,
    path: PathBuf,
}

impl EventWriter {
    /// Starts a new event file in `dir`, which must exist.
    ///
    /// With `resumed_at`, TensorBoard drops what earlier files say of steps from there on, so
    /// that the steps a stopped run did after its checkpoint do not appear twice.
    pub fn create(dir: &Path, resumed_at: Option<usize>) -> Result<Self> {
        let now = wall_time();
        let (seconds, pid) = (now as u64, std::process::id());
        // TensorBoard reads files in the order of their names; a number keeps two runs of one second apart.
        let (file, path) = (0..)
            .find_map(|n| {
                let path = dir.join(format!(
                    "events.out.tfevents.{seconds:010}.holoscope.{pid}.{n}"
                ));
                let mut options = OpenOptions::new();
                match options.append(true).create_new(true).open(&path) {
                    Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => None,
                    opened => Some((opened, path)),
                }
            })
            .ok_or_else(|| Error::argument("event files", "all", "are taken"))?;
        let file = file.map_err(Error::io("create", &path))?;
        let mut writer = Self { file, path };
        writer.event(&Event::FileVersion, 0, now)?;
        if let Some(step) = resumed_at {
            writer.event(&Event::SessionStart, step, now)?;
        }
        Ok(writer)
    }

    /// Adds the point (`step`, `value`) to the curve `tag`.
    pub fn scalar(&mut self, tag: &str, step: usize, value: f64) -> Result<()> {
        self.event(&Event::Scalar(tag, value as f32), step, wall_time())
    }

    /// The file being written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn event(&mut self, event: &Event, step: usize, wall_time: f64) -> Result<()> {
        let record = frame(&encode(event, step, wall_time));
        // One write a record: a reader never sees half of one unless the machine stops.
        let written = self.file.write_all(&record);
        written.map_err(Error::io("write", &self.path))
    }
}

enum Event<'a> {
    FileVersion,
    SessionStart,
    Scalar(&'a str, f32),
}

fn wall_time() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |d| d.as_secs_f64())
}

/// `Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; SessionLog session_log = 7 }`
fn encode(event: &Event, step: usize, wall_time: f64) -> Vec<u8> {
    let mut out = Vec::new();
    key(&mut out, 1, FIXED64);
    out.extend(wall_time.to_le_bytes());
    key(&mut out, 2, VARINT);
    varint(&mut out, step as u64);
    match event {
        Event::FileVersion => bytes(&mut out, 3, b"brain.Event:2"),
        Event::SessionStart => {
            // SessionLog { SessionStatus status = 1 }, START = 1
            let mut log = Vec::new();
            key(&mut log, 1, VARINT);
            varint(&mut log, 1);
            bytes(&mut out, 7, &log);
        }
        Event::Scalar(tag, value) => {
            // Summary { repeated Value value = 1 }, Value { string tag = 1; float simple_value = 2 }
            let (mut inner, mut summary) = (Vec::new(), Vec::new());
            bytes(&mut inner, 1, tag.as_bytes());
            key(&mut inner, 2, FIXED32);
            inner.extend(value.to_le_bytes());
            bytes(&mut summary, 1, &inner);
            bytes(&mut out, 5, &summary);
        }
    }
    out
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const FIXED32: u64 = 5;

fn key(out: &mut Vec<u8>, field: u64, wire_type: u64) {
    varint(out, field << 3 | wire_type);
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(out, field, LENGTH_DELIMITED);
    varint(out, value.len() as u64);
    out.extend(value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(data.len() + 16);
    out.extend(length);
    out.extend(masked_crc(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked_crc(data).to_le_bytes());
    out
}

/// TFRecord's checksum: crc32c, rotated and shifted so that a checksum of checksums stays sound.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_scalar_is_the_published_layout_byte_for_byte() {
        // By hand from event.proto and summary.proto: wall_time 1.0 is 0x3ff0000000000000,
        // step 300 the varint ac 02, 0.5f32 is 0x3f000000.
        let expected = [
            0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 0xac, 0x02, // wall_time, step
            0x2a, 0x0d, 0x0a, 0x0b, // summary of 13 bytes, value of 11
            0x0a, 0x04, b'l', b'o', b's', b's', // tag
            0x15, 0, 0, 0, 0x3f, // simple_value
        ];
        assert_eq!(encode(&Event::Scalar("loss", 0.5), 300, 1.0), expected);
    }

    #[test]
    fn the_checksum_is_the_masked_crc32c() {
        // crc32c of 32 zero bytes is 0x8a9136aa (RFC 3720, B.4); turned right by 15 bits and
        // shifted by 0xa282ead8 (worked out in Python) it is:
        let masked = 0x0fd7_fffa_u32;
        assert_eq!(masked_crc(&[0; 32]), masked);
        assert_eq!(frame(&[0; 32])[44..], masked.to_le_bytes());
    }

    #[test]
    fn two_writers_in_one_second_have_two_files() -> Result<()> {
        let dir = tempfile::tempdir().map_err(Error::io("create", "a temporary folder"))?;
        let first = EventWriter::create(dir.path(), None)?;
        let second = EventWriter::create(dir.path(), Some(7))?;
        assert_ne!(first.path(), second.path());
        Ok(())
    }
}
