//! The command line: one file a command.

mod doctor;
mod install;
mod kernel;
mod run;
mod terminal;
mod waiting;

use crate::error::Result;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Rust notebooks for the interpretability of small language models.
#[derive(Debug, Parser)]
#[command(name = "holoscope", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Execute every cell of a notebook; write the executed notebook and an HTML page
    Run(RunArgs),
    /// Make the kernel "Rust (Holoscope)" known to Jupyter; build what it needs, and try it
    Install(InstallArgs),
    /// Remove the kernel from Jupyter
    Uninstall(PlaceArgs),
    /// Be a Jupyter kernel (Jupyter calls this)
    Kernel(KernelArgs),
    /// Say what this machine lacks, and how to get it
    Doctor,
}

/// Each cell's results are saved as soon as it is over: a run that is ended early leaves the
/// executed notebook up to there. Ctrl-C interrupts the running cell, saves, and ends the run; a
/// second one ends it at once. Tags of cells: `parameters`, `skip-execution`, `raises-exception`;
/// for the page `remove-cell`, `remove-input`, `remove-output`, `hide-input`.
///
/// Exit status: 0 when every cell succeeded, 1 when one failed, 2 when the run could not start
/// or its results could not be written, 128 + N when signal N has ended it (130 for Ctrl-C).
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The notebook (.ipynb)
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
    /// Go on after a cell that fails: its error stays in the notebook, and the exit status is 0
    #[arg(long)]
    pub allow_errors: bool,
    /// Interrupt a cell that takes longer than this, compiling included: seconds, or 90s, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = run::timeout)]
    pub timeout: Option<std::time::Duration>,
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
    /// Do not try a session: the first notebook will find out whether cells run, and start a second later
    #[arg(long)]
    pub no_session: bool,
}

#[derive(Debug, Args)]
pub struct KernelArgs {
    /// The connection file that Jupyter wrote
    #[arg(short = 'f', long, value_name = "F")]
    pub connection_file: PathBuf,
}

/// Parses the arguments and runs the command; the result is the exit status.
pub fn main() -> i32 {
    let cli = Cli::parse();
    let done: Result<i32> = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Install(args) => install::install(&args),
        Command::Uninstall(args) => install::uninstall(&args),
        Command::Kernel(args) => kernel::serve(&args),
        Command::Doctor => doctor::doctor(),
    };
    done.unwrap_or_else(|error| {
        terminal::say(&format!("holoscope: {error}"));
        2
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
