//! What a run that is ended early leaves on disk: real signals to real runs.

mod common;

use common::{holoscope, read_cells, text, write_notebook};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

/// A run in the background.
struct Run {
    child: Child,
    said: BufReader<ChildStderr>,
    out: PathBuf,
}

impl Run {
    fn start(dir: &Path, cells: &[&str], more: &[&str]) -> Run {
        let (input, out) = (dir.join("in.ipynb"), dir.join("done.ipynb"));
        write_notebook(&input, cells);
        let mut command = holoscope();
        command
            .arg("run")
            .arg(&input)
            .arg("-o")
            .arg(&out)
            .args(more);
        Run::spawn(command, out, &[])
    }

    /// Starts the command with these signals ignored, and no others: whoever has started the
    /// tests in the background may have them ignored.
    fn spawn(mut command: Command, out: PathBuf, ignored: &'static [i32]) -> Run {
        // SAFETY: async-signal-safe calls between fork and exec.
        unsafe {
            command.pre_exec(|| {
                for signal in [SIGHUP, SIGINT, SIGTERM] {
                    let action = match ignored.contains(&signal) {
                        true => libc::SIG_IGN,
                        false => libc::SIG_DFL,
                    };
                    libc::signal(signal, action);
                }
                Ok(())
            });
        }
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Run { child, said, out }
    }

    /// Reads what the run says until a line holds `words`; the lines.
    fn until(&mut self, words: &str) -> String {
        let mut all = String::new();
        while !all.contains(words) {
            let read = self.said.read_line(&mut all).unwrap();
            assert!(read > 0, "the run ended before it said {words:?}: {all}");
        }
        all
    }

    fn signal(&self, signal: i32) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &pid])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end: the exit status (shells' count for a signal), and what it still said.
    fn end(mut self) -> (i32, String) {
        use std::os::unix::process::ExitStatusExt;
        let mut said = Vec::new();
        std::io::Read::read_to_end(&mut self.said, &mut said).unwrap();
        let status = self.child.wait().unwrap();
        let code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap());
        (code, String::from_utf8_lossy(&said).into_owned())
    }
}

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

fn stdout(cell: &Value) -> String {
    let outputs = cell["outputs"].as_array().unwrap();
    outputs.iter().map(|output| text(&output["text"])).collect()
}

fn error(cell: &Value) -> &Value {
    let outputs = cell["outputs"].as_array().unwrap();
    let found = outputs
        .iter()
        .find(|output| output["output_type"] == "error");
    found.unwrap_or_else(|| panic!("no error in {cell}"))
}

/// Waits until the file of a cell is there: it has begun.
fn wait_for(file: &Path) {
    let began = Instant::now();
    while !file.exists() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{} never came",
            file.display()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A cell that says that it runs, and then does for a minute.
fn long_cell(mark: &Path) -> String {
    format!(
        "println!(\"begun\"); std::fs::write({mark:?}, \"\").unwrap();\n\
         for _ in 0..600 {{ std::thread::sleep(std::time::Duration::from_millis(100)); }}"
    )
}

#[test]
fn signals_save_what_has_run_and_end_the_run() {
    for (signal, name) in [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGHUP, "SIGHUP")] {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("mark");
        let cells = [
            "println!(\"first\"); 7",
            &long_cell(&mark),
            "println!(\"never\")",
        ];
        let run = Run::start(dir.path(), &cells, &[]);
        wait_for(&mark);
        let began = Instant::now();
        run.signal(signal);
        let out = run.out.clone();
        let (status, said) = run.end();
        assert_eq!(status, 128 + signal, "{said}");
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{name}: {:?}",
            began.elapsed()
        );
        assert!(said.contains("code cell 2 of 3"), "{name}: {said}");
        let cells = read_cells(&out);
        assert_eq!(stdout(&cells[0]), "first\n", "{name}");
        assert_eq!(
            text(&cells[0]["outputs"][1]["data"]["text/plain"]).trim(),
            "7"
        );
        assert_eq!(stdout(&cells[1]), "begun\n", "{name}");
        assert_eq!(error(&cells[1])["ename"], "interrupted", "{name}");
        assert!(
            text(&error(&cells[1])["evalue"]).contains(name),
            "{name}: {}",
            cells[1]
        );
        assert_eq!(cells[2]["outputs"].as_array().unwrap().len(), 0, "{name}");
        assert_eq!(cells[2]["execution_count"], Value::Null, "{name}");
        let notebook: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
        assert_eq!(
            notebook["metadata"]["holoscope"]["status"],
            format!("ended by {name}")
        );
        assert!(dir.path().join("done.html").exists(), "{name}");
    }
}

