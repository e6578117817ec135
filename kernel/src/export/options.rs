//! How a notebook becomes a page.

use std::path::PathBuf;

/// How a notebook becomes a page.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// The page's title; otherwise the first heading of level one, then "Notebook".
    pub title: Option<String>,
    /// Where images named in Markdown are looked up: the notebook's folder.
    pub folder: Option<PathBuf>,
    /// Code of more lines than this is folded away until asked for.
    pub fold_lines: usize,
}

impl Default for ExportOptions {
    fn default() -> Self {
        ExportOptions {
            title: None,
            folder: None,
            fold_lines: 30,
        }
    }
}
