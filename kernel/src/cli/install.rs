//! `holoscope install` and `uninstall`.

use super::arguments::{InstallArgs, PlaceArgs};
use super::waiting;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::kernelspec;
use crate::session::workspace::Workspace;
use crate::session::{Outcome, Session, nobody};

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
    let prefix = args.place.prefix.as_deref();
    let data = prefix.map(|prefix| prefix.join("share/jupyter"));
    let data = data.or_else(kernelspec::users_data_folder);
    if let Some(command) = crate::labextensions::missing(data) {
        println!("interactive widgets need in JupyterLab's environment: {command}");
    }
    Ok(0)
}

/// Runs a cell and a code query in a session. This shows that both work on this machine, and does
/// the work that only the first session has to do.
fn try_session(image: &Image) -> Result<()> {
    eprintln!("holoscope: trying a first session");
    let workspace = Workspace::acquire()?;
    // SAFETY: the threads that read cargo's output have ended.
    unsafe { workspace.export()? };
    let mut session = Session::start(workspace, image, Box::new(|_| {}))?;
    if let Outcome::Failed(error) = session.execute("1 + 1", 1, &mut |_| {}, &nobody) {
        let text = error.traceback.join("\n");
        return Err(Error::Session(format!(
            "a cell cannot run: {}\n{text}",
            error.evalue
        )));
    }
    session.try_analysis()
}

/// Removes the kernelspec.
pub fn uninstall(args: &PlaceArgs) -> Result<i32> {
    match kernelspec::uninstall(args.prefix.as_deref())? {
        Some(dir) => println!("removed {}", dir.display()),
        None => println!("not installed"),
    }
    Ok(0)
}
