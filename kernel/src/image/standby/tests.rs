use super::*;
use std::time::{Duration, Instant};

/// A session with the real rustc: its folder, its standby, and a call for a cell there.
struct Session {
    dir: tempfile::TempDir,
    standby: Standby,
}

impl Session {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("src")).unwrap();
        let library = dir.path().join("holoscope.rs");
        std::fs::write(&library, "pub fn seven() -> i32 { 7 }\n").unwrap();
        let built = rustc(dir.path())
            .args(["--crate-type=lib", "--crate-name=holoscope", "--out-dir"])
            .arg(dir.path())
            .arg(&library)
            .status();
        assert!(built.unwrap().success());
        let standby = Standby::start(&dir.path().join("socket"), dir.path().join("own")).unwrap();
        Self { dir, standby }
    }

    /// As a cell is compiled, but that rustc is told where it works.
    fn call(&self) -> Call {
        let dir = self.dir.path();
        let library = dir.join("libholoscope.rlib");
        let out = dir.join("out");
        let mut command = rustc(dir);
        command
            .args(["--crate-name", "ctx", "--edition=2024", "src/lib.rs"])
            .args(["--error-format=json", "--crate-type", "cdylib", "--out-dir"])
            .args([out.to_str().unwrap(), "--extern"])
            .arg(format!("holoscope={}", library.display()));
        let (call, _) = split(&command, HEAD).unwrap();
        Call {
            folder: dir.to_owned(),
            ..call
        }
    }

    fn compile(&self, call: &Call, source: &str) -> Option<Answer> {
        let (split, cell) = split(&Command::new("rustc"), source)?;
        let call = Call {
            head: split.head,
            ..call.clone()
        };
        let cell = Some(cell);
        let mut text = String::new();
        let mut stream = ask(&self.dir.path().join("socket"), &Request { call, cell })?;
        stream.read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).ok()
    }

    fn waits(&self) -> bool {
        self.standby.idle().load(Ordering::SeqCst) != 0
    }

    fn object(&self) -> PathBuf {
        object(&self.dir.path().join("out"))
    }
}

const HEAD: &str = "#![allow(dead_code)]\n";

fn rustc(dir: &Path) -> Command {
    let mut command = Command::new("rustc");
    command.current_dir(dir);
    command
}

fn until(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_second_cell_finds_a_compiler() {
    let session = Session::new();
    std::fs::create_dir(session.dir.path().join("out")).unwrap();
    let call = session.call();
    let cell = format!(
        "{HEAD}#[unsafe(no_mangle)]\npub extern \"C\" fn run() -> i32 {{ holoscope::seven() }}\n"
    );
    assert!(session.compile(&call, &cell).is_none());
    until(|| session.waits());
    for _ in 0..2 {
        let answer = session.compile(&call, &cell).unwrap();
        assert_eq!((answer.code, answer.stderr.as_str()), (0, ""));
        assert!(std::fs::metadata(session.object()).unwrap().len() > 0);
        std::fs::remove_file(session.object()).unwrap();
    }
    // Another flag, another variable, other attributes: another compiler.
    let mut optimised = call.clone();
    optimised.args.push("-Copt-level=1".to_owned());
    let mut with_variable = optimised.clone();
    with_variable.env.insert("LANGUAGE".into(), "x".into());
    for other in [optimised, with_variable] {
        assert!(session.compile(&other, &cell).is_none());
        assert!(session.compile(&other, &cell).is_some());
    }
    assert!(
        session
            .compile(&call, &cell.replace("dead_code", "unused"))
            .is_none()
    );
}

#[test]
fn messages_and_lines_are_those_of_the_cells_own_file() {
    let session = Session::new();
    let call = session.call();
    let wrong = format!("{HEAD}\nfn line() -> u32 {{ line!() }}\nfn three() -> i32 {{ \"3\" }}\n");
    assert!(session.compile(&call, &wrong).is_none());
    let answer = session.compile(&call, &wrong).unwrap();
    assert_eq!(answer.code, 1);
    let message: serde_json::Value = answer
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .find(|message: &serde_json::Value| message["code"]["code"] == "E0308")
        .unwrap();
    assert_eq!(message["spans"][0]["file_name"], SOURCE);
    assert_eq!(message["spans"][0]["line_start"], 4);
    assert!(!session.object().exists());
    // What cannot come out of an included file is not tried, or taken back.
    assert!(split(&rustc(session.dir.path()), "fn a() {}\n#![allow(unused)]\n").is_none());
    assert!(split(&rustc(session.dir.path()), "extern crate holoscope as h;\n").is_none());
}

#[test]
fn a_compiler_that_was_killed_or_left_alone_writes_no_cell() {
    let session = Session::new();
    let out = session.dir.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let call = session.call();
    assert!(session.compile(&call, HEAD).is_none());
    until(|| session.waits());
    let idle = session.standby.idle().load(Ordering::SeqCst);
    // SAFETY: a signal to our own child.
    unsafe { libc::kill(idle as i32, libc::SIGKILL) };
    until(|| !Path::new(&format!("/proc/{idle}/cwd")).exists());
    assert!(session.compile(&call, HEAD).is_none());
    // Without its session a compiler gets the end of its input, and makes nothing of it here.
    let mut left = call.start(&session.dir.path().join("own")).unwrap();
    drop(left.stdin.take());
    left.wait().unwrap();
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
}

#[test]
fn a_standby_ends_with_its_session() {
    let session = Session::new();
    let call = session.call();
    assert!(session.compile(&call, HEAD).is_none());
    until(|| session.waits());
    let idle = session.standby.idle().load(Ordering::SeqCst);
    let Session { dir, standby } = session;
    drop(standby);
    assert!(!dir.path().join("socket").exists());
    until(|| !Path::new(&format!("/proc/{idle}")).exists());
}
