"""Every message gets its answer, whatever the kernel is doing, and what is not signed is not heard."""

import os
import tempfile
import time
import unittest
from queue import Empty

from driver import Kernel
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.session import Session

BUSY = 'println!("begun");\nfor _ in 0..400 { std::thread::sleep(std::time::Duration::from_millis(20)); }'


class Wire(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kernel = Kernel()
        cls.kernel.ok("1")

    @classmethod
    def tearDownClass(cls):
        cls.kernel.stop()

    def begin(self, code=BUSY):
        request = self.kernel.start(code)
        while True:
            message = self.kernel.client.get_iopub_msg(timeout=60)
            if message["msg_type"] == "stream" and "begun" in message["content"]["text"]:
                return request

    def end(self, request):
        self.kernel.control("interrupt_request")
        self.kernel.collect(request)

    def test_messages_without_the_right_signature_are_dropped(self):
        client = self.kernel.client
        key = client.session.key
        for wrong in (b"another key", b""):
            client.session.key = wrong
            client.session.send(client.shell_channel.socket, "kernel_info_request", {})
            client.session.key = key
        with self.assertRaises(Empty):
            client.get_shell_msg(timeout=1)
        self.assertEqual(self.kernel.ask("kernel_info_request", {})["status"], "ok")

    def test_other_hashes_sign_as_well(self):
        session = Session(signature_scheme="hmac-sha512", key=b"a key of this test")
        kernel = Kernel(session=session)
        self.addCleanup(kernel.stop)
        self.assertEqual(kernel.ok("1 + 1").result, "2")
        signature = session.sign([b"header", b"parent", b"metadata", b"content"])
        self.assertEqual(len(signature), 128)

    def test_what_a_frontend_asks_while_a_cell_runs(self):
        request = self.begin()
        for kind, content, patience in (
            ("kernel_info_request", {}, 1),
            ("comm_info_request", {}, 1),
            ("history_request", {"hist_access_type": "tail", "n": 3, "output": False, "raw": True}, 1),
            ("complete_request", {"code": "prin", "cursor_pos": 4}, 5),
            ("inspect_request", {"code": "Vec", "cursor_pos": 3, "detail_level": 0}, 5),
            ("is_complete_request", {"code": "1"}, 3),
        ):
            began = time.monotonic()
            answer = self.kernel.ask(kind, content)
            self.assertEqual(answer["status"], "complete" if kind == "is_complete_request" else "ok", kind)
            self.assertLess(time.monotonic() - began, patience, kind)
        self.assertEqual(self.kernel.control("kernel_info_request")["status"], "ok")
        self.end(request)

    def test_what_the_kernel_does_not_know(self):
        self.assertEqual(self.kernel.control("debug_request", {"type": "request", "seq": 1, "command": "attach"})["success"], False)
        client = self.kernel.client
        opened = client.session.msg("comm_open", {"comm_id": "c1", "target_name": "nobody", "data": {}})
        client.shell_channel.send(opened)
        while True:
            message = client.get_iopub_msg(timeout=20)
            if message["msg_type"] == "comm_close":
                self.assertEqual(message["content"]["comm_id"], "c1")
                break
        for kind in ("comm_msg", "comm_close"):
            client.shell_channel.send(client.session.msg(kind, {"comm_id": "c1", "data": {}}))
        self.assertEqual(self.kernel.ask("comm_info_request", {}), {"status": "ok", "comms": {}})

    def test_nobody_is_asked_where_stdin_is_not_allowed(self):
        self.kernel.ok('println!("EVCXR_INPUT_REQUEST:name?");\nlet mut s = String::new();\nstd::io::stdin().read_line(&mut s)?;', allow_stdin=False)
        self.assertEqual(self.kernel.ok("s.trim().len()").result, "0")

    def test_a_client_that_vanishes_does_no_harm(self):
        other = BlockingKernelClient(connection_file=self.kernel.manager.connection_file)
        other.load_connection_file()
        other.start_channels()
        other.wait_for_ready(timeout=60)
        other.execute('for i in 0..20000 { println!("{i}"); }')
        other.get_iopub_msg(timeout=60)
        other.stop_channels()
        self.assertEqual(self.kernel.ok("2 + 2").result, "4")

    def test_completion_and_inspection_answer_soon(self):
        self.kernel.ok("use holoscope::prelude::*;\nlet config = TransformerConfig::default();")
        self.kernel.ask("complete_request", {"code": "config.", "cursor_pos": 7})
        began = time.monotonic()
        matches = self.kernel.ask("complete_request", {"code": "config.d_", "cursor_pos": 9})["matches"]
        self.assertIn("d_model", matches)
        self.assertLess(time.monotonic() - began, 2)
        found = self.kernel.ask("inspect_request", {"code": "TransformerConfig", "cursor_pos": 17, "detail_level": 0})
        self.assertTrue(found["found"])
        self.assertIn("d_model", found["data"]["text/plain"])


class Transports(unittest.TestCase):
    def test_ipc(self):
        with tempfile.TemporaryDirectory() as folder:
            kernel = Kernel(transport="ipc", ip=os.path.join(folder, "socket"))
            try:
                self.assertEqual(kernel.ok("3 * 3").result, "9")
            finally:
                kernel.stop()
            self.assertEqual([f for f in os.listdir(folder) if f.startswith("socket")], [])

    def test_shutdown_while_a_cell_runs_and_history_afterwards(self):
        kernel = Kernel()
        kernel.ok("let unforgettable: i64 = 12345;")
        request = kernel.start("loop { std::thread::sleep(std::time::Duration::from_millis(5)); }")
        time.sleep(2)
        began = time.monotonic()
        self.assertEqual(kernel.control("shutdown_request", {"restart": False})["status"], "ok")
        while kernel.manager.is_alive():
            self.assertLess(time.monotonic() - began, 10, "the kernel stays")
            time.sleep(0.05)
        kernel.stop()
        later = Kernel()
        try:
            found = later.ask("history_request", {"hist_access_type": "search", "pattern": "*unforgettable*", "n": 1, "output": False, "raw": True})
            self.assertEqual(len(found["history"]), 1, found)
        finally:
            later.stop()
        self.assertTrue(request)


if __name__ == "__main__":
    program = unittest.main(exit=False)
    print(f"{program.result.testsRun} tests")
    raise SystemExit(not program.result.wasSuccessful() or bool(program.result.skipped))
