//! The library's functions for the kernel (`holoscope::host`), in the process that runs cells.

use crate::run::process::ordered;
use std::ffi::{CStr, CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

type Tell = extern "C" fn(*const u8, usize);

/// The effect of an interrupt so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    None,
    /// Nothing has noticed it.
    Unheard,
    /// A loop has noticed it, or will.
    Heard,
}

/// The functions that the library exports for the kernel.
#[derive(Clone, Copy)]
pub struct Library {
    after_cell: extern "C" fn(),
    drop: unsafe extern "C" fn(*const u8, usize),
    cells_run_here: extern "C" fn(),
    interrupt: extern "C" fn() -> u8,
    probe: extern "C" fn(),
    comm: unsafe extern "C" fn(*const u8, usize),
    answer_comms: extern "C" fn(),
    restored: extern "C" fn(),
}

impl Library {
    /// Loads the image, so that it is loaded before the first cell. Called on the thread that runs
    /// cells.
    pub fn load(image: &Path) -> Result<Self, String> {
        let handle = open(image)?;
        // SAFETY: the library defines these functions with these types.
        unsafe {
            let start: extern "C" fn(Tell) =
                std::mem::transmute(symbol(handle, c"holoscope_start")?);
            start(notice);
            Ok(Self {
                after_cell: std::mem::transmute::<*mut c_void, extern "C" fn()>(symbol(
                    handle,
                    c"holoscope_after_cell",
                )?),
                drop: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*const u8, usize)>(
                    symbol(handle, c"holoscope_drop")?,
                ),
                cells_run_here: std::mem::transmute::<*mut c_void, extern "C" fn()>(symbol(
                    handle,
                    c"holoscope_cells_run_here",
                )?),
                interrupt: std::mem::transmute::<*mut c_void, extern "C" fn() -> u8>(symbol(
                    handle,
                    c"holoscope_interrupt",
                )?),
                probe: std::mem::transmute::<*mut c_void, extern "C" fn()>(symbol(
                    handle,
                    c"holoscope_probe",
                )?),
                comm: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*const u8, usize)>(
                    symbol(handle, c"holoscope_comm")?,
                ),
                answer_comms: std::mem::transmute::<*mut c_void, extern "C" fn()>(symbol(
                    handle,
                    c"holoscope_answer_comms",
                )?),
                restored: std::mem::transmute::<*mut c_void, extern "C" fn()>(symbol(
                    handle,
                    c"holoscope_restored",
                )?),
            })
        }
    }

    /// Queues a frontend's message for a widget, from any thread.
    pub fn comm(&self, message: &str) {
        // SAFETY: the text lives as long as the call.
        unsafe { (self.comm)(message.as_ptr(), message.len()) };
    }

    /// Answers the queued messages, on the thread that runs cells.
    pub fn answer_comms(&self) {
        (self.answer_comms)();
    }

    /// This process continues from the state before a cell, or without a cell that is parked.
    pub fn restored(&self) {
        (self.restored)();
    }

    pub fn after_cell(&self) {
        (self.after_cell)();
    }

    pub fn drop_variables(&self, names: &[String]) {
        let text = names.join("\n");
        // SAFETY: the text lives as long as the call.
        unsafe { (self.drop)(text.as_ptr(), text.len()) };
    }

    pub fn cells_run_here(&self) {
        (self.cells_run_here)();
    }

    pub fn interrupt(&self) -> Interrupt {
        match (self.interrupt)() {
            0 => Interrupt::None,
            1 => Interrupt::Unheard,
            _ => Interrupt::Heard,
        }
    }

    /// Returns if a parked cell holds nothing that every other one needs.
    pub fn probe(&self) {
        (self.probe)();
    }
}

/// Receives the library's notices.
extern "C" fn notice(bytes: *const u8, length: usize) {
    // SAFETY: the library passes text that lives as long as the call.
    let bytes = unsafe { std::slice::from_raw_parts(bytes, length) };
    // Fails only if the relay is gone; then the notice has no reader.
    let _ = ordered::send_notice(bytes);
}

/// Loads an object. It stays loaded: values may point into it.
pub fn open(object: &Path) -> Result<*mut c_void, String> {
    let path = CString::new(object.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
    // SAFETY: loads an object that the session has built.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        // SAFETY: dlopen has just failed.
        let error = unsafe { CStr::from_ptr(libc::dlerror()) };
        return Err(error.to_string_lossy().into_owned());
    }
    Ok(handle)
}

/// A function of an object.
pub fn symbol(handle: *mut c_void, name: &CStr) -> Result<*mut c_void, String> {
    // SAFETY: the handle is that of a loaded object.
    let symbol = unsafe { libc::dlsym(handle, name.as_ptr()) };
    match symbol.is_null() {
        true => Err(format!("{} is not there", name.to_string_lossy())),
        false => Ok(symbol),
    }
}
