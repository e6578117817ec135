//! Running cells: evcxr evaluates, the frames of the relay become events.

use super::dependencies::Dependencies;
use super::event::{Event, MimeBundle, StreamName};
use super::frame::Frame;
use super::frames::{Frames, Runner};
use super::limit::Limiter;
use super::outcome::{CellError, Outcome};
use super::prompt;
use super::runtime::{self, hand_down};
use super::shown::Shown;
use super::workspace::{self, Workspace};
use crate::error::{Error, Result};
use crate::image::standby::Standby;
use crate::image::{self, Guesses, Image, Watch, wrapper};
use crate::trace;
use evcxr::{CommandContext, EvalCallbacks, EvalContext, EvalOutputs};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};

/// Takes what is shown while no cell runs, by threads that cells have started.
pub type Between = Box<dyn FnMut(Event) + Send>;

/// Cells are compiled with these in scope. `?` works from the first cell on, and
/// every value has a form to be shown in (else evcxr compiles such cells twice); a
/// `print!` is seen at once, where Rust's waits for the end of the line.
const GREETING: &str = r#"
use holoscope::host::DebugDisplay as _;
#[allow(unused_macros)]
macro_rules! print {
    ($($text:tt)*) => {{
        ::std::print!($($text)*);
        let _ = ::std::io::Write::flush(&mut ::std::io::stdout());
    }};
}
Ok::<(), std::fmt::Error>(())?;
holoscope::host::start();
"#;

/// A session keeps the library that it began with.
const STALE: &str = "note: the library's source has changed since this session began; \
                     restart the kernel to use it\n";

/// What a new process must be told.
const START: &str = "holoscope::host::start();";

/// A running session.
pub struct Session {
    context: CommandContext,
    frames: Frames,
    limiter: Arc<Mutex<Limiter>>,
    /// Above the workspace: what it keeps ends before the next session may have the folder.
    standby: Option<Standby>,
    workspace: Workspace,
    dependencies: Dependencies,
    /// `{ path = ".." }` of the library's facade.
    library: String,
    watch: Watch,
}

impl Session {
    /// Starts evcxr and the user's process on a built image. `workspace` must
    /// have been exported to the environment (see [`Workspace::export`]).
    pub fn start(workspace: Workspace, image: &Image, between: Between) -> Result<Self> {
        let above = workspace.manifest_above();
        Self::begin(workspace, image, between).map_err(|error| match above {
            Some(manifest) => Error::Session(format!(
                "{error}\n{} is the manifest of a workspace, and cargo takes what lies below it \
                 for a part of it; set HOLOSCOPE_SESSIONS to a folder elsewhere",
                manifest.display()
            )),
            None => error,
        })
    }

    fn begin(workspace: Workspace, image: &Image, mut between: Between) -> Result<Self> {
        // What an earlier session in this folder has asked for is not this one's.
        workspace.patch(&BTreeMap::new())?;
        image::forget(&workspace.cells());
        let texts = workspace.output();
        workspace::remove(&texts).map_err(Error::io("remove", &texts))?;
        let limiter = Arc::new(Mutex::new(Limiter::new(texts)));
        let mut idle = Shown::new(limiter.clone());
        let frames = Frames::start(Box::new(move |frame| idle.take(frame, &mut between)))?;
        workspace.read_standard_library_from(&image::standard_library(&image.facade))?;
        let (mut context, _) = EvalContext::with_subprocess_command(relay(&frames, &workspace)?)
            .map_err(Error::evcxr)?;
        trace::mark("evcxr");
        let mut state = context.state();
        for (name, path) in [
            (wrapper::IMAGE_ENV, &image.folder),
            (wrapper::IMAGE_DEPS_ENV, &image.deps),
        ] {
            state.set_build_env(name, &path.to_string_lossy());
        }
        // A path may be too long for a socket: cells then take a little longer.
        let standby = Standby::start(&workspace.standby()).ok();
        let library = format!("{{ path = {:?} }}", image.facade.to_string_lossy());
        state.add_dep("holoscope", &library).map_err(Error::evcxr)?;
        trace::mark("dependency");
        // The dependency and the greeting at once: one compilation less.
        let mut died = None;
        let mut take = |frame| {
            if let Frame::Died { how, said, .. } = frame {
                died = Some(format!("{how}\n{}", said.trim()));
            }
        };
        let greeted = frames.during(&mut take, || context.eval_with_state(GREETING, state));
        greeted.map_err(|error| not_greeted(&error, died))?;
        trace::mark("greeted");
        Ok(Self {
            context: CommandContext::with_eval_context(context),
            frames,
            limiter,
            standby,
            workspace,
            dependencies: Dependencies::new(image),
            library,
            watch: Watch::new(&image.root, &image.sources),
        })
    }

