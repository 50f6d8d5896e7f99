"""What a person meets in a browser: the documentation and the admin site, in a real Chromium."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, Response, expect

from tests.certificates import Authority
from tests.gateway import Gateway
from tests.peers.chromium import Chromium

PASSWORD = "long enough for anybody"
POOLS = "/o2ims/v1/resourcePools"
LISTS = {  # where an admin may write: in the list, in a row
    "o2ims/source": (False, False),
    "o2ims/item": (False, False),
    "o2ims/change": (False, False),
    "o2ims/operation": (False, False),
    "tenancy/tenant": (True, True),
    "tenancy/user": (True, True),
    "tenancy/role": (True, False),  # the first is a built-in one
    "tenancy/binding": (True, True),
    "tenancy/token": (True, False),
    "tenancy/issuer": (True, True),
    "tenancy/certificate": (True, False),
}

# What is written in the page's main part and its menu with less contrast than AA asks for: WCAG's ratio, of
# each text on the nearest background that is not transparent, once colours have stopped fading.
ILLEGIBLE = """async () => {
    await Promise.allSettled(document.getAnimations().map(animation => animation.finished));
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => numbers(colour).slice(0, 3).map(c => c / 255)
        .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        for (let e = element; e; e = e.parentElement) {
            const colour = getComputedStyle(e).backgroundColor;
            if ((numbers(colour)[3] ?? 1) === 1) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const texts = [...document.querySelectorAll('#nav-sidebar a, #content h1, #content a, #content .state,'
        + ' #content td, #content .readonly, #content p, #content button')];
    return texts.filter(e => e.textContent.trim() && e.checkVisibility()).map(e => {
        const [a, b] = [light(getComputedStyle(e).color), light(behind(e))];
        return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.trim()];
    }).filter(([ratio]) => ratio < 4.5);
}"""


class Visit:
    """A page in a profile of its own. `complaints`: what its console said, what broke, and every request to
    somebody else."""

    def __init__(self, page: Page, gateway: Gateway) -> None:
        self.page = page
        self.url = gateway.url
        self.complaints: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("request", self._asked)

    async def to(self, path: str) -> str:
        """Goes there; the HTML that the server sent. None of its scripts and styles may be inline."""
        answer: Response | None = await self.page.goto(self.url + path)
        assert answer is not None
        assert answer.status == 200, path
        html = await answer.text()
        assert [tag for tag in re.findall(r"<script[^>]*>", html) if "src=" not in tag] == [], path
        assert not re.search(r"<style|<[^>]+\s(?:style|on\w+)=", html), path
        return html

    async def sign_in(self, name: str) -> None:
        """By the login page, as people do."""
        await self.to("/admin/")
        await self.page.get_by_label("Username").fill(name)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.keyboard.press("Enter")
        await expect(self.page.get_by_role("heading", name="Overview")).to_be_visible()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:  # what the policy refuses is an error
            self.complaints.append(f"{self.page.url}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.url + "/", "data:")):
            self.complaints.append(f"{self.page.url} asked {request.url}")


@asynccontextmanager
async def visit(browser: Browser, gateway: Gateway) -> AsyncIterator[Visit]:
    """A new visitor, who leaves without a complaint."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    visitor = Visit(await context.new_page(), gateway)
    yield visitor
    await context.close()
    assert visitor.complaints == []


@pytest.fixture
def served(gateway: Gateway) -> Gateway:
    config = {"path": str(gateway.den.path / "mock.sqlite"), "live": 0}
    gateway.configure({"name": "sample", "type": "mock", "default": True, "shared": True, "config": config})
    gateway.start(gateway.both)
    return gateway


async def test_the_documentation_takes_a_token_and_tries_a_request(
    chromium: Chromium, served: Gateway
) -> None:
    async with chromium.browser() as browser, visit(browser, served) as visitor:
        page = visitor.page
        await visitor.to("/docs/")
        operation = page.locator(".opblock-get").filter(has=page.locator(f'[data-path="{POOLS}"]'))
        await operation.click()
        status = operation.locator(".live-responses-table tbody .response-col_status").first
        await operation.get_by_role("button", name="Execute").click()
        await expect(status).to_contain_text("401")
        (complaint,) = visitor.complaints
        assert "401 (Unauthorized)" in complaint
        visitor.complaints.clear()

        await page.locator(".auth-wrapper").get_by_role("button", name="Authorize").click()
        dialog = page.locator(".dialog-ux")
        await dialog.get_by_role("textbox").fill(served.tokens["alice"])
        await dialog.locator("button[type=submit]").click()
        await dialog.locator(".btn-done").click()
        await operation.get_by_role("button", name="Execute").click()
        await expect(status).to_contain_text("200")
        body = operation.locator(".live-responses-table tbody .response-col_description")
        await expect(body).to_contain_text('"items"')
        await expect(body).to_contain_text("resourcePoolId")


