"""Figures that come by themselves to who looks at a page: over a real WebSocket of a running gateway."""

import asyncio
import json
import re
from typing import Any

import pytest
from playwright.async_api import expect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from netweave.live import Live, live
from tests.gateway import Gateway
from tests.netweave.signing_in import PASSWORD, Person
from tests.netweave.test_auditor import picture
from tests.netweave.test_browser import ILLEGIBLE, visit
from tests.peers.chromium import Chromium
from tests.sink import Sink
from tests.subscriptions.conftest import sink, subscribe
from tests.subscriptions.run import SETTINGS

__all__ = ["sink"]

LIVE = "/admin/live/"


@pytest.fixture
def served(gateway: Gateway) -> Gateway:
    """A gateway that sends, with the platform's admin."""
    gateway.environment |= {**SETTINGS, "RECEIVE_TIMEOUT": "2s"}  # which is not about WebSockets
    gateway.both.command[:] = gateway._command("serve", "--with-worker", "--port", str(gateway.port))
    config = {"path": str(gateway.den.path / "mock.sqlite"), "live": 0}
    gateway.configure({"name": "sample", "type": "mock", "default": True, "shared": True, "config": config})
    gateway.start(gateway.both)
    gateway.manage("add_user", "boss", "--admin", "--password-stdin", given=f"{PASSWORD}\n")
    return gateway


def cookies(person: Person) -> str:
    return "; ".join(f"{name}={value}" for name, value in person.jar.items())


@pytest.fixture
def boss(served: Gateway) -> Person:
    person = Person(served)
    assert person.sign_in("boss").status == 302
    return person


def looking(served: Gateway, person: Person | None, *ids: str, origin: str = "", path: str = LIVE) -> Any:
    headers = {"Cookie": cookies(person)} if person else {}
    url = f"ws://127.0.0.1:{served.port}{path}?ids={','.join(ids)}"
    return connect(
        url,
        origin=Origin(origin or served.url),
        additional_headers=headers,
        proxy=None,
    )


async def told(socket: Any, place: str, text: str, seconds: float = 10) -> dict[str, Any]:
    """The first of what comes in which `place` says `text`."""
    async with asyncio.timeout(seconds):
        async for message in socket:
            found: dict[str, Any] = json.loads(message)
            if found.get(place, [""])[0].startswith(text):
                return found
    raise AssertionError(f"{place} was never {text}")


async def test_what_changes_is_told_within_seconds_and_nothing_else(
    served: Gateway, boss: Person, sink: Sink
) -> None:
    one = (await asyncio.to_thread(subscribe, served, "alice", sink.url))["subscriptionId"]
    async with looking(served, boss, one) as socket:
        first = json.loads(await asyncio.wait_for(socket.recv(), 5))
        assert first[f"{one}.state"] == ["● healthy", "state state-up"]
        assert (first["waiting"], first[f"{one}.waiting"]) == (["0", ""], ["0", ""])
        assert "secret" not in json.dumps(first)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 2.5)
        url = f"/o2ims/v1/subscriptions/{one}/test"
        assert (await asyncio.to_thread(served.send, "alice", "POST", url)).status == 202
        news = await told(socket, f"{one}.last", "Delivered at")
        assert f"{one}.state" not in news
    async with looking(served, boss) as socket:
        first = json.loads(await asyncio.wait_for(socket.recv(), 5))
        assert sorted(first) == ["dead", "healthy", "probing", "suspended", "waiting"]


async def refused(served: Gateway, person: Person | None, **more: str) -> int:
    with pytest.raises(InvalidStatus) as caught:
        async with looking(served, person, **more):
            pass
    return caught.value.response.status_code


async def test_nobody_else_gets_in_and_who_may_not_look_any_more_is_sent_away(
    served: Gateway, boss: Person
) -> None:
    assert await refused(served, None) == 403
    assert await refused(served, boss, origin="https://evil.example.com") == 403
    assert await refused(served, boss, origin="http://127.0.0.1:1") == 403
    assert await refused(served, boss, path="/admin/other/") == 403
    assert await refused(served, boss, path="/o2ims/v1/resourcePools") == 403
    forged = Person(served)
    forged.jar["session"] = "x" * 32
    assert await refused(served, forged) == 403
    async with looking(served, boss) as socket:
        await socket.send("anything")
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(5):
                while True:
                    await socket.recv()
    async with looking(served, boss) as socket:
        await socket.recv()
        with served.database() as rows:
            rows.execute(
                "DELETE FROM tenancy_binding b USING tenancy_user u"
                " WHERE u.id = b.user_id AND u.username = 'boss'"
            )
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(15):
                while True:
                    await socket.recv()
    assert await refused(served, boss) == 403


