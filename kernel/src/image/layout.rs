//! The names of an image's files, and of the variables that refer to them.

/// rustc's file name for the image.
pub const IMAGE_FILE: &str = "libholoscope_image.so";
/// In the image's folder: the crates that `holoscope_image` is linked with.
pub const EXTERNS_FILE: &str = "holoscope_image.externs";
/// In the image's folder: the crates that cargo and rust-analyzer see instead of the real ones.
pub const FACADE: &str = "facade";
/// In the image's folder: the metadata of the library's dependencies.
pub const METADATA: &str = "metadata";

/// Set for cargo when it builds the image: the image's folder.
pub const BUILD_IMAGE_ENV: &str = "HOLOSCOPE_BUILD_IMAGE";
/// For crates that cells request: the folder of the image that cells are linked to.
pub const IMAGE_ENV: &str = "HOLOSCOPE_IMAGE";
/// For the same: the folder of the metadata of the image's dependencies.
pub const IMAGE_DEPS_ENV: &str = "HOLOSCOPE_IMAGE_DEPS";

/// Increment this when the treatment of our crates changes: cargo identifies the wrapper
/// only by its name, and would keep what the old one built.
pub const RECIPE: u32 = 5;
