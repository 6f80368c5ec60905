"""Headless Chromium: shows pages, records console messages and requests, takes screenshots."""

import base64
import json
import os
import shutil
from pathlib import Path

import matplotlib
import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

A4_CONTENT = 688
"""Width between the margins of a printed page in pixels: 182 mm at 96 per inch."""

FONTS = (
    ("Sans", {}, "DejaVuSans.ttf"),
    ("Sans", {"weight": "bold"}, "DejaVuSans-Bold.ttf"),
    ("Sans", {"style": "italic"}, "DejaVuSans-Oblique.ttf"),
    ("Mono", {}, "DejaVuSansMono.ttf"),
)
"""Families, styles and files of fonts that Matplotlib ships: the same on every machine."""


def find_programs():
    """Finds Chromium and its driver on PATH; None if one is missing."""
    programs = shutil.which("chromium"), shutil.which("chromedriver")
    return programs if all(programs) else None


class Browser:
    """Headless Chromium, controlled through its driver."""

    def __init__(self, chromium, driver):
        options = ChromeOptions()
        options.binary_location = chromium
        for argument in (
            "headless=new",
            "no-sandbox",
            "disable-dev-shm-usage",
            "disable-gpu",
            "hide-scrollbars",
        ):
            options.add_argument(f"--{argument}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        # The path is given, so that Selenium does not download a driver.
        self._driver = Chrome(options=options, service=Service(driver))

    def open(self, page: Path, width=1280, scheme="light", media="screen"):
        """Opens a page from disk in a window of a width and clears the logs."""
        self._driver.get("about:blank")
        self.messages(), self.requests()
        self._driver.set_window_rect(width=1280, height=1000)
        self._command("Emulation.setDeviceMetricsOverride", **self._metrics(width, 1000))
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._command("Emulation.setEmulatedMedia", media=media, features=features)
        self._driver.get(page.as_uri())

    def close(self):
        self._driver.quit()

    def messages(self):
        """Returns the messages of the console, warnings included."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    def requests(self):
        """Returns every requested address."""
        messages = (
            json.loads(entry["message"])["message"] for entry in self._driver.get_log("performance")
        )
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def text(self, selector):
        return self._driver.find_element(By.CSS_SELECTOR, selector).text

    def column(self, table, number):
        """Returns the texts of a table's column, from 1, in the order shown."""
        selector = f"#{table} tbody tr > :nth-child({number})"
        return [cell.text for cell in self._driver.find_elements(By.CSS_SELECTOR, selector)]

    def click_heading(self, table, number):
        selector = f"#{table} thead th:nth-child({number}) button"
        self._driver.find_element(By.CSS_SELECTOR, selector).click()

    def evaluate(self, expression):
        return self._driver.execute_script(f"return {expression}")

    def overflow(self):
        """Returns by how many pixels the page is wider than its window."""
        root = "document.documentElement"
        return self.evaluate(f"{root}.scrollWidth - {root}.clientWidth")

    def screenshot(self, page: Path, path: Path, width: int):
        """Saves a picture of a whole page in the fonts of ``FONTS``."""
        self._command("Page.enable")
        # The page's content security policy does not allow fonts.
        self._command("Page.setBypassCSP", enabled=True)
        try:
            self.open(page, width)
            self._use_fonts()
            height = self.evaluate("document.documentElement.scrollHeight")
            self._command("Emulation.setDeviceMetricsOverride", **self._metrics(width, height))
            path.write_bytes(base64.b64decode(self._command("Page.captureScreenshot")["data"]))
        finally:
            self._command("Page.setBypassCSP", enabled=False)

    def print(self) -> bytes:
        """Returns the page as PDF, in its style for print."""
        self._command("Emulation.setEmulatedMedia", media="", features=[])
        options = {"printBackground": True, "preferCSSPageSize": True}
        return base64.b64decode(self._command("Page.printToPDF", **options)["data"])

    def _use_fonts(self):
        folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
        for family, style, file in FONTS:
            content = base64.b64encode((folder / file).read_bytes()).decode()
            self._driver.execute_async_script(
                "const [family, content, style, done] = arguments;"
                "new FontFace(family, `url(data:font/ttf;base64,${content})`, style).load()"
                ".then(font => { document.fonts.add(font); done(); });",
                family,
                content,
                style,
            )
        self._driver.execute_script(
            "const style = document.createElement('style');"
            "style.textContent = 'body { font-family: Sans !important }"
            " code, pre { font-family: Mono !important }';"
            "document.head.append(style);"
        )

    def _command(self, name, **parameters):
        return self._driver.execute_cdp_cmd(name, parameters)

    @staticmethod
    def _metrics(width, height):
        return {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}


@pytest.fixture(scope="session")
def any_browser():
    """A browser; None where none is installed."""
    programs = find_programs()
    if programs is None:
        assert os.environ.get("HIGGS_BROWSER") != "required", (
            "no chromium with chromedriver on PATH"
        )
        yield None
        return
    browser = Browser(*programs)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def browser(any_browser):
    if any_browser is None:
        pytest.skip("no chromium with chromedriver on PATH; `make browser` says what to install")
    return any_browser
