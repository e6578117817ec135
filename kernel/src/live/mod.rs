//! What the live views of an exported page need: the models that the notebook has written, and the
//! library compiled to WebAssembly.

mod module;

use crate::digest::hex;
use crate::export::live::{Live, LiveView, views};
use crate::notebook::Notebook;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::Path;

/// Where the library has the views' scripts and styles.
const VIEWS: &str = "src/widgets/views";

/// What a page of this notebook computes with; `None` where nothing on it does.
///
/// # Errors
/// Why its views stay static: a file that is missing or has changed, no compiler for WebAssembly.
pub fn of_notebook(
    notebook: &Notebook,
    folder: &Path,
    tell: &mut dyn FnMut(&str),
) -> Option<Result<Live, String>> {
    let views = views(notebook);
    match views.is_empty() {
        true => None,
        false => Some(read(&views, folder, tell)),
    }
}

fn read(views: &[LiveView], folder: &Path, tell: &mut dyn FnMut(&str)) -> Result<Live, String> {
    let root = crate::toolchain::workspace_root().map_err(|error| error.to_string())?;
    let mut live = Live::default();
    for LiveView { view, model, .. } in views {
        if !live.views.contains_key(view) {
            live.views.insert(view.clone(), scripts(&root, view)?);
        }
        let Some(model) = model else { continue };
        let path = folder.join(&model.file);
        let bytes = std::fs::read(&path).map_err(|error| {
            format!(
                "cannot read {}: {error}; run the notebook again",
                path.display()
            )
        })?;
        if hex(Sha256::new_with_prefix(&bytes)) != model.sha256 {
            let path = path.display();
            return Err(format!(
                "{path} is not the file that the notebook has written; run the notebook again"
            ));
        }
        live.models.insert(model.sha256.clone(), packed(&bytes));
    }
    if !live.models.is_empty() {
        live.module = packed(&module::build(&root, tell)?);
    }
    Ok(live)
}

/// The script and the style of a view, what all share before them.
fn scripts(root: &Path, view: &str) -> Result<(String, String), String> {
    let known = view.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let read = |name: &str| {
        let path = root.join(VIEWS).join(name);
        std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    if !known {
        return Err(format!("there is no view {view:?}"));
    }
    Ok((
        format!("{}\n{}", read("shared.js")?, read(&format!("{view}.js"))?),
        format!("{}\n{}", read("shared.css")?, read(&format!("{view}.css"))?),
    ))
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // A vector takes every write.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
