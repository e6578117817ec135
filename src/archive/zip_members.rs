//! The members of a zip archive, stored or deflated.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use zip::ZipArchive;

/// An open archive.
pub(super) struct ZipMembers(ZipArchive<BufReader<File>>);

impl ZipMembers {
    /// Opens the archive in `file`.
    ///
    /// # Errors
    /// What is wrong with it as a zip archive.
    pub(super) fn open(file: File) -> Result<Self, String> {
        let archive = ZipArchive::new(BufReader::new(file)).map_err(|error| error.to_string())?;
        Ok(Self(archive))
    }

    /// The members' names.
    ///
    /// # Errors
    /// A name that is no text.
    pub(super) fn names(&self) -> Result<Vec<String>, String> {
        let names = self.0.file_names();
        let names = names.map(|name| name.map(|name| name.into_owned()));
        names
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())
    }

    /// The whole content of a member, whose checksum is verified.
    ///
    /// # Errors
    /// A member that is missing, damaged, encrypted, or compressed by something else than deflate.
    pub(super) fn read(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let bad = |error: &dyn std::fmt::Display| format!("member {name:?}: {error}");
        let member = self.0.by_name(name).map_err(|error| bad(&error))?;
        let size = member.size();
        // What the archive says of itself is believed only as far as bytes arrive.
        let mut bytes = Vec::with_capacity(size.min(1 << 20) as usize);
        let read = member.take(size.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| bad(&error))?;
        match bytes.len() as u64 == size {
            true => Ok(bytes),
            false => Err(format!(
                "member {name:?} has another length than the {size} bytes that the archive gives it"
            )),
        }
    }
}

/// Whether the file begins as a zip archive does.
pub(super) fn begins_as_zip(path: &Path) -> std::io::Result<bool> {
    let mut first = [0; 4];
    let read = File::open(path)?.take(4).read(&mut first)?;
    Ok(read == 4 && (first == *b"PK\x03\x04" || first == *b"PK\x05\x06"))
}