#[test]
fn an_interrupted_loop_of_the_library_returns_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    let train = format!(
        "use holoscope::prelude::*;\n\
         let text = \"ANNA:\\nThe king saw the cat and went home.\\n\\n\".repeat(200);\n\
         let data = Dataset::from_corpus(&Corpus::from_text(\"toy\", &text), &DataConfig::default())?;\n\
         let d_vocab = data.tokenizer.n_vocab();\n\
         let config = TransformerConfig {{ d_model: 8, n_heads: 1, d_mlp: 16, n_ctx: 16, d_vocab, ..Default::default() }};\n\
         let model = Transformer::new(&config)?;\n\
         let training = TrainingConfig {{ steps: 1_000_000, eval_batches: 1, ..Default::default() }};\n\
         std::fs::write({mark:?}, \"\")?;\n\
         let history = train(&model, &data, &training)?;\n\
         println!(\"{{}} {{}}\", history.interrupted, history.train_loss.is_empty());"
    );
    let run = Run::start(dir.path(), &[&train, "println!(\"never\")"], &[]);
    wait_for(&mark);
    // Some steps.
    std::thread::sleep(Duration::from_secs(2));
    run.signal(SIGINT);
    let out = run.out.clone();
    let (status, said) = run.end();
    assert_eq!(status, 130, "{said}");
    let cells = read_cells(&out);
    assert_eq!(stdout(&cells[0]), "true false\n", "{said}");
    assert_eq!(cells[1]["outputs"].as_array().unwrap().len(), 0);
}

#[test]
fn a_second_interrupt_ends_at_once_and_what_was_saved_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    // Deaf: no loop of the cell's own, and nothing that sleeps in short pieces.
    let deaf = format!(
        "std::fs::write({mark:?}, \"\").unwrap(); \
         std::thread::spawn(|| std::thread::sleep(std::time::Duration::from_secs(60))).join().unwrap();"
    );
    let mut run = Run::start(dir.path(), &["println!(\"first\")", &deaf], &[]);
    wait_for(&mark);
    run.signal(SIGINT);
    run.until("Ctrl-C again ends the run");
    let began = Instant::now();
    run.signal(SIGINT);
    let out = run.out.clone();
    let (status, said) = run.end();
    assert_eq!(status, 130, "{said}");
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(stdout(&read_cells(&out)[0]), "first\n");
}

#[test]
fn what_ran_before_a_kill_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    let run = Run::start(dir.path(), &["println!(\"first\")", &long_cell(&mark)], &[]);
    wait_for(&mark);
    run.signal(SIGKILL);
    let out = run.out.clone();
    assert_eq!(run.end().0, 128 + SIGKILL);
    let cells = read_cells(&out);
    assert_eq!(
        (stdout(&cells[0]), cells[0]["execution_count"].as_u64()),
        ("first\n".to_owned(), Some(1))
    );
    assert_eq!(cells[1]["execution_count"], Value::Null);
}

#[test]
fn a_hangup_that_the_user_has_ignored_stays_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    let input = dir.path().join("in.ipynb");
    let wait = format!(
        "std::fs::write({mark:?}, \"\").unwrap(); \
         std::thread::sleep(std::time::Duration::from_millis(600)); println!(\"done\");"
    );
    write_notebook(&input, &[&wait]);
    let out = dir.path().join("done.ipynb");
    let mut command = holoscope();
    command.arg("run").arg(&input).arg("-o").arg(&out);
    // As `nohup` does.
    let run = Run::spawn(command, out.clone(), &[SIGHUP]);
    wait_for(&mark);
    run.signal(SIGHUP);
    let (status, said) = run.end();
    assert_eq!(status, 0, "{said}");
    assert_eq!(stdout(&read_cells(&out)[0]), "done\n");
}

