//! `holoscope install` and `uninstall`.

use super::{InstallArgs, PlaceArgs, waiting};
use crate::error::{Error, Result};
use crate::kernelspec;

/// Builds the image and writes the kernelspec.
pub fn install(args: &InstallArgs) -> Result<i32> {
    if !args.no_build {
        waiting::build()?;
    }
    let exe = std::env::current_exe().map_err(Error::io("find", "the running program"))?;
    let dir = kernelspec::install(&exe, args.place.prefix.as_deref())?;
    println!("installed {}", dir.display());
    Ok(0)
}

/// Removes the kernelspec.
pub fn uninstall(args: &PlaceArgs) -> Result<i32> {
    match kernelspec::uninstall(args.prefix.as_deref())? {
        Some(dir) => println!("removed {}", dir.display()),
        None => println!("not installed"),
    }
    Ok(0)
}
