//! The state of a session.

use super::analysis::Analysis;
use super::crates::asked::Dependencies;
use super::sources::Sources;
use super::workspace::{self, Workspace};
use crate::compile::{Compiler, Made};
use crate::error::{Error, Result};
use crate::image::{self, Image, Watch};
use crate::plan::{Definitions, UnitId};
use crate::report::outcome::CellError;
use crate::run::output::event::Event;
use crate::run::output::frames::Frames;
use crate::run::output::limit::Limiter;
use crate::run::output::shown::Shown;
use crate::run::process::session::{Mailbox, Processes};
use crate::trace;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};

/// Receives output while no cell runs, from threads that cells have started.
pub type Between = Box<dyn FnMut(Event) + Send>;

/// Why a cell ended before it ran.
pub(super) enum Stop {
    Error(CellError),
    /// Its compiler was killed.
    Interrupted,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Error(CellError::new(
            "error",
            error.to_string(),
            error.to_string(),
        ))
    }
}

/// The receiver of a cell's events, and the answers to its questions.
pub(super) struct Io<'a> {
    pub events: &'a mut (dyn FnMut(Event) + Send),
    pub ask: &'a dyn Fn(&str, bool) -> Option<String>,
}

/// A running session.
pub struct Session {
    pub(super) definitions: Arc<Definitions>,
    pub(super) compiler: Compiler,
    pub(super) sources: Sources,
    /// The run's number, after which a cell's definitions and positions in crates are named.
    pub(super) run: u64,
    /// The number of the cell that runs, as counted for its user.
    pub(super) number: u64,
    pub(super) revisions: HashMap<UnitId, u32>,
    /// Types of other crates that can be named in code.
    pub(super) named_types: HashSet<String>,
    pub(super) cells: BTreeMap<u64, String>,
    /// Items of the running cell are left out: they were defined when it first ran.
    pub(super) only_statements: bool,
    /// The code of the compiler's last error.
    pub(super) last_code: Option<String>,
    pub(super) dependencies: Dependencies,
    pub(super) analysis: Analysis,
    pub(super) processes: Processes,
    pub(super) frames: Frames,
    pub(super) limiter: Arc<Mutex<Limiter>>,
    /// Declared after everything that must end before the next session may use the folder.
    pub(super) workspace: Workspace,
    pub(super) image: Image,
    pub(super) watch: Watch,
}

/// A body that can run.
pub(super) struct Ready {
    pub made: Made,
    pub function: String,
    pub taken: Vec<String>,
    /// Variables that it does not put back; see [`Manner::moved`].
    ///
    /// [`Manner::moved`]: crate::plan::body::Manner::moved
    pub moved: BTreeSet<String>,
}

impl Session {
    /// Starts the process that runs cells, on a built image. `workspace` must have been exported to
    /// the environment (see [`Workspace::export`]).
    pub fn start(workspace: Workspace, image: &Image, mut between: Between) -> Result<Self> {
        // Discard what an earlier session in this folder requested.
        workspace.patch(&BTreeMap::new())?;
        let texts = workspace.output();
        workspace::remove(&texts).map_err(Error::io("remove", &texts))?;
        let objects = workspace.objects();
        workspace::remove(&objects).map_err(Error::io("remove", &objects))?;
        std::fs::create_dir_all(&objects).map_err(Error::io("create", &objects))?;
        let limiter = Arc::new(Mutex::new(Limiter::new(texts)));
        let mut idle = Shown::new(limiter.clone());
        let frames = Frames::start(Box::new(move |frame| idle.take(frame, &mut between)))?;
        let library = image.folder.join(image::layout::IMAGE_FILE);
        let processes = Processes::start(&frames, Mailbox::default(), &library, &|command| {
            workspace.give_back_environment(command);
        })?;
        trace::mark("processes");
        let rustc = crate::toolchain::program("rustc").unwrap_or_else(|| "rustc".into());
        let cache = workspace.kept();
        if let Some(kept) = &cache {
            crate::compile::sweep(kept);
        }
        let metadata = image.folder.join(image::layout::METADATA);
        let compiler = Compiler::new(rustc, objects, image.folder.clone(), metadata, cache);
        let mut session = Self {
            definitions: Arc::default(),
            compiler,
            sources: Sources::default(),
            run: 0,
            number: 0,
            revisions: HashMap::new(),
            named_types: HashSet::new(),
            cells: BTreeMap::new(),
            only_statements: false,
            last_code: None,
            dependencies: Dependencies::new(image),
            analysis: Analysis::new(image, &workspace),
            processes,
            frames,
            limiter,
            workspace,
            image: image.clone(),
            watch: Watch::new(&image.root, &image.sources),
        };
        session.stand_by();
        trace::mark("ready");
        Ok(session)
    }
}
