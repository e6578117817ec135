//! The crates that a session's cells have asked for.

use crate::facade::shared::Shared;
use crate::image::Image;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a session's cells have asked for so far.
pub struct Dependencies {
    pub shared: Shared,
    /// Facades that stand for crates of the registry.
    pub patches: BTreeMap<String, PathBuf>,
    /// The lines, by the names of the crates.
    pub asked: BTreeMap<String, String>,
    /// Crates that hold those of the cells: each holds what those before it have not.
    pub bundles: Vec<String>,
    /// Held: a session's image is not removed under it.
    _image: Image,
}

impl Dependencies {
    pub fn new(image: &Image) -> Self {
        Self {
            shared: Shared::beside(&image.facade),
            patches: BTreeMap::new(),
            asked: BTreeMap::new(),
            bundles: Vec::new(),
            _image: image.clone(),
        }
    }

    pub fn list(&self) -> String {
        let lines: Vec<String> = self.asked.values().cloned().collect();
        match lines.is_empty() {
            true => "no crates but the library (holoscope) and the standard library".to_owned(),
            false => lines.join("\n"),
        }
    }
}
