//! rustc's arguments for facades, for cells and for the crates that cells request:
//! the crates of the image instead of facades, and options for speed.

use crate::facade::EMPTY_FILE;
use crate::facade::manifest::Crate;
use crate::image::layout::{FACADE, METADATA};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The extension of a file next to cargo's output for a facade, with the path of the real crate.
const STAND_IN: &str = "image";
/// Cargo's option for coloured messages, whose colours it then strips.
const COLOURS: &str = "diagnostic-rendered-ansi";

/// The folder of the facade that cargo is compiling, if it is one of the image's.
pub fn facade_of(image: &Path) -> Option<PathBuf> {
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?);
    package.starts_with(image.join(FACADE)).then_some(package)
}

/// The arguments for a facade, whose source is only for reading: rustc compiles
/// an empty file.
pub fn facade_args(args: Vec<OsString>, image: &Path) -> Vec<OsString> {
    let source = |arg: &OsString| Path::new(arg).extension() == Some(OsStr::new("rs"));
    let empty = image.join(FACADE).join(EMPTY_FILE);
    without_incremental(args)
        .into_iter()
        .map(|arg| match source(&arg) {
            true => empty.clone().into_os_string(),
            false => arg,
        })
        .collect()
}

/// Records, next to rustc's output for a facade, which crate it replaces.
pub fn stand_in(args: &[OsString], facade: &Path) -> std::io::Result<()> {
    let linked = Crate::read(facade).and_then(|krate| krate.linked);
    let (Some(linked), Some(out)) = (linked, value(args, "--out-dir")) else {
        return Ok(());
    };
    let path = artifact(args, Path::new(out), STAND_IN);
    replace(&path, &linked.file.to_string_lossy())
}

/// The arguments for a cell, and for the crates that it requests: they get the
/// real crates instead of facades.
pub fn cell_args(args: Vec<OsString>, image: &OsStr, deps: &OsStr) -> Vec<OsString> {
    let mut after_extern = false;
    let mut out: Vec<OsString> = without_incremental(args)
        .into_iter()
        .filter_map(without_colours)
        .map(|arg| {
            let is_value = std::mem::replace(&mut after_extern, arg == "--extern");
            is_value.then(|| linked(&arg)).flatten().unwrap_or(arg)
        })
        .collect();
    // The image's first: cargo's folder may have the metadata of a newer library.
    let mut folders = vec![
        Path::new(image).to_path_buf(),
        Path::new(image).join(METADATA),
    ];
    if !needs_only_the_image(&out) {
        folders.push(deps.into());
    }
    for folder in folders {
        let mut search = OsString::from("-Ldependency=");
        search.push(folder);
        out.push(search);
    }
    out
}

/// Whether this is a cell with no crate but the library, whose code is all in the image.
pub fn needs_only_the_image(args: &[OsString]) -> bool {
    let mut externs = args.windows(2).filter(|pair| pair[0] == "--extern");
    crate_name(args) == Some(OsStr::new(CELL))
        && externs.all(|pair| pair[1].to_string_lossy().starts_with("holoscope="))
}

/// The arguments without `-C incremental=..`: every cell is new to rustc, which would
/// store data that it cannot use again.
fn without_incremental(args: Vec<OsString>) -> Vec<OsString> {
    let mut out: Vec<OsString> = Vec::with_capacity(args.len());
    for arg in args {
        if arg.to_string_lossy().starts_with("incremental=")
            && out.last().is_some_and(|last| last == "-C")
        {
            out.pop();
        } else {
            out.push(arg);
        }
    }
    out
}

/// The argument, if anything is left of it, without coloured messages: cargo
/// would strip the colours, and cells are compiled without cargo, too.
fn without_colours(arg: OsString) -> Option<OsString> {
    let Some(kinds) = arg.to_str().and_then(|arg| arg.strip_prefix("--json=")) else {
        return Some(arg);
    };
    let kinds: Vec<&str> = kinds.split(',').filter(|kind| *kind != COLOURS).collect();
    (!kinds.is_empty()).then(|| format!("--json={}", kinds.join(",")).into())
}