#[test]
fn a_terminal_that_goes_away_does_not_stop_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    let wait = format!(
        "std::fs::write({mark:?}, \"\").unwrap(); std::thread::sleep(std::time::Duration::from_millis(600));"
    );
    let run = Run::start(dir.path(), &[&wait, "println!(\"done\")"], &[]);
    wait_for(&mark);
    let Run {
        mut child,
        said,
        out,
    } = run;
    // Nobody reads any more: what is written fails.
    drop(said);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(stdout(&read_cells(&out)[1]), "done\n");
}

#[test]
fn a_cell_that_takes_too_long_fails_and_the_limit_is_for_each_cell() {
    let dir = tempfile::tempdir().unwrap();
    let long =
        "println!(\"begun\"); loop { std::thread::sleep(std::time::Duration::from_millis(20)); }";
    let run = Run::start(
        dir.path(),
        &["println!(\"first\")", long, "1"],
        &["--timeout", "3"],
    );
    let out = run.out.clone();
    let (status, said) = run.end();
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("longer than the 3 s of --timeout"), "{said}");
    let cells = read_cells(&out);
    assert_eq!(
        (stdout(&cells[0]).as_str(), stdout(&cells[1]).as_str()),
        ("first\n", "begun\n")
    );
    assert_eq!(error(&cells[1])["ename"], "timeout");
    assert_eq!(cells[2]["outputs"].as_array().unwrap().len(), 0);

    // With errors allowed the rest runs, with its variables.
    let cells = ["let kept = 5;", long, "kept"];
    let run = Run::start(dir.path(), &cells, &["--timeout", "3s", "--allow-errors"]);
    let (status, said) = run.end();
    assert_eq!(status, 0, "{said}");
    let cells = read_cells(&out);
    assert_eq!(error(&cells[1])["ename"], "timeout");
    assert_eq!(
        text(&cells[2]["outputs"][0]["data"]["text/plain"]).trim(),
        "5"
    );
}

/// Thirty cells, killed by each signal at random moments: whatever is on disk is a notebook, and
/// holds each cell that the run has reported as done. `HOLOSCOPE_SOAK` sets how many moments
/// (20 for the full soak).
#[test]
fn a_run_killed_at_any_moment_leaves_a_whole_notebook() {
    let moments = std::env::var("HOLOSCOPE_SOAK")
        .ok()
        .and_then(|n| n.parse().ok());
    let moments: u64 = moments.unwrap_or(2);
    let sources: Vec<String> = (1..=30)
        .map(|n| {
            let sleep = "std::thread::sleep(std::time::Duration::from_millis(20))";
            format!("println!(\"a{n}\"); {sleep}; println!(\"b{n}\");")
        })
        .collect();
    let cells: Vec<&str> = sources.iter().map(String::as_str).collect();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for moment in 0..moments {
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGKILL] {
            let dir = tempfile::tempdir().unwrap();
            let run = Run::start(dir.path(), &cells, &[]);
            // xorshift64
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let wait = Duration::from_millis(random % 6000);
            std::thread::sleep(wait);
            let what = format!("moment {moment}, signal {signal} after {wait:?}");
            run.signal(signal);
            let out = run.out.clone();
            let (_, said) = run.end();
            let done = said.lines().filter(|line| line.contains("  ok  ")).count();
            if !out.exists() {
                assert_eq!(done, 0, "{what}: {said}");
                continue;
            }
            let cells = read_cells(&out);
            assert_eq!(cells.len(), 30, "{what}");
            let whole = |n: usize| stdout(&cells[n]) == format!("a{0}\nb{0}\n", n + 1);
            for (n, cell) in cells.iter().enumerate().take(done) {
                assert!(whole(n), "{what}: cell {} of {done}: {cell}", n + 1);
                let count = cell["execution_count"].as_u64();
                assert_eq!(count, Some(n as u64 + 1), "{what}");
            }
            // At most one cell is between nothing and all.
            let begun = (0..30)
                .filter(|n| !cells[*n]["execution_count"].is_null())
                .count();
            assert!(begun <= done + 1, "{what}: {begun} begun, {done} done");
            for cell in &cells[begun..] {
                assert_eq!(cell["outputs"].as_array().unwrap().len(), 0, "{what}");
            }
        }
    }
}
