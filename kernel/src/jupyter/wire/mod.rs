//! Messages and their transport: connection files, signatures, headers, contents.

pub(super) mod connection;
pub(super) mod content;
pub(super) mod message;
pub(super) mod origin;
pub(super) mod signature;
