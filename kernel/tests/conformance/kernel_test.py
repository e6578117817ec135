"""jupyter_kernel_test with everything that it can test; a test that is skipped is a failure."""

import unittest

import jupyter_kernel_test
from driver import NAME, PATIENCE

# A first cell waits for the session to start, and every cell for a compiler.
jupyter_kernel_test.TIMEOUT = PATIENCE


class HoloscopeTests(jupyter_kernel_test.KernelTests):
    kernel_name = NAME
    language_name = "rust"
    file_extension = ".rs"

    code_hello_world = 'println!("hello, world");'
    code_stderr = 'eprintln!("test");'
    completion_samples = [
        {"text": "std::collections::HashM", "matches": {"HashMap"}},
        {"text": 'String::from("a").to_upperc', "matches": {"to_uppercase()"}},
    ]
    complete_code_samples = ["1 + 1", 'println!("hello");', "fn f() -> i64 {\n    1\n}", "let a = vec![1, 2];"]
    incomplete_code_samples = ['println!("hello"', "fn f() -> i64 {", "let a = vec![\n    1,", 'let s = "open']
    invalid_code_samples = ["let a = (1]];", "fn f() }"]
    code_page_something = "?std::vec::Vec"
    code_generate_error = 'panic!("on purpose")'
    code_execute_result = [{"code": "6 * 7", "result": "42"}, {"code": '"a".repeat(2)', "result": '"aa"'}]
    code_display_data = [
        {"code": "use holoscope::prelude::*;\ndisplay(&Html::new(\"<b>x</b>\", \"x\"))?;", "mime": "text/html"},
        {"code": 'println!("EVCXR_BEGIN_CONTENT image/svg+xml\\n<svg/>\\nEVCXR_END_CONTENT");', "mime": "image/svg+xml"},
    ]
    code_history_pattern = "6 * ?"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "std::vec::Vec"
    code_clear_output = "holoscope::show::clear_output(false)?;"

    def test_incomplete_code_is_indented(self):
        self.flush_channels()
        request = self.kc.is_complete("fn f() {\n    if true {")
        reply = self.kc.get_shell_msg(timeout=PATIENCE)
        self.assertEqual(reply["parent_header"]["msg_id"], request)
        self.assertEqual(reply["content"], {"status": "incomplete", "indent": " " * 8})


if __name__ == "__main__":
    program = unittest.main(exit=False)
    result = program.result
    print(f"{result.testsRun} tests, {len(result.skipped)} skipped {result.skipped}")
    raise SystemExit(not result.wasSuccessful() or bool(result.skipped))
