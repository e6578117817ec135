//! The kernelspec: how Jupyter's frontends find and start this kernel.
//!
//! A folder `kernels/holoscope` in a Jupyter data folder, with `kernel.json` and a logo.
//! Source: <https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs>.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::error::{Error, Result};

/// The name that `jupyter --kernel` and notebooks' metadata use.
pub const NAME: &str = "holoscope";

/// The name shown to users.
pub const DISPLAY_NAME: &str = "Rust (Holoscope)";

const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="64" height="64">
<title>Holoscope</title>
<circle cx="32" cy="32" r="30" fill="#0b2a4a"/>
<g fill="none" stroke-linecap="round" stroke-width="4">
<path d="M14 32a18 18 0 0 1 36 0" stroke="#56b4e9"/>
<path d="M20 38a12 12 0 0 1 24 0" stroke="#e69f00"/>
<path d="M26 44a6 6 0 0 1 12 0" stroke="#f0f4f8"/>
</g>
</svg>
"##;

/// Writes the kernelspec that starts `exe`; returns its folder.
///
/// With a `prefix`, into `prefix/share/jupyter` (an environment's frontends look there); without one, into the
/// user's own Jupyter folder. An existing kernelspec is replaced.
///
/// # Errors
/// When there is no such folder or it cannot be written.
pub fn install(exe: &Path, prefix: Option<&Path>) -> Result<PathBuf> {
    let folder = folder(prefix)?;
    std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    let spec = json!({
        "argv": [exe, "kernel", "--connection-file", "{connection_file}"],
        "display_name": DISPLAY_NAME,
        "language": "rust",
        "interrupt_mode": "message",
        "metadata": {"debugger": false},
    });
    let text = format!("{spec:#}\n");
    for (name, content) in [("logo-svg.svg", LOGO), ("kernel.json", &text)] {
        let path = folder.join(name);
        std::fs::write(&path, content).map_err(Error::io("write", &path))?;
    }
    Ok(folder)
}

/// Removes the kernelspec from where [`install`] writes it; returns the folder, or `None` if there was none.
///
/// # Errors
/// When it exists and cannot be removed.
pub fn uninstall(prefix: Option<&Path>) -> Result<Option<PathBuf>> {
    let folder = folder(prefix)?;
    if !folder.exists() {
        return Ok(None);
    }
    std::fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
    Ok(Some(folder))
}

/// The folder of the kernelspec, whether or not it exists.
///
/// # Errors
/// When there is neither a prefix nor a home folder.
pub fn folder(prefix: Option<&Path>) -> Result<PathBuf> {
    let data = match prefix {
        Some(prefix) => {
            let prefix = std::path::absolute(prefix).map_err(Error::io("find", prefix))?;
            prefix.join("share").join("jupyter")
        }
        None => {
            let missing = std::io::Error::other("no home folder is known; give --prefix");
            users_data_folder().ok_or_else(|| {
                Error::io("find the Jupyter folder of the user, below", "~")(missing)
            })?
        }
    };
    Ok(data.join("kernels").join(NAME))
}

/// The user's Jupyter data folder, as `jupyter --data-dir` prints it; `None` without a home folder.
pub fn users_data_folder() -> Option<PathBuf> {
    data_folder(|name| std::env::var_os(name))
}

fn data_folder(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| env(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(folder) = set("JUPYTER_DATA_DIR") {
        return Some(folder);
    }
    if cfg!(windows) {
        return set("APPDATA").map(|folder| folder.join("jupyter"));
    }
    if cfg!(target_os = "macos") {
        return set("HOME").map(|home| home.join("Library").join("Jupyter"));
    }
    set("XDG_DATA_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local").join("share")))
        .map(|folder| folder.join("jupyter"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installing_then_uninstalling_a_prefix_leaves_nothing_of_ours() {
        let prefix = tempfile::tempdir().unwrap();
        let folder = install(Path::new("/opt/holoscope"), Some(prefix.path())).unwrap();
        assert!(folder.ends_with("share/jupyter/kernels/holoscope"));
        let text = std::fs::read_to_string(folder.join("kernel.json")).unwrap();
        let spec: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            spec["argv"],
            json!([
                "/opt/holoscope",
                "kernel",
                "--connection-file",
                "{connection_file}"
            ])
        );
        assert_eq!(spec["interrupt_mode"], "message");
        assert_eq!(spec["language"], "rust");
        assert!(folder.join("logo-svg.svg").exists());
        assert_eq!(uninstall(Some(prefix.path())).unwrap(), Some(folder));
        assert_eq!(uninstall(Some(prefix.path())).unwrap(), None);
    }

    #[cfg(all(unix, not(target_os = "macos")))]
    #[test]
    fn the_data_folder_is_the_one_that_jupyter_uses() {
        let with = |vars: &'static [(&str, &str)]| {
            data_folder(|name| vars.iter().find(|v| v.0 == name).map(|v| v.1.into()))
        };
        assert_eq!(with(&[]), None);
        assert_eq!(
            with(&[("HOME", "/h")]),
            Some("/h/.local/share/jupyter".into())
        );
        assert_eq!(
            with(&[("HOME", "/h"), ("XDG_DATA_HOME", "/x")]),
            Some("/x/jupyter".into())
        );
        assert_eq!(
            with(&[("HOME", "/h"), ("JUPYTER_DATA_DIR", "/j")]),
            Some("/j".into())
        );
    }
}
