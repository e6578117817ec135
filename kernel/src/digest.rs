//! Digests as text.

use sha2::{Digest, Sha256};

/// The digest in hexadecimal digits.
pub fn hex(digest: Sha256) -> String {
    let bytes = digest.finalize();
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
