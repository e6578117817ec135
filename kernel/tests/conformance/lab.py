"""JupyterLab in headless Chromium."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from driver import PATIENCE, alive, descendants
from frontend import COUNTS, PRELUDE, Frontend, command


class Lab(Frontend):
    CELLS = [
        PRELUDE + '\nprintln!("said in {}", "Lab");',
        'holoscope::show::display(&Html::new("<b id=\'bold\'>shown in Lab</b>", "x"));',
        'let loss: Trace = Trace::from_steps("train", &[(0, 9.3), (100, 5.9), (200, 5.4)]);\n'
        'holoscope::show::display(&line_chart(&[loss], &ChartOptions::new("Loss", "step", "nats")).unwrap());',
        'println!("without end");\nloop { std::thread::sleep(std::time::Duration::from_millis(50)); }',
        'println!("once more: {}", 6 * 7);',
    ]

    def setUp(self):
        super().setUp()
        settings = self.folder / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}))
        self.notebook(*self.CELLS)
        self.port, self.token = self.free_port(), "of-this-test"
        log = open(self.folder / "lab.log", "wb")
        self.addCleanup(log.close)
        # A session of its own: Ctrl-C in a terminal is for the tests, which then end Lab and its kernel.
        self.lab = subprocess.Popen(
            [
                command("jupyter"), "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={self.port}",
                "--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}",
                f"--ServerApp.root_dir={self.folder}", "--LabApp.extension_manager=readonly",
            ],
            env=self.env, cwd=self.folder, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        self.addCleanup(self.stop_lab)
        self.wait_for_lab()

    @staticmethod
    def free_port():
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return free.getsockname()[1]

    def wait_for_lab(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.assertIsNone(self.lab.poll(), (self.folder / "lab.log").read_text())
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api?token={self.token}", timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.3)
        self.fail("JupyterLab does not answer:\n" + (self.folder / "lab.log").read_text())

    def stop_lab(self):
        processes = descendants(self.lab.pid)
        self.lab.terminate()
        try:
            self.lab.wait(30)
        except subprocess.TimeoutExpired:
            self.lab.kill()
            self.lab.wait()
        end = time.monotonic() + 10
        while any(alive(pid) for pid in processes) and time.monotonic() < end:
            time.sleep(0.1)
        left = [pid for pid in processes if alive(pid)]
        for pid in left:
            os.kill(pid, 9)
        self.assertEqual(left, [], "JupyterLab's kernel left processes behind")

    def test_lab(self):
        from playwright.sync_api import sync_playwright

        chromium = os.environ.get("HOLOSCOPE_CHROMIUM") or shutil.which("chromium")
        self.assertTrue(chromium, "there is no chromium")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium,
                headless=True,
                args=[
                    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                ],
            )  # fmt: skip
            page = browser.new_page(viewport={"width": 1400, "height": 1900})
            page.set_default_timeout(PATIENCE * 1000)
            # In the machine's temporary folder: a picture of the end is worth more than the end's message.
            pictures = Path(tempfile.mkdtemp(prefix="holoscope-lab-"))
            try:
                self.drive(page, pictures)
            finally:
                page.screenshot(path=pictures / "last.png")
                browser.close()
                print(f"screenshots of JupyterLab in {pictures}", flush=True)

    def drive(self, page, pictures):
        from playwright.sync_api import expect

        expect.set_options(timeout=PATIENCE * 1000)
        page.goto(f"http://127.0.0.1:{self.port}/lab/tree/in.ipynb?token={self.token}")
        cells = page.locator(".jp-Notebook .jp-CodeCell")
        expect(cells).to_have_count(len(self.CELLS))
        prompt = lambda n: cells.nth(n).locator(".jp-InputPrompt")
        output = lambda n: cells.nth(n).locator(".jp-OutputArea-output")
        tool = lambda name: page.locator(f'.jp-NotebookPanel-toolbar [data-jp-item-name="{name}"]')

        # Before the kernel is connected, Lab forgets what it is asked to run.
        expect(page.get_by_role("button", name=re.compile(r"\| Idle$"))).to_be_visible()
        page.locator("#jp-MainMenu .lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
        page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
        expect(output(0)).to_contain_text("said in Lab")
        expect(output(1).locator("b")).to_have_text("shown in Lab")
        figure = output(2).locator("svg, img").first
        expect(figure).to_be_visible()
        box = figure.bounding_box()
        self.assertGreater(min(box["width"], box["height"]), 100, "the figure is drawn")
        # Printed while the cell still runs.
        expect(output(3)).to_contain_text("without end")
        for n, text in enumerate(["[1]:", "[2]:", "[3]:", "[*]:", "[*]:"]):
            expect(prompt(n)).to_have_text(text)
        page.screenshot(path=pictures / "run_all.png")

        tool("interrupt").click()
        expect(cells.nth(3).locator(".jp-OutputArea")).to_contain_text("interrupted")
        expect(prompt(3)).to_have_text("[4]:")
        # Queued behind a cell that failed: not run.
        expect(prompt(4)).to_have_text("[ ]:")
        expect(output(4)).to_have_count(0)
        page.screenshot(path=pictures / "interrupted.png")

        tool("restart").click()
        page.get_by_role("button", name="Confirm Kernel Restart").click()
        cells.nth(4).locator(".jp-InputArea-editor").click()
        page.keyboard.press("Shift+Enter")
        expect(output(4)).to_contain_text("once more: 42")
        expect(prompt(4)).to_have_text("[1]:")
        page.screenshot(path=pictures / "restarted.png")
        COUNTS["cells"] += 5
        COUNTS["outputs"] += 6
