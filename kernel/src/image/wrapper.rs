//! Our binary in rustc's place, for three crates only: `holoscope` and
//! `holoscope_image` while the image is built, and `ctx`, evcxr's name for a cell.
//!
//! Cargo calls `wrapper rustc ARGS..`. Everything else passes unchanged.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

/// Raise this when the arguments for our crates change: cargo knows the wrapper
/// by its name only, and would keep what the old one built.
pub const RECIPE: u32 = 2;
/// What rustc calls the image.
pub const IMAGE_FILE: &str = "libholoscope_image.so";

/// Set for cargo when it builds the image: the folder that keeps it.
pub const BUILD_IMAGE_ENV: &str = "HOLOSCOPE_BUILD_IMAGE";
/// The image that cells link against; set for the whole session process.
pub const IMAGE_SO_ENV: &str = "HOLOSCOPE_IMAGE_SO";
/// Folder of the metadata of the image's dependencies.
pub const IMAGE_DEPS_ENV: &str = "HOLOSCOPE_IMAGE_DEPS";
/// The folder of the facades; set for the whole session process.
pub const FACADE_ENV: &str = "HOLOSCOPE_FACADE";
/// The file in which evcxr looks for the path of the compiled cell.
const CELL_PATH_ENV: &str = "EVCXR_EXECUTION_SO_PATH";
/// evcxr sets this when it makes our binary cargo's RUSTC_WRAPPER.
const EVCXR_WRAPPER_ENV: &str = "EVCXR_RUSTC_WRAPPER";

/// Runs rustc and exits with its status, if cargo called us in rustc's place.
pub fn run_if_called_as_rustc() {
    let image = std::env::var_os(BUILD_IMAGE_ENV);
    let cell = std::env::var_os(EVCXR_WRAPPER_ENV).is_some();
    if image.is_none() && !cell {
        return;
    }
    let mut args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if args.is_empty() {
        eprintln!("holoscope: called as a rustc wrapper without a compiler to run");
        std::process::exit(101);
    }
    let rustc = args.remove(0);
    if image.is_some() {
        args = image_args(args, &target_libdir(&rustc));
    } else if let (Some(so), Some(deps)) = (
        std::env::var_os(IMAGE_SO_ENV),
        std::env::var_os(IMAGE_DEPS_ENV),
    ) {
        args = facade_args(cell_args(args, &so, &deps));
    }
    let status = match Command::new(&rustc).args(&args).status() {
        Ok(status) => status.code().unwrap_or(101),
        Err(error) => {
            eprintln!("holoscope: cannot run {}: {error}", rustc.display());
            101
        }
    };
    let kept = match image {
        _ if status != 0 => Ok(()),
        Some(home) => keep_image(&args, Path::new(&home)),
        None => report_cell(&args),
    };
    if let Err(error) = kept {
        eprintln!("holoscope: cannot pass on what rustc wrote: {error}");
        std::process::exit(101);
    }
    std::process::exit(status)
}

/// The value that follows a flag.
fn value<'a>(args: &'a [OsString], flag: &str) -> Option<&'a OsStr> {
    let at = args.iter().position(|a| a == flag)?;
    args.get(at + 1).map(OsString::as_os_str)
}

/// Tells evcxr where the cell lies: its search path for libstd is relative to
/// that folder, and cargo would name a link to it in another.
fn report_cell(args: &[OsString]) -> std::io::Result<()> {
    let (Some(file), Some(out)) = (std::env::var_os(CELL_PATH_ENV), value(args, "--out-dir"))
    else {
        return Ok(());
    };
    if crate_name(args) != Some(OsStr::new("ctx")) {
        return Ok(());
    }
    let so = Path::new(out).join(format!("libctx{}", std::env::consts::DLL_SUFFIX));
    std::fs::write(file, so.as_os_str().as_encoded_bytes())
}

/// Copies the shared object that rustc just wrote to the image's own folder:
/// under cargo's name for it a plain `cargo build` would overwrite it.
fn keep_image(args: &[OsString], home: &Path) -> std::io::Result<()> {
    let Some(out) = value(args, "--out-dir") else {
        return Ok(());
    };
    if crate_name(args) != Some(OsStr::new("holoscope_image"))
        || !args.iter().any(|a| a.to_string_lossy().contains("link"))
    {
        return Ok(());
    }
    let staged = home.join(format!("{IMAGE_FILE}.{}", std::process::id()));
    std::fs::copy(Path::new(out).join(IMAGE_FILE), &staged)?;
    std::fs::rename(&staged, home.join(IMAGE_FILE))
}

fn crate_name(args: &[OsString]) -> Option<&OsStr> {
    value(args, "--crate-name")
}

