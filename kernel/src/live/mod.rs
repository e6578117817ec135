//! What the live views of an exported page need: the models that the notebook has written, and the
//! library compiled to WebAssembly.

mod module;
pub mod page;

use crate::digest::hex;
use crate::files::same_file;
use crate::notebook::Notebook;
use flate2::Compression;
use flate2::write::GzEncoder;
use page::{Live, LiveModel, LiveView, views};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::Path;

/// Where the library has the views' scripts and styles.
const VIEWS: &str = "src/widgets/views";

/// What the views of a page of this notebook draw and compute with; `None` where none comes alive.
/// `tell` gets what takes long, and why a view stays static: a file that is missing or has changed, no
/// compiler for WebAssembly.
pub fn of_notebook(notebook: &Notebook, folder: &Path, tell: &mut dyn FnMut(&str)) -> Option<Live> {
    let views = views(notebook);
    if views.is_empty() {
        return None;
    }
    let (live, problems) = match read(&views, folder, tell) {
        Ok((live, problems)) => (Some(live), problems),
        Err(problem) => (None, vec![problem]),
    };
    for problem in problems {
        tell(&format!("a view of the page is static: {problem}"));
    }
    let stateful = |view: &LiveView| view.model.is_none();
    live.filter(|live| !live.models.is_empty() || views.iter().any(stateful))
}

/// With why views stay static.
fn read(
    views: &[LiveView],
    folder: &Path,
    tell: &mut dyn FnMut(&str),
) -> Result<(Live, Vec<String>), String> {
    let root = crate::toolchain::workspace_root().map_err(|error| error.to_string())?;
    let (mut live, mut problems) = (Live::default(), Vec::new());
    for LiveView { view, model, .. } in views {
        if !live.views.contains_key(view) {
            live.views.insert(view.clone(), scripts(&root, view)?);
        }
        let Some(model) = model else { continue };
        match model_file(&folder.join(&model.file), model) {
            Ok(bytes) => {
                live.models.insert(model.sha256.clone(), packed(&bytes));
            }
            Err(error) => problems.push(error),
        }
    }
    if !live.models.is_empty() {
        match module::build(&root, tell) {
            Ok(module) => live.module = Some(packed(&module)),
            Err(error) => {
                live.models.clear();
                problems.push(error);
            }
        }
    }
    Ok((live, problems))
}

/// A model's bytes, of the file that the notebook has written and of no other.
fn model_file(path: &Path, model: &LiveModel) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| {
        let path = path.display();
        format!("cannot read {path}: {error}; run the notebook again")
    };
    let found = std::fs::metadata(path).map_err(unreadable)?;
    // A notebook may name a device or a pipe, which would be read without an end.
    if found.is_file() && found.len() == model.bytes {
        let bytes = std::fs::read(path).map_err(unreadable)?;
        if hex(Sha256::new_with_prefix(&bytes)) == model.sha256 {
            return Ok(bytes);
        }
    }
    let path = path.display();
    Err(format!(
        "{path} is not the file that the notebook has written; run the notebook again"
    ))
}

/// Copies the models of a notebook that ran in `from` beside the notebook, which is stored in `to`: there
/// they are looked for when it is exported again. What cannot be copied is a note of that export.
pub fn keep_beside(notebook: &Notebook, from: &Path, to: &Path) {
    for model in views(notebook).into_iter().filter_map(|view| view.model) {
        let (source, copy) = (from.join(&model.file), to.join(&model.file));
        if Path::new(&model.file).is_absolute() || same_file(&source, &copy) {
            continue;
        }
        if let Ok(bytes) = model_file(&source, &model) {
            let _ = crate::notebook::replace(&copy, &bytes);
        }
    }
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
        format!(
            "{}\n{}",
            read("shared.js")?,
            read(&format!("{view}/view.js"))?
        ),
        format!(
            "{}\n{}",
            read("shared.css")?,
            read(&format!("{view}/view.css"))?
        ),
    ))
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // A vector takes every write.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
