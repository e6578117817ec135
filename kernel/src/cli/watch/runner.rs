//! The background run: `holoscope run` in a separate process, ended when the code changes.

use crate::error::{Error, Result};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a run may take to end after a request to end.
const GRACE: Duration = Duration::from_secs(3);

/// A run that is in progress or over.
pub struct Runner {
    child: Child,
    over: Option<bool>,
}

impl Runner {
    /// Starts a run of the notebook's file; the executed notebook is written to `executed`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn start(notebook: &Path, given: &[(String, String)], executed: &Path) -> Result<Self> {
        let program = std::env::current_exe().map_err(Error::io("find", "holoscope"))?;
        let _ = std::fs::remove_file(executed);
        let mut command = Command::new(program);
        command.arg("run").arg(notebook).arg("-o").arg(executed);
        for (name, value) in given {
            command.arg("-p").arg(format!("{name}={value}"));
        }
        let child = command.stdin(Stdio::null()).spawn();
        Ok(Self {
            child: child.map_err(Error::io("start", "holoscope run"))?,
            over: None,
        })
    }

    /// Whether the run succeeded; `None` while it is running.
    pub fn outcome(&mut self) -> Option<bool> {
        if self.over.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.over = Some(status.success());
        }
        self.over
    }

    /// Ends the run and all processes that it has started.
    pub fn end(&mut self) {
        if self.outcome().is_some() {
            return;
        }
        let Ok(id) = i32::try_from(self.child.id()) else {
            return;
        };
        // SAFETY: sends a signal to a child that has not been waited for.
        unsafe { libc::kill(id, libc::SIGTERM) };
        let told = Instant::now();
        while self.outcome().is_none() && told.elapsed() < GRACE {
            std::thread::sleep(Duration::from_millis(20));
        }
        if self.outcome().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.end();
    }
}
