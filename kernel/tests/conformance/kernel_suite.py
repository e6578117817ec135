"""jupyter_kernel_test with every test enabled, and what that suite leaves unasked of the same features."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import jupyter_kernel_test as suite
from jupyter_client.manager import KernelManager, start_new_kernel

from driver import NAME, PATIENCE, Kernel

COUNTS = {"messages": 0}

# The suite's 15 s are for interpreters; a cell of Rust is compiled first.
suite.TIMEOUT = PATIENCE
validate = suite.validate_message


def counted(message, *args):
    COUNTS["messages"] += 1
    validate(message, *args)


suite.validate_message = counted

BLOCK = 'println!("EVCXR_BEGIN_CONTENT text/html\\n<i>y</i>\\nEVCXR_END_CONTENT");'


class KernelTest(suite.KernelTests):
    kernel_name = NAME
    language_name = "rust"
    file_extension = ".rs"
    code_hello_world = 'println!("hello, world");'
    code_stderr = 'eprintln!("hello, stderr");'
    completion_samples = [
        {"text": "struct Point { abscissa: f64 }\nlet p = Point { abscissa: 1.0 };\np.absc", "matches": {"abscissa"}},
        {"text": "let ordinate = 1;\nordin", "matches": {"ordinate"}},
        {"text": "let größe = 1;\ngrö", "matches": {"größe"}},
        {"text": "std::collections::HashM", "matches": {"HashMap"}},
        {"text": 'String::from("a").to_upperc', "matches": {"to_uppercase()"}},
        {"text": "let v: Vec<i64> = Vec::new();\nv.pus"},
        {"text": "holoscope::show::clear_o"},
        {"text": ""},
    ]
    complete_code_samples = [
        "1 + 1",
        "let x = 1;",
        "fn f() -> i64 {\n    1\n}",
        'let s = "{ (";',
        "// {",
        "let c = '{';",
        ":vars",
        "?Vec",
        "",
    ]
    incomplete_code_samples = [
        "fn f() {",
        "let v = vec![1,",
        "f(|x| {",
        'let s = "one',
        'let s = r#"one"',
        "/* one",
        "if true {\n    1\n} else {",
    ]
    invalid_code_samples = ["fn f() }", "(]", "let v = vec![1);"]
    code_page_something = "?Vec"
    code_generate_error = 'panic!("on purpose");'
    # Distinct inputs: the history's tail is compared with them, and the pattern must match exactly one.
    code_execute_result = [
        {"code": "1+2+3", "result": "6"},
        {"code": '"a".repeat(3)', "result": '"aaa"'},
        {"code": "let doubled = 21 * 2;\ndoubled", "result": "42"},
        {"code": "vec![Some(1), None]", "result": "[Some(1), None]"},
    ]
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "range", "search")
    code_display_data = [
        {
            "code": 'use holoscope::prelude::*;\nholoscope::show::display(&Html::new("<b>x</b>", "x"));',
            "mime": "text/html",
        },
        {"code": BLOCK, "mime": "text/html"},
        {"code": BLOCK.replace("text/html", "image/svg+xml").replace("<i>y</i>", "<svg/>"), "mime": "image/svg+xml"},
    ]
    code_inspect_sample = "String::from"
    code_clear_output = "holoscope::show::clear_output(false);"

    @classmethod
    def setUpClass(cls):
        cls.km, cls.kc = start_new_kernel(startup_timeout=PATIENCE, kernel_name=NAME)

    def get_non_kernel_info_reply(self, timeout=None):
        # Bounded where the suite would wait for ever, and longer than the defaults that it has already bound.
        return super().get_non_kernel_info_reply(timeout=max(timeout or 0, PATIENCE))

    def execute_helper(self, code, *args, **kwargs):
        # The suite gives IOPub 0.1 s a message, which a machine that compiles cannot promise.
        channel = self.kc.iopub_channel
        receive = channel.get_msg
        with mock.patch.object(channel, "get_msg", lambda timeout=None: receive(timeout=max(timeout or 0, PATIENCE))):
            return super().execute_helper(code, *args, **kwargs)


class IopubWelcome(suite.IopubWelcomeTests):
    kernel_name = NAME
    support_iopub_welcome = True

    @classmethod
    def setUpClass(cls):
        cls.km = KernelManager(kernel_name=NAME)
        cls.km.start_kernel()
        cls.kc = cls.km.client()


class Details(unittest.TestCase):
    """What the suite asks only the shape of."""

    @classmethod
    def setUpClass(cls):
        cls.kernel = Kernel()

    @classmethod
    def tearDownClass(cls):
        cls.kernel.stop()

    def ask(self, kind, **content):
        COUNTS["messages"] += 1
        answer = self.kernel.ask(kind, content, patience=PATIENCE)
        self.assertEqual(answer["status"] if kind != "is_complete_request" else "ok", "ok", answer)
        return answer

    def run_cell(self, code):
        cell = self.kernel.run(code)
        COUNTS["messages"] += len(cell.messages) + 1
        return cell

    def test_the_indent_of_an_incomplete_cell(self):
        for code, depth in [
            ("fn f() {", 1),
            ("fn f() {\n    if true {", 2),
            ("f(|x| {", 2),
            ("if true {\n    1\n} else {", 1),
            ('let s = "one', 0),
        ]:
            with self.subTest(code=code):
                answer = self.ask("is_complete_request", code=code)
                self.assertEqual(answer, {"status": "incomplete", "indent": "    " * depth})

    def test_pages(self):
        for code, words in [("?Vec", "growable"), ("Vec?", "growable"), ("?std::fs::File", "open file")]:
            with self.subTest(code=code):
                cell = self.run_cell(code)
                self.assertEqual(cell.reply["status"], "ok", cell.reply)
                [page] = cell.reply["payload"]
                self.assertEqual((page["source"], page["start"]), ("page", 0))
                self.assertIn(words, page["data"]["text/plain"])
                self.assertIn("text/markdown", page["data"])
                self.assertEqual(cell.shown(), [], "a page is not an output")
        with self.subTest(code="a name that nobody knows"):
            self.assertEqual(self.run_cell("?nobody_knows_this").reply["status"], "error")

    def test_a_variable_with_a_question_mark_is_rust(self):
        self.assertEqual(self.run_cell("let tried: Result<i64, String> = Ok(5);").reply["status"], "ok")
        cell = self.run_cell("tried?")
        self.assertEqual(cell.reply["payload"], [])

    def test_completion_knows_variables_and_counts_characters(self):
        self.assertEqual(self.run_cell("let größter: Vec<i64> = vec![1];").reply["status"], "ok")
        code = "größter.pus"
        answer = self.ask("complete_request", code=code, cursor_pos=len(code))
        self.assertTrue([m for m in answer["matches"] if m.startswith("push")], answer)
        self.assertEqual((answer["cursor_start"], answer["cursor_end"]), (len("größter."), len(code)))

    def test_inspection_of_a_variable_inside_a_cell(self):
        self.assertEqual(self.run_cell("let looked_at: Vec<i64> = vec![1];").reply["status"], "ok")
        code = "let n = looked_at.len();"
        answer = self.ask("inspect_request", code=code, cursor_pos=code.index("looked_at") + 3, detail_level=0)
        self.assertTrue(answer["found"], answer)
        self.assertIn("Vec<i64>", answer["data"]["text/plain"])
        nothing = self.ask("inspect_request", code="nobody_knows_this", cursor_pos=4, detail_level=0)
        self.assertEqual((nothing["found"], nothing["data"]), (False, {}))

    def test_a_content_block_keeps_its_place(self):
        cell = self.run_cell(f'println!("before");\n{BLOCK}\nprintln!("after");')
        kinds = [(m["msg_type"], m["content"]) for m in cell.messages if m["msg_type"] in ("stream", "display_data")]
        self.assertEqual([kind for kind, _ in kinds], ["stream", "display_data", "stream"], kinds)
        self.assertEqual([kinds[0][1]["text"], kinds[2][1]["text"]], ["before\n", "after\n"])
        self.assertEqual(kinds[1][1]["data"]["text/html"].strip(), "<i>y</i>")

    def test_clear_output_says_whether_to_wait(self):
        cell = self.run_cell("holoscope::show::clear_output(true);\nholoscope::show::clear_output(false);")
        self.assertEqual([c["wait"] for c in cell.of("clear_output")], [True, False])

    def test_every_number_of_a_cell_is_the_same(self):
        cell = self.run_cell("40 + 2")
        [begun], [result] = cell.of("execute_input"), cell.of("execute_result")
        self.assertEqual(result["data"]["text/plain"], "42")
        self.assertEqual(begun["execution_count"], cell.reply["execution_count"])
        self.assertEqual(result["execution_count"], cell.reply["execution_count"])


class HistoryOnDisk(unittest.TestCase):
    """Two sessions, one after the other, on one file."""

    CELLS = ["10+1", "10+2", "10+1"]

    def test_a_later_session_reads_an_earlier_one(self):
        with tempfile.TemporaryDirectory() as folder:
            with mock.patch.dict(os.environ, HOLOSCOPE_HISTORY=str(Path(folder) / "history.jsonl")):
                first = Kernel()
                try:
                    for code in self.CELLS:
                        first.ok(code)
                    first.ok("10+3", store_history=False)
                    first.run("10+4", silent=True)
                finally:
                    first.stop()
                second = Kernel()
                try:
                    second.ok("20+1")
                    self.ask_everything(second)
                finally:
                    second.stop()

    def ask_everything(self, kernel):
        def history(access, output=False, **content):
            COUNTS["messages"] += 1
            content = {"raw": True, "output": output, "hist_access_type": access, **content}
            return [tuple(entry) for entry in kernel.ask("history_request", content, patience=PATIENCE)["history"]]

        tail = history("tail", n=4)
        earlier, now = tail[0][0], tail[-1][0]
        self.assertEqual(now, earlier + 1)
        old = [(earlier, 1, "10+1"), (earlier, 2, "10+2"), (earlier, 3, "10+1")]
        self.assertEqual(tail, [*old, (now, 1, "20+1")])
        self.assertEqual(history("tail", n=100), tail, "neither silent nor unstored cells are history")
        self.assertEqual(history("tail", n=2), tail[-2:])
        with_output = [(earlier, 3, ["10+1", "11"]), (now, 1, ["20+1", "21"])]
        self.assertEqual(history("tail", output=True, n=2), with_output)

        self.assertEqual(history("range", session=0, start=1, stop=9), [(now, 1, "20+1")])
        self.assertEqual(history("range", session=-1, start=1, stop=3), old[:2])
        self.assertEqual(history("range", session=earlier, start=2, stop=4), old[1:])
        self.assertEqual(history("range", session=earlier, start=3, stop=4, output=True), with_output[:1])

        self.assertEqual(history("search", pattern="10+*"), old)
        self.assertEqual(history("search", pattern="10+?", n=2), old[1:])
        self.assertEqual(sorted(e[2] for e in history("search", pattern="10+*", unique=True)), ["10+1", "10+2"])
        self.assertEqual(history("search", pattern="20*", output=True), with_output[1:])
        self.assertEqual(history("search", pattern="nothing*"), [])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as own:
        # A history that this run alone writes: the suite's pattern must match one input.
        os.environ["HOLOSCOPE_HISTORY"] = str(Path(own) / "history.jsonl")
        program = unittest.main(exit=False)
    print(f"{program.result.testsRun} tests, {len(program.result.skipped)} skipped; {COUNTS}")
    raise SystemExit(not program.result.wasSuccessful() or bool(program.result.skipped))
