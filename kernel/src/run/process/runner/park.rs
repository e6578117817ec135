//! Parking a thread: it stops where it is, permanently.
//!
//! A cell that does not respond to an interrupt (it sleeps, waits for a lock, or computes in code
//! without checks) cannot be unwound from outside. But it can be left where it is: a signal handler
//! on its thread does not return, and the session continues with another thread. That is sound as
//! long as the thread holds nothing that others need, above all not the allocator's lock. So it is
//! not parked within the C library, except where it waits in a system call.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Whether the signalled thread is to stay in the handler.
static PARK: AtomicBool = AtomicBool::new(false);
/// The handler's result.
static FOUND: AtomicU8 = AtomicU8::new(NOTHING);
const NOTHING: u8 = 0;
const PARKED: u8 = 1;
const ELSEWHERE: u8 = 2;

/// How long a signal takes at most to reach its thread.
const MOST_WAITS: u32 = 200;

/// Prepares for [`park`]; once, before the first cell.
pub fn prepare() {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    imp::prepare();
}

/// Tries to stop a thread where it is; returns whether it stopped.
pub fn park(thread: libc::pthread_t) -> bool {
    FOUND.store(NOTHING, Ordering::SeqCst);
    PARK.store(true, Ordering::SeqCst);
    if !signal(thread) {
        return false;
    }
    for _ in 0..MOST_WAITS {
        match FOUND.load(Ordering::SeqCst) {
            PARKED => return true,
            ELSEWHERE => return false,
            _ => std::thread::sleep(std::time::Duration::from_micros(200)),
        }
    }
    // The signal may still arrive; then the thread must not stay.
    PARK.store(false, Ordering::SeqCst);
    FOUND.load(Ordering::SeqCst) == PARKED
}

/// Lets the last parked thread continue.
pub fn release() {
    PARK.store(false, Ordering::SeqCst);
    // It polls every few milliseconds.
    std::thread::sleep(std::time::Duration::from_millis(10));
}

