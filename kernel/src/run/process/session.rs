//! The session's end of the processes that run cells.

use super::runtime::{CONTROL_ENV, FRAMES_ENV, IMAGE_ENV, Instruction, hand_down};
use crate::error::{Error, Result};
use crate::run::output::frames::Frames;
use std::ffi::{OsStr, OsString};
use std::io::{PipeWriter, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// The session's end: the relay, and the pipe of instructions.
pub struct Processes {
    relay: Child,
    control: Mailbox,
}

/// The pipe of instructions, for threads that may send one at any time; the same for all successive
/// processes of a session.
#[derive(Debug, Clone, Default)]
pub struct Mailbox(Arc<Mutex<Option<PipeWriter>>>);

impl Mailbox {
    /// # Errors
    /// When the runner and the relay are gone.
    pub fn tell(&self, instruction: &Instruction) -> std::io::Result<()> {
        let mut line = serde_json::to_string(instruction)?;
        line.push('\n');
        match &mut *self.pipe() {
            Some(pipe) => pipe.write_all(line.as_bytes()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn pipe(&self) -> MutexGuard<'_, Option<PipeWriter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Processes {
    /// Starts the relay, which starts the runner. `environment` sets the environment of user code
    /// to the user's.
    pub fn start(
        frames: &Frames,
        control: Mailbox,
        image: &Path,
        environment: &dyn Fn(&mut Command),
    ) -> Result<Self> {
        let exe = std::env::current_exe().map_err(Error::io("find", "the running program"))?;
        let (hear, tell) = std::io::pipe().map_err(Error::io("create", "a pipe"))?;
        let (writer, reader) = (frames.writer(), hear.as_raw_fd());
        let mut command = Command::new(exe);
        command
            .env("HOLOSCOPE_KERNEL", env!("CARGO_PKG_VERSION"))
            .env(FRAMES_ENV, writer.to_string())
            .env(CONTROL_ENV, reader.to_string())
            .env(IMAGE_ENV, image)
            .env(WIDGETS_ENV, widget_ids())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        environment(&mut command);
        if let Some(folders) = std::env::var_os(LIBRARY_PATH) {
            match without_images(&folders) {
                none if none.is_empty() => command.env_remove(LIBRARY_PATH),
                some => command.env(LIBRARY_PATH, some),
            };
        }
        // SAFETY: async-signal-safe calls between fork and exec.
        unsafe {
            command.pre_exec(move || {
                hand_down(writer)?;
                hand_down(reader)
            });
        }
        let relay = command
            .spawn()
            .map_err(Error::io("start", "the process that runs cells"))?;
        *control.pipe() = Some(tell);
        Ok(Self { relay, control })
    }

    /// # Errors
    /// When the runner and the relay are gone.
    pub fn tell(&self, instruction: &Instruction) -> std::io::Result<()> {
        self.control.tell(instruction)
    }

    /// The pipe of instructions.
    pub fn mailbox(&self) -> Mailbox {
        self.control.clone()
    }

    /// The relay's process.
    pub fn relay(&self) -> u32 {
        self.relay.id()
    }

    /// Kills the processes that run cells, and waits for them.
    pub fn end(&mut self) {
        super::processes::kill_below(self.relay.id());
        let _ = self.relay.kill();
        let _ = self.relay.wait();
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.end();
    }
}

/// The prefix of the ids of a process's widgets.
const WIDGETS_ENV: &str = "HOLOSCOPE_WIDGETS";
/// The same for all processes of a kernel.
static KERNEL: OnceLock<String> = OnceLock::new();

/// Makes the ids of widgets begin with the id of this kernel from now on, since several kernels may
/// share a frontend. Without this call, they are the same from run to run.
pub fn name_this_kernel(id: &str) {
    KERNEL.get_or_init(|| id.to_owned());
}

fn widget_ids() -> String {
    static PROCESSES: AtomicU32 = AtomicU32::new(0);
    let kernel = KERNEL.get().map_or("", String::as_str);
    format!("{kernel}{:04x}", PROCESSES.fetch_add(1, Ordering::Relaxed))
}

/// Where the system looks for libraries before the path in a cell's object.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// The folders without those that hold an image: cargo puts its own folder first when it runs this
/// program, and an image of another build in it would be loaded instead of the one that cells are
/// linked with.
fn without_images(folders: &OsStr) -> OsString {
    let folders = std::env::split_paths(folders);
    let others = folders.filter(|folder| !folder.join(crate::image::layout::IMAGE_FILE).exists());
    // Split at the same character, so they can be joined again.
    std::env::join_paths(others).unwrap_or_default()
}
