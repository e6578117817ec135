//! The crates that a session's cells have requested.

use crate::facade::shared::Shared;
use crate::image::Image;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The requests of a session's cells so far.
pub struct Dependencies {
    pub shared: Shared,
    /// Facades that replace crates of the registry.
    pub patches: BTreeMap<String, PathBuf>,
    /// The `:dep` lines, by the names of the crates.
    pub asked: BTreeMap<String, String>,
    /// Crates that re-export those of the cells: each contains those that the ones before it lack.
    pub bundles: Vec<String>,
    /// Held so that the session's image is not removed.
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
