//! The executed notebook of a run, saved after each cell.

use super::super::terminal::say;
use super::destinations::Destinations;
use super::jobs::Job;
use super::provenance::Provenance;
use super::record::recorded;
use super::signals;
use crate::cli::export::live_views;
use crate::error::{Error, Result};
use crate::export::{self, ExportOptions};
use crate::notebook::inline::{self, Answer};
use crate::notebook::{self, Notebook, NotebookText, OutputEvent, Outputs};
use crate::report::outcome::CellError;
use crate::run::output::event::Event;
use crate::widgets::{Models, STATE_MIME};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Running,
    Complete,
    /// A cell has failed.
    Failed,
    /// This signal has ended it.
    Ended(i32),
}

impl Status {
    fn text(&self) -> String {
        match self {
            Self::Running => "running".to_owned(),
            Self::Complete => "complete".to_owned(),
            Self::Failed => "failed".to_owned(),
            Self::Ended(signal) => format!("ended by {}", signals::name(*signal)),
        }
    }

    /// The exit status of a run with this outcome.
    pub fn exit_status(&self) -> i32 {
        match self {
            Self::Ended(signal) => signals::status(*signal),
            Self::Failed => 1,
            Self::Complete | Self::Running => 0,
        }
    }
}

/// The results of a run so far.
pub struct Results {
    notebook: Notebook,
    /// `None` where the executed notebook is only compared (`holoscope check`).
    to: Option<Destinations>,
    provenance: Provenance,
    began: Instant,
    outputs: Outputs,
    widgets: Models,
    /// The notebook's text as last saved, so that a save only serialises what has changed.
    text: NotebookText,
    /// The places of the cells by their ids.
    places: HashMap<String, usize>,
    /// Cells whose outputs have changed since the last save.
    changed: BTreeSet<String>,
    /// The last save failed.
    behind: bool,
}

impl Results {
    pub fn new(
        notebook: Notebook,
        to: Option<Destinations>,
        provenance: Provenance,
        began: Instant,
    ) -> Self {
        let places = notebook.cells.iter().enumerate();
        Self {
            places: places.map(|(at, cell)| (cell.id.clone(), at)).collect(),
            provenance,
            notebook,
            to,
            began,
            outputs: Outputs::new(),
            widgets: Models::default(),
            text: NotebookText::default(),
            changed: BTreeSet::new(),
            behind: false,
        }
    }

    /// Removes what an earlier run has left in the cells that will run, so that it cannot be
    /// mistaken for this run's results. If the file itself is overwritten, there is no other copy,
    /// and outputs stay, without their counts, until their cell runs.
    pub fn forget(&mut self, jobs: &[Job], in_place: bool) {
        for job in jobs {
            let cell = &mut self.notebook.cells[job.index];
            if !in_place {
                cell.set_outputs(Vec::new());
            }
            cell.set_execution_count(None);
        }
        self.text = NotebookText::of(&self.notebook);
    }

    /// A cell begins.
    pub fn begin(&mut self, job: &Job) {
        self.outputs.begin(&job.id);
        self.changed.insert(job.id.clone());
    }

    /// A cell has shown something.
    pub fn take(&mut self, job: &Job, event: Event, count: u64) {
        if let Event::Data { name, sha256 } = &event {
            self.provenance.data(name, sha256);
        }
        for event in self.widgets.pass(event) {
            if let Some(event) = recorded(event, count) {
                self.changed.extend(self.outputs.push(&job.id, event));
            }
        }
    }

    /// A cell has failed.
    pub fn fail(&mut self, job: &Job, error: &CellError) {
        let event = OutputEvent::Error {
            ename: error.ename.clone(),
            evalue: error.evalue.clone(),
            traceback: error.traceback.clone(),
        };
        self.changed.extend(self.outputs.push(&job.id, event));
    }

    /// A cell is over.
    pub fn ran(&mut self, job: &Job, count: u64, seconds: f64) {
        let cell = &mut self.notebook.cells[job.index];
        cell.set_execution_count(Some(count));
        cell.set_seconds(seconds);
        self.changed.insert(job.id.clone());
    }

