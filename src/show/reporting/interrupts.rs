//! The flag that an interrupt sets, and the loops that handle it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::progress::Listening;
use crate::show::display::Channel;

/// Set by an interrupt (SIGINT), cleared when it has had its effect: in Holoscope's
/// kernel when the cell is over, elsewhere when the next loop begins.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Whether some loop has seen the interrupt.
static HEARD: AtomicBool = AtomicBool::new(false);
/// Whether the kernel has loaded this library.
static KERNEL: AtomicBool = AtomicBool::new(false);

/// Called between two steps of the library's loops (callbacks of widgets).
static BETWEEN_STEPS: OnceLock<fn()> = OnceLock::new();

/// Calls `work` between two steps of the library's loops from now on; only the first call counts.
pub(crate) fn call_between_steps(work: fn()) {
    BETWEEN_STEPS.get_or_init(|| work);
}

/// True once the user has interrupted, for loops in a cell that want to stop early:
/// in Holoscope's kernel until the cell is over, so that its later loops stop at
/// once; elsewhere until the next loop with a [`NotebookReporter`] begins.
#[inline]
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed) && heard()
}

#[cold]
fn heard() -> bool {
    HEARD.store(true, Ordering::SeqCst);
    true
}

/// [`interrupted`], checked between two steps of a library loop; first does the pending work.
pub(crate) fn interrupted_between_steps() -> bool {
    if let Some(work) = BETWEEN_STEPS.get() {
        work();
    }
    interrupted()
}

/// Whether an interrupt is pending, and whether a loop has handled or will handle it.
pub(crate) fn interrupt() -> (bool, bool) {
    let hears = HEARD.load(Ordering::SeqCst) || Listening::anyone();
    (INTERRUPTED.load(Ordering::SeqCst), hears)
}

/// From now on interrupts only set a flag: the kernel stops code that does not check for them.
pub(crate) fn leave_interrupts_to_the_kernel() {
    KERNEL.store(true, Ordering::SeqCst);
    hear_interrupts();
}

/// Clears an interrupt: the cell that it was meant for is over.
pub(crate) fn forget_interrupt() {
    INTERRUPTED.store(false, Ordering::SeqCst);
    HEARD.store(false, Ordering::SeqCst);
}

/// Handles interrupts in a loop of the library without a reporter.
#[derive(Debug)]
pub(crate) struct Interrupts {
    /// Present so that loops begin with [`Interrupts::listen`].
    _begun: Listening,
}

impl Interrupts {
    /// Begins a loop, which clears any pending interrupt as described for [`interrupted`].
    pub(crate) fn listen() -> Self {
        if Channel::current() == Channel::Blocks {
            forget_interrupt();
        }
        Self {
            _begun: Listening::begin(),
        }
    }

    /// True when the user has requested the loop to stop.
    pub(crate) fn heard(&self) -> bool {
        interrupted_between_steps()
    }

    /// The error of a loop (`what`) that has no result when it is stopped.
    pub(crate) fn check(&self, what: &'static str) -> Result<()> {
        match self.heard() {
            true => Err(Error::Interrupted { what }),
            false => Ok(()),
        }
    }
}

#[cfg(all(unix, feature = "notebook"))]
pub(crate) fn hear_interrupts() {
    static INSTALLED: std::sync::Once = std::sync::Once::new();

    extern "C" fn on_interrupt(signal: libc::c_int) {
        // Only async-signal-safe calls here: an atomic, signal(2), raise(3).
        if INTERRUPTED.swap(true, Ordering::SeqCst) && !KERNEL.load(Ordering::SeqCst) {
            // SAFETY: both functions are async-signal-safe (POSIX.1-2017, 2.4.3).
            unsafe {
                libc::signal(signal, libc::SIG_DFL);
                libc::raise(signal);
            }
        }
    }

    INSTALLED.call_once(|| {
        // SAFETY: a zeroed `sigaction` with a handler, an empty mask and SA_RESTART
        // is a complete one, and the handler is async-signal-safe.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_interrupt as extern "C" fn(libc::c_int) as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(libc::SIGINT, &action, std::ptr::null_mut());
        }
    });
}

/// There is no source of interrupts here.
#[cfg(not(all(unix, feature = "notebook")))]
pub(crate) fn hear_interrupts() {}
