"""The machine's Chromium for tests of pages, by Playwright: `async with Chromium().browser() as browser:`.

Playwright's sync API would leave an event loop running in the test's thread, and Django then refuses the ORM.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.peers.process import PeerMissingError

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")


class Chromium:
    """Where the browser is; every `browser()` is a process of its own with a new profile, gone at the end."""

    def __init__(self) -> None:
        found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if found is None:
            msg = "chromium is not installed: apt-get install chromium"
            raise PeerMissingError(msg)
        self.executable = Path(found)

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=self.executable, args=list(ARGUMENTS))
            try:
                yield browser
            finally:
                await browser.close()
