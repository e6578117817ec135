//! The runner: loads each cell's shared object and calls it, one after the other.

use super::ordered::{self, Tag};
use super::runtime::{IMAGE_ENV, Instruction};
use super::snapshot::{self, Taken};
use crate::trace;
use std::ffi::{CString, c_void};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

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

/// The pipe of instructions; a cell that reads from its standard input reads its answer there.
static CONTROL: Mutex<Option<BufReader<File>>> = Mutex::new(None);
/// True while a cell runs: only then can the user be asked.
static RUNNING: AtomicBool = AtomicBool::new(false);

fn next_instruction() -> Option<Instruction> {
    let mut control = CONTROL.lock().unwrap_or_else(PoisonError::into_inner);
    let mut line = String::new();
    match control.as_mut()?.read_line(&mut line) {
        Ok(n) if n > 0 => serde_json::from_str(&line).ok(),
        _ => None,
    }
}

/// Follows instructions; never returns.
pub fn run_cells(records: RawFd, control: RawFd) -> ! {
    keep_memory_warm();
    ordered::start(records);
    // SAFETY: the relay handed the descriptor down for this process alone.
    let control = BufReader::new(unsafe { File::from_raw_fd(control) });
    *CONTROL.lock().unwrap_or_else(PoisonError::into_inner) = Some(control);
    let streams = Streams::keep();
    // SAFETY: no arguments, no failure.
    let relay = unsafe { libc::getppid() };
    let library = Library::load();
    while let Some(instruction) = next_instruction() {
        match instruction {
            Instruction::Run { object, function } => {
                tell(Tag::Begin, b"");
                let taken = snapshot::take(relay);
                if let Taken::Restored = taken {
                    let pid = std::process::id().to_string();
                    tell(Tag::Restored, pid.as_bytes());
                    continue;
                }
                RUNNING.store(true, Ordering::SeqCst);
                if let Err(error) = load_and_run(&object, &function) {
                    fatal(&format!("cannot run the cell: {error}"));
                }
                library.after_cell();
                RUNNING.store(false, Ordering::SeqCst);
                streams.restore();
                taken.discard();
            }
            Instruction::Drop { names } => {
                tell(Tag::Begin, b"");
                library.drop_variables(&names);
                library.after_cell();
            }
            // To a question that nobody waits for any more.
            Instruction::Answer { .. } => continue,
        }
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

/// The library's functions for the kernel.
struct Library {
    after_cell: Option<extern "C" fn()>,
    drop: Option<unsafe extern "C" fn(*const u8, usize)>,
}

impl Library {
    /// Loads the image, so that the first cell finds it there.
    fn load() -> Self {
        let Some(path) = std::env::var_os(IMAGE_ENV) else {
            fatal("nobody says where the library is");
        };
        // SAFETY: `main` has not started a thread.
        unsafe { std::env::remove_var(IMAGE_ENV) };
        let handle = match open(Path::new(&path)) {
            Ok(handle) => handle,
            Err(error) => fatal(&format!("cannot load the library: {error}")),
        };
        // SAFETY: the library defines these functions with these types (`holoscope::host`).
        unsafe {
            let start = libc::dlsym(handle, c"holoscope_start".as_ptr());
            if start.is_null() {
                fatal("the library has no `holoscope_start`");
            }
            let start: extern "C" fn(extern "C" fn(*const u8, usize)) = std::mem::transmute(start);
            start(notice);
            let after = libc::dlsym(handle, c"holoscope_after_cell".as_ptr());
            let drop = libc::dlsym(handle, c"holoscope_drop".as_ptr());
            Self {
                after_cell: (!after.is_null()).then(|| std::mem::transmute::<*mut c_void, extern "C" fn()>(after)),
                drop: (!drop.is_null())
                    .then(|| std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*const u8, usize)>(drop)),
            }
        }
    }

    fn after_cell(&self) {
        if let Some(after) = self.after_cell {
            after();
        }
    }

    fn drop_variables(&self, names: &[String]) {
        let text = names.join("\n");
        if let Some(drop) = self.drop {
            // SAFETY: the text lives as long as the call.
            unsafe { drop(text.as_ptr(), text.len()) };
        }
    }
}

/// Takes the library's notices.
extern "C" fn notice(bytes: *const u8, length: usize) {
    // SAFETY: the library passes text that lives as long as the call.
    let bytes = unsafe { std::slice::from_raw_parts(bytes, length) };
    // Without the relay there is nobody to tell.
    let _ = ordered::send_notice(bytes);
}

fn open(object: &Path) -> Result<*mut c_void, String> {
    let path = CString::new(object.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
    // SAFETY: loads an object that the session has made.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        // SAFETY: dlopen has just failed.
        let error = unsafe { std::ffi::CStr::from_ptr(libc::dlerror()) };
        return Err(error.to_string_lossy().into_owned());
    }
    Ok(handle)
}

/// Loads a cell and calls it. The object stays loaded: values in the store may
/// point into it.
fn load_and_run(object: &Path, function: &str) -> Result<(), String> {
    let name = CString::new(function).map_err(|e| e.to_string())?;
    trace::mark("load");
    let handle = open(object)?;
    // SAFETY: the object was compiled for this call: `name` is an `extern "C" fn()`.
    unsafe {
        let symbol = libc::dlsym(handle, name.as_ptr());
        if symbol.is_null() {
            return Err(format!("{function} is not in {}", object.display()));
        }
        let cell: extern "C" fn() = std::mem::transmute(symbol);
        trace::mark("call");
        cell();
        trace::mark("returned");
    }
    Ok(())
}

/// Stands in the place of libc's function for all that is loaded into this program: who reads from
/// the standard input asks the user for a line.
///
/// # Safety
/// As read(2).
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(fd: libc::c_int, bytes: *mut c_void, n: usize) -> isize {
    if fd != 0 || n == 0 || !RUNNING.load(Ordering::SeqCst) {
        // SAFETY: promised by the caller.
        return unsafe { libc::syscall(libc::SYS_read, fd, bytes, n) as isize };
    }
    let line = REST.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut line) = line.or_else(ask) else {
        return 0;
    };
    let rest = line.split_off(n.min(line.len()));
    // SAFETY: at most `n` bytes, which the caller owns.
    unsafe { std::ptr::copy_nonoverlapping(line.as_ptr(), bytes.cast(), line.len()) };
    if !rest.is_empty() {
        *REST.lock().unwrap_or_else(PoisonError::into_inner) = Some(rest);
    }
    isize::try_from(line.len()).unwrap_or(0)
}

/// What of an answer has not been read yet.
static REST: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// The user's answer; none where nobody can answer.
fn ask() -> Option<Vec<u8>> {
    ordered::send(Tag::Ask, b"").ok()?;
    match next_instruction() {
        Some(Instruction::Answer { line: Some(line) }) => Some(format!("{line}\n").into_bytes()),
        _ => None,
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
