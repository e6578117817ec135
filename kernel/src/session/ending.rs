//! The end of a kernel's process: it executes this program again, which removes the session's
//! temporary folder.
//!
//! rust-analyzer uses threads of the kernel that cannot be stopped, and may create folders
//! there at any time. Executing a program ends all of them.

use super::workspace::{Temporary, remove};
use crate::run::process::processes::kill_below;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The variable for the folder that the program is to remove.
const FOLDER_ENV: &str = "HOLOSCOPE_REMOVE_AND_EXIT";
/// How often the removal is tried: a process that was killed may take some time to end.
const ATTEMPTS: u32 = 500;

/// Ends this process with status 0; nothing is left below `temporary`.
pub fn end(temporary: &Temporary) -> ! {
    // The lock is inherited, so the folder stays this session's until the process ends.
    // SAFETY: sets a flag of a descriptor of our own.
    unsafe { libc::fcntl(temporary.lock().as_raw_fd(), libc::F_SETFD, 0) };
    if let Some(program) = this_program() {
        // Returns only on failure.
        let _ = Command::new(program)
            .env(FOLDER_ENV, temporary.dir())
            .exec();
    }
    remove_and_exit(temporary.dir())
}

/// Removes the folder and exits, if this process was started to do so.
pub fn run_if_called_to_remove() {
    if let Some(folder) = std::env::var_os(FOLDER_ENV) {
        remove_and_exit(Path::new(&folder));
    }
}

fn remove_and_exit(folder: &Path) -> ! {
    for _ in 0..ATTEMPTS {
        kill_below(std::process::id());
        // What cannot be removed now is removed when the folder is taken again.
        let _ = remove(folder);
        if !folder.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    // Destructors of a kernel that could not execute a program must not wait for its threads.
    // SAFETY: ends this process; no data is waiting to be written.
    unsafe { libc::_exit(0) }
}

/// This program, even if its file has been replaced since it was started.
fn this_program() -> Option<std::path::PathBuf> {
    match cfg!(target_os = "linux") {
        true => Some("/proc/self/exe".into()),
        false => std::env::current_exe().ok(),
    }
}
