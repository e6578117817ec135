//! The data of an exported page's live views: the models that the notebook has written, and the library compiled to
//! WebAssembly.

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

/// The folder of the views' scripts and styles in the library.
const VIEWS: &str = "src/widgets/views";

/// The scripts and data of the views on this notebook's page; `None` if no view is live. `tell` receives notices about
/// slow steps, and the reason why a view stays static: a missing or changed file, or no compiler for WebAssembly.
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

/// Also returns the reasons why views stay static.
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

/// The bytes of a model file, if it is the file that the notebook has written.
fn model_file(path: &Path, model: &LiveModel) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| {
        let path = path.display();
        format!("cannot read {path}: {error}; run the notebook again")
    };
    let found = std::fs::metadata(path).map_err(unreadable)?;
    // A notebook may name a device or a pipe, which could be read forever.
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

/// Copies the models of a notebook that ran in `from` next to the notebook, which is stored in `to`, where a later
/// export looks for them. That export reports files that could not be copied.
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

/// The script and the style of a view, each preceded by the shared part.
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
    // Writing to a vector does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