    /// The expressions in the text of the cell at this place have been evaluated.
    pub fn answered(&mut self, at: usize, answers: &[Answer]) {
        let cell = &mut self.notebook.cells[at];
        inline::store(cell, answers);
        self.changed.insert(cell.id.clone());
    }

    /// Writes the notebook as it is now. A temporarily full disk must not end the run.
    pub fn save(&mut self, status: &Status) {
        self.update(status);
        // A pipe cannot be rewritten: it gets only the final notebook.
        let regular = |to: &&Destinations| notebook::is_regular(&to.notebook);
        let Some(to) = self.to.as_ref().filter(regular) else {
            return;
        };
        let saved = self.write(&to.notebook);
        if let Err(error) = &saved
            && !self.behind
        {
            say(&format!(
                "holoscope: {error}; the next cell's end tries again"
            ));
        }
        self.behind = saved.is_err();
    }

    /// The executed notebook.
    pub fn into_notebook(mut self, status: &Status) -> Notebook {
        self.update(status);
        self.notebook
    }

    /// Writes the notebook and its page; returns a message about what was written.
    pub fn finish(mut self, status: &Status) -> Result<String> {
        self.update(status);
        let Some(to) = &self.to else {
            return Ok("nothing written".to_owned());
        };
        if let Err(error) = self.write(&to.notebook) {
            return Err(self.rescue(&to.notebook, error));
        }
        // The run has entered the notebook's folder.
        let folder = std::env::current_dir().ok();
        if let (Some(folder), Some(stored)) = (&folder, to.notebook.parent()) {
            crate::live::keep_beside(&self.notebook, folder, stored);
        }
        let live = live_views(&self.notebook, folder.as_deref(), &to.notebook);
        let options = ExportOptions {
            folder,
            live,
            ..ExportOptions::default()
        };
        let page = export::page(&self.notebook, &options);
        if !page.errors.is_empty() {
            return Err(Error::Article {
                path: to.notebook.clone(),
                faults: page.errors,
            });
        }
        if let Err(error) = notebook::replace(&to.html, page.html.as_bytes()) {
            let notebook = to.notebook.display();
            say(&format!("holoscope: wrote {notebook}, but not its page"));
            return Err(error);
        }
        for fault in &page.faults {
            say(&format!(
                "holoscope: {}: a formula is shown as its source: {fault}",
                to.html.display()
            ));
        }
        Ok(format!(
            "wrote {} and {} after {:.1} s",
            to.notebook.display(),
            to.html.display(),
            self.began.elapsed().as_secs_f64()
        ))
    }

    /// Saves the executed notebook in the temporary folder if it cannot be written to its
    /// destination.
    fn rescue(&self, notebook: &Path, error: Error) -> Error {
        let name = notebook.file_name().unwrap_or_default();
        let name = format!(
            "holoscope-{}-{}",
            std::process::id(),
            name.to_string_lossy()
        );
        let elsewhere: PathBuf = std::env::temp_dir().join(name);
        if self.write(&elsewhere).is_ok() {
            say(&format!(
                "holoscope: the executed notebook is in {}",
                elsewhere.display()
            ));
        }
        error
    }

    fn write(&self, path: &Path) -> Result<()> {
        notebook::replace(path, self.text.with(&self.notebook).as_bytes())
    }

    fn update(&mut self, status: &Status) {
        for id in std::mem::take(&mut self.changed) {
            if let Some(at) = self.places.get(&id) {
                let cell = &mut self.notebook.cells[*at];
                self.outputs.store_cell(cell);
                self.text.set(*at, cell);
            }
        }
        self.stamp(status);
    }

    /// Writes the provenance into the notebook.
    fn stamp(&mut self, status: &Status) {
        let seconds = self.began.elapsed().as_secs_f64();
        let metadata = &mut self.notebook.metadata;
        self.provenance.write(&status.text(), seconds, metadata);
        match self.widgets.saved() {
            Some(states) => metadata.insert("widgets".to_owned(), json!({STATE_MIME: states})),
            // Removes the widgets of an earlier run.
            None => metadata.shift_remove("widgets"),
        };
        metadata.insert(
            "kernelspec".to_owned(),
            json!({"display_name": "Rust (Holoscope)", "language": "rust", "name": "holoscope"}),
        );
    }
}
