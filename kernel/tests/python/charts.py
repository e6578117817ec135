"""Drives the charts of an exported page in Chromium: pointer, keys, legend, zoom, table, touch, no network.

    python charts.py PAGE.html CHROMIUM

The page has three charts, in this order: the loss chart, the panels and the small heat map of the
library's tests (tests/show_snapshots.rs), whose formulas the expected numbers follow; and a line chart
that carries no data (kernel/src/export/charts/stored_chart.svg).
"""

import math
import pathlib
import sys

from playwright.sync_api import sync_playwright


def loss(step):
    """`loss_chart` of tests/show_snapshots.rs."""
    return 5 + 4.3 * math.exp(-step / 60) + 0.05 * (step * 7919 % 13) / 13


def number(text):
    return float(text.replace("\N{MINUS SIGN}", "-"))


def equal(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


def near(found, expected):
    assert abs(found - expected) < 1e-4 * abs(expected) + 1e-9, f"found {found}, expected {expected}"


class Chart:
    def __init__(self, page, at):
        self.box = page.locator("div.chart").nth(at)
        self.plot = self.box.locator(".chart-plot").first
        self.tip = self.box.locator(".chart-tip")
        tools = page.locator(".chart-tools").nth(at)
        self.more, self.data = tools.locator("button"), page.locator(".chart-data").nth(at)

    def lines(self):
        return [line.strip() for line in self.tip.inner_text().splitlines() if line.strip()]

    def bounds(self):
        self.plot.scroll_into_view_if_needed()
        return self.plot.bounding_box()

    def shown(self, series):
        return self.box.locator(f'[data-s="{series}"]').first.is_visible()


def hover(page, chart):
    """The axis goes from 0 to 599 and 4 % of that beyond, and 4 % of the losses' span beyond either end."""
    low, high = min(map(loss, range(600))), loss(0) + 0.08
    room = 0.04 * (high - low)
    low -= room
    box, step = chart.bounds(), 12
    x = box["x"] + box["width"] * step / (599 * 1.04)
    y = box["y"] + box["height"] * (high + room - loss(step)) / (high + room - low)
    page.mouse.move(x, y)
    name, at, value = chart.lines()
    equal((name, at), ("training", "step: 12"))
    label, value = value.split(": ")
    equal(label, "cross-entropy (nats/token)")
    near(number(value), loss(12))
    page.mouse.move(0, 0)
    assert chart.tip.is_hidden(), "the value stays when the pointer has gone"


def legend(page, chart):
    training = chart.box.get_by_role("button", name="training")
    equal(training.get_attribute("aria-pressed"), "true")
    training.click()
    equal(training.get_attribute("aria-pressed"), "false")
    assert not chart.shown(0) and chart.shown(1), "the legend hides another series"
    chart.plot.hover()
    equal(chart.lines()[0], "validation")
    training.focus()
    page.keyboard.press("Enter")
    assert chart.shown(0), "the series does not come back"
    equal(training.get_attribute("aria-pressed"), "true")


def zoom(page, chart):
    curve = chart.box.locator('polyline[data-s="1"]')
    whole = curve.get_attribute("points")
    box = chart.bounds()
    page.mouse.move(box["x"] + 40, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 180, steps=4)
    page.mouse.up()
    assert curve.get_attribute("points") != whole, "dragging does not zoom"
    assert chart.box.locator(".chart-frame").first.is_hidden(), "the rectangle stays"
    page.mouse.dblclick(box["x"] + 60, box["y"] + 60)
    equal(curve.get_attribute("points"), whole)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.wait_for_function("document.querySelector('.chart-zoomed')")
    chart.plot.focus()
    page.keyboard.press("Escape")
    equal(curve.get_attribute("points"), whole)
    equal(page.locator(".chart-zoomed").count(), 0)


def keys(page, chart):
    """From the start of the page, with the keyboard alone."""
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    for _ in range(40):
        page.keyboard.press("Tab")
        if chart.plot.evaluate("plot => plot === document.activeElement"):
            break
    else:
        raise AssertionError("the chart cannot be reached with Tab")
    for key, step in [("ArrowRight", 0), ("ArrowRight", 1), ("End", 599), ("ArrowLeft", 598), ("Home", 0)]:
        page.keyboard.press(key)
        equal(chart.lines()[:2], ["training", f"step: {step}"])
        equal(chart.tip.get_attribute("aria-live"), "polite")
    page.keyboard.press("ArrowDown")
    name, step, value = chart.lines()
    equal((name, step), ("validation", "step: 0"))
    near(number(value.split(": ")[1]), loss(0) + 0.08)
    page.keyboard.press("+")
    equal(page.locator(".chart-zoomed").count(), 1)
    page.keyboard.press("Escape")
    equal(page.locator(".chart-zoomed").count(), 0)


def table(chart):
    assert chart.data.is_hidden()
    chart.more.click()
    equal(chart.more.inner_text(), "Hide the table")
    equal(chart.data.locator("thead th").all_inner_texts(), ["step", "training", "validation"])
    rows = chart.data.locator("tbody tr")
    equal(rows.count(), 600)
    cells = rows.nth(50).locator("th, td").all_inner_texts()
    equal(cells[0], "50")
    near(number(cells[1]), loss(50))
    near(number(cells[2]), loss(50) + 0.08)
    equal(rows.nth(51).locator("td").nth(1).inner_text(), "")
    chart.more.click()
    assert chart.data.is_hidden()


def panels_cells_and_stored_charts(page):
    panels = Chart(page, 1)
    equal(panels.box.locator(".chart-plot").count(), 2)
    second = panels.box.locator(".chart-plot").nth(1)
    second.scroll_into_view_if_needed()
    second.hover()
    assert len(panels.lines()) == 3, panels.lines()

    cells = Chart(page, 2)
    box = cells.bounds()
    # Row 2 and column 4 of 4 and 6: (2 * 5 + 4 * 3) % 11 - 5 = -5, over 5.
    page.mouse.move(box["x"] + box["width"] * 4.5 / 6, box["y"] + box["height"] * 2.4 / 4)
    equal(cells.lines(), ["row: L3", "column: 4", "entry: \N{MINUS SIGN}1"])
    cells.plot.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    equal(cells.lines()[:2], ["row: L4", "column: 0"])
    cells.more.click()
    equal(cells.data.locator("tbody tr").nth(2).locator("th, td").nth(5).inner_text(), "\N{MINUS SIGN}1")

    stored = Chart(page, 3)
    stored.plot.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    equal(stored.lines(), ["train", "step: 50", "loss (nats): 2.5"])


def on_a_phone(browser, address):
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, color_scheme="dark")
    page = context.new_page()
    page.goto(address)
    chart = Chart(page, 0)
    box = chart.bounds()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.9)
    equal(len(chart.lines()), 3)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the phone"
    context.close()


def without_a_script(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    equal(page.locator("svg[role=img]").count(), 4)
    equal(page.locator(".chart-tools, .chart-plot").count(), 0)
    context.close()


def in_print(page):
    page.emulate_media(media="print")
    assert page.locator(".chart-tools").first.is_hidden() and page.locator(".chart-plot").first.is_hidden()
    page.emulate_media(media="screen")


def main(path, chromium):
    address = pathlib.Path(path).resolve().as_uri()
    said, asked = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        chart = Chart(page, 0)
        for check in (hover, legend, zoom, keys):
            check(page, chart)
        table(chart)
        panels_cells_and_stored_charts(page)
        in_print(page)
        equal(asked, [address])
        equal(said, [])
        on_a_phone(browser, address)
        without_a_script(browser, address)
        browser.close()
    print("the charts answer")


if __name__ == "__main__":
    main(*sys.argv[1:3])
