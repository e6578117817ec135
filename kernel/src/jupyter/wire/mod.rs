//! Messages and how they travel: connection files, signatures, headers, contents.

pub(super) mod connection;
pub(super) mod content;
pub(super) mod message;
pub(super) mod origin;
pub(super) mod signature;
