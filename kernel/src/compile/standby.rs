//! A compiler on standby. Most of rustc's time for a small body is the same for every one: its
//! start, and the metadata of all crates behind the library. So one rustc is started before its
//! body is known: its source loads the library and then includes a file that is its standard
//! input, where it blocks. The body, once known, is written there.
//!
//! It can serve only an identical call; any other is compiled normally.

use super::call::{self, BODY, Call, STAGED};
use super::made::Ran;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The file that rustc reads instead of a body.
const ROOT: &str = "standby.rs";
/// A link to rustc's standard input.
const INPUT: &str = "input.rs";
const STDIN: &str = "/dev/stdin";

/// A compiler that has not received its body yet.
struct Waiting {
    args: Vec<String>,
    head: String,
    child: Child,
}

/// Keeps a compiler ready; dropping this ends it.
pub struct Standby {
    folder: PathBuf,
    waiting: Option<Waiting>,
    idle: Arc<AtomicU32>,
    running: Arc<AtomicU32>,
}

impl Standby {
    /// `running` holds the process that compiles a crate.
    pub fn new(folder: PathBuf, running: Arc<AtomicU32>) -> Self {
        Self {
            folder,
            running,
            waiting: None,
            idle: Arc::default(),
        }
    }

    /// The process of the waiting compiler, 0 if there is none: it compiles no cell.
    pub fn idle(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.idle)
    }

    /// Compiles a body with the waiting compiler, if its call is the same.
    pub(super) fn compile(&mut self, rustc: &Path, args: &[String], call: &Call) -> Option<Ran> {
        let (head, body) = split(&call.source.text);
        let mut child = self.take(args, head)?;
        self.running.store(child.id(), Ordering::SeqCst);
        let mut pipe = child.stdin.take()?;
        let lines = "\n".repeat(call.line);
        let fed = pipe
            .write_all(lines.as_bytes())
            .and_then(|()| pipe.write_all(body.as_bytes()));
        drop(pipe);
        // While this one compiles, mostly on one core, the next one gets ready. (Both write
        // to the same file, but the next one only after it has received a body.)
        self.start(rustc, args, head);
        let output = child.wait_with_output();
        self.running.store(0, Ordering::SeqCst);
        let output = output.ok()?;
        let staged = match output.status.success() && fed.is_ok() {
            true => self.take_away(call),
            false => fed,
        };
        staged.ok()?;
        crate::trace::mark("standby");
        Some(Ran::new(&output))
    }

    fn take_away(&self, call: &Call) -> std::io::Result<()> {
        std::fs::rename(self.own().join(STAGED), self.folder.join(call.object()))
    }

    /// Starts a compiler that waits for calls like this one.
    pub(super) fn prepare(&mut self, rustc: &Path, args: &[String], call: &Call) {
        let (head, _) = split(&call.source.text);
        let waits = self.waiting.as_mut().is_some_and(|waiting| {
            waiting.args == args
                && waiting.head == head
                && matches!(waiting.child.try_wait(), Ok(None))
        });
        if !waits {
            self.start(rustc, args, head);
        }
    }

    fn take(&mut self, args: &[String], head: &str) -> Option<Child> {
        let same = self
            .waiting
            .as_ref()
            .is_some_and(|waiting| waiting.args == args && waiting.head == head);
        if !same {
            return None;
        }
        self.idle.store(0, Ordering::SeqCst);
        let mut child = self.waiting.take()?.child;
        matches!(child.try_wait(), Ok(None)).then_some(child)
    }

    fn let_go(&mut self) {
        self.idle.store(0, Ordering::SeqCst);
        if let Some(mut waiting) = self.waiting.take() {
            let _ = waiting.child.kill();
            let _ = waiting.child.wait();
        }
    }

    /// Starts the next compiler; without one the next body takes a little longer.
    fn start(&mut self, rustc: &Path, args: &[String], head: &str) {
        self.let_go();
        if let Ok(child) = self.spawn(rustc, args, head) {
            self.idle.store(child.id(), Ordering::SeqCst);
            self.waiting = Some(Waiting {
                args: args.to_vec(),
                head: head.to_owned(),
                child,
            });
        }
    }

    /// The output folder of the waiting compiler: if its session ends, it compiles an empty body,
    /// which must not overwrite another one.
    fn own(&self) -> PathBuf {
        self.folder.join("standby")
    }

    fn spawn(&self, rustc: &Path, args: &[String], head: &str) -> std::io::Result<Child> {
        std::fs::create_dir_all(self.own())?;
        let root = self.folder.join(ROOT);
        let text = format!("{head}include!(\"{INPUT}\");\n");
        if std::fs::read_to_string(&root).ok().as_deref() != Some(&text) {
            std::fs::write(&root, text)?;
        }
        let link = self.folder.join(INPUT);
        if !std::fs::read_link(&link).is_ok_and(|to| to == Path::new(STDIN)) {
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(STDIN, &link)?;
        }
        let mut command = Command::new(rustc);
        for arg in args {
            match arg.as_str() {
                BODY => command.arg(ROOT),
                emit if emit.starts_with("--emit=") => {
                    let own = format!("link=standby/{STAGED}");
                    command.arg(emit.replace(&format!("link={STAGED}"), &own))
                }
                other => command.arg(other),
            };
        }
        // The file names that rustc stores for panics are those of the common file of bodies.
        command.arg(format!("--remap-path-prefix={INPUT}={BODY}"));
        call::environment(&mut command, true);
        command
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// The start of a crate, which cannot be included, and the source with the start blanked out,
/// so that every line keeps its position.
fn split(source: &str) -> (&str, String) {
    let end = source.find("mod cell_").unwrap_or(0);
    let (head, body) = source.split_at(end);
    let blank: String = head
        .chars()
        .map(|c| if c == '\n' { '\n' } else { ' ' })
        .collect();
    (head.trim_start_matches('\n'), blank + body)
}
