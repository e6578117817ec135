//! Prints a page with Chromium.

use crate::error::{Error, Result};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

/// The environment variable that names the browser to print with.
const CHOSEN: &str = "HOLOSCOPE_CHROMIUM";
/// Names of browsers in `PATH`.
const NAMES: [&str; 9] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "brave-browser",
    "microsoft-edge",
    "microsoft-edge-stable",
    "headless_shell",
];
/// Locations of browsers on macOS.
const ON_A_MAC: [&str; 3] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
];
/// A browser that takes longer to print is stopped.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long to wait for its remaining error output after it has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Polling interval for the browser's exit.
const LOOK: Duration = Duration::from_millis(20);

/// A browser that prints.
pub struct Browser {
    pub program: PathBuf,
}

impl Browser {
    /// The browser that HOLOSCOPE_CHROMIUM names, or the first that is installed.
    ///
    /// # Errors
    /// If no browser is found.
    pub fn find() -> Result<Self> {
        if let Some(chosen) = std::env::var_os(CHOSEN).filter(|path| !path.is_empty()) {
            let program = PathBuf::from(chosen);
            return match program.is_file() {
                true => Ok(Self { program }),
                false => Err(failed(format!(
                    "{CHOSEN} names {}, which is no file",
                    program.display()
                ))),
            };
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let in_path =
            std::env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
        let found = in_path
            .chain(ON_A_MAC.map(PathBuf::from))
            .find(|at| at.is_file());
        match found {
            Some(program) => Ok(Self { program }),
            None => Err(failed(format!(
                "there is no Chromium, Chrome or Edge in PATH; install one \
                 (apt install chromium, brew install --cask chromium), or name one in {CHOSEN}"
            ))),
        }
    }

    /// The page as a PDF with an outline; its style sheet numbers the pages.
    ///
    /// # Errors
    /// What the browser reports if it prints nothing, or a timeout.
    pub fn print(&self, html: &str) -> Result<Vec<u8>> {
        let folder = tempfile::Builder::new()
            .prefix("holoscope-print-")
            .tempdir();
        let folder = folder.map_err(Error::io("create", std::env::temp_dir()))?;
        let path = std::path::absolute(folder.path());
        let path = path.map_err(Error::io("resolve", folder.path()))?;
        let (page, pdf) = (path.join("page.html"), path.join("page.pdf"));
        std::fs::write(&page, html).map_err(Error::io("write", &page))?;
        let mut browser = self.command(&path, &page, &pdf);
        let mut browser = browser.spawn().map_err(Error::io("start", &self.program))?;
        let said = wait(&mut browser)?;
        match std::fs::read(&pdf) {
            Ok(bytes) if bytes.starts_with(b"%PDF-") => Ok(bytes),
            _ => Err(failed(format!(
                "{} has printed nothing; it says:\n{}",
                self.program.display(),
                last_lines(&said)
            ))),
        }
    }

    fn command(&self, folder: &Path, page: &Path, pdf: &Path) -> Command {
        let mut command = Command::new(&self.program);
        let option = |name: &str, path: &Path| {
            let mut option = std::ffi::OsString::from(name);
            option.push(path);
            option
        };
        command
            .args([
                "--headless",
                "--disable-gpu",
                "--no-first-run",
                "--disable-extensions",
            ])
            .args(["--no-pdf-header-footer", "--generate-pdf-document-outline"])
            .arg(option("--user-data-dir=", &folder.join("profile")))
            .arg(option("--print-to-pdf=", pdf))
            // Chromium refuses to start as root with its sandbox.
            .args(is_root().then_some("--no-sandbox"))
            .arg(address_of(page))
            // Its child processes are ended with it.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }
}

fn is_root() -> bool {
    // SAFETY: the call has no arguments and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

fn failed(reason: String) -> Error {
    Error::Print { reason }
}

/// A path as a URL.
fn address_of(path: &Path) -> String {
    let mut address = "file://".to_owned();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' => address.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => address.push(char::from(byte)),
            _ => address += &format!("%{byte:02X}"),
        }
    }
    address
}

/// Waits until the browser has exited and kills the processes it left; returns its standard error.
fn wait(browser: &mut Child) -> Result<String> {
    let stderr = browser.stderr.take();
    let (words, said) = sync_channel(1);
    std::thread::spawn(move || {
        let mut said = Vec::new();
        if let Some(mut stderr) = stderr {
            let _ = stderr.read_to_end(&mut said);
        }
        let _ = words.send(String::from_utf8_lossy(&said).into_owned());
    });
    let began = Instant::now();
    let ended = loop {
        match browser.try_wait() {
            Ok(Some(_)) => break Ok(()),
            Ok(None) if began.elapsed() < PATIENCE => std::thread::sleep(LOOK),
            Ok(None) => {
                let seconds = PATIENCE.as_secs();
                break Err(failed(format!(
                    "the browser has not ended within {seconds} s"
                )));
            }
            Err(error) => break Err(failed(error.to_string())),
        }
    };
    // SAFETY: the call takes no pointers; the process group is the browser's own, or no longer exists.
    unsafe { libc::kill(-(browser.id() as libc::pid_t), libc::SIGKILL) };
    let _ = browser.wait();
    ended?;
    Ok(said.recv_timeout(LAST_WORDS).unwrap_or_default())
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
