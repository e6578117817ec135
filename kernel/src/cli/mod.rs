//! The command line: one file a command.

mod arguments;
mod check;
mod doctor;
mod install;
mod kernel;
mod run;
mod terminal;
mod waiting;
mod watch;

use crate::error::Result;
use arguments::{InstallArgs, KernelArgs, PlaceArgs, RunArgs};
use check::CheckArgs;
use clap::{Parser, Subcommand};
use watch::WatchArgs;

/// Rust notebooks for the interpretability of small language models.
#[derive(Debug, Parser)]
#[command(name = "holoscope", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

// `run`, `check` and `watch` are described at their arguments.
#[derive(Debug, Subcommand)]
enum Command {
    Run(RunArgs),
    Check(CheckArgs),
    Watch(WatchArgs),
    /// Make the kernel "Rust (Holoscope)" known to Jupyter; build what it needs, and try it
    Install(InstallArgs),
    /// Remove the kernel from Jupyter
    Uninstall(PlaceArgs),
    /// Be a Jupyter kernel (Jupyter calls this)
    Kernel(KernelArgs),
    /// Say what this machine lacks, and how to get it
    Doctor,
}

/// Parses the arguments and runs the command; the result is the exit status.
pub fn main() -> i32 {
    let cli = Cli::parse();
    let done: Result<i32> = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Watch(args) => watch::watch(&args),
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