async def test_the_admin_site_serves_an_admin_and_shows_an_auditor_the_same_without_buttons(
    chromium: Chromium, served: Gateway
) -> None:
    for name, kind in (("boss", "--admin"), ("iris", "--auditor")):
        served.manage("add_user", name, kind, "--password-stdin", given=f"{PASSWORD}\n")
    assert served.send("alice", "POST", POOLS, {"name": "workers"}).status == 201
    authority = Authority(served.den.path / "ca")
    shown = authority.issue(names=["alice.acme.o2ims.example.com"])
    served.manage("trust_issuer", str(authority.file), "--tenant", "acme")
    served.manage("revoke_certificate", str(shown.certificate))
    async with chromium.browser() as browser:
        async with visit(browser, served) as boss:
            await boss.sign_in("boss")
            await one_source(boss)
            await searches(boss)
            await a_role_and_who_has_it(boss)
            await themes(boss)
            seen = await every_list(boss)
            await boss.page.get_by_role("link", name="API documentation").click()
            await expect(boss.page.locator(".opblock").first).to_be_visible()
        async with visit(browser, served) as iris:
            await iris.sign_in("iris")
            assert await every_list(iris, writes=False) == seen


async def every_list(visitor: Visit, *, writes: bool = True) -> dict[str, int]:
    """Opens each list and its first row; how many rows each has."""
    found = {}
    page = visitor.page
    for name, expected in LISTS.items():
        await visitor.to(f"/admin/{name}/")
        noun = name.partition("/")[2]
        await expect(page.get_by_role("heading", level=1)).to_have_text(f"{noun.title()}s")
        rows = page.locator("#result_list tbody tr")
        found[name] = await rows.count()
        assert found[name] > 0, name
        cut_off = await page.locator(".results").evaluate("e => e.scrollWidth - e.clientWidth")
        assert cut_off <= 0, f"columns of {name} are cut off"
        in_list = await writing(page).count() > 0
        address = await rows.locator("th a").first.get_attribute("href")
        assert address is not None
        await visitor.to(address)
        in_row = await writing(page).count() > 0
        await expect(page.get_by_role("heading", level=1)).to_have_count(1)
        assert (in_list, in_row) == (expected if writes else (False, False)), name
        assert writes or await page.locator("a.addlink").count() == 0
    return found


def writing(page: Page) -> Locator:
    """Whatever adds, saves, deletes, issues or revokes."""
    return page.locator("#content").locator(
        "a.addlink, input[name^=_save], a.deletelink, option[value=delete_selected],"
        " option[value=issue_token], option[value=revoke], form input[type=text]:not(#searchbar)"
    )


async def one_source(visitor: Visit) -> None:
    """Its state is a word; *Check now* works by mouse and by keyboard."""
    page = visitor.page
    await visitor.to("/admin/o2ims/source/")
    assert "up" in (await page.locator(".state").inner_text()).split()
    await page.get_by_role("link", name="sample").click()
    said = page.locator(".messagelist").get_by_text(re.compile(r"Reachable and allowed: sample \(\d+ ms\)"))
    await page.get_by_role("button", name="Check now").click()
    await expect(said).to_be_visible()
    await page.reload()
    await expect(said).to_have_count(0)
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent.trim()") == "Check now":
            break
    await page.keyboard.press("Enter")
    await expect(said).to_be_visible()


async def a_role_and_who_has_it(visitor: Visit) -> None:
    """A tenant's role is put together from a list, and given to somebody until a day."""
    page = visitor.page
    await visitor.to("/admin/tenancy/role/add/")
    await page.get_by_label("Name").fill("Night shift")
    await page.get_by_label("Tenant").select_option("acme")
    await page.locator("#id_permissions_from").select_option("Alarm:manage:tenant")
    await page.locator("#id_permissions_add, #id_permissions_add_link").first.click()
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.locator(".messagelist")).to_contain_text("Night shift of acme")
    await visitor.to("/admin/tenancy/binding/add/")
    await page.locator(".select2-selection").click()
    await page.locator(".select2-search__field").fill("bob")
    await page.locator(".select2-results__option", has_text="bob@acme").click()
    await page.get_by_label("Role").select_option(label="Night shift of acme")
    await page.locator("#id_expires_at_0").fill("2999-01-31")
    await page.locator("#id_expires_at_1").fill("12:00:00")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.locator(".messagelist")).to_contain_text("bob@acme is Night shift")
    await expect(page.locator("#result_list")).to_contain_text("2999-01-31 12:00:00")


async def searches(visitor: Visit) -> None:
    """A search finds; one that finds nothing says so, and leads back."""
    page = visitor.page
    rows = page.locator("#result_list tbody tr")
    await visitor.to("/admin/o2ims/item/")
    await page.locator("#searchbar").fill("Node Edge 001")
    await page.keyboard.press("Enter")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Node Edge 001")
    await page.locator("#searchbar").fill("no such thing")
    await page.keyboard.press("Enter")
    await expect(page.locator(".empty")).to_contain_text("No items fit this search")
    await page.get_by_role("link", name="Show all items").click()
    await expect(rows).to_have_count(50)


async def themes(visitor: Visit) -> None:
    """Everything is legible (AA) in the light and the dark, by the machine's choice and by the page's
    button."""
    page = visitor.page
    for path in ("/admin/o2ims/source/", "/admin/o2ims/source/1/change/", "/admin/tenancy/token/"):
        for machine in ("light", "dark"):
            await page.emulate_media(color_scheme=machine)
            await visitor.to(path)
            shown = set()
            for _ in range(3):  # automatic, and then the two themes
                assert await page.evaluate(ILLEGIBLE) == [], (path, machine)
                shown.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
                await page.locator("#header .theme-toggle").click()
            assert len(shown) == 2
