//! The arguments of each command.

use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Execute every cell of a notebook; write the executed notebook and an HTML page
///
/// Each cell's results are saved as soon as the cell ends, so a run that is stopped early leaves the
/// executed notebook up to that point. Ctrl-C interrupts the running cell, saves, and ends the run; a
/// second one ends it at once. Cell tags: `parameters`, `skip-execution`, `raises-exception`;
/// for the page `remove-cell`, `remove-input`, `remove-output`, `hide-input`.
///
/// Exit status: 0 when every cell succeeded, 1 when one failed, 2 when the run could not start
/// or its results could not be written, 128 + N when signal N ended it (130 for Ctrl-C).
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The notebook (.ipynb), or its text (.md, .rs, .qmd; see `holoscope sync`)
    pub notebook: PathBuf,
    /// Where to write the executed notebook [default: out/<name>.ipynb]
    #[arg(short, long, value_name = "OUT.ipynb")]
    pub output: Option<PathBuf>,
    /// Write the executed notebook over the notebook itself
    #[arg(long, alias = "inplace", conflicts_with = "output")]
    pub in_place: bool,
    /// Where to write the HTML page [default: the executed notebook's name with .html]
    #[arg(long, value_name = "OUT.html")]
    pub html: Option<PathBuf>,
    /// Value for a variable of the cell tagged `parameters`; may be repeated
    #[arg(short, long = "parameter", value_name = "NAME=VALUE", value_parser = crate::notebook::parse_parameter)]
    pub parameters: Vec<(String, String)>,
    /// Continue after a cell that fails: its error stays in the notebook, and the exit status is 0
    #[arg(long)]
    pub allow_errors: bool,
    /// Interrupt a cell that takes longer than this, compiling included: seconds, or 90s, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = timeout)]
    pub timeout: Option<Duration>,
    /// Run the cells in this folder [default: the notebook's]
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// Folder whose share/jupyter/kernels is used (a virtual environment, /usr/local, ...)
    #[arg(long, value_name = "DIR", conflicts_with = "user")]
    pub prefix: Option<PathBuf>,
    /// The user's own Jupyter folder (the default)
    #[arg(long)]
    pub user: bool,
}

#[derive(Debug, Args)]
pub struct InstallArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Only write the kernelspec; the first cell will wait for the build
    #[arg(long)]
    pub no_build: bool,
    /// Skip the trial session: only the first notebook shows whether cells run, and it starts a second later
    #[arg(long)]
    pub no_session: bool,
}

#[derive(Debug, Args)]
pub struct KernelArgs {
    /// The connection file that Jupyter wrote
    #[arg(short = 'f', long, value_name = "F")]
    pub connection_file: PathBuf,
}

/// A span of time from the command line: seconds, or a number with `s`, `m` or `h`.
pub fn timeout(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) => (number, &text[number.len()..]),
        None => (text, "s"),
    };
    let factor = match unit {
        "m" => 60.0,
        "h" => 3600.0,
        _ => 1.0,
    };
    let seconds = number.trim().parse::<f64>().map(|number| number * factor);
    match seconds.map(Duration::try_from_secs_f64) {
        Ok(Ok(span)) if !span.is_zero() => Ok(span),
        _ => Err("give a number of seconds above 0, or one with s, m or h: 90, 15m, 2h".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_seconds_or_has_a_unit() {
        for (text, seconds) in [
            ("90", 90.0),
            ("0.5", 0.5),
            ("90s", 90.0),
            ("15m", 900.0),
            ("2h", 7200.0),
        ] {
            assert_eq!(
                timeout(text),
                Ok(Duration::from_secs_f64(seconds)),
                "{text}"
            );
        }
        for text in ["", "0", "-1", "nan", "inf", "s", "1d", "1e300h", "m5"] {
            assert!(timeout(text).is_err(), "{text}");
        }
    }
}
