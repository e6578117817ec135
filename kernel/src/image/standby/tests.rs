use super::keeper::{make_own, own};
use super::*;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A session with the real rustc: its folder and its standby.
struct Session {
    dir: tempfile::TempDir,
    standby: Standby,
}

const HEAD: &str = "#![allow(dead_code)]\n";

impl Session {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["src", "out"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let library = dir.path().join("holoscope.rs");
        std::fs::write(&library, "pub fn seven() -> i32 { 7 }\n").unwrap();
        let built = Command::new("rustc")
            .args(["--crate-type=lib", "--crate-name=holoscope", "--out-dir"])
            .arg(dir.path())
            .arg(&library)
            .status();
        assert!(built.unwrap().success());
        let socket = dir.path().join("socket");
        let standby = Standby::start(&socket).unwrap();
        Self { dir, standby }
    }

    /// As rustc is called for a cell.
    fn rustc(&self) -> Command {
        let dir = self.dir.path();
        let mut command = Command::new("rustc");
        command
            .args(["--crate-name", "ctx", "--edition=2024", SOURCE])
            .args(["--error-format=json", "--crate-type", "cdylib", "--out-dir"])
            .arg(dir.join("out"))
            .arg("--extern")
            .arg(format!(
                "holoscope={}",
                dir.join("libholoscope.rlib").display()
            ));
        command
    }

    fn compile(&self, command: &Command, source: &str) -> Option<Said> {
        let dir = self.dir.path();
        ask_to_compile(&dir.join("socket"), dir, command, source)
    }

