//! The third stage of running a cell: rustc compiles its crates.

mod cache;
mod call;
mod made;
mod objects;
mod standby;
pub mod types;

pub use cache::sweep;
pub use call::BODY;
use call::Ground;
pub use call::{Call, Kind};
use made::Ran;
pub use made::{Made, Outcome};
use objects::Objects;
use standby::Standby;

use crate::error::{Error, Result};
use crate::trace;
use cache::Cache;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// rustc for the crates of a session.
pub struct Compiler {
    rustc: PathBuf,
    ground: Ground,
    standby: Standby,
    cache: Option<Cache>,
    objects: Objects,
    /// The process that is compiling a crate, or 0.
    running: Arc<AtomicU32>,
    /// rustc's messages about the crate that it refused last.
    messages: String,
}

impl Compiler {
    /// `folder` must exist; `image` holds the library, `metadata` that of the crates behind it.
    pub fn new(
        rustc: PathBuf,
        folder: PathBuf,
        image: PathBuf,
        metadata: PathBuf,
        cache: Option<PathBuf>,
    ) -> Self {
        let library = image.join(crate::image::layout::IMAGE_FILE);
        let running = Arc::default();
        let cache = cache.map(|folder| Cache::new(folder, &rustc, &image));
        Self {
            rustc,
            standby: Standby::new(folder.clone(), Arc::clone(&running)),
            running,
            cache,
            objects: Objects::default(),
            ground: Ground {
                search: vec![image.clone(), metadata],
                image,
                externs: BTreeMap::from([("holoscope".to_owned(), library)]),
                level: "1".to_owned(),
                folder,
            },
            messages: String::new(),
        }
    }

    pub fn level(&self) -> &str {
        &self.ground.level
    }

    pub fn set_level(&mut self, level: &str) {
        level.clone_into(&mut self.ground.level);
    }

    /// Makes the crates of the cells' `:dep`s available, found in these folders.
    pub fn set_dependencies(&mut self, externs: BTreeMap<String, PathBuf>, search: &[PathBuf]) {
        self.ground.externs.extend(externs);
        self.ground.search.truncate(2);
        self.ground.search.extend(search.iter().cloned());
    }

    /// Makes one more crate available to cells.
    pub fn add_extern(&mut self, name: &str, path: PathBuf) {
        self.ground.externs.insert(name.to_owned(), path);
    }

    pub fn has_crate(&self, name: &str) -> bool {
        self.ground.externs.contains_key(name)
    }

    /// The process that is compiling a crate, or 0.
    pub fn running(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.running)
    }

    /// The compiler that has no crate yet.
    pub fn idle(&self) -> Arc<AtomicU32> {
        self.standby.idle()
    }

    /// Compiles a crate.
    pub fn compile(&mut self, call: &Call) -> Result<Outcome> {
        trace::mark_with(
            "rustc",
            || json!({ "crate": call.name, "level": self.ground.level }),
        );
        let outcome = self.compile_or_recall(call);
        if let Ok(Outcome::Made(_)) = &outcome {
            self.objects.note(call, &self.ground.folder);
        }
        self.remove_inputs(call);
        trace::mark_with("compiled", || json!({ "crate": call.name }));
        outcome
    }

    fn compile_or_recall(&mut self, call: &Call) -> Result<Outcome> {
        let args = self.ground.arguments(call, true);
        let key = self
            .cache
            .as_ref()
            .and_then(|cache| cache.key(&args, call, &self.ground.folder));
        if let Some((cache, key)) = self.cache.as_ref().zip(key.as_ref())
            && let Some(types) = cache.recall(key, &self.ground.folder.join(call.object()))
        {
            trace::mark("kept");
            return Ok(Outcome::Made(Made {
                object: self.ground.folder.join(call.object()),
                types,
                reads: Vec::new(),
            }));
        }
        let outcome = self.really_compile(call, &args)?;
        if let (Some(cache), Some(key), Outcome::Made(made)) = (&self.cache, &key, &outcome)
            && made.reads.is_empty()
        {
            // A crate that cannot be cached is still usable.
            let _ = cache.keep(key, made);
        }
        Ok(outcome)
    }

    fn really_compile(&mut self, call: &Call, args: &[String]) -> Result<Outcome> {
        let on_standby = match call.kind {
            Kind::Body => self.standby.compile(&self.rustc, args, call),
            _ => None,
        };
        let ran = match on_standby {
            Some(ran) => ran,
            None => self.run(call, args, true)?,
        };
        match ran.code {
            Some(0) => Ok(Outcome::Made(self.made(call, &ran.messages))),
            None => Ok(Outcome::Stopped),
            Some(_) => {
                self.messages = ran.messages;
                Ok(Outcome::Refused)
            }
        }
    }

    /// Removes the objects of units that are needed neither by `roots`, nor by a crate that cells may
    /// name, nor by what these link to.
    pub fn sweep_objects(&mut self, roots: impl IntoIterator<Item = PathBuf>) {
        let externs = self.ground.externs.values().cloned();
        self.objects.sweep(roots.into_iter().chain(externs));
    }

    /// rustc's messages about the crate that it refused last, one JSON object per line, with types
    /// in full.
    pub fn messages(&mut self) -> String {
        std::mem::take(&mut self.messages)
    }

    /// rustc's messages about a crate that it refuses, with types in their usual short form.
    pub fn explain(&self, call: &Call) -> Result<String> {
        let ran = self.run(call, &self.ground.arguments(call, false), false);
        self.remove_inputs(call);
        Ok(ran?.messages)
    }

    fn run(&self, call: &Call, args: &[String], in_full: bool) -> Result<Ran> {
        let source = self.ground.folder.join(call.file());
        std::fs::write(&source, call.text()).map_err(Error::io("write", &source))?;
        let mut command = Command::new(&self.rustc);
        command
            .args(args)
            .current_dir(&self.ground.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        call::environment(&mut command, in_full);
        let child = command.spawn().map_err(Error::io("run", &self.rustc))?;
        self.running.store(child.id(), Ordering::SeqCst);
        let output = child.wait_with_output();
        self.running.store(0, Ordering::SeqCst);
        let output = output.map_err(Error::io("run", &self.rustc))?;
        if output.status.success() && call.kind == Kind::Body {
            let (staged, object) = (
                self.ground.folder.join(call::STAGED),
                self.ground.folder.join(call.object()),
            );
            std::fs::rename(&staged, object).map_err(Error::io("rename", &staged))?;
        }
        Ok(Ran::new(&output))
    }

    fn made(&self, call: &Call, messages: &str) -> Made {
        Made {
            object: self.ground.folder.join(call.object()),
            types: match call.kind {
                Kind::Body => types::of_variables(messages, call),
                Kind::Unit | Kind::Check => BTreeMap::new(),
            },
            reads: match call.kind {
                Kind::Unit => {
                    call::files_read(&self.ground.folder.join(call.dep_info()), &call.file())
                }
                Kind::Body | Kind::Check => Vec::new(),
            },
        }
    }

    /// Removes files that were needed only for the compilation of a unit.
    fn remove_inputs(&self, call: &Call) {
        if call.kind == Kind::Unit {
            for file in [call.dep_info(), call.file()] {
                // A file that stays is removed with the session's folder.
                let _ = std::fs::remove_file(self.ground.folder.join(file));
            }
        }
    }

    /// Starts a compiler that waits for the next body.
    pub fn prepare(&mut self, call: &Call) {
        let args = self.ground.arguments(call, true);
        self.standby.prepare(&self.rustc, &args, call);
    }

    pub fn folder(&self) -> &Path {
        &self.ground.folder
    }
}
