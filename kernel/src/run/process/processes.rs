//! Process trees from `/proc`: processes that a cell has started must not outlive its kernel.

/// Kills every process below `root`.
pub fn kill_below(root: u32) {
    for pid in descendants(root, 0) {
        signal(pid, libc::SIGKILL);
    }
}

/// Sends a signal. PID 0 is ignored: it means "no process".
pub fn signal(pid: u32, signal: i32) {
    if let (true, Ok(pid)) = (pid > 0, i32::try_from(pid)) {
        // SAFETY: a signal to a descendant of ours.
        unsafe { libc::kill(pid, signal) };
    }
}

/// The processes below `root`, except `spared` and those below it.
#[cfg(target_os = "linux")]
pub fn descendants(root: u32, spared: u32) -> Vec<u32> {
    // PID 0 means "no process" here.
    if root == 0 {
        return Vec::new();
    }
    let mut parents: Vec<(u32, u32)> = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        if let Some(parent) = parent(pid) {
            parents.push((pid, parent));
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        let above = found[at];
        let below = parents
            .iter()
            .filter(|&&(pid, p)| p == above && pid != spared);
        found.extend(below.map(|&(pid, _)| pid));
        at += 1;
    }
    found.split_off(1)
}

#[cfg(not(target_os = "linux"))]
pub fn descendants(_root: u32, _spared: u32) -> Vec<u32> {
    Vec::new()
}

/// The parent of a process: the second field after the name in parentheses.
#[cfg(target_os = "linux")]
fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::{Duration, Instant};

    #[test]
    fn a_compilers_whole_family_is_found_and_the_relay_is_spared() {
        let start = |script: &str| Command::new("sh").args(["-c", script]).spawn().unwrap();
        let mut cargo = start("sleep 60 & wait");
        let mut relay = start("sleep 60 & wait");
        let began = Instant::now();
        while [&cargo, &relay]
            .iter()
            .any(|process| descendants(process.id(), 0).is_empty())
        {
            assert!(began.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(10));
        }
        let found = descendants(std::process::id(), relay.id());
        assert!(found.contains(&cargo.id()));
        assert!(!found.contains(&relay.id()));
        let child = |of: u32| found.iter().any(|&pid| parent(pid) == Some(of));
        assert!(child(cargo.id()));
        assert!(!child(relay.id()));
        for process in [&mut cargo, &mut relay] {
            kill_below(process.id());
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}
