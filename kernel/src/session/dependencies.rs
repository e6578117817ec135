//! `:dep` lines: what the image brings is not compiled again.

use super::workspace::Workspace;
use crate::error::Result;
use crate::image::{Image, Shared};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a session's cells have asked for so far.
pub struct Dependencies {
    shared: Shared,
    /// Facades that stand for crates of the registry.
    patches: BTreeMap<String, PathBuf>,
    /// Held: a session's image is not removed under it.
    _image: Image,
}

impl Dependencies {
    pub fn new(image: &Image) -> Self {
        Self {
            shared: Shared::beside(&image.facade),
            patches: BTreeMap::new(),
            _image: image.clone(),
        }
    }

    /// The cell with its `:dep` lines as evcxr shall see them. The lines stay
    /// where they are, so that line numbers hold.
    pub fn resolve(&mut self, code: &str, workspace: &Workspace) -> Result<String> {
        let mut patches = self.patches.clone();
        let mut lines = Vec::new();
        for line in code.lines() {
            let Some(arguments) = line.trim_start().strip_prefix(":dep ") else {
                lines.push(line.to_owned());
                continue;
            };
            let name = arguments.trim_start().split([' ', '=']).next();
            if name == Some("holoscope") {
                // For stock evcxr; here the library is loaded already.
                lines.push(String::new());
            } else if let Some(found) = self.shared.find(arguments)? {
                lines.push(format!(":dep {}", found.arguments));
                patches.extend(found.patches);
            } else {
                lines.push(line.to_owned());
            }
        }
        if patches != self.patches {
            workspace.patch(&patches)?;
            self.patches = patches;
        }
        Ok(lines.join("\n"))
    }
}
