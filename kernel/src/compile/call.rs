//! The arguments of rustc for a crate of a session.

use crate::plan::source::Source;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// What a crate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Items, for other crates to link to.
    Unit,
    /// The statements of a cell.
    Body,
    /// No output: rustc only checks it.
    Check,
}

/// A crate to compile.
#[derive(Debug, Clone)]
pub struct Call {
    pub kind: Kind,
    /// The crate's name; for a unit, its identity.
    pub name: String,
    /// Distinguishes its objects.
    pub revision: u32,
    pub source: Arc<Source>,
    /// The number of lines before the source in its file.
    pub line: usize,
    /// The name by which the loader finds the object.
    pub soname: String,
    /// Units that it may name, and their objects. For a body these are all units, so that its call
    /// matches that of the waiting compiler.
    pub units: BTreeMap<String, PathBuf>,
    /// The objects of the units that it does name.
    pub named: Vec<PathBuf>,
    /// Objects with the statics that it declares.
    pub objects: Vec<PathBuf>,
}

impl Call {
    pub fn file(&self) -> String {
        match self.kind {
            Kind::Unit => format!("{}-{}.rs", self.name, self.revision),
            // For rustc, all bodies share one file; the line where a body begins distinguishes it.
            Kind::Body | Kind::Check => BODY.to_owned(),
        }
    }

    pub fn object(&self) -> String {
        match self.kind {
            Kind::Unit => format!("lib{}-{}.so", self.name, self.revision),
            Kind::Body => format!("body-{}.so", self.revision),
            Kind::Check => "check.rmeta".to_owned(),
        }
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let mut text = "\n".repeat(self.line);
        text.push_str(&self.source.text);
        text
    }

    pub fn dep_info(&self) -> String {
        format!("{}.d", self.name)
    }
}

/// The common file of all bodies.
pub const BODY: &str = "cell.rs";
/// The output of a body before it is renamed.
pub(super) const STAGED: &str = "body.so";

/// What all calls of a session have in common.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Where sources and objects are.
    pub folder: PathBuf,
    /// The folder of the image.
    pub image: PathBuf,
    /// Other folders in which crates are found.
    pub search: Vec<PathBuf>,
    /// The crates that cells may name: the library and those of `:dep`.
    pub externs: BTreeMap<String, PathBuf>,
    pub level: String,
}

impl Ground {
    /// With `in_full`, types are written with all their paths.
    pub(super) fn arguments(&self, call: &Call, in_full: bool) -> Vec<String> {
        let mut args: Vec<String> = vec![
            call.file(),
            "--crate-name".to_owned(),
            call.name.clone(),
            "--edition=2024".to_owned(),
            "--error-format=json".to_owned(),
            // A lint never causes an error here, and its warnings are not shown. (One lint makes
            // rustc report the types of variables: see `types`.)
            "--cap-lints=warn".to_owned(),
            "-Aunused".to_owned(),
            "-Anonstandard_style".to_owned(),
            "-Afuture_incompatible".to_owned(),
            format!("-Copt-level={}", self.level),
            "-Cprefer-dynamic".to_owned(),
            "-Cembed-bitcode=no".to_owned(),
            "-Ccodegen-units=16".to_owned(),
            "-Cdebug-assertions=on".to_owned(),
            // A panic's backtrace names inlined functions, too.
            "-Cdebuginfo=line-tables-only".to_owned(),
            "-Cstrip=none".to_owned(),
        ];
        if matches!(self.level.as_str(), "0" | "1") {
            // For a small crate, optimising across its parts takes more than half of the time.
            args.push("-Clto=off".to_owned());
        }
        if in_full {
            args.push("-Ztrim-diagnostic-paths=no".to_owned());
            args.push("-Zallow-features=".to_owned());
        }
        match call.kind {
            Kind::Unit => {
                args.push("--crate-type=dylib".to_owned());
                args.push(format!("-Cextra-filename=-{}", call.revision));
                args.push(format!(
                    "--emit=link={},dep-info={}",
                    call.object(),
                    call.dep_info()
                ));
                args.push(format!("-Clink-arg=-Wl,-soname,{}", call.soname));
            }
            Kind::Body => {
                args.push("--crate-type=cdylib".to_owned());
                args.push(format!("--emit=link={STAGED}"));
            }
            Kind::Check => {
                args.push("--crate-type=lib".to_owned());
                args.push(format!("--emit=metadata={}", call.object()));
            }
        }
        args.push(format!("-Clink-arg=-Wl,-rpath,{}", self.image.display()));
        args.push("-Clink-arg=-Wl,-rpath,$ORIGIN".to_owned());
        for object in &call.objects {
            args.push(format!("-Clink-arg={}", object.display()));
        }
        for (name, path) in self.externs.iter().chain(&call.units) {
            args.push("--extern".to_owned());
            args.push(format!("{name}={}", path.display()));
        }
        for folder in self.search.iter().chain([&self.folder]) {
            args.push(format!("-Ldependency={}", folder.display()));
        }
        args
    }
}

/// The environment of rustc. Writing types in full requires unstable options, which
/// `allow-features` denies to the user's crates.
pub(super) fn environment(command: &mut Command, in_full: bool) {
    match in_full {
        true => command.env("RUSTC_BOOTSTRAP", "1"),
        false => command.env_remove("RUSTC_BOOTSTRAP"),
    };
    command.env_remove("RUSTC_LOG");
}

/// The files that a crate was compiled from, except its own source.
pub(super) fn files_read(dep_info: &Path, own: &str) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(dep_info).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let Some((_, files)) = line.split_once(": ") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    // A space in a name is written `\ `.
    for file in files.replace("\\ ", "\0").split(' ') {
        let file = file.replace('\0', " ");
        if !file.is_empty() && file != own {
            found.push(PathBuf::from(file));
        }
    }
    found
}