fn signal(thread: libc::pthread_t) -> bool {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    return imp::signal(thread);
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    {
        let _ = thread;
        false
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod imp {
    use super::{ELSEWHERE, FOUND, PARK, PARKED};
    use std::sync::OnceLock;
    use std::sync::atomic::Ordering;

    /// Code of the C library and of the loader.
    static LIBC: OnceLock<Vec<(usize, usize)>> = OnceLock::new();

    /// System calls in which a thread may wait for a long time.
    const WAITING: [i64; 22] = [
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_pread64,
        libc::SYS_poll,
        libc::SYS_ppoll,
        libc::SYS_select,
        libc::SYS_pselect6,
        libc::SYS_epoll_wait,
        libc::SYS_epoll_pwait,
        libc::SYS_nanosleep,
        libc::SYS_clock_nanosleep,
        libc::SYS_futex,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_connect,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_wait4,
        libc::SYS_waitid,
        libc::SYS_flock,
        libc::SYS_pause,
        libc::SYS_restart_syscall,
    ];

    fn number() -> libc::c_int {
        libc::SIGRTMIN() + 7
    }

    pub fn prepare() {
        LIBC.get_or_init(ranges);
        // SAFETY: a zeroed `sigaction` with a handler and an empty mask is valid; the
        // handler makes only async-signal-safe calls.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler
                as extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void)
                as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(number(), &action, std::ptr::null_mut());
        }
    }

    pub fn signal(thread: libc::pthread_t) -> bool {
        // SAFETY: the thread runs cells and does not end.
        unsafe { libc::pthread_kill(thread, number()) == 0 }
    }

    extern "C" fn handler(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
        // SAFETY: the kernel passes the context of the interrupted thread.
        let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        let at = registers[libc::REG_RIP as usize] as usize;
        let result = registers[libc::REG_RAX as usize];
        if !PARK.load(Ordering::SeqCst) || !may_stop(at, result) {
            FOUND.store(ELSEWHERE, Ordering::SeqCst);
            return;
        }
        FOUND.store(PARKED, Ordering::SeqCst);
        while PARK.load(Ordering::SeqCst) {
            let pause = libc::timespec {
                tv_sec: 0,
                tv_nsec: 5_000_000,
            };
            // SAFETY: reads a local.
            unsafe {
                libc::syscall(
                    libc::SYS_nanosleep,
                    &pause,
                    std::ptr::null_mut::<libc::timespec>(),
                )
            };
            if super::FOR_GOOD.load(Ordering::SeqCst) {
                super::stay();
            }
        }
    }

    /// Whether a thread may be parked at this instruction.
    fn may_stop(at: usize, result: i64) -> bool {
        let libc = LIBC.get().map_or(&[][..], Vec::as_slice);
        if !libc.iter().any(|(start, end)| (*start..*end).contains(&at)) {
            return true;
        }
        // SAFETY: two bytes on either side of an instruction of the C library are its code.
        let code = |from: usize| unsafe { std::slice::from_raw_parts(from as *const u8, 2) };
        const SYSCALL: &[u8] = &[0x0f, 0x05];
        // A call that was interrupted, or that is about to be restarted.
        code(at - 2) == SYSCALL && result == -i64::from(libc::EINTR)
            || code(at) == SYSCALL && WAITING.contains(&result)
    }

    /// The address ranges of the code of the C library and of the loader.
    fn ranges() -> Vec<(usize, usize)> {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let code = maps.lines().filter(|line| {
            let executable = line
                .split(' ')
                .nth(1)
                .is_some_and(|mode| mode.contains('x'));
            let name = line.rsplit('/').next().unwrap_or_default();
            executable
                && ["libc.so", "libc-", "ld-linux", "libpthread"]
                    .iter()
                    .any(|start| name.starts_with(start))
        });
        let ranges = code.filter_map(|line| {
            let (start, end) = line.split(' ').next()?.split_once('-')?;
            Some((
                usize::from_str_radix(start, 16).ok()?,
                usize::from_str_radix(end, 16).ok()?,
            ))
        });
        ranges.collect()
    }
}

/// Whether the parked thread stays parked.
static FOR_GOOD: AtomicBool = AtomicBool::new(false);

/// Leaves the last parked thread where it is.
pub fn keep() {
    FOR_GOOD.store(true, Ordering::SeqCst);
    // It polls every few milliseconds; the flag must be reset before another thread is parked.
    std::thread::sleep(std::time::Duration::from_millis(20));
    FOR_GOOD.store(false, Ordering::SeqCst);
    PARK.store(false, Ordering::SeqCst);
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn stay() {
    loop {
        // SAFETY: waits for a signal, and again after it.
        unsafe { libc::pause() };
    }
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;
    use std::os::unix::thread::JoinHandleExt;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;
    use std::time::{Duration, Instant};

    #[test]
    fn a_thread_stops_where_it_computes_and_where_it_sleeps_and_goes_on_when_released() {
        prepare();
        let count = Arc::new(AtomicU64::new(0));
        for sleeps in [false, true] {
            let counter = Arc::clone(&count);
            let thread = std::thread::spawn(move || {
                loop {
                    counter.fetch_add(1, Ordering::SeqCst);
                    if sleeps {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            });
            let began = Instant::now();
            while !park(thread.as_pthread_t()) {
                assert!(began.elapsed() < Duration::from_secs(10));
            }
            let stands = |count: &AtomicU64| {
                let before = count.load(Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(100));
                count.load(Ordering::SeqCst) == before
            };
            assert!(stands(&count));
            release();
            assert!(!stands(&count));
            while !park(thread.as_pthread_t()) {
                assert!(began.elapsed() < Duration::from_secs(20));
            }
            keep();
            assert!(stands(&count));
        }
    }
}
