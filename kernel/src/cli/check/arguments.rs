//! The arguments of `holoscope check`.

use crate::check::Masks;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Run a notebook again and compare its outputs, cell by cell, with the stored ones
///
/// Text is compared exactly, numbers within their tolerance, figures by their data, tables by column;
/// durations, rates, paths, dates and addresses are masked. `docs/checking.md` has the details.
/// Nothing is written without --update, --output or --junit.
///
/// Tags of cells: `nbval-ignore-output` (run, not compared), `nbval-check-output` (compared with --lax,
/// too), `nbval-skip` and `skip-execution` (not run), `raises-exception` (must fail),
/// `nbval-raises-exception` (may fail), `tolerance=1e-3`, `tolerance:NAME=1e-3`.
///
/// Exit status: 0 when nothing differs (or --update stored the differences), 1 when something
/// does or a cell failed, 2 when the check could not be run, 128 + N when signal N ended it.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The notebook (.ipynb), or its paired text (see `holoscope sync`)
    pub notebook: PathBuf,
    /// Run nothing: compare the notebook (as the stored one) with this one (as the new one)
    #[arg(long, value_name = "OTHER.ipynb", conflicts_with_all = ["update", "parameters", "timeout", "allow_errors", "output"])]
    pub against: Option<PathBuf>,
    /// Store the new outputs in the notebook, unless a cell failed
    #[arg(long)]
    pub update: bool,
    /// Tolerance for numbers: 1e-3 (relative), abs:0.5, or both, 1e-3,abs:0.5; for numbers with a
    /// name, NAME=1e-3 (the word next to the number, a table's column or row, a figure's label); for
    /// whole numbers, which otherwise must be equal, integers=1e-3. May be repeated [default: 0]
    #[arg(short, long = "tolerance", value_name = "[NAME=]TOL")]
    pub tolerances: Vec<String>,
    /// An nbval sanitising file: lines `regex: ..` and `replace: ..`; may be repeated
    #[arg(long, value_name = "FILE", alias = "nbval-sanitize-with")]
    pub sanitize_with: Vec<PathBuf>,
    /// What to mask: all, none, or a list of durations, rates, paths, dates, addresses
    #[arg(long, value_name = "KINDS", default_value = "all", value_parser = Masks::parse)]
    pub mask: Masks,
    /// Compare only the cells tagged `nbval-check-output`; errors are reported for all cells
    #[arg(long)]
    pub lax: bool,
    /// Write the result as JUnit XML
    #[arg(long, value_name = "FILE.xml")]
    pub junit: Option<PathBuf>,
    /// Write the notebook with its new outputs here
    #[arg(short, long, value_name = "OUT.ipynb")]
    pub output: Option<PathBuf>,
    /// Value for a variable of the cell tagged `parameters`; may be repeated
    #[arg(short, long = "parameter", value_name = "NAME=VALUE", value_parser = crate::notebook::parse_parameter)]
    pub parameters: Vec<(String, String)>,
    /// Continue after a cell that fails and has no stored error
    #[arg(long)]
    pub allow_errors: bool,
    /// Interrupt a cell that takes longer than this, compiling included: seconds, or 90s, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = crate::cli::arguments::timeout)]
    pub timeout: Option<Duration>,
}
