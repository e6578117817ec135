//! `holoscope install` and `uninstall`.

use super::{InstallArgs, PlaceArgs, waiting};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::kernelspec;
use crate::session::Session;
use crate::session::workspace::Workspace;

/// Builds the image, tries it, and writes the kernelspec.
pub fn install(args: &InstallArgs) -> Result<i32> {
    if !args.no_build {
        let image = waiting::build()?;
        if !args.no_session {
            try_session(&image)?;
        }
    }
    let exe = std::env::current_exe().map_err(Error::io("find", "the running program"))?;
    let dir = kernelspec::install(&exe, args.place.prefix.as_deref())?;
    println!("installed {}", dir.display());
    Ok(0)
}

/// Starts a session and ends it. That shows that cells run here, and what only the
/// first session has to do is done: its first cells are compiled.
fn try_session(image: &Image) -> Result<()> {
    eprintln!("holoscope: trying a first session");
    let workspace = Workspace::acquire()?;
    // SAFETY: the threads that read what cargo said have ended.
    unsafe { workspace.export()? };
    Session::start(workspace, image, Box::new(|_| {}))?;
    Ok(())
}

/// Removes the kernelspec.
pub fn uninstall(args: &PlaceArgs) -> Result<i32> {
    match kernelspec::uninstall(args.prefix.as_deref())? {
        Some(dir) => println!("removed {}", dir.display()),
        None => println!("not installed"),
    }
    Ok(0)
}
