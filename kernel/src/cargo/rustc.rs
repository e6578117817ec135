//! The RUSTC_WRAPPER entry point: rewrites rustc's arguments for `holoscope` and `holoscope_image`
//! while the image is built, and in a session for facades and for the crates that a cell requests.
//! For `ctx`, evcxr's crate for cells, it only records how it is linked.
//!
//! Cargo calls `wrapper rustc ARGS..`. Everything else passes unchanged.

use super::arguments::{
    CELL, artifact, cell_args, crate_name, facade_args, facade_of, replace, stand_in, value,
};
use super::stand_in as cargo;
use crate::image::layout::{BUILD_IMAGE_ENV, EXTERNS_FILE, IMAGE_DEPS_ENV, IMAGE_ENV, IMAGE_FILE};
use crate::trace;
use serde_json::json;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

/// evcxr sets this when it makes our binary cargo's RUSTC_WRAPPER.
const EVCXR_WRAPPER_ENV: &str = "EVCXR_RUSTC_WRAPPER";

/// Runs rustc and exits with its status, if cargo called this program instead of rustc.
pub fn run_if_called_as_rustc() {
    let building = std::env::var_os(BUILD_IMAGE_ENV);
    let cell = std::env::var_os(EVCXR_WRAPPER_ENV).is_some();
    if building.is_none() && !cell {
        return;
    }
    let mut args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if args.is_empty() {
        eprintln!("holoscope: called as a rustc wrapper without a compiler to run");
        std::process::exit(101);
    }
    let rustc = args.remove(0);
    std::process::exit(compile(&rustc, args))
}

/// Compiles with cargo's arguments, or as cargo would have, and returns rustc's exit status.
pub fn compile(rustc: &OsStr, mut args: Vec<OsString>) -> i32 {
    let building = std::env::var_os(BUILD_IMAGE_ENV);
    let cell = std::env::var_os(EVCXR_WRAPPER_ENV).is_some();
    let mut facade = None;
    if building.is_some() {
        args = image_args(args, &target_libdir(rustc));
    } else if let (Some(image), Some(deps)) = (
        std::env::var_os(IMAGE_ENV),
        std::env::var_os(IMAGE_DEPS_ENV),
    ) {
        facade = facade_of(Path::new(&image));
        args = match facade {
            Some(_) => facade_args(args, Path::new(&image)),
            None => cell_args(args, &image, &deps),
        };
    }
    if cell && crate_name(&args) == Some(OsStr::new(CELL)) && emits_a_cell(&args) {
        return note_cell(&args);
    }
    let status = run(rustc, &args);
    let kept = match (building, facade) {
        _ if status != 0 => Ok(()),
        (Some(folder), _) => keep_image(&args, Path::new(&folder)),
        (None, Some(facade)) => stand_in(&args, &facade),
        (None, None) => Ok(()),
    };
    match kept {
        Ok(()) => status,
        Err(error) => {
            eprintln!("holoscope: cannot store rustc's output: {error}");
            101
        }
    }
}

/// Handles evcxr's crate: records how cells are linked, and compiles nothing.
fn note_cell(args: &[OsString]) -> i32 {
    let out = value(args, "--out-dir")
        .map(Path::new)
        .unwrap_or(Path::new("."));
    let object = out.join(format!("lib{CELL}{}", std::env::consts::DLL_SUFFIX));
    // Cargo expects both files.
    let made = std::fs::write(&object, "")
        .and_then(|()| std::fs::write(out.join(format!("{CELL}.d")), ""))
        .and_then(|()| cargo::note(args))
        .and_then(|()| cargo::answer_with_nothing());
    match made {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("holoscope: cannot note how cells are linked: {error}");
            101
        }
    }
}

fn run(rustc: &OsStr, args: &[OsString]) -> i32 {
    let name = crate_name(args).unwrap_or_default().to_string_lossy();
    trace::mark_with(
        "wrapper",
        || json!({ "crate": name, "cargo": trace::cargos_start() }),
    );
    let status = match Command::new(rustc).args(args).status() {
        Ok(status) => status.code().unwrap_or(101),
        Err(error) => {
            eprintln!("holoscope: cannot run {}: {error}", rustc.display());
            101
        }
    };
    trace::mark_with("compiled", || json!({ "crate": name, "status": status }));
    status
}

