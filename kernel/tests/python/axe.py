"""Runs axe-core on exported pages, at the widths of a desktop and a phone, light and dark.

    python axe.py PAGE.html [CHROMIUM]

Prints each violation with what it concerns; exits with 1 if there is one. Needs
`pip install axe-playwright-python`, which brings axe-core.
"""

import pathlib
import sys

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright


def main(page_path: str, chromium: str | None) -> int:
    address = pathlib.Path(page_path).resolve().as_uri()
    found = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width in (1280, 390):
            for scheme in ("light", "dark"):
                # The page's own policy keeps foreign scripts out, also axe's.
                context = browser.new_context(
                    viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
                )
                page = context.new_page()
                page.goto(address)
                results = Axe().run(page)
                for violation in results.response["violations"]:
                    found += 1
                    nodes = [" ".join(map(str, node["target"])) for node in violation["nodes"][:5]]
                    print(f"{width} {scheme}: {violation['id']} ({violation['impact']}): {violation['help']}")
                    for node in nodes:
                        print(f"    {node}")
                overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                if overflow > 0:
                    found += 1
                    print(f"{width} {scheme}: the page is {overflow} px wider than the window")
                context.close()
        browser.close()
    print(f"{found} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
