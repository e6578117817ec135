//! `holoscope export FOLDER --site OUT`.

use super::stored::page;
use crate::cli::terminal::say;
use crate::error::{Error, Result};
use crate::export::site::{SitePage, index, outline, with_way};
use crate::notebook;
use std::path::{Path, PathBuf};

/// Writes the site; the result is the exit status.
pub fn export(folder: &Path, out: &Path, title: Option<&str>) -> Result<i32> {
    let refuse = |path: &Path, reason: &str| {
        Err(Error::Destination {
            path: path.to_owned(),
            reason: reason.to_owned(),
        })
    };
    if !folder.is_dir() {
        return refuse(folder, "--site takes a folder of notebooks");
    }
    let mut notebooks = Vec::new();
    collect(folder, out, &mut notebooks)?;
    if notebooks.is_empty() {
        return refuse(folder, "there is no notebook in it");
    }
    notebooks.sort();
    // A folder's own notebooks before those of its subfolders.
    notebooks.sort_by_key(|path| {
        (
            path.components().count() > 1,
            path.parent().map(Path::to_owned),
        )
    });
    let mut pages = Vec::new();
    for relative in &notebooks {
        if relative.with_extension("html") == Path::new("index.html") {
            return refuse(
                &folder.join(relative),
                "its page would be the index; rename it",
            );
        }
        let html = page(&folder.join(relative), true)?;
        let parts = relative
            .components()
            .map(|part| part.as_os_str().to_string_lossy());
        let path = parts.collect::<Vec<_>>().join("/");
        pages.push(SitePage {
            path: path.trim_end_matches(".ipynb").to_owned() + ".html",
            outline: outline(&html),
            html,
        });
    }
    for (at, page) in pages.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| &pages[at]);
        let html = with_way(page, before, pages.get(at + 1), &pages);
        write(&out.join(&page.path), &html)?;
    }
    let absolute = std::path::absolute(folder).map_err(Error::io("resolve", folder))?;
    let name = absolute.file_name().unwrap_or_default().to_string_lossy();
    write(
        &out.join("index.html"),
        &index(title.unwrap_or(&name), &pages),
    )?;
    say(&format!(
        "holoscope: wrote {} pages and {}",
        pages.len(),
        out.join("index.html").display()
    ));
    Ok(0)
}

fn write(path: &Path, html: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    notebook::replace(path, html.as_bytes())
}

/// The notebooks below `root`, relative to it, except those in hidden folders and in `out` (results and the site).
fn collect(root: &Path, out: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let out = std::path::absolute(out).map_err(Error::io("resolve", out))?;
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(Error::io("read", &folder))? {
            let path = entry.map_err(Error::io("read", &folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_ours = std::path::absolute(&path).is_ok_and(|path| path == out);
            if name.starts_with('.') || is_ours {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "ipynb") {
                found.push(path.strip_prefix(root).unwrap_or(&path).to_owned());
            }
        }
    }
    Ok(())
}