/// Whether rustc is to write a shared object, and not only to check.
fn emits_a_cell(args: &[OsString]) -> bool {
    let emitted = |arg: &OsString| {
        let text = arg.to_string_lossy();
        text.starts_with("--emit=") && text.contains("link")
    };
    args.iter().any(emitted)
}

/// Copies the shared object that rustc just wrote to the image's own folder:
/// under cargo's name for it, a plain `cargo build` would overwrite it. The crates that
/// ours are linked with are recorded, because cargo's folder contains several builds of
/// a crate; for the library next to its metadata, which cargo may keep.
fn keep_image(args: &[OsString], folder: &Path) -> std::io::Result<()> {
    let Some(out) = value(args, "--out-dir").map(Path::new) else {
        return Ok(());
    };
    match crate_name(args).and_then(OsStr::to_str) {
        Some("holoscope") => replace(&artifact(args, out, "externs"), &externs(args)),
        Some("holoscope_image") if args.iter().any(|a| a.to_string_lossy().contains("link")) => {
            let staged = folder.join(format!("{IMAGE_FILE}.{}", std::process::id()));
            std::fs::copy(out.join(IMAGE_FILE), &staged)?;
            std::fs::rename(&staged, folder.join(IMAGE_FILE))?;
            replace(&folder.join(EXTERNS_FILE), &externs(args))
        }
        _ => Ok(()),
    }
}

/// The `--extern` arguments that name a file, one per line.
fn externs(args: &[OsString]) -> String {
    let named = args.windows(2).filter(|pair| pair[0] == "--extern");
    let lines = named.filter_map(|pair| {
        let text = pair[1].to_str()?;
        text.contains('=').then(|| format!("{text}\n"))
    });
    lines.collect()
}

/// This compiler's folder of libstd.
fn target_libdir(rustc: &OsStr) -> OsString {
    let printed = Command::new(rustc)
        .args(["--print", "target-libdir"])
        .output();
    let text = printed.map(|o| o.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().into()
}

/// A dylib that others link against must share their libstd, hence `prefer-dynamic` and a path
/// to it (absolute, because the image moves). Cells use code that the image's own crate has
/// generated only if it is compiled at a level as low as theirs, hence `opt-level=1`. The image
/// runs on the machine that builds it, hence `target-cpu=native` for the library's own loops.
fn image_args(mut args: Vec<OsString>, libdir: &OsStr) -> Vec<OsString> {
    match crate_name(&args).and_then(OsStr::to_str) {
        Some("holoscope_image") => {
            let mut rpath = OsString::from("-Clink-arg=-Wl,-rpath,");
            rpath.push(libdir);
            args.extend(["-Cprefer-dynamic".into(), rpath, "-Copt-level=1".into()]);
        }
        Some("holoscope") => args.push("-Ctarget-cpu=native".into()),
        _ => {}
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(args: &[&str]) -> Vec<OsString> {
        args.iter().map(OsString::from).collect()
    }

    #[test]
    fn what_our_crates_are_linked_with_is_noted() {
        let dir = tempfile::tempdir().unwrap();
        let mut args = strings(&[
            "--crate-name",
            "holoscope",
            "-Cextra-filename=-12",
            "--extern",
            "serde=/deps/libserde-1.rmeta",
            "--extern",
            "proc_macro",
        ]);
        args.extend(["--out-dir".into(), dir.path().as_os_str().to_owned()]);
        keep_image(&args, dir.path()).unwrap();
        assert_eq!(
            std::fs::read_to_string(dir.path().join("libholoscope-12.externs")).unwrap(),
            "serde=/deps/libserde-1.rmeta\n"
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
        assert!(image.iter().any(|a| a == "-Copt-level=1"));
        let library = image_args(strings(&["--crate-name", "holoscope"]), lib);
        assert!(library.iter().any(|a| a == "-Ctarget-cpu=native"));
        // The library itself stays as fast as cargo's profile makes it.
        assert!(!library.iter().any(|a| a == "-Copt-level=1"));
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
