"""A real browser, headless: what it shows of a page, what it complains of, and what it asks for."""

import base64
import json
import shutil
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

A4_CONTENT = 688
"""Pixels between the margins of a printed page: 182 mm at 96 to the inch."""


def find_programs():
    """Chromium and its driver on PATH; None when one is missing."""
    programs = shutil.which("chromium"), shutil.which("chromedriver")
    return programs if all(programs) else None


class Browser:
    """Headless Chromium, by its driver."""

    def __init__(self, chromium, driver):
        options = ChromeOptions()
        options.binary_location = chromium
        for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu"):
            options.add_argument(f"--{argument}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        # Named, so that Selenium looks for no driver in the network.
        self._driver = Chrome(options=options, service=Service(driver))

    def open(self, page: Path, width=1280, scheme="light", media="screen"):
        """Opens a page from disk, in a window of a width, and forgets what was logged before."""
        self._driver.get("about:blank")
        self.complaints(), self.requests()
        self._driver.set_window_rect(width=1280, height=1000)
        self._command("Emulation.setDeviceMetricsOverride", **self._metrics(width, 1000))
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._command("Emulation.setEmulatedMedia", media=media, features=features)
        self._driver.get(page.as_uri())

    def close(self):
        self._driver.quit()

    def complaints(self):
        """What the console holds, warnings included."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    def requests(self):
        """Every address that was asked for."""
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
        """The texts of a table's column, from 1, as they are shown."""
        selector = f"#{table} tbody tr > :nth-child({number})"
        return [cell.text for cell in self._driver.find_elements(By.CSS_SELECTOR, selector)]

    def click_heading(self, table, number):
        selector = f"#{table} thead th:nth-child({number}) button"
        self._driver.find_element(By.CSS_SELECTOR, selector).click()

    def evaluate(self, expression):
        return self._driver.execute_script(f"return {expression}")

    def overflow(self):
        """By how many pixels the page is wider than its window."""
        root = "document.documentElement"
        return self.evaluate(f"{root}.scrollWidth - {root}.clientWidth")

    def screenshot(self, path: Path):
        """The whole page, as high as it is."""
        height = self.evaluate("document.documentElement.scrollHeight")
        width = self.evaluate("document.documentElement.clientWidth")
        self._command("Emulation.setDeviceMetricsOverride", **self._metrics(width, height))
        path.write_bytes(base64.b64decode(self._command("Page.captureScreenshot")["data"]))

    def print(self) -> bytes:
        """The page as PDF, in the style for print."""
        self._command("Emulation.setEmulatedMedia", media="", features=[])
        options = {"printBackground": True, "preferCSSPageSize": True}
        return base64.b64decode(self._command("Page.printToPDF", **options)["data"])

    def _command(self, name, **parameters):
        return self._driver.execute_cdp_cmd(name, parameters)

    @staticmethod
    def _metrics(width, height):
        return {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
