//! `holoscope`: Rust notebooks that are fast, live and honest.

mod cli;
mod error;
mod export;
mod highlight;
mod image;
mod jupyter;
mod kernelspec;
mod notebook;
mod session;
mod trace;

fn main() {
    // Cargo, evcxr and the session start this same program for their own ends.
    image::direct::run_if_called_as_tool();
    image::wrapper::run_if_called_as_rustc();
    session::runtime::run_if_called_as_runtime();
    std::process::exit(cli::main());
}