/// Where this compiler keeps libstd.
fn target_libdir(rustc: &OsStr) -> OsString {
    let printed = Command::new(rustc)
        .args(["--print", "target-libdir"])
        .output();
    let text = printed.map(|o| o.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().into()
}

/// A dylib that others link against must share their libstd, hence
/// `prefer-dynamic` and a path to it (absolute, because the image moves); the image runs on the machine that builds it, hence
/// `target-cpu=native` for the library's own loops.
fn image_args(mut args: Vec<OsString>, libdir: &OsStr) -> Vec<OsString> {
    match crate_name(&args).and_then(OsStr::to_str) {
        Some("holoscope_image") => {
            let mut rpath = OsString::from("-Clink-arg=-Wl,-rpath,");
            rpath.push(libdir);
            args.extend(["-Cprefer-dynamic".into(), rpath]);
        }
        Some("holoscope") => args.push("-Ctarget-cpu=native".into()),
        _ => {}
    }
    args
}

/// The arguments for a facade, whose source is only there to be read: rustc gets
/// an empty file.
fn facade_args(args: Vec<OsString>) -> Vec<OsString> {
    let (Some(facades), Some(package)) = (
        std::env::var_os(FACADE_ENV),
        std::env::var_os("CARGO_MANIFEST_DIR"),
    ) else {
        return args;
    };
    let facades = Path::new(&facades);
    if !Path::new(&package).starts_with(facades) {
        return args;
    }
    let source = |arg: &OsString| Path::new(arg).extension() == Some(OsStr::new("rs"));
    args.into_iter()
        .map(|arg| match source(&arg) {
            true => facades.join(super::facade::EMPTY_FILE).into_os_string(),
            false => arg,
        })
        .collect()
}

/// A cell's arguments with the facade replaced by the image.
fn cell_args(args: Vec<OsString>, so: &OsStr, deps: &OsStr) -> Vec<OsString> {
    if crate_name(&args) != Some(OsStr::new("ctx")) {
        return args;
    }
    let mut linked = false;
    let mut out: Vec<OsString> = args
        .into_iter()
        .map(|arg| {
            if arg.to_string_lossy().starts_with("holoscope=") {
                linked = true;
                let mut image = OsString::from("holoscope=");
                image.push(so);
                image
            } else {
                arg
            }
        })
        .collect();
    // A panic's backtrace names inlined functions, too.
    out.extend(["-Cdebuginfo=line-tables-only".into(), "-Cstrip=none".into()]);
    if linked {
        let mut search = OsString::from("-Ldependency=");
        search.push(deps);
        out.push(search);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(args: &[&str]) -> Vec<OsString> {
        args.iter().map(OsString::from).collect()
    }

    #[test]
    fn only_a_cell_is_linked_to_the_image() {
        let other = strings(&["--crate-name", "serde", "--extern", "holoscope=x.rlib"]);
        assert_eq!(
            cell_args(other.clone(), "i.so".as_ref(), "d".as_ref()),
            other
        );
        let cell = strings(&["--crate-name", "ctx", "--extern", "holoscope=x.rlib"]);
        assert_eq!(
            cell_args(cell, "i.so".as_ref(), "d".as_ref()),
            strings(&[
                "--crate-name",
                "ctx",
                "--extern",
                "holoscope=i.so",
                "-Cdebuginfo=line-tables-only",
                "-Cstrip=none",
                "-Ldependency=d"
            ])
        );
    }

    #[test]
    fn only_our_crates_are_compiled_otherwise() {
        let lib = OsStr::new("lib");
        let dep = strings(&["--crate-name", "candle_core", "--crate-type", "lib"]);
        assert_eq!(image_args(dep.clone(), lib), dep);
        let image = image_args(strings(&["--crate-name", "holoscope_image"]), lib);
        assert!(image.iter().any(|a| a == "-Cprefer-dynamic"));
        assert!(image.iter().any(|a| a == "-Clink-arg=-Wl,-rpath,lib"));
        let library = image_args(strings(&["--crate-name", "holoscope"]), lib);
        assert!(library.iter().any(|a| a == "-Ctarget-cpu=native"));
    }

    #[test]
    fn the_image_is_kept_under_a_name_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (out, home) = (dir.path().join("deps"), dir.path().join("image"));
        for folder in [&out, &home] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(out.join(IMAGE_FILE), "object").unwrap();
        let mut args = strings(&["--crate-name", "holoscope_image", "--emit=dep-info,link"]);
        args.extend(["--out-dir".into(), out.into_os_string()]);
        keep_image(&args, &home).unwrap();
        assert_eq!(std::fs::read(home.join(IMAGE_FILE)).unwrap(), b"object");
    }
}
