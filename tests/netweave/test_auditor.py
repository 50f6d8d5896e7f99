"""A platform admin and an auditor at work in a real Chromium: the dashboard, a suspension, and the audit
trail followed to its proof. What the pages looked like stays in `.screenshots/`."""

import csv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, expect

from tests.gateway import ROOT, Gateway
from tests.netweave.test_browser import ILLEGIBLE, PASSWORD, POOLS, Visit, served, visit
from tests.peers.chromium import Chromium

__all__ = ["served"]

TRAIL = "/admin/tenancy/auditentry/"
PICTURES = ROOT / ".screenshots"


async def test_an_admin_suspends_and_an_auditor_follows_it_to_the_proof(
    chromium: Chromium, served: Gateway
) -> None:
    for name, kind in (("boss", "--admin"), ("iris", "--auditor")):
        served.manage("add_user", name, kind, "--password-stdin", given=f"{PASSWORD}\n")
    assert served.send("alice", "POST", POOLS, {"name": "=cmd()"}).status == 201
    for _ in range(2):
        assert served.send("bob", "POST", POOLS, {"name": "workers"}).status == 403
    async with chromium.browser() as browser:
        async with visit(browser, served) as boss:
            await boss.sign_in("boss")
            await the_dashboard(boss)
            await a_suspension(boss, served)
            await boss.to(TRAIL)
            await expect(boss.page.get_by_text("Export as")).to_have_count(0)
        async with visit(browser, served) as iris:
            await iris.sign_in("iris")
            await a_number_leads_to_its_list(iris)
            await a_selection(iris)
            await an_entry(iris)
            await an_export(iris)
            await a_proof(iris)
        async with visit(browser, served) as iris, without_scripts(browser) as plain:
            await iris.sign_in("iris")
            await plain.context.add_cookies([dict(one) for one in await iris.page.context.cookies()])  # type: ignore[misc]
            await a_selection(Visit(plain, served))


async def the_dashboard(boss: Visit) -> None:
    """States are words; the menu is there; everything is legible, in both themes."""
    page = boss.page
    backends = page.locator("#backends")
    await expect(backends.get_by_role("link", name="1 up")).to_be_visible()
    await expect(backends.locator(".state")).to_have_text("● up")
    await expect(page.locator("#nav-sidebar").get_by_role("link", name="Audit entries")).to_be_visible()
    await expect(page.locator("#done")).to_contain_text("=cmd()")
    await expect(page.locator("#endings")).to_contain_text("No token, client certificate or CA ends")
    await seen(boss, "dashboard", "/admin/")


async def a_suspension(boss: Visit, served: Gateway) -> None:
    """Needs a reason; then the tenant's traffic stops within five seconds, and the history tells it."""
    page = boss.page
    await boss.to("/admin/tenancy/tenant/acme/change/")
    await page.get_by_label("Status").select_option("suspended")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.locator(".field-reason .errorlist")).to_have_text("Say why it is suspended.")
    await picture(page, "suspension")
    await page.get_by_label("Reason").fill("Unpaid, TICKET-7")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.locator(".messagelist")).to_contain_text("was changed successfully")
    served.until(
        lambda: served.get("alice", POOLS).status == 403, seconds=5, what="the end of acme's traffic"
    )
    await boss.to("/admin/tenancy/tenant/acme/change/")
    await page.get_by_role("link", name="History").click()
    await expect(page.locator("#result_list")).to_contain_text("update Tenant")


async def a_number_leads_to_its_list(iris: Visit) -> None:
    """What the dashboard counts is what one meets behind it."""
    page = iris.page
    number = page.locator("#unwell").get_by_role("link", name="denied")
    count = int((await number.inner_text()).split()[0])
    assert count >= 2
    await number.click()
    await expect(page.locator("#result_list tbody tr")).to_have_count(count)


