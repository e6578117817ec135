"""Starting and stopping leaves nothing behind, and neither does a kernel that is killed."""

import os
import signal
import tempfile
import time
import unittest
from pathlib import Path

from jupyter_client.manager import KernelManager

from driver import NAME, PATIENCE, Kernel, alive, descendants

CYCLES = int(os.environ.get("HOLOSCOPE_CYCLES", "100"))
COUNTS = {}


def until_gone(pids, patience):
    end = time.monotonic() + patience
    while time.monotonic() < end and any(alive(p) for p in pids):
        time.sleep(0.05)
    return [p for p in pids if alive(p)]


class Lifecycle(unittest.TestCase):
    def environment(self, name, value):
        """Sets a variable for this test alone."""
        before = os.environ.get(name)
        if before is None:
            self.addCleanup(os.environ.pop, name)
        else:
            self.addCleanup(os.environ.__setitem__, name, before)
        os.environ[name] = value

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def test_what_a_kernel_that_is_killed_while_it_starts_leaves(self):
        temporary, sessions = self.folder(), self.folder()
        self.environment("HOLOSCOPE_SESSIONS", sessions)
        self.environment("TMPDIR", temporary)
        kernel = Kernel()
        # User code has the folder that its user knows.
        self.assertEqual(kernel.ok("std::env::temp_dir()").result, f'"{temporary}"')
        kernel.stop()
        own = Path(sessions, "session-0", "tmp")
        self.assertFalse(own.exists(), "a kernel that ends removes its folder")
        # rust-analyzer has folders of its own while it reads the crates of a session.
        manager = KernelManager(kernel_name=NAME)
        manager.start_kernel()
        end = time.monotonic() + PATIENCE
        while not list(own.glob("rust-analyzer*")):
            self.assertLess(time.monotonic(), end, "rust-analyzer was not seen to start")
            self.assertEqual([n for n in os.listdir(temporary) if n.startswith("rust-analyzer")], [])
            time.sleep(0.001)
        os.kill(manager.provisioner.pid, signal.SIGKILL)
        manager.shutdown_kernel(now=True)
        left = list(own.glob("rust-analyzer*"))
        self.assertNotEqual(left, [], "it was killed in time")
        self.assertEqual(os.listdir(temporary), [])
        # Whoever has the folder next clears it.
        kernel = Kernel()
        kernel.ok("1 + 1")
        self.assertEqual([path for path in left if path.exists()], [])
        kernel.stop()
        self.assertFalse(own.exists())

    def test_cycles(self):
        # A folder of the kernels' own: other programs leave files in the common one.
        folder = self.folder()
        self.environment("TMPDIR", folder)
        worst = 0.0
        for n in range(CYCLES):
            began = time.monotonic()
            kernel = Kernel()
            pids = [kernel.pid]
            if n % 20 == 0:
                kernel.ok(
                    "let a: i64 = 1;\nstd::thread::spawn(|| loop { std::thread::park() });\n"
                    'std::process::Command::new("sleep").arg("999").spawn()?;'
                )
                pids += descendants(kernel.pid)
                kernel.manager.restart_kernel(now=False)
                kernel.client.wait_for_ready(timeout=60)
                self.assertEqual(kernel.ok("2 + 1").result, "3")
                self.assertEqual(kernel.fails("a", "compile error").reply["execution_count"], 2)
                pids += [kernel.pid]
            pids += descendants(kernel.pid)
            connection = Path(kernel.manager.connection_file)
            kernel.stop()
            self.assertEqual(until_gone(pids, 5), [], f"cycle {n}")
            self.assertFalse(connection.exists())
            worst = max(worst, time.monotonic() - began)
        self.assertEqual(os.listdir(folder), [])
        COUNTS.update(cycles=CYCLES, slowest_s=round(worst, 1))

    def test_a_killed_kernel_leaves_no_user_code(self):
        for code in (
            'println!("begun");\nloop { std::thread::sleep(std::time::Duration::from_millis(5)); }',
            'std::thread::spawn(|| loop { std::hint::spin_loop() });\nprintln!("begun");\nloop {}',
            'std::process::Command::new("sleep").arg("999").spawn()?;\nprintln!("begun");\nloop {}',
        ):
            kernel = Kernel()
            kernel.start(code)
            while True:
                message = kernel.client.get_iopub_msg(timeout=120)
                if message["msg_type"] == "stream" and "begun" in message["content"]["text"]:
                    break
            below = descendants(kernel.pid)
            self.assertGreaterEqual(len(below), 2)
            os.kill(kernel.pid, signal.SIGKILL)
            self.assertEqual(until_gone(below, 3), [])
            kernel.client.stop_channels()
            kernel.manager.shutdown_kernel(now=True)
            COUNTS["killed"] = COUNTS.get("killed", 0) + 1


if __name__ == "__main__":
    program = unittest.main(exit=False)
    print(f"{program.result.testsRun} tests; {COUNTS}")
    raise SystemExit(not program.result.wasSuccessful() or bool(program.result.skipped))
