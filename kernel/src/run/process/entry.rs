//! The entry point where this program becomes the relay or the runner.

use super::runtime::{CONTROL_ENV, FRAMES_ENV, RECORDS_ENV, inherited};
use super::{relay, runner};

/// evcxr sets this for the child that it expects to run user code.
const EVCXR_RUNTIME_ENV: &str = "EVCXR_IS_RUNTIME";
/// Becomes the relay or the runner, if we were started as one.
pub fn run_if_called_as_runtime() {
    if let Some(records) = inherited(RECORDS_ENV) {
        let control = inherited(CONTROL_ENV).unwrap_or(-1);
        runner::run_cells(records, control);
    }
    if let Some(frames) = inherited(FRAMES_ENV) {
        let control = inherited(CONTROL_ENV).unwrap_or(-1);
        std::process::exit(relay::relay(frames, control));
    }
    if std::env::var_os(EVCXR_RUNTIME_ENV).is_some() {
        run_nothing();
    }
}

/// A dummy for the process in which evcxr expects cells to run; evcxr only answers questions
/// about code here.
fn run_nothing() -> ! {
    for line in std::io::stdin().lines() {
        if line.is_err() {
            break;
        }
        println!("EVCXR_EXECUTION_COMPLETE");
    }
    std::process::exit(0)
}
