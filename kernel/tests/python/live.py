"""Uses the neuroscope of an exported page in Chromium, without a server: types, chooses, clicks.

    python live.py PAGE.html NOTEBOOK.ipynb CHROMIUM

The notebook's last cell has printed the activations that the page must show.
"""

import json
import pathlib
import sys

from playwright.sync_api import sync_playwright

PAGE, NOTEBOOK, CHROMIUM = sys.argv[1:]
VALUES = """place => {
  const values = place.liveModel.get("values");
  return Array.from(values, (v) => v);
}"""


def expected():
    cell = json.loads(pathlib.Path(NOTEBOOK).read_text())["cells"][-1]
    text = "".join("".join(output.get("text", "")) for output in cell["outputs"])
    lines = [line.split(" ", 1) for line in text.splitlines() if line]
    return [(int(feature), json.loads(values)) for feature, values in lines]


def near(found, wanted):
    """Integers as weights: a few per cent of the largest activation."""
    assert len(found) == len(wanted), (found, wanted)
    most = max(map(abs, wanted))
    assert most > 0, "a feature that is nowhere active shows nothing"
    for a, b in zip(found, wanted):
        assert abs(a - b) <= 0.05 * most, f"found {found}, expected {wanted}"


def asked(page, view):
    """Until what was asked for last is answered."""
    page.wait_for_function(
        "place => place.liveModel.get('request') === place.liveModel.get('answered')", arg=view.element_handle()
    )


def use(page, wanted):
    view = page.locator(".live[data-view]")
    view.scroll_into_view_if_needed()
    page.wait_for_selector(".live[data-ready]", timeout=60_000)
    first = int(view.get_attribute("data-ready"))
    note = view.locator(".live-note").inner_text()
    assert "integers" in note and view.locator(".live-note[role=alert]").count() == 0, note
    assert not view.locator(".live-static").is_visible()
    near(view.evaluate(VALUES), wanted[0][1])

    # Another feature and another text, by the keyboard.
    feature, values = wanted[1]
    view.locator("input[type=number]").fill(str(feature))
    view.locator("textarea").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("My lord, the queen is come")
    page.wait_for_function(
        """([place, n, feature]) => place.liveModel.get("values").length === n
           && place.liveModel.get("index") === feature
           && place.liveModel.get("text").endsWith("come")
           && place.liveModel.get("request") === place.liveModel.get("answered")""",
        arg=[view.element_handle(), len(values), feature],
    )
    near(view.evaluate(VALUES), values)
    tokens = view.locator(".hs-token").all_inner_texts()
    assert tokens[0] == "My" and len(tokens) == len(values), tokens

    # A token's strongest features.
    view.locator(".hs-token").nth(1).click()
    asked(page, view)
    page.wait_for_function("place => place.querySelectorAll('table tbody tr').length > 0", arg=view.element_handle())
    rows = view.locator("table tbody tr").count()
    assert 0 < rows <= 12, rows

    # Features that promote a token.
    view.locator("input[type=search]").fill("king")
    page.wait_for_function("place => place.liveModel.get('matches').length > 0", arg=view.element_handle())
    assert view.locator(".hs-matches [role=option]").count() > 0

    # An empty text is no error.
    view.locator("textarea").fill("")
    page.wait_for_function("place => place.liveModel.get('tokens').length === 0", arg=view.element_handle())
    assert view.evaluate("place => place.liveModel.get('error')") is None
    return first


def latency(page):
    """Milliseconds that an answer for 64 tokens takes."""
    return page.locator(".live[data-view]").evaluate(
        """async (place) => {
          const model = place.liveModel, took = [];
          for (let i = 0; i < 20; i += 1) {
            model.set("text", "the king ".repeat(32) + i);
            model.set("selected", -1);
            model.set("query", "");
            model.set("request", model.get("request") + 1);
            model.save_changes();
            while (model.get("answered") !== model.get("request")) await new Promise((f) => setTimeout(f, 1));
            took.push(model.took);
          }
          return took.sort((a, b) => a - b)[10];
        }"""
    )


def main():
    wanted = expected()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        faults, requests = [], []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: requests.append(request.url))
        url = pathlib.Path(PAGE).resolve().as_uri()
        page.goto(url)
        first = use(page, wanted)
        took = latency(page)
        elsewhere = [u for u in requests if not u.startswith(("file:", "blob:", "data:"))]
        assert not faults and not elsewhere, (faults, elsewhere)
        print(f"first answer {first} ms after the page was opened, 64 tokens {took:.1f} ms, page {pathlib.Path(PAGE).stat().st_size} bytes")

        # Without JavaScript the notebook's own tokens stand there.
        still = browser.new_context(java_script_enabled=False).new_page()
        still.goto(url)
        assert "king" in still.locator(".live[data-view]").inner_text()
        browser.close()


main()
