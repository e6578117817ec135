"""The frontends that people use: `jupyter execute`, papermill, `jupyter console`, JupyterLab."""

import re
import subprocess
import sys
import time
import unittest

from driver import NAME, PATIENCE, alive, descendants
from frontend import COUNTS, PRELUDE, Frontend, command
from lab import Lab  # noqa: F401, found by unittest

SHOWING = [
    PRELUDE + "\nlet n: i64 = 20;",
    'println!("{}", n + 1);\nholoscope::show::display(&Html::new("<b>x</b>", "x"));',
    "n * 2",
]


class Shows(Frontend):
    def shows_everything(self, outputs):
        """What `SHOWING`, as the last cells of a notebook, must have given."""
        [printed, shown], [result] = outputs[-2:]
        self.assertEqual((printed.name, printed.text), ("stdout", "21\n"))
        self.assertEqual((shown.output_type, shown.data["text/html"]), ("display_data", "<b>x</b>"))
        self.assertEqual((result.output_type, result.data["text/plain"]), ("execute_result", "40"))


class JupyterExecute(Shows):
    def execute(self, path, *options):
        patience = [f"--timeout={int(PATIENCE)}", f"--startup_timeout={int(PATIENCE)}"]
        return command("jupyter"), "execute", *patience, *options, "--output=out", str(path)

    def test_a_notebook(self):
        self.succeeds(*self.execute(self.notebook(*SHOWING)))
        self.shows_everything(self.outputs(self.folder / "out.ipynb"))

    def test_an_error_ends_the_run(self):
        said = self.fails(*self.execute(self.notebook('panic!("on purpose");', "1")))
        self.assertIn("on purpose", said)

    def test_errors_that_are_allowed_are_kept(self):
        path = self.notebook("let n: i64 = 2;", 'let s: i64 = "text";', "n * 21")
        self.succeeds(*self.execute(path, "--allow-errors"))
        _, [error], [result] = self.outputs(self.folder / "out.ipynb")
        self.assertEqual(error.output_type, "error")
        self.assertIn("mismatched types", "\n".join(error.traceback))
        self.assertEqual(result.data["text/plain"], "42")


class Papermill(Shows):
    def papermill(self, path, *options):
        patience = [f"--execution-timeout={int(PATIENCE)}", f"--start-timeout={int(PATIENCE)}"]
        return command("papermill"), *patience, *options, str(path), str(self.folder / "out.ipynb")

    def test_a_notebook(self):
        self.succeeds(*self.papermill(self.notebook(*SHOWING)))
        self.shows_everything(self.outputs(self.folder / "out.ipynb"))

    def test_an_error_ends_the_run(self):
        said = self.fails(*self.papermill(self.notebook('panic!("on purpose");', "1")))
        self.assertIn("on purpose", said)

    def test_parameters_with_a_translator(self):
        """Papermill cannot write Rust, and has no hook for plugins that could: one who needs its
        parameters registers a translator from Python (`holoscope run -p` needs none)."""
        script = self.folder / "translate.py"
        script.write_text(TRANSLATOR)
        declared = 'let n: i64 = 1;\nlet name: &str = "one";'
        path = self.notebook(declared, 'format!("{name} {}", n + 1)', tags=["parameters"])
        self.succeeds(sys.executable, str(script), str(path), str(self.folder / "out.ipynb"))
        declared, injected, [result] = self.outputs(self.folder / "out.ipynb")
        self.assertEqual((declared, injected), ([], []))
        self.assertEqual(result.data["text/plain"], '"a \\"b\\" 42"')


TRANSLATOR = f"""
import sys
import papermill
from papermill.translators import Translator, papermill_translators

class Rust(Translator):
    @classmethod
    def comment(cls, text):
        return f"// {{text}}"

    @classmethod
    def assign(cls, name, value):
        return f"let {{name}} = {{value}};"

papermill_translators.register("rust", Rust)
papermill.execute_notebook(
    *sys.argv[1:], parameters={{"n": 41, "name": 'a "b"'}}, kernel_name="{NAME}", progress_bar=False,
    start_timeout={PATIENCE}, execution_timeout={PATIENCE},
)
"""


class Console(Frontend):
    def tmux(self, *arguments):
        # A server of its own, which takes its environment from here and ends with its only session.
        done = subprocess.run(
            ["tmux", "-S", str(self.folder / "tmux"), "-f", "/dev/null", *arguments],
            env={**self.env, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
        )
        return done.stdout if done.returncode == 0 else None

    def type(self, text):
        # A semicolon at the end would be tmux's own, which ends a command.
        text = re.sub(";$", r"\\;", text)
        self.tmux("send-keys", "-t", "console", "-l", text)
        self.tmux("send-keys", "-t", "console", "Enter")

    def sees(self, pattern):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            screen = self.tmux("capture-pane", "-p", "-J", "-t", "console") or ""
            if re.search(pattern, screen, re.MULTILINE):
                return screen
            time.sleep(0.2)
        self.fail(f"no {pattern!r} within {PATIENCE} s on the screen:\n{screen}")

    def test_console(self):
        patience = " ".join(
            f"--ZMQTerminalInteractiveShell.{name}={PATIENCE}" for name in ("kernel_timeout", "kernel_is_complete_timeout")
        )
        console = f"{command('jupyter')} console --kernel {NAME} {patience}"
        self.tmux("new-session", "-d", "-s", "console", "-x", "140", "-y", "60", console)
        self.addCleanup(self.tmux, "kill-server")
        shell = int(self.tmux("list-panes", "-t", "console", "-F", "#{pane_pid}"))
        self.sees(r"^In \[1\]:")
        self.type("1+1")
        self.sees(r"^Out\[1\]: 2$")
        self.sees(r"^In \[2\]:")
        # An open bracket: the console asks the kernel whether to run, and indents as it says.
        # A line is typed when the console has answered the one before.
        self.type("let squares: Vec<i64> = (1..4).map(|k| {")
        self.sees(r"\{ *\n +\.\.\.: *$")
        self.type("k * k")
        self.sees(r"k \* k *\n +\.\.\.: *$")
        self.type("}).collect();")
        self.sees(r"^In \[3\]:")
        self.type("squares")
        self.sees(r"^Out\[3\]: \[1, 4, 9\]$")
        self.sees(r"^In \[4\]:")
        self.type('panic!("on purpose");')
        self.sees(r"^In \[5\]:")
        # Once where it was typed, and once more in the error.
        self.assertGreaterEqual(self.sees("on purpose").count("on purpose"), 2)
        self.type("squares.len()")
        self.sees(r"^Out\[5\]: 3$")
        self.sees(r"^In \[6\]:")
        processes = [shell, *descendants(shell)]
        self.tmux("send-keys", "-t", "console", "C-d")
        self.sees(r"Do you really want to exit")
        self.type("y")
        end = time.monotonic() + 30
        while any(alive(pid) for pid in processes) and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual([pid for pid in processes if alive(pid)], [], "the console left processes behind")
        COUNTS["cells"] += 5
        COUNTS["outputs"] += 4


if __name__ == "__main__":
    program = unittest.main(exit=False)
    print(f"{program.result.testsRun} tests, {len(program.result.skipped)} skipped; {COUNTS}")
    raise SystemExit(not program.result.wasSuccessful() or bool(program.result.skipped))