    /// Has rust-analyzer do what it would do at the first `let`, which takes
    /// seconds, while the user still reads.
    pub fn warm(&mut self) {
        let code = "let warm = \"\".len();\nwarm.";
        // What could stand there is not wanted.
        let _ = self.context.completions(code, code.len());
        trace::mark("warm");
    }

    /// Runs a cell; events arrive while it runs, in order.
    /// `ask(prompt, password)` answers what the cell asks of the user.
    pub fn execute(
        &mut self,
        code: &str,
        on_event: &mut (dyn FnMut(Event) + Send),
        ask: &dyn Fn(&str, bool) -> String,
    ) -> Outcome {
        let code = match self.dependencies.resolve(code, &self.workspace) {
            Ok(code) => code,
            Err(error) => return Outcome::Failed(CellError::dependency(&error)),
        };
        trace::mark_with("cell", || serde_json::json!({ "code": code }));
        let guesses = Guesses::begin(&self.workspace.cells(), &code);
        let before = self.variables();
        lock(&self.limiter).begin();
        let mut shown = Shown::new(self.limiter.clone());
        let (context, frames) = (&mut self.context, &self.frames);
        let ask = |prompt: &str, password: bool| {
            // What was printed before the question stands before it.
            frames.sync();
            // The process reads lines: an answer of several would be taken for instructions.
            ask(&prompt::unescape(prompt), password).replace(['\r', '\n'], " ")
        };
        let result = frames.during(&mut |frame| shown.take(frame, on_event), || {
            guesses.or_without(|| evaluate(context, &code, &ask))
        });
        shown.finish(on_event);
        trace::mark("done");
        self.bring_back(&code);
        if self.watch.changed() {
            on_event(Event::Stream {
                name: StreamName::Stderr,
                text: STALE.to_owned(),
            });
        }
        if let Ok(outputs) = &result {
            command_output(outputs).into_iter().for_each(on_event);
        }
        match (shown.death.take(), result) {
            (Some(death), _) => {
                if !death.restored {
                    self.tell(START);
                }
                Outcome::Failed(CellError::died(&death, &before))
            }
            (None, Err(error)) => Outcome::Failed(CellError::from_evcxr(&error, &code)),
            (None, Ok(_)) if shown.panicked => {
                let taken = self.gone(&before);
                Outcome::Failed(self.panic_error(&shown, &code).with_taken(&taken))
            }
            (None, Ok(_)) if shown.user_error => {
                let message = shown.stderr.trim();
                let first = message.lines().last().unwrap_or("a `?` met an error");
                let taken = self.gone(&before);
                Outcome::Failed(CellError::new("error", first, message).with_taken(&taken))
            }
            (None, Ok(_)) => Outcome::Ok,
        }
    }

    /// Those of these variables that are there no more.
    fn gone(&self, before: &[String]) -> Vec<String> {
        let now = self.variables();
        let gone = before.iter().filter(|name| !now.contains(name));
        gone.cloned().collect()
    }

    /// evcxr's `:clear` forgets the library, too, and `:restart` is a new process.
    fn bring_back(&mut self, code: &str) {
        let has = |command: &str| code.lines().any(|line| line.trim() == command);
        if has(":clear") {
            self.tell(&format!(":dep holoscope = {}\n{GREETING}", self.library));
        } else if has(":restart") {
            self.tell(START);
        }
    }

    /// Runs what is not the user's. Without it a process tells its panics less well,
    /// and nothing else; so a failure is not an error.
    fn tell(&mut self, code: &str) {
        let (context, frames) = (&mut self.context, &self.frames);
        let _ = frames.during(&mut |_| {}, || evaluate(context, code, &nobody));
    }

    /// The names of the variables, sorted.
    pub fn variables(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .context
            .variables_and_types()
            .map(|(name, _)| name.to_owned())
            .collect();
        names.sort();
        names
    }

    /// The process that runs cells; signal it to interrupt.
    pub fn runner(&self) -> Arc<Runner> {
        self.frames.runner()
    }