    /// What the compiler that waits for this call says, as it says it.
    fn answer(&self, source: &str) -> Answer {
        let dir = self.dir.path();
        let (call, cell) = split(&self.rustc(), dir, source).unwrap();
        let cell = Some(cell);
        let mut text = String::new();
        let mut stream = ask(&dir.join("socket"), &Request { call, cell }).unwrap();
        stream.read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// A compiler that waits for a cell of the usual kind.
    fn waiting(&self) -> u32 {
        assert!(self.compile(&self.rustc(), HEAD).is_none());
        let idle = self.standby.idle();
        until(|| idle.load(Ordering::SeqCst) != 0);
        idle.load(Ordering::SeqCst)
    }

    fn object(&self) -> PathBuf {
        object(&self.dir.path().join("out"))
    }
}

fn until(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_there(process: u32) -> bool {
    Path::new(&format!("/proc/{process}/cwd")).exists()
}

#[test]
fn the_second_cell_finds_a_compiler() {
    let session = Session::new();
    let rustc = session.rustc();
    let cell = format!(
        "{HEAD}#[unsafe(no_mangle)]\npub extern \"C\" fn run() -> i32 {{ holoscope::seven() }}\n"
    );
    assert!(session.compile(&rustc, &cell).is_none());
    for _ in 0..2 {
        let said = session.compile(&rustc, &cell).unwrap();
        assert!(said.status.success() && said.stderr.is_empty());
        assert!(std::fs::metadata(session.object()).unwrap().len() > 0);
        std::fs::remove_file(session.object()).unwrap();
    }
    // Another flag, other attributes: another compiler.
    let mut optimised = session.rustc();
    optimised.arg("-Copt-level=1");
    let others = [
        (optimised, cell.clone()),
        (session.rustc(), cell.replace("dead_code", "unused")),
    ];
    for (rustc, cell) in others {
        assert!(session.compile(&rustc, &cell).is_none());
        assert!(session.compile(&rustc, &cell).is_some());
    }
    // And another variable of the environment.
    session.waiting();
    let (call, cell) = split(&rustc, session.dir.path(), HEAD).unwrap();
    for (name, answered) in [("LANGUAGE", false), ("LANGUAGE", true)] {
        let mut call = call.clone();
        call.env.insert(name.to_owned(), "x".to_owned());
        let cell = Some(cell.clone());
        let mut text = String::new();
        let mut stream = ask(&session.dir.path().join("socket"), &Request { call, cell }).unwrap();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(!text.is_empty(), answered);
    }
}

#[test]
fn messages_and_lines_are_those_of_the_cells_own_file() {
    let session = Session::new();
    session.waiting();
    let here = format!(
        "{HEAD}const _: () = assert!(line!() == 2);\n\
         const _: () = assert!(file!().len() == \"{SOURCE}\".len());\n"
    );
    assert_eq!(session.answer(&here).stderr, "");
    let answer = session.answer(&format!("{HEAD}\nfn three() -> i32 {{ \"3\" }}\n"));
    assert!(answer.code == 1 && answer.is_as_ever());
    let mut messages = answer.stderr.lines().map(serde_json::from_str::<Value>);
    let message = messages.find_map(|m| m.ok().filter(|m| m["code"]["code"] == "E0308"));
    let span = &message.unwrap()["spans"][0];
    assert_eq!(
        (&span["file_name"], &span["line_start"]),
        (&SOURCE.into(), &3.into())
    );
    assert!(!session.object().exists());
}

#[test]
fn what_differs_in_an_included_file_is_compiled_plainly() {
    let session = Session::new();
    session.waiting();
    let by_path = format!(
        "{HEAD}#[macro_export]\nmacro_rules! one {{ () => {{ 1 }} }}\nfn a() -> i32 {{ crate::one!() }}\n"
    );
    for source in [
        by_path,
        format!("{HEAD}fn a() {{ b() }}\nfn (\nfn b() {{}}\n"),
    ] {
        let answer = session.answer(&source);
        assert!(
            answer.code == 1 && !answer.is_as_ever(),
            "{}",
            answer.stderr
        );
        assert!(session.compile(&session.rustc(), &source).is_none());
    }
    for source in [
        "fn a() {}\n#![allow(unused)]\n",
        "extern crate holoscope as h;\n",
        "#![allow(\n  unused)]\nfn a() {}\n",
    ] {
        assert!(split(&session.rustc(), session.dir.path(), source).is_none());
    }
}

#[test]
fn a_compiler_that_was_killed_or_left_alone_writes_no_cell() {
    let session = Session::new();
    let idle = session.waiting();
    // SAFETY: a signal to our own child.
    unsafe { libc::kill(idle.cast_signed(), libc::SIGKILL) };
    until(|| !is_there(idle));
    assert!(session.compile(&session.rustc(), HEAD).is_none());
    // Without its session a compiler gets the end of its input, and makes nothing of it there.
    let (call, _) = split(&session.rustc(), session.dir.path(), HEAD).unwrap();
    let mut left = call.start().unwrap();
    drop(left.stdin.take());
    assert!(left.wait().unwrap().success());
    let own = own(&session.dir.path().join("out"));
    assert!(object(&own).exists() && !session.object().exists());
    // And the next session removes it: here it is another process's.
    let killed = own.with_file_name("standby-1");
    std::fs::rename(&own, &killed).unwrap();
    make_own(&own).unwrap();
    assert!(own.exists() && !killed.exists());
    // What is linked there finds what it needs from the folder of the cells, too.
    assert_eq!(own.parent(), session.object().parent().unwrap().parent());
}

#[test]
fn a_compiler_ends_with_the_one_who_asked() {
    let session = Session::new();
    let endless = format!(
        "{HEAD}#![allow(long_running_const_eval)]\nconst N: u32 = {{ loop {{}} }};\nfn n() -> u32 {{ N }}\n"
    );
    assert!(session.compile(&session.rustc(), &endless).is_none());
    let compiling = || session.standby.idle().load(Ordering::SeqCst);
    until(|| compiling() != 0);
    let compiling = compiling();
    let (call, cell) = split(&session.rustc(), session.dir.path(), &endless).unwrap();
    let cell = Some(cell);
    let asked = ask(&session.dir.path().join("socket"), &Request { call, cell }).unwrap();
    until(|| session.standby.idle().load(Ordering::SeqCst) != compiling);
    std::thread::sleep(Duration::from_millis(100));
    assert!(is_there(compiling));
    drop(asked);
    until(|| !is_there(compiling));
    // The next one is served.
    session.waiting();
    assert!(session.compile(&session.rustc(), HEAD).is_some());
}

#[test]
fn a_standby_ends_with_its_session() {
    let session = Session::new();
    let idle = session.waiting();
    let Session { dir, standby } = session;
    drop(standby);
    assert!(!dir.path().join("socket").exists());
    assert!(!is_there(idle));
}
