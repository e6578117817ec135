//! Whether the extensions by which JupyterLab and Notebook 7 show widgets are installed.
//!
//! Source: `jupyter_core/paths.py` (`jupyter_path`), JupyterLab's "Extension developer guide".

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The place of an extension below a Jupyter data folder, and the package that installs it.
const EXTENSIONS: [(&str, &str); 2] = [
    (
        "labextensions/@jupyter-widgets/jupyterlab-manager",
        "jupyterlab_widgets",
    ),
    ("labextensions/anywidget", "anywidget"),
];

/// The command that installs what JupyterLab lacks to show widgets; `None` if nothing is missing.
/// `data` is the user's own data folder.
pub fn missing(data: Option<PathBuf>) -> Option<String> {
    let folders = folders(data, |name| std::env::var_os(name));
    let packages = missing_in(&folders);
    (!packages.is_empty()).then(|| format!("pip install {}", packages.join(" ")))
}

fn missing_in(folders: &[PathBuf]) -> Vec<&'static str> {
    let lacks = |place: &str| !folders.iter().any(|folder| folder.join(place).is_dir());
    let missing = EXTENSIONS.iter().filter(|(place, _)| lacks(place));
    missing.map(|(_, package)| *package).collect()
}

/// Jupyter's data folders: those of `JUPYTER_PATH`, the user's, the one next to the `jupyter` on
/// `PATH`, and the system's.
fn folders(data: Option<PathBuf>, env: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let listed = |name: &str| {
        let value = env(name).unwrap_or_default();
        std::env::split_paths(&value).collect::<Vec<_>>()
    };
    let beside = listed("PATH").into_iter().find_map(|folder| {
        let program = folder.join("jupyter");
        let real = std::fs::canonicalize(&program).ok()?;
        // The script itself is in its environment; a link to it may be elsewhere.
        Some(real.parent()?.parent()?.join("share/jupyter"))
    });
    let system = ["/usr/local/share/jupyter", "/usr/share/jupyter"];
    let mut folders = listed("JUPYTER_PATH");
    folders.extend(data);
    folders.extend(beside);
    folders.extend(system.iter().map(Path::new).map(Path::to_owned));
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_by_its_package() {
        let dir = tempfile::tempdir().unwrap();
        let folders = [dir.path().join("none"), dir.path().to_owned()];
        assert_eq!(missing_in(&folders), ["jupyterlab_widgets", "anywidget"]);
        std::fs::create_dir_all(dir.path().join("labextensions/anywidget")).unwrap();
        assert_eq!(missing_in(&folders), ["jupyterlab_widgets"]);
    }

    #[test]
    fn extensions_are_looked_for_beside_the_jupyter_that_is_on_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("env/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join("jupyter"), "").unwrap();
        let root = std::fs::canonicalize(dir.path()).unwrap();
        let env = |name: &str| match name {
            "PATH" => Some(bin.clone().into_os_string()),
            "JUPYTER_PATH" => Some(OsString::from("/first")),
            _ => None,
        };
        let folders = folders(Some(PathBuf::from("/own")), env);
        let expected = [
            PathBuf::from("/first"),
            PathBuf::from("/own"),
            root.join("env/share/jupyter"),
        ];
        assert_eq!(folders[..3], expected);
    }
}
