//! The runner: loads each cell's shared object and calls it, one after the other.

use super::ordered::{self, Tag};
use super::snapshot::{self, Taken};
use crate::trace;
use std::ffi::{CString, c_void};
use std::io::BufRead;
use std::os::fd::RawFd;

/// Copies of stdout and stderr, in case a cell closes or replaces them.
struct Streams([RawFd; 2]);

impl Streams {
    fn keep() -> Self {
        Self([1, 2].map(|fd| {
            // SAFETY: copies a descriptor of this process, out of the way of a user's own.
            unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 200) }
        }))
    }

    /// Puts the streams back where the cell has changed them.
    fn restore(&self) {
        for (fd, copy) in [1, 2].into_iter().zip(self.0) {
            if copy >= 0 && !ordered::is_original(fd) {
                // SAFETY: both descriptors belong to this process.
                unsafe { libc::dup2(copy, fd) };
            }
        }
    }
}

/// Reads `LOAD_AND_RUN` lines and runs them; never returns.
pub fn run_cells(records: RawFd) -> ! {
    keep_memory_warm();
    ordered::start(records);
    let streams = Streams::keep();
    // SAFETY: no arguments, no failure.
    let relay = unsafe { libc::getppid() };
    let mut store: *mut c_void = std::ptr::null_mut();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let mut words = line.split(' ');
        let (Some("LOAD_AND_RUN"), Some(so), Some(function)) =
            (words.next(), words.next(), words.next())
        else {
            fatal(&format!("not an instruction: {line:?}"));
        };
        tell(Tag::Begin, b"");
        let taken = snapshot::take(relay);
        if let Taken::Restored = taken {
            let pid = std::process::id().to_string();
            tell(Tag::Restored, pid.as_bytes());
            continue;
        }
        match load_and_run(so, function, store) {
            Ok(new) => store = new,
            Err(error) => fatal(&format!("cannot run the cell: {error}")),
        }
        streams.restore();
        taken.discard();
        tell(Tag::Complete, b"");
    }
    std::process::exit(0)
}

/// Without the relay there is nobody to run for.
fn tell(tag: Tag, bytes: &[u8]) {
    if ordered::send(tag, bytes).is_err() {
        std::process::exit(98);
    }
}

fn fatal(message: &str) -> ! {
    eprintln!("{message}");
    std::process::exit(99)
}

/// Loads a cell and calls it. The object stays loaded: values in the store may
/// point into it.
fn load_and_run(so: &str, function: &str, store: *mut c_void) -> Result<*mut c_void, String> {
    let path = CString::new(so).map_err(|e| e.to_string())?;
    let name = CString::new(function).map_err(|e| e.to_string())?;
    // SAFETY: the object was compiled by evcxr for this call: `name` is an
    // `extern "C" fn(*mut c_void) -> *mut c_void` over its variable store.
    unsafe {
        trace::mark("load");
        let handle = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        if handle.is_null() {
            return Err(std::ffi::CStr::from_ptr(libc::dlerror())
                .to_string_lossy()
                .into_owned());
        }
        let symbol = libc::dlsym(handle, name.as_ptr());
        if symbol.is_null() {
            return Err(format!("{function} is not in {so}"));
        }
        let cell: extern "C" fn(*mut c_void) -> *mut c_void = std::mem::transmute(symbol);
        trace::mark("call");
        let store = cell(store);
        trace::mark("returned");
        // The cell's own libstd may hold an unfinished line; ours cannot see it.
        let after = libc::dlsym(handle, c"holoscope_after_cell".as_ptr());
        if !after.is_null() {
            let after: extern "C" fn() = std::mem::transmute(after);
            after();
        }
        Ok(store)
    }
}

/// Tensors come and go by the hundred megabytes: keep freed memory instead of
/// returning it, because touching fresh pages costs more than the arithmetic on
/// them (2.8 GB/s against 32 GB/s for warm memory on the machines measured).
fn keep_memory_warm() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets parameters of the allocator, before any thread starts.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}
