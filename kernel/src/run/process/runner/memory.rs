//! Freed memory: kept for the next tensors, and returned when a session is idle or the machine is short
//! of memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a session waits for an instruction before it returns what it does not use.
pub const IDLE: Duration = Duration::from_secs(5);
/// Bytes that an idle session may hold.
const HELD: u64 = 1 << 30;
/// Bytes at the heap's end that stay when memory is returned.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: usize = 64 << 20;

/// Bytes in use after memory was last returned.
static IN_USE: AtomicU64 = AtomicU64::new(0);

/// Tensors of hundreds of megabytes come and go: keep freed memory instead of
/// returning it, because touching fresh pages costs more than the arithmetic on
/// them (2.8 GB/s against 32 GB/s for warm memory on the machines measured).
pub fn keep_warm() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets parameters of the allocator, before any thread starts.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_ARENA_MAX, 1);
        // The largest value as an unsigned number: the heap never shrinks by itself.
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
        libc::mallopt(libc::M_TOP_PAD, KEPT as i32);
    }
}

/// Returns the memory that an idle session does not use. This takes about 0.1 s per GB, and the next
/// cell touches fresh pages, so it is not done between the cells of a run.
pub fn return_idle() {
    return_above(HELD);
}

/// Returns memory after a cell if the process holds more than half of the machine's.
pub fn return_if_short() {
    if let Some(all) = machine() {
        return_above(all / 2);
    }
}

fn return_above(limit: u64) {
    let in_use = IN_USE.load(Ordering::Relaxed);
    // Memory of the variables cannot be returned: try again only once the process has grown.
    let worth_it = |held: u64| held > limit.max(in_use + in_use / 8);
    if resident().is_some_and(worth_it) {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        // SAFETY: takes the allocator's own lock.
        unsafe {
            libc::malloc_trim(KEPT);
        }
        IN_USE.store(resident().unwrap_or(0), Ordering::Relaxed);
    }
}

/// Bytes of this process in memory.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages * page()?)
}

/// Bytes of memory that this process may use: the machine's, or its control group's.
fn machine() -> Option<u64> {
    // SAFETY: reads a constant of the system.
    let pages = u64::try_from(unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) }).ok()?;
    let all = pages * page()?;
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max");
    let group = group.ok().and_then(|text| text.trim().parse().ok());
    Some(group.map_or(all, |group: u64| group.min(all)))
}

fn page() -> Option<u64> {
    // SAFETY: reads a constant of the system.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_resident_size_counts_pages_that_were_touched() {
        let before = resident().unwrap();
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = resident().unwrap();
        assert!(after > before + (32 << 20), "{before} {after}");
        assert!(after < machine().unwrap());
        drop(block);
    }
}
