//! `holoscope`: Rust notebooks that are fast, live and honest.

mod cargo;
mod check;
mod cli;
mod clock;
mod compile;
mod digest;
mod error;
mod export;
mod facade;
mod files;
mod highlight;
mod image;
mod json;
mod jupyter;
mod kernelspec;
mod labextensions;
mod lesson;
mod live;
mod notebook;
mod plan;
mod read;
mod report;
mod run;
mod session;
mod svg;
mod toolchain;
mod trace;
mod twin;
mod widgets;

fn main() {
    // Cargo, evcxr and the session start this program for their own purposes.
    session::ending::run_if_called_to_remove();
    cargo::stand_in::run_if_called_as_tool();
    cargo::rustc::run_if_called_as_rustc();
    run::process::entry::run_if_called_as_runtime();
    std::process::exit(cli::main());
}