async def test_who_does_not_take_what_is_sent_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netweave.live.may_look", lambda _: True)
    monkeypatch.setattr("netweave.live.seen", lambda _: {"waiting": ("1", "")})
    monkeypatch.setattr("netweave.live.SEND_SECONDS", 0.1)
    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if message["type"] == "websocket.send":
            await asyncio.Event().wait()

    said = iter([{"type": "websocket.connect"}])

    async def receive() -> Any:
        return next(said, None) or await asyncio.Event().wait()

    headers = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
    scope = {"type": "websocket", "path": LIVE, "query_string": b"", "headers": headers}
    async with asyncio.timeout(5):
        await live(scope, receive, send)
    assert sent == ["websocket.accept", "websocket.send"]
    assert Live.looking == 0


async def test_a_page_that_is_looked_at_refreshes_its_figures_and_rests_when_hidden(
    chromium: Chromium, served: Gateway, sink: Sink
) -> None:
    one = (await asyncio.to_thread(subscribe, served, "alice", sink.url))["subscriptionId"]
    async with chromium.browser() as browser, visit(browser, served) as visitor:
        await visitor.sign_in("boss")
        page = visitor.page
        await visitor.to("/admin/subscriptions/subscription/")
        row = page.locator("#result_list tbody tr")
        await expect(row).to_contain_text("Never")
        await asyncio.to_thread(served.send, "alice", "POST", f"/o2ims/v1/subscriptions/{one}/test")
        await expect(row).to_contain_text("Delivered at", timeout=10_000)
        await visitor.to(f"/admin/subscriptions/subscription/{one}/")
        await page.locator("summary", has_text="Pause").click()
        form = page.locator("#acts details[open]")
        await form.get_by_label("Reason").fill("TICKET-7")
        await form.get_by_role("button", name="Pause").click()
        await expect(page.locator(".messagelist")).to_contain_text("Paused.")
        await expect(page.locator(".facts .state").first).to_have_text("✕ suspended")
        await asyncio.to_thread(served.send, "alice", "POST", f"/o2ims/v1/subscriptions/{one}/resume")
        state = page.locator(".facts tr", has_text="State")
        await expect(state).to_have_text(
            re.compile(r"^\s*State\s*● healthy since [\d:]+ UTC$"), timeout=10_000
        )
        sink.answer = lambda _: 410
        await asyncio.to_thread(served.send, "alice", "POST", f"/o2ims/v1/subscriptions/{one}/test")
        await expect(state).to_contain_text(
            re.compile(r"✕ suspended since [\d:]+ UTC: \w.*410"), timeout=10_000
        )
        waiting = page.locator(".facts tr", has_text="Waiting").first
        await expect(waiting).to_contain_text("1")
        await expect(page.locator(".facts tr", has_text="Oldest waiting")).to_contain_text("since")
        await expect(page.locator("#last")).to_contain_text(re.compile(r"as of [\d :-]+ \(UTC\)"))
        await picture(page, "subscription-suspended")
        sink.answer = lambda _: 204
        await asyncio.to_thread(served.send, "alice", "POST", f"/o2ims/v1/subscriptions/{one}/resume")
        await expect(waiting).to_contain_text("0", timeout=10_000)
        await expect(page.locator(".facts tr", has_text="Oldest waiting")).to_contain_text("-")
        await page.locator("#last").get_by_role("link", name="Reload").click()
        await page.locator("#last tbody a").first.click()
        await expect(page.locator(".line-of-time")).to_be_visible()
        assert await page.evaluate(ILLEGIBLE) == []
        await picture(page, "delivery")
        sink.answer = lambda _: 503
        pool = {"name": "workers"}
        await asyncio.to_thread(served.send, "alice", "POST", "/o2ims/v1/resourcePools", pool)
        await asyncio.to_thread(served.until, lambda: len(sink.tried) > 2, what="an attempt that fails")
        for path, name in (
            ("/admin/", "dashboard-events"),
            ("/admin/subscriptions/subscription/", "subscriptions"),
            (f"/admin/subscriptions/subscription/{one}/", "subscription"),
            ("/admin/subscriptions/delivery/", "deliveries"),
        ):
            await visitor.to(path)
            assert await page.evaluate(ILLEGIBLE) == [], path
            for results in await page.locator(".results").all():
                assert await results.evaluate("e => e.scrollWidth - e.clientWidth") <= 0, path
            await picture(page, name)
