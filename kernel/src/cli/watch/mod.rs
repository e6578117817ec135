//! `holoscope watch`: serves a notebook's page and updates it when the file changes.

mod arguments;
mod board;
mod runner;
mod server;
mod view;

use super::run::read;
use super::terminal::say;
use crate::digest::hex;
use crate::error::{Error, Result};
use crate::export::{self, ExportOptions};
use crate::notebook::{Notebook, Parameters};
pub use arguments::WatchArgs;
use board::Board;
use runner::Runner;
use sha2::{Digest, Sha256};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use view::{View, same_code};

/// Polling interval for files.
const LOOK: Duration = Duration::from_millis(100);

/// Watches the notebook until a signal comes; the result is the exit status.
pub fn watch(args: &WatchArgs) -> Result<i32> {
    let notebook = read(&args.notebook)?;
    // Report parameters that no run accepts now rather than in the page.
    Parameters::read(&notebook, &args.parameters)?;
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&ended))
            .map_err(Error::io("listen to", "signals"))?;
    }
    let board = Arc::new(Board::default());
    let folder = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
    let mut watched = Watched::new(args, notebook, folder.path(), &board)?;
    watched.render();
    let port = server::serve(Arc::clone(&board), args.port)?;
    let _ = writeln!(std::io::stdout(), "http://127.0.0.1:{port}/");
    while !ended.load(Ordering::SeqCst) {
        watched.look()?;
        std::thread::sleep(LOOK);
    }
    Ok(0)
}

/// A file as last seen.
struct File {
    path: PathBuf,
    digest: String,
    /// Its modification time, if the file system has one.
    written: Option<SystemTime>,
}

/// Once a file is this old, another write is certain to change its modification time.
const SETTLED: Duration = Duration::from_secs(2);

impl File {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            digest: String::new(),
            written: None,
        }
    }

    /// Whether the file's content has changed since the last call.
    fn has_changed(&mut self) -> bool {
        let found = std::fs::metadata(&self.path).ok();
        let written = found.and_then(|found| found.modified().ok());
        let age = written.and_then(|written| written.elapsed().ok());
        if written.is_some() && written == self.written && age.is_some_and(|age| age > SETTLED) {
            return false;
        }
        let Ok(bytes) = std::fs::read(&self.path) else {
            // Editors remove a file before they rename another one to it.
            return false;
        };
        let digest = hex(Sha256::new_with_prefix(bytes));
        let changed = digest != self.digest;
        (self.digest, self.written) = (digest, written);
        changed
    }
}

/// The notebook, its run, and the view of both.
struct Watched<'a> {
    args: &'a WatchArgs,
    folder: PathBuf,
    board: &'a Board,
    notebook: Notebook,
    view: View,
    file: File,
    executed: File,
    runner: Option<Runner>,
    /// Where images named in Markdown are looked up.
    beside: PathBuf,
}

impl<'a> Watched<'a> {
    fn new(
        args: &'a WatchArgs,
        notebook: Notebook,
        folder: &Path,
        board: &'a Board,
    ) -> Result<Self> {
        let path = std::path::absolute(&args.notebook);
        let path = path.map_err(Error::io("resolve", &args.notebook))?;
        let mut file = File::new(&path);
        file.has_changed();
        let mut watched = Self {
            args,
            folder: folder.to_owned(),
            board,
            view: View::default(),
            notebook,
            file,
            executed: File::new(&folder.join("executed.ipynb")),
            runner: None,
            beside: path.parent().unwrap_or(Path::new("/")).to_owned(),
        };
        watched.view.take(&watched.notebook);
        watched.start()?;
        Ok(watched)
    }

    /// Runs the notebook as it is now.
    fn start(&mut self) -> Result<()> {
        if self.args.no_run {
            return Ok(());
        }
        // The former run must not write over this one's results.
        self.runner = None;
        let executed = self.folder.join("executed.ipynb");
        let path = &self.file.path;
        self.runner = Some(Runner::start(path, &self.args.parameters, &executed)?);
        self.executed = File::new(&executed);
        self.board.say("running");
        Ok(())
    }

    /// Checks for changes.
    fn look(&mut self) -> Result<()> {
        if self.file.has_changed() {
            match read(&self.file.path) {
                Ok(now) => {
                    let same = same_code(&self.notebook, &now);
                    self.notebook = now;
                    if self.args.no_run {
                        self.view = View::default();
                    }
                    self.view.take(&self.notebook);
                    self.render();
                    if !same {
                        self.start()?;
                    }
                }
                // The file may be half written.
                Err(error) => self.board.say(&error.to_string()),
            }
        }
        let over = self.runner.as_mut().and_then(Runner::outcome);
        if self.runner.is_some() && self.executed.has_changed() {
            if let Ok((mut ran, _)) = Notebook::read(&self.executed.path) {
                ran.complete_ids();
                self.view.take(&ran);
                if let Some(provenance) = ran.metadata.get("holoscope") {
                    let metadata = &mut self.notebook.metadata;
                    metadata.insert("holoscope".to_owned(), provenance.clone());
                }
                let all = ran.cells.iter().filter(|cell| cell.is_code()).count();
                let done = ran
                    .cells
                    .iter()
                    .filter(|cell| cell.execution_count().is_some());
                let status = format!("{} of {all} cells have run", done.count());
                // Update the page before reporting the cell.
                self.render();
                self.board.say(&status);
            }
        } else if let Some(good) = over {
            self.board.say(match good {
                true => "",
                false => "the run failed; the terminal says why",
            });
        }
        Ok(())
    }

    /// Shows the notebook as it is now.
    fn render(&self) {
        let mut notebook = self.notebook.clone();
        self.view.dress(&mut notebook);
        let options = ExportOptions {
            folder: Some(self.beside.clone()),
            ..ExportOptions::default()
        };
        let page = export::page(&notebook, &options);
        for fault in &page.faults {
            say(&format!(
                "holoscope: a formula is shown as its source: {fault}"
            ));
        }
        self.board.show(page.html);
    }
}
