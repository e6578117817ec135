//! `holoscope assign` and `holoscope grade`: lessons for students, and what they hand in.

pub mod assign;
mod csv;
pub mod grade;
mod process;
mod submissions;

use crate::error::{Error, Result};
use crate::notebook::{Notebook, TextFault};
use std::path::Path;

/// Reads a lesson's source, with a name for each cell.
fn read(path: &Path) -> Result<Notebook> {
    super::run::read_with_outputs(path)
}

fn unusable(path: &Path) -> impl FnOnce(Vec<TextFault>) -> Error {
    let path = path.to_owned();
    move |faults| Error::Lesson { path, faults }
}
