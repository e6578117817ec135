//! The command line: one file per command.

mod arguments;
mod check;
mod clean;
mod diff;
mod doctor;
mod export;
mod install;
mod kernel;
mod lessons;
mod lint;
mod new;
mod run;
mod sync;
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
// A doc comment on a command would hide the longer one on its arguments.
enum Command {
    Run(RunArgs),
    Check(CheckArgs),
    Watch(WatchArgs),
    #[command(about = "Keep a notebook and its text (Markdown, MyST, Rust, Quarto) in step")]
    Sync(sync::SyncArgs),
    #[command(about = "Begin a notebook from a template")]
    New(new::NewArgs),
    #[command(about = "Take outputs and counts out of notebooks")]
    Clean(clean::CleanArgs),
    #[command(about = "Show how two notebooks differ, cell by cell")]
    Diff(diff::DiffArgs),
    #[command(about = "Write a notebook as a page, Markdown, a PDF or a Rust program")]
    Export(export::ExportArgs),
    #[command(about = "Report problems in a notebook")]
    Lint(lint::LintArgs),
    #[command(about = "Make the student's and the teacher's version of a lesson")]
    Assign(lessons::assign::AssignArgs),
    #[command(about = "Run what students have handed in, and write who has solved what")]
    Grade(lessons::grade::GradeArgs),
    /// Register the kernel "Rust (Holoscope)" with Jupyter; build what it needs, and try it
    Install(InstallArgs),
    /// Remove the kernel from Jupyter
    Uninstall(PlaceArgs),
    /// Run as a Jupyter kernel (Jupyter starts this)
    Kernel(KernelArgs),
    /// Report what this machine lacks, and how to get it
    Doctor,
}

/// Parses the arguments and runs the command; the result is the exit status.
pub fn main() -> i32 {
    let cli = Cli::parse();
    let done: Result<i32> = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Watch(args) => watch::watch(&args),
        Command::Sync(args) => sync::sync(&args),
        Command::New(args) => new::new(&args),
        Command::Clean(args) => clean::clean(&args),
        Command::Diff(args) => diff::diff(&args),
        Command::Export(args) => export::export(&args),
        Command::Lint(args) => lint::lint(&args),
        Command::Assign(args) => lessons::assign::assign(&args),
        Command::Grade(args) => lessons::grade::grade(&args),
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