/// `name=file` with the real crate, if the file was built from a facade.
fn linked(argument: &OsStr) -> Option<OsString> {
    let (name, file) = argument.to_str()?.split_once('=')?;
    let path = std::fs::read_to_string(Path::new(file).with_extension(STAND_IN)).ok()?;
    Some(format!("{name}={path}").into())
}

/// The name of evcxr's crate for cells.
pub const CELL: &str = "ctx";

/// The value that follows a flag.
pub fn value<'a>(args: &'a [OsString], flag: &str) -> Option<&'a OsStr> {
    let at = args.iter().position(|a| a == flag)?;
    args.get(at + 1).map(OsString::as_os_str)
}

/// A file next to rustc's output for a crate, with the same name and this extension.
pub fn artifact(args: &[OsString], out: &Path, extension: &str) -> PathBuf {
    let name = crate_name(args).unwrap_or_default().to_string_lossy();
    let suffix = args.iter().find_map(|arg| {
        let arg = arg.to_str()?;
        let arg = arg.strip_prefix("-C").unwrap_or(arg);
        arg.strip_prefix("extra-filename=")
    });
    let suffix = suffix.unwrap_or_default();
    out.join(format!("lib{name}{suffix}.{extension}"))
}

pub fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let staged = path.with_extension(std::process::id().to_string());
    std::fs::write(&staged, text)?;
    std::fs::rename(&staged, path)
}

pub fn crate_name(args: &[OsString]) -> Option<&OsStr> {
    value(args, "--crate-name")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(args: &[&str]) -> Vec<OsString> {
        args.iter().map(OsString::from).collect()
    }

    #[test]
    fn what_was_made_from_a_facade_is_linked_to_the_crate_itself() {
        let dir = tempfile::tempdir().unwrap();
        let facade = dir.path().join("serde");
        std::fs::create_dir(&facade).unwrap();
        std::fs::write(
            facade.join("Cargo.toml"),
            "[package]\nname = \"serde\"\nversion = \"1.0.0\"\n[package.metadata.image]\nfile = \"/deps/libserde-1.rlib\"\nfeatures = []\n",
        )
        .unwrap();
        let mut made = strings(&["--crate-name", "serde", "-C", "extra-filename=-ab"]);
        made.extend(["--out-dir".into(), dir.path().as_os_str().to_owned()]);
        stand_in(&made, &facade).unwrap();
        let file = |name: &str| format!("{}/{name}", dir.path().display());
        let (ours, theirs) = (file("libserde-ab.rmeta"), file("libserde-cd.rmeta"));
        let cell = strings(&[
            "--crate-name",
            "ctx",
            "--extern",
            &format!("serde={ours}"),
            "--extern",
            &format!("old={theirs}"),
            "--extern",
            "proc_macro",
        ]);
        let theirs = format!("old={theirs}");
        assert_eq!(
            cell_args(cell, "i".as_ref(), "d".as_ref()),
            strings(&[
                "--crate-name",
                "ctx",
                "--extern",
                "serde=/deps/libserde-1.rlib",
                "--extern",
                &theirs,
                "--extern",
                "proc_macro",
                "-Ldependency=i",
                "-Ldependency=i/metadata",
                "-Ldependency=d"
            ])
        );
        let alone = strings(&[
            "--crate-name",
            "ctx",
            "--extern",
            "holoscope=x",
            "-C",
            "incremental=y",
        ]);
        let alone = cell_args(alone, "i".as_ref(), "d".as_ref());
        assert!(
            !alone
                .iter()
                .any(|a| a == "-Ldependency=d" || a == "-C" || a == "incremental=y")
        );
        assert_eq!(alone.last().unwrap(), "-Ldependency=i/metadata");
    }

    #[test]
    fn messages_are_asked_for_without_colours() {
        let of = |arg: &str| without_colours(arg.into()).map(|a| a.into_string().unwrap());
        let cargos = "--json=diagnostic-rendered-ansi,artifacts,future-incompat";
        assert_eq!(of(cargos).unwrap(), "--json=artifacts,future-incompat");
        assert_eq!(of("--json=diagnostic-rendered-ansi"), None);
        assert_eq!(of("--crate-name").unwrap(), "--crate-name");
    }
}
