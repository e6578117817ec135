//! The arguments of `holoscope watch`.

use clap::Args;
use std::path::PathBuf;

/// Serve a notebook's page, and render it again whenever the notebook is saved
///
/// The page is served on this machine (127.0.0.1); the browser keeps its place. When code has changed,
/// the notebook is run from the top in the background, and each cell's outputs appear when it has
/// finished; until then the old ones stay. The notebook itself is never written. Ctrl-C ends it.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The notebook (.ipynb), or its text (see `holoscope sync`)
    pub notebook: PathBuf,
    /// The port; 0 picks a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
    /// Run nothing: show the stored outputs
    #[arg(long)]
    pub no_run: bool,
    /// Value for a variable of the cell tagged `parameters`; may be repeated
    #[arg(short, long = "parameter", value_name = "NAME=VALUE", value_parser = crate::notebook::parse_parameter, conflicts_with = "no_run")]
    pub parameters: Vec<(String, String)>,
}
