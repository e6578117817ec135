//! The display channel as a kernel sees it: this test runs itself as the process
//! that runs cells and reads its stdout and stderr.

use std::process::{Command, Output};

use holoscope::progress::{Progress, Reporter};
use holoscope::show::*;

/// Set in the child process; names what it should do.
const ROLE: &str = "HOLOSCOPE_TEST_ROLE";

fn child(role: &str, kernel: bool) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_child", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role).env_remove("HOLOSCOPE_KERNEL");
    if kernel {
        command.env("HOLOSCOPE_KERNEL", "1");
    }
    command.output().unwrap()
}

fn frames(output: &Output) -> Vec<serde_json::Value> {
    String::from_utf8(output.stdout.clone())
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once("\u{1e}HOLOSCOPE "))
        .map(|(_, json)| serde_json::from_str(json).unwrap())
        .collect()
}

/// Not a test of its own: what the other tests run in a process of its own.
#[test]
fn the_child() {
    match std::env::var(ROLE).as_deref() {
        Ok("order") => {
            println!("before");
            display(&Markdown::new("one")).unwrap();
            println!("between");
            display_with_id("live", &Markdown::new("two")).unwrap();
            update_display("live", &Markdown::new("three")).unwrap();
            clear_output(true).unwrap();
        }
        Ok("threads") => std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    for i in 0..50 {
                        let html = format!("{thread} {i}\n{}", "x".repeat(5_000));
                        display(&Html::new(html, "")).unwrap();
                    }
                });
            }
        }),
        Ok("progress") => {
            let mut reporter = NotebookReporter::new();
            let mut progress = Progress::new(&mut reporter, "count", "step", 1_000_000);
            for i in 1..=1_000_000 {
                progress.update(i, &[("loss", 0.5)]);
            }
            progress.finish();
        }
        #[cfg(unix)]
        Ok("interrupt") => {
            let mut reporter = NotebookReporter::new();
            raise_interrupt();
            assert!(reporter.interrupted());
            let progress = Progress::new(&mut reporter, "next", "step", 1);
            assert!(!progress.interrupted());
            raise_interrupt();
            assert!(progress.interrupted());
            println!("alive after the first");
            raise_interrupt();
            println!("alive after the second");
        }
        #[cfg(unix)]
        Ok("interrupt in a cell") => {
            let mut reporter = NotebookReporter::new();
            raise_interrupt();
            let progress = Progress::new(&mut reporter, "later in the cell", "step", 1);
            assert!(progress.interrupted());
            progress.finish();
            holoscope::host::holoscope_after_cell();
            let progress = Progress::new(&mut reporter, "next cell", "step", 1);
            assert!(!progress.interrupted());
            raise_interrupt();
            assert!(progress.interrupted());
            println!("alive after the first");
            raise_interrupt();
            println!("alive after the second");
        }
        _ => {}
    }
}

#[test]
fn displays_keep_their_place_among_printed_lines() {
    let output = child("order", true);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let place = |needle: &str| text.find(needle).unwrap();
    let order = [
        "before",
        "\"one\"",
        "between",
        "\"two\"",
        "\"three\"",
        "clear_output",
    ];
    assert!(
        order.windows(2).all(|pair| place(pair[0]) < place(pair[1])),
        "{text}"
    );

    let frames = frames(&output);
    let types: Vec<&str> = frames.iter().map(|f| f["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "display_data",
            "display_data",
            "update_display_data",
            "clear_output"
        ]
    );
    assert_eq!(frames[1]["transient"]["display_id"], "live");
    assert_eq!(frames[2]["transient"]["display_id"], "live");
}

#[test]
fn without_the_kernel_a_display_is_evcxr_s_content_block() {
    let text = String::from_utf8(child("order", false).stdout).unwrap();
    assert!(text.contains("EVCXR_BEGIN_CONTENT text/markdown\none\nEVCXR_END_CONTENT\n"));
    assert!(!text.contains('\u{1e}'));
}

#[test]
fn displays_of_many_threads_never_mix() {
    // Every line parses, or `frames` would fail.
    assert_eq!(frames(&child("threads", true)).len(), 8 * 50);
}

#[test]
fn progress_is_rate_limited_and_ends_with_a_finished_frame() {
    let output = child("progress", true);
    let frames = frames(&output);
    let last = frames.last().unwrap();
    assert_eq!(
        (&last["done"], &last["finished"]),
        (&1_000_000.into(), &true.into())
    );
    let seconds = last["elapsed"].as_f64().unwrap();
    assert!(
        frames.len() as f64 <= 3.0 + 10.0 * seconds,
        "{} in {seconds} s",
        frames.len()
    );
}

#[test]
fn without_the_kernel_progress_is_lines_on_stderr() {
    let output = child("progress", false);
    let text = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = text.lines().filter(|l| l.starts_with("count")).collect();
    assert!(
        lines
            .last()
            .unwrap()
            .starts_with("count 1000000/1000000 step (100 %), loss 0.5, ")
    );
    assert!(lines.len() <= 3, "{text}");
}

#[cfg(unix)]
fn raise_interrupt() {
    // SAFETY: raising a signal in this process has no memory effects.
    unsafe { libc::raise(libc::SIGINT) };
}

#[cfg(unix)]
fn assert_the_second_interrupt_ended(output: &Output) {
    use std::os::unix::process::ExitStatusExt;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("alive after the first"), "{text}");
    assert!(!text.contains("alive after the second"), "{text}");
    assert_eq!(output.status.signal(), Some(libc::SIGINT));
}

#[cfg(unix)]
#[test]
fn outside_the_kernel_an_interrupt_lasts_until_the_next_loop_and_a_second_ends_the_process() {
    assert_the_second_interrupt_ended(&child("interrupt", false));
}

#[cfg(unix)]
#[test]
fn in_the_kernel_an_interrupt_lasts_until_the_cell_is_over_and_a_second_ends_the_process() {
    assert_the_second_interrupt_ended(&child("interrupt in a cell", true));
}
