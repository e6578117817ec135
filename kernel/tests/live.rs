//! A page that computes in its reader's browser: the neuroscope of a notebook, exported, in Chromium.

mod common;

use common::{chromium, describe, holoscope, python, root};
use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "needs rustc's target wasm32-unknown-unknown, HOLOSCOPE_PYTHON with playwright, and Chromium"]
fn a_neuroscope_answers_on_the_page_as_in_the_notebook() {
    let (python, chromium) = (python(), chromium());
    // In the folder whose `..` the notebook's path to the library counts on.
    let fixtures = root().join("kernel/tests/fixtures");
    let dir = tempfile::tempdir_in(fixtures.parent().unwrap()).unwrap();
    let notebook = dir.path().join("live.ipynb");
    std::fs::copy(fixtures.join("live.ipynb"), &notebook).unwrap();
    let page = dir.path().join("live.html");
    let output = holoscope()
        .args(["run", "--in-place"])
        .arg(&notebook)
        .arg("--html")
        .arg(&page)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", describe(&output));
    let script = root().join("kernel/tests/python/live.py");
    let drive = |page: &Path| {
        let output = Command::new(&python)
            .arg(&script)
            .args([page, &notebook])
            .arg(&chromium)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", describe(&output));
        print!("{}", String::from_utf8_lossy(&output.stdout));
    };
    drive(&page);

    // A notebook that is stored elsewhere takes its model along.
    let elsewhere = dir.path().join("out/live.ipynb");
    let output = holoscope()
        .arg("run")
        .arg(&notebook)
        .arg("-o")
        .arg(&elsewhere)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", describe(&output));
    let files = [
        dir.path().join("scope.live"),
        dir.path().join("out/scope.live"),
    ];
    let [ours, copy] = files.map(|path| std::fs::read(path).unwrap());
    assert!(ours == copy);

    // Exported from what is stored: the same page; without the model's file a static one, which says why.
    let again = dir.path().join("again.html");
    let export = || {
        let mut command = holoscope();
        command.arg("export").arg(&notebook).arg("-o").arg(&again);
        command.args(["--to", "html"]).output().unwrap()
    };
    let output = export();
    assert!(output.status.success(), "{}", describe(&output));
    let of = |path: &Path| std::fs::read_to_string(path).unwrap();
    assert_eq!(
        of(&again).matches("live-model-").count(),
        of(&page).matches("live-model-").count()
    );
    std::fs::write(dir.path().join("scope.live"), "another model").unwrap();
    let output = export();
    assert!(output.status.success(), "{}", describe(&output));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("a view of the page is static"), "{said}");
    assert!(
        said.contains("scope.live is not the file that the notebook has written"),
        "{said}"
    );
    let page = of(&again);
    assert!(!page.contains("live-module") && !page.contains("script-src"));
    assert!(page.contains("king"), "the static form stays");
}