    /// The process of the compiler that has no cell yet; it is no part of any cell.
    pub fn idle_compiler(&self) -> Arc<AtomicU32> {
        let standby = self.standby.as_ref();
        standby.map(Standby::idle).unwrap_or_default()
    }

    /// evcxr's child, above the process that runs cells.
    pub fn relay(&self) -> u32 {
        self.context
            .process_handle()
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .id()
    }

    fn panic_error(&self, shown: &Shown, code: &str) -> CellError {
        let Some(panic) = &shown.panic else {
            let first = shown.stderr.lines().next().unwrap_or("the cell panicked");
            return CellError::new("panic", first, shown.stderr.clone());
        };
        CellError::panicked(panic, |file, line| self.users_line(file, line, code))
    }

    /// The user's line behind a line of the crate that evcxr generated.
    fn users_line(&self, file: &str, line: u64, code: &str) -> Option<(usize, String)> {
        if file != "src/lib.rs" {
            return None;
        }
        let source = std::fs::read_to_string(self.workspace.cells().join(file)).ok()?;
        let text = source
            .lines()
            .nth(usize::try_from(line).ok()?.checked_sub(1)?)?;
        let text = text.trim();
        let number = code.lines().position(|l| l.trim() == text)?;
        Some((number + 1, text.to_owned()))
    }

    /// evcxr, for completion and inspection.
    pub fn context_mut(&mut self) -> &mut CommandContext {
        &mut self.context
    }
}

fn not_greeted(error: &evcxr::Error, died: Option<String>) -> Error {
    if let Some(died) = died {
        return Error::Session(format!("the process that runs cells ended: {died}"));
    }
    let error = CellError::from_evcxr(error, GREETING);
    Error::Session(format!(
        "the first cell failed: {}\n{}",
        error.evalue,
        error.traceback.join("\n")
    ))
}

/// Answers a question when no user is there: with an empty line.
pub fn nobody(_prompt: &str, _password: bool) -> String {
    String::new()
}

/// Where the system looks for libraries before it looks where a cell's object says.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// The folders without those that hold an image: cargo, where it runs us, puts its own first, and an
/// image of another build that lies there would be taken for the one that cells are linked with.
fn without_images(folders: &OsStr) -> OsString {
    let folders = std::env::split_paths(folders);
    let others = folders.filter(|folder| !folder.join(wrapper::IMAGE_FILE).exists());
    // Split at the same character, they can be joined again.
    std::env::join_paths(others).unwrap_or_default()
}

/// The program that evcxr starts to run cells, and starts again after a crash.
fn relay(frames: &Frames, workspace: &Workspace) -> Result<Command> {
    let exe = std::env::current_exe().map_err(Error::io("find", "the running program"))?;
    let mut command = Command::new(exe);
    let writer = frames.writer();
    command
        .env("HOLOSCOPE_KERNEL", env!("CARGO_PKG_VERSION"))
        .env(runtime::FRAMES_ENV, writer.to_string());
    workspace.give_back_environment(&mut command);
    if let Some(folders) = std::env::var_os(LIBRARY_PATH) {
        match without_images(&folders) {
            none if none.is_empty() => command.env_remove(LIBRARY_PATH),
            some => command.env(LIBRARY_PATH, some),
        };
    }
    // SAFETY: one async-signal-safe call between fork and exec.
    unsafe { command.pre_exec(move || hand_down(writer)) };
    Ok(command)
}

fn lock(limiter: &Mutex<Limiter>) -> std::sync::MutexGuard<'_, Limiter> {
    limiter.lock().unwrap_or_else(PoisonError::into_inner)
}

fn evaluate(
    context: &mut CommandContext,
    code: &str,
    ask: &dyn Fn(&str, bool) -> String,
) -> Result<EvalOutputs, evcxr::Error> {
    let mut callbacks = EvalCallbacks {
        input_reader: &|question| ask(&question.prompt, question.is_password),
    };
    context.execute_with_callbacks(code, &mut callbacks)
}

/// What evcxr's own commands (`:vars`, `:help`, `!ls`) answered.
fn command_output(outputs: &EvalOutputs) -> Option<Event> {
    if outputs.content_by_mime_type.is_empty() {
        return None;
    }
    let data = outputs
        .content_by_mime_type
        .iter()
        .map(|(mime, content)| (mime.clone(), Value::String(content.clone())))
        .collect();
    Some(Event::Display {
        data,
        metadata: MimeBundle::new(),
        display_id: None,
    })
}
