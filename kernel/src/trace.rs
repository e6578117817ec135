//! Measures where a cell spends its time: with `HOLOSCOPE_TRACE` naming a file, every
//! process that takes part in a cell writes a line there when a stage begins or
//! ends. `benches/kernel/stages.py` makes a table of it.

use serde_json::{Value, json};
use std::io::Write;
use std::sync::OnceLock;
use std::time::Duration;

/// The variable that names the file; unset or empty: no trace.
pub const TRACE_ENV: &str = "HOLOSCOPE_TRACE";

/// Records an event now. Costs nothing if there is no trace.
pub fn mark(what: &str) {
    mark_with(what, || json!({}));
}

/// Like [`mark`], with additional data.
pub fn mark_with(what: &str, more: impl FnOnce() -> Value) {
    static FILE: OnceLock<Option<std::ffi::OsString>> = OnceLock::new();
    let file = FILE.get_or_init(|| std::env::var_os(TRACE_ENV).filter(|file| !file.is_empty()));
    let Some(file) = file else { return };
    let line = json!({
        "at": since_boot().as_secs_f64(),
        "pid": std::process::id(),
        "what": what,
        "more": more(),
    });
    // A single write of one line, so that lines of several processes do not mix. A trace that
    // cannot be written must not fail a cell.
    let opened = std::fs::File::options()
        .create(true)
        .append(true)
        .open(file);
    let _ = opened.and_then(|mut out| out.write_all(format!("{line}\n").as_bytes()));
}

/// The time since boot, as used by `/proc` for the start of a process.
fn since_boot() -> Duration {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    #[cfg(target_os = "linux")]
    let clock = libc::CLOCK_BOOTTIME;
    #[cfg(not(target_os = "linux"))]
    let clock = libc::CLOCK_MONOTONIC;
    // SAFETY: writes to a local.
    unsafe { libc::clock_gettime(clock, &mut now) };
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(now.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}

/// The start time of cargo: of the parent, if this process was called instead of rustc, or of
/// this process, if it was called instead of cargo. To a hundredth of a second.
pub fn cargos_start() -> Option<f64> {
    // SAFETY: no arguments, no failure.
    let parent = unsafe { libc::getppid() };
    match std::env::args_os().next().is_some_and(|name| {
        name.to_string_lossy()
            .ends_with(crate::cargo::stand_in::CARGO)
    }) {
        true => started(std::process::id()),
        false => started(parent.unsigned_abs()),
    }
}

fn started(process: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    // Field 22 of proc_pid_stat(5); `rest` begins with field 3.
    let ticks: f64 = rest.split(' ').nth(19)?.parse().ok()?;
    // SAFETY: reads a constant of the system.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    (per_second > 0).then(|| ticks / per_second as f64)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_parent_was_started_before_now() {
        let started = cargos_start().unwrap();
        assert!(started > 0.0 && started < since_boot().as_secs_f64());
    }
}