async def a_selection(visitor: Visit) -> None:
    """Fields combine; the URL is a saved view; a wrong one is told."""
    page = visitor.page
    await visitor.to(TRAIL)
    rows = page.locator("#result_list tbody tr")
    await page.get_by_label("Tenant").fill("acme")
    await page.get_by_label("Outcome").select_option("denied")
    await page.get_by_label("Kind").select_option("ResourcePool")
    await page.get_by_label("From (UTC)").fill("2020-01-31 13:00")
    await page.get_by_role("button", name="Select").click()
    await page.locator("#searchbar").fill("bob@acme")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**q=bob**")
    await expect(rows).to_have_count(2)
    await expect(rows.first.locator(".state")).to_have_text("▲ denied")
    await page.goto(page.url)
    await expect(rows).to_have_count(2)
    await expect(page.get_by_label("From (UTC)")).to_have_value("2020-01-31 13:00")
    await page.get_by_label("From (UTC)").fill("last week")
    await page.get_by_role("button", name="Select").click()
    for place in ("#changelist-form", "#changelist-filter"):
        note = page.locator(f"{place} .errornote")
        await expect(note).to_contain_text("From must be a date or a time")
    await expect(rows).to_have_count(0)


async def an_entry(iris: Visit) -> None:
    """The suspension: who, why, what differs, and what else its request led to."""
    page = iris.page
    await seen(iris, "audit", TRAIL)
    assert await page.locator(".results").evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    await iris.to(f"{TRAIL}?resource=Tenant&action=update")
    await page.locator("#result_list tbody th a").first.click()
    await expect(page.locator(".field-reason .readonly")).to_have_text("Unpaid, TICKET-7")
    await expect(page.locator(".field-sealed .readonly")).to_contain_text("by seal ")
    await expect(page.locator("del")).to_contain_text(['"active"'])
    await expect(page.locator("ins")).to_contain_text(['"suspended"'])
    before = page.locator(".field-pretty_before pre")
    await expect(before).to_be_hidden()
    await page.locator("summary", has_text="Before").click()
    await expect(before).to_contain_text('"tenantId": "acme"')
    await seen(iris, "entry", page.url.removeprefix(iris.url))
    await page.get_by_role("link", name="same request").click()
    await expect(page.locator("#result_list tbody tr")).to_have_count(1)


async def an_export(iris: Visit) -> None:
    """All that is selected, with its formulas defused."""
    page = iris.page
    await iris.to(f"{TRAIL}?tenantId=acme&resource=ResourcePool&result=success&action=create")
    async with page.expect_download() as begun:
        await page.get_by_role("link", name="Export as CSV").click()
    file = await (await begun.value).path()
    rows = table(file)
    assert [(row["userName"], row["resourceName"]) for row in rows] == [("alice@acme", "'=cmd()")]
    await iris.to(f"{TRAIL}?action=export")
    await expect(page.locator("#result_list tbody tr")).to_have_count(1)


def table(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


async def a_proof(iris: Visit) -> None:
    """The chain is whole, and says up to where."""
    page = iris.page
    await iris.to(TRAIL)
    await expect(page.locator(".foot")).to_contain_text("Entries are kept for 400 days")
    await page.get_by_role("link", name="Proof").click()
    await page.get_by_role("button", name="Check all of it").click()
    await expect(page.locator("h2 .state")).to_have_text("● whole")
    await expect(page.locator(".findings")).to_contain_text("head, to be noted down: ")
    await picture(page, "proof")


async def seen(visitor: Visit, name: str, path: str) -> None:
    """A page in the light and the dark: legible (AA) in both, and kept as pictures."""
    for machine in ("dark", "light"):
        await visitor.page.emulate_media(color_scheme=machine)
        await visitor.to(path)
        assert await visitor.page.evaluate(ILLEGIBLE) == [], (path, machine)
        await picture(visitor.page, f"{name}-{machine}")


async def picture(page: Page, name: str) -> None:
    """Keeps what the page looks like."""
    PICTURES.mkdir(exist_ok=True)
    await page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


@asynccontextmanager
async def without_scripts(browser: Browser) -> AsyncIterator[Page]:
    """A page in a browser that runs none."""
    context = await browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    yield await context.new_page()
    await context.close()
