//! Options of the export to a page.

use crate::live::page::Live;
use std::path::PathBuf;
use std::sync::Arc;

/// Options of the export to a page.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// The page's title; otherwise the first heading of level one, then "Notebook".
    pub title: Option<String>,
    /// Where images named in Markdown are looked up: the notebook's folder.
    pub folder: Option<PathBuf>,
    /// Code longer than this many lines is folded.
    pub fold_lines: usize,
    /// Data with which live views compute; without it they stay as they were in the
    /// notebook.
    pub live: Option<Arc<Live>>,
}

impl Default for ExportOptions {
    fn default() -> Self {
        ExportOptions {
            title: None,
            folder: None,
            fold_lines: 30,
            live: None,
        }
    }
}
