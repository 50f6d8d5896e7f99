"""The content security policy in a real Chromium: pages of ours break it nowhere, and what somebody smuggles
into one is refused."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote, urlsplit

import pytest
from playwright.async_api import Browser, Page, Route, expect

from netweave.settings import SECURE_CSP
from tests.gateway import Gateway
from tests.peers.chromium import Chromium

PASSWORD = "long enough for anybody"
TELL = """document.addEventListener('securitypolicyviolation',
    e => refused(`${location.pathname} ${e.effectiveDirective}`))"""
# What somebody would try who can write into a page.
SMUGGLED = {
    "script-src-elem": "const s = document.createElement('script'); s.text = 'window.smuggled = 1'",
    "style-src-elem": "const s = document.createElement('style'); s.textContent = '* {color: red}'",
    "img-src": "const s = document.createElement('img'); s.src = 'http://elsewhere.test/x.png'",
    "frame-src": "const s = document.createElement('iframe'); s.src = 'http://elsewhere.test/'",
    "base-uri": "const s = document.createElement('base'); s.href = 'http://elsewhere.test/'",
}
TRY = """() => new Promise(told => {
    document.addEventListener('securitypolicyviolation', e => told(e.effectiveDirective), {once: true});
    setTimeout(() => told('nothing refused'), 5000);
    MADE; document.head.appendChild(s);
})"""
ELSEWHERE = "http://elsewhere.test/"


@asynccontextmanager
async def watched(browser: Browser) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page, and every violation of the policy in it: path and directive."""
    context = await browser.new_context()
    refused: list[str] = []

    def tell(what: str) -> None:  # Playwright hangs something of its own on it: no builtin method will do
        refused.append(what)

    await context.expose_function("refused", tell)
    await context.add_init_script(TELL)
    yield await context.new_page(), refused
    await context.close()


@pytest.fixture
def served(gateway: Gateway) -> Gateway:
    gateway.configure({"name": "sample", "type": "mock", "shared": True, "config": {"live": 0}})
    gateway.start(gateway.both)
    gateway.manage("add_user", "boss", "--admin", "--password-stdin", given=f"{PASSWORD}\n")
    return gateway


async def sign_in(page: Page, gateway: Gateway) -> None:
    await page.goto(f"{gateway.url}/admin/")
    await page.get_by_label("Username").fill("boss")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_the_policy_has_no_hole() -> None:
    assert SECURE_CSP["default-src"] == ["'self'"]
    assert SECURE_CSP["frame-ancestors"] == ["'none'"]
    assert {"base-uri", "form-action"} <= SECURE_CSP.keys()
    sources = {source for each in SECURE_CSP.values() for source in each}
    assert sources == {"'self'", "'none'", "data:"}
    assert [name for name, each in SECURE_CSP.items() if "data:" in each] == ["img-src"]


async def test_no_page_of_ours_breaks_it(chromium: Chromium, served: Gateway) -> None:
    async with chromium.browser() as browser, watched(browser) as (page, refused):
        await sign_in(page, served)
        paths = ["/admin/tenancy/user/", "/admin/tenancy/role/add/", "/admin/o2ims/item/?q=node", "/docs/"]
        for path in paths:
            await page.goto(served.url + path, wait_until="networkidle")
        await page.goto(f"{served.url}/admin/tenancy/user/")
        await page.locator("#result_list tbody th a").first.click()
        await expect(page.get_by_role("button", name="Save", exact=True)).to_be_visible()
        await page.get_by_role("button", name="Log out").click()
        await page.wait_for_load_state("networkidle")
        assert refused == []


async def test_what_is_smuggled_into_a_page_is_refused(chromium: Chromium, served: Gateway) -> None:
    asked = []

    async def answer(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(body="")

    async with chromium.browser() as browser, watched(browser) as (page, _):
        await page.route(f"{ELSEWHERE}**", answer)
        await sign_in(page, served)
        for path in ("/admin/", "/admin/tenancy/user/", "/docs/"):
            for directive, made in SMUGGLED.items():
                await page.goto(served.url + path, wait_until="networkidle")
                assert await page.evaluate(TRY.replace("MADE", made)) == directive, path
                assert await page.evaluate("window.smuggled") is None
        assert asked == []


class Framing(BaseHTTPRequestHandler):
    """A page on this machine with a frame of what its query names. (Chromium lets no page from outside frame
    one on loopback, whatever its policy.)"""

    def do_GET(self) -> None:
        body = f'<iframe src="{unquote(urlsplit(self.path).query)}"></iframe>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def framing() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Framing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/?"
        server.shutdown()
        thread.join()


async def test_nobody_frames_a_page(chromium: Chromium, served: Gateway, framing: str) -> None:
    # /livez says nothing about frames: it shows that such a page can have one.
    async with chromium.browser() as browser, watched(browser) as (page, _):
        await sign_in(page, served)
        for path in ("/livez", "/admin/", "/admin/login/?next=/docs/", "/docs/"):
            await page.goto(framing + quote(served.url + path), wait_until="networkidle")
            framed = page.frames[1].url
            expected = served.url + path if path.startswith("/livez") else "chrome-error://chromewebdata/"
            assert framed == expected, path
