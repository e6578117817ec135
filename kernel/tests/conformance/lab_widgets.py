"""Widgets in JupyterLab, as a reader uses them: keys, clicks, typing, a restart."""

import re
import time
import unittest

import lab
from driver import PATIENCE
from frontend import COUNTS, PRELUDE


class LabWidgets(lab.Lab):
    CELLS = [
        PRELUDE + "\nuse holoscope::widgets::*;\nuse holoscope::interact;",
        'let slider = IntSlider::new(0..=9).description("n");\nlet label = Label::new("");\nlet shown = label.clone();\n'
        'slider.observe(move |v| shown.set_value(&format!("now {v}")));\n'
        'let button = Button::new("press"); let area = Output::new(); let into = area.clone();\n'
        'button.on_click(move || into.capture(|| println!("pressed")));\n'
        "VBox::new([slider.widget(), label.widget(), button.widget(), area.widget()])",
        'interact!(word = "ab", n = 1..=4 => Html::new(format!("<b>{}</b>", word.repeat(n as usize)), ""))',
        "let tokenizer = Tokenizer::gpt2()?;\n"
        "let model = Transformer::new(&TransformerConfig { d_model: 32, n_heads: 2, d_mlp: 64, n_ctx: 64, d_vocab: tokenizer.n_vocab(), ..Default::default() })?;\n"
        "neuroscope((&model, &tokenizer))?",
        'attention_view(&model, &tokenizer)?.text("once upon a time")?',
    ]

    def drive(self, page, pictures):
        from playwright.sync_api import expect

        expect.set_options(timeout=PATIENCE * 1000)
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"http://127.0.0.1:{self.port}/lab/tree/in.ipynb?token={self.token}")
        cells = page.locator(".jp-Notebook .jp-CodeCell")
        expect(cells).to_have_count(len(self.CELLS))
        expect(page.get_by_role("button", name=re.compile(r"\| Idle$"))).to_be_visible()
        page.locator("#jp-MainMenu .lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
        page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
        area = lambda n: cells.nth(n).locator(".jp-Cell-outputArea")

        self.controls(page, area(1), area(2), expect)
        page.screenshot(path=pictures / "controls.png")
        self.neuroscope(page, area(3), expect)
        page.screenshot(path=pictures / "neuroscope.png")
        canvas = area(4).locator("canvas").first
        expect(canvas).to_be_visible()
        colours = canvas.evaluate(
            "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((_, i) => i % 4 < 3)).size"
        )
        self.assertGreater(colours, 5, "the pattern is drawn in its colours")
        page.screenshot(path=pictures / "attention.png")

        page.locator('.jp-NotebookPanel-toolbar [data-jp-item-name="restart"]').click()
        page.get_by_role("button", name="Confirm Kernel Restart").click()
        # ipywidgets marks the controls of a kernel that has gone.
        expect(area(1).locator(".jupyter-widgets-disconnected").first).to_be_visible()
        expect(area(3)).to_contain_text("session that has ended")
        page.screenshot(path=pictures / "restarted.png")
        self.assertEqual(errors, [])
        COUNTS["cells"] += 5
        COUNTS["outputs"] += 4

    def controls(self, page, area, interact, expect):
        handle = area.locator(".noUi-handle")
        expect(handle).to_be_visible()
        handle.focus()
        began = time.monotonic()
        page.keyboard.press("ArrowRight")
        expect(area).to_contain_text("now 1")
        print(f"a key on a slider is answered on the screen after {1000 * (time.monotonic() - began):.0f} ms")
        for _ in range(20):
            page.keyboard.press("ArrowRight")
        expect(area).to_contain_text("now 9")
        area.get_by_role("button", name="press").click()
        expect(area.locator(".jp-OutputArea-output", has_text="pressed").last).to_be_visible()
        expect(interact.locator("b")).to_have_text("ab")
        interact.get_by_role("textbox").first.fill("xyz")
        expect(interact.locator("b")).to_have_text("xyz")

    def neuroscope(self, page, area, expect):
        text = area.get_by_role("textbox", name=re.compile("text", re.I)).first
        expect(text).to_be_visible()
        tokens = area.locator(".holoscope-neuroscope")
        text.fill("Now is the winter")
        expect(tokens).to_contain_text("winter")
        times = []
        for n in range(10):
            word = f"{'abcdefghij'[n]}"
            began = time.monotonic()
            text.press_sequentially(word)
            expect(tokens.locator("[data-key]", has_text=re.compile(f"{word}$")).last).to_be_visible()
            times.append(time.monotonic() - began)
        print(f"a key in the neuroscope is answered after {1000 * sorted(times)[5]:.0f} ms (median of 10)")


if __name__ == "__main__":
    unittest.main()
