"""A watch whose API server misbehaves in the ways that a real one cannot be told to: a scripted one, over
real TLS."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from adapters.base import Options
from adapters.errors import Broken, Busy, Forbidden, Unauthorized
from adapters.ims.kubernetes import Adapter
from adapters.types import Batch, Resource
from tests.adapters.kubernetes_objects import Manifest, namespace, node, stored
from tests.contract.hostile import Handler, HostileServer

Script = list[Callable[[Handler], None]]


class Scripted:
    """An API server with one node at version 100; what happens to each watch of nodes is scripted, the last
    line again and again. Every other watch just stays open."""

    def __init__(self, *script: Callable[[Handler], None]) -> None:
        self.script = list(script)
        self.nodes = [stored(node("n-1"), 100)]
        self.watched: list[str] = []
        self.lists = 0
        self.list_answers: Script = []
        self._lock = threading.Lock()

    def answer(self, handler: Handler) -> None:
        path, _, query = handler.path.partition("?")
        if path == "/version":
            handler.json({"gitVersion": "v1.37.2"})
        elif path == "/apis":
            handler.json({"kind": "APIGroupList", "groups": []})
        elif "watch=true" in query:
            self._watch(handler, path, query)
        elif path == "/api/v1/nodes":
            self._list(handler)
        else:
            kept = [stored(namespace("kube-system"), 1)] if path == "/api/v1/namespaces" else []
            handler.json(items(*kept))

    def _list(self, handler: Handler) -> None:
        with self._lock:
            self.lists += 1
            answer = self.list_answers.pop(0) if self.list_answers else None
        (answer or (lambda it: it.json(items(*self.nodes))))(handler)

    def _watch(self, handler: Handler, path: str, query: str) -> None:
        if path != "/api/v1/nodes":
            handler.stream()
            handler.wait()
            return
        with self._lock:
            self.watched.append(query.partition("resourceVersion=")[2].partition("&")[0])
            act = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        act(handler)


def items(*found: Manifest, version: int = 100, more: str = "") -> Manifest:
    return {
        "kind": "List",
        "metadata": {"resourceVersion": str(version), "continue": more},
        "items": list(found),
    }


def event(kind: str, name: str, version: int, **labels: str) -> Manifest:
    return {"type": kind, "object": stored(node(name, labels=labels), version)}


def says(*lines: Any, then: Callable[[Handler], None] = Handler.wait) -> Callable[[Handler], None]:
    """Streams lines, and then waits, or returns: which ends the stream in order."""

    def act(handler: Handler) -> None:
        handler.stream()
        for line in lines:
            handler.line(line)
        then(handler)

    return act


def ends(handler: Handler) -> None:
    """In order."""


def breaks(handler: Handler) -> None:
    """In the middle of a line."""
    handler.wfile.write(b'{"type":"MODIFIED","object":{"meta')


def refuses(status: int, **headers: str) -> Callable[[Handler], None]:
    return lambda handler: handler.json({"kind": "Status", "message": "no"}, status, headers)


@pytest.fixture
def serve() -> Iterator[Callable[[Scripted], Adapter]]:
    servers: list[HostileServer] = []
    adapters: list[Adapter] = []

    def serve(scripted: Scripted, **config: Any) -> Adapter:
        server = HostileServer(scripted.answer)
        server.__enter__()
        servers.append(server)
        given = {"kubeconfig": str(server.kubeconfig()), "timeout": "2s", **config}
        adapters.append(Adapter(Options(name="lab", key="lab", config=given)))
        return adapters[-1]

    yield serve
    for adapter in adapters:
        adapter.close()
    for server in servers:
        server.__exit__()


Serve = Callable[..., Adapter]


async def batches(adapter: Adapter, count: int) -> list[Batch]:
    """So many batches that say something."""
    found: list[Batch] = []
    async with asyncio.timeout(15), aclosing(adapter.watch("")) as watch:
        async for batch in watch:
            if batch.full or batch.objects or batch.gone or batch.skipped:
                found.append(batch)
            if len(found) == count:
                break
    return found


def nodes(batch: Batch) -> dict[str, str]:
    return {found.name: found.version for found in batch.objects if isinstance(found, Resource)}


def alive() -> Callable[[Handler], None]:
    return says(event("MODIFIED", "n-1", 300, alive="yes"))


class TestOnFromWhereItWas:
    async def test_a_stream_that_ends_in_order_is_taken_up_without_a_list(self, serve: Serve) -> None:
        api = Scripted(says(event("MODIFIED", "n-1", 101, a="1"), then=ends), alive())
        first, second, third = await batches(serve(api), 3)
        assert (first.full, second.full, third.full) == (True, False, False)
        assert (nodes(second), nodes(third)) == ({"n-1": "101"}, {"n-1": "300"})
        assert (api.watched, api.lists) == (["100", "101"], 1)

    async def test_half_a_line_is_forgotten_and_asked_for_again(self, serve: Serve) -> None:
        api = Scripted(says(event("MODIFIED", "n-1", 101, a="1"), then=breaks), alive())
        await batches(serve(api), 3)
        assert (api.watched, api.lists) == (["100", "101"], 1)

    async def test_a_bookmark_moves_the_version_and_is_no_change(self, serve: Serve) -> None:
        bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "250"}}}
        api = Scripted(says(bookmark, then=ends), alive())
        _, second = await batches(serve(api), 2)
        assert (nodes(second), second.full) == ({"n-1": "300"}, False)
        assert api.watched == ["100", "250"]

    @pytest.mark.parametrize("status", [429, 503])
    async def test_busy_is_a_pause_and_no_list(self, serve: Serve, status: int) -> None:
        api = Scripted(refuses(status, **{"Retry-After": "0"}), alive())
        _, second = await batches(serve(api), 2)
        assert (second.full, api.lists, api.watched) == (False, 1, ["100", "100"])

    async def test_a_timeout_that_comes_often_costs_no_list(self, serve: Serve) -> None:
        ending = [says(event("MODIFIED", "n-1", 100 + n, n=str(n)), then=ends) for n in range(1, 20)]
        api = Scripted(*ending, alive())
        async with asyncio.timeout(10), aclosing(serve(api).watch("")) as watch:
            async for batch in watch:
                if nodes(batch) == {"n-1": "300"}:
                    break
        assert (api.lists, len(api.watched)) == (1, 20)


class TestANewList:
    @pytest.mark.parametrize(
        ("trouble", "reason"),
        [
            pytest.param(says({"type": "ERROR", "object": {"code": 410}}), "expired", id="ERROR 410"),
            pytest.param(refuses(410), "expired", id="410"),
            pytest.param(says({"type": "ERROR", "object": {"code": 500}}), "broken", id="ERROR 500"),
            pytest.param(says({"type": "ERROR", "object": None}), "broken", id="ERROR nothing"),
            pytest.param(says(b"garbage"), "broken", id="garbage"),
            pytest.param(says(b""), "broken", id="an empty line"),
            pytest.param(says([1, 2]), "broken", id="a list"),
            pytest.param(
                says({"type": "MOVED", "object": stored(node("n"), 5)}), "broken", id="unknown type"
            ),
            pytest.param(says({"type": "ADDED", "object": {}}), "broken", id="no metadata"),
            pytest.param(
                says({"type": "ADDED", "object": {"metadata": {"resourceVersion": "x"}}}),
                "broken",
                id="no version",
            ),
            pytest.param(refuses(404), "broken", id="404"),
        ],
    )
    async def test_says_why_and_the_watch_goes_on(
        self, serve: Serve, trouble: Callable[[Handler], None], reason: str
    ) -> None:
        api = Scripted(trouble, alive())
        first, second, third = await batches(serve(api), 3)
        assert (first.reason, second.full, second.reason) == ("start", True, reason)
        assert (third.full, nodes(third)) == (False, {"n-1": "300"})
        assert api.lists == 2

    async def test_silence_past_the_deadline_is_one(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("adapters.ims.kubernetes.reflector._GRACE_SECONDS", 0.3)
        api = Scripted(says(), alive())
        _, second, third = await batches(serve(api, watchTimeout="1s"), 3)
        assert (second.full, second.reason, third.full) == (True, "silent", False)

    async def test_what_came_before_the_trouble_is_told(self, serve: Serve) -> None:
        api = Scripted(says(event("ADDED", "n-2", 101), b"garbage"), alive())
        _, second, third = await batches(serve(api), 3)
        assert (nodes(second), second.full, third.full) == ({"n-2": "101"}, False, True)

    async def test_a_stream_that_ends_at_once_again_and_again_needs_one(self, serve: Serve) -> None:
        api = Scripted(*5 * [says(then=ends)], says(then=ends), alive())
        _, second, _ = await batches(serve(api), 3)
        assert (second.full, second.reason) == (True, "broken")

    async def test_one_new_list_after_the_other_is_too_much(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("adapters.ims.kubernetes.observation._RELISTS", 3)
        adapter = serve(Scripted(says(b"garbage")))
        with pytest.raises(Broken, match="cannot be watched: asked to watch nodes, it sends nonsense"):
            await batches(adapter, 50)

    async def test_signs_of_life_go_on_while_it_is_read(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("adapters.ims.kubernetes.observation._PROBE_SECONDS", 0.2)
        api = Scripted(says(b"garbage"), alive())

        def slowly(handler: Handler) -> None:
            handler.server.over.wait(0.7)
            handler.json(items(*api.nodes))

        kinds = []
        adapter = serve(api)
        async with asyncio.timeout(10), aclosing(adapter.watch("")) as watch:
            async for batch in watch:
                kinds.append("full" if batch.full else "sign" if not batch.objects else "change")
                api.list_answers = api.list_answers or ([slowly] if kinds == ["full"] else [])
                if kinds[-1] == "change":
                    break
        between = kinds[1 : kinds.index("full", 1)]
        assert set(between) <= {"sign"}
        assert between


class TestTheEnd:
    @pytest.mark.parametrize(
        ("status", "error"), [(401, Unauthorized), (403, Forbidden), (500, Broken), (302, Broken)]
    )
    async def test_a_refusal_ends_it(self, serve: Serve, status: int, error: type[Exception]) -> None:
        adapter = serve(Scripted(refuses(status, Location="https://127.0.0.1:1/")))
        with pytest.raises(error, match="watch nodes"):
            await batches(adapter, 2)

    async def test_html_ends_it(self, serve: Serve) -> None:
        page: Callable[[Handler], None] = lambda it: it.send(b"<html>", headers={"Content-Type": "text/html"})  # noqa: E731
        with pytest.raises(Broken, match="text/html instead of JSON"):
            await batches(serve(Scripted(page)), 2)

    async def test_busy_without_an_end_ends_it(self, serve: Serve) -> None:
        adapter = serve(Scripted(refuses(429, **{"Retry-After": "0"})))
        with pytest.raises(Busy) as raised:
            await batches(adapter, 2)
        assert raised.value.retry_after == 0

    async def test_a_line_without_an_end_ends_it(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("adapters.kube._LINE_LIMIT", 100_000)
        with pytest.raises(Broken, match="a line of more than"):
            await batches(serve(Scripted(says(b" " * 1_000_000))), 2)


class TestPages:
    async def test_a_list_that_expires_in_the_middle_begins_again(self, serve: Serve) -> None:
        api = Scripted(alive())
        api.list_answers = [
            lambda it: it.json(items(stored(node("gone"), 90), more="x")),
            refuses(410),
            lambda it: it.json(items(stored(node("n-1"), 100), more="y")),
            lambda it: it.json(items(stored(node("n-2"), 100))),
        ]
        (first,) = await batches(serve(api), 1)
        assert set(nodes(first)) == {"n-1", "n-2"}

    def test_a_list_that_always_expires_is_given_up(self, serve: Serve) -> None:
        api = Scripted(alive())
        more = lambda it: it.json(items(more="x"))  # noqa: E731
        api.list_answers = 100 * [more, refuses(410)]
        with pytest.raises(Broken, match="no longer knows"):
            list(serve(api).everything())
        assert api.lists < 30

    def test_a_list_with_too_many_objects_is_refused(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("adapters.kubelisting.LIST_LIMIT", 1_000)
        api = Scripted(alive())
        page: Callable[[Handler], None] = lambda it: it.json(items(*600 * [api.nodes[0]], more="x"))  # noqa: E731
        api.list_answers = [page, page]
        with pytest.raises(Broken, match="more than 1000 objects"):
            list(serve(api).everything())

    @pytest.mark.parametrize(
        "page", [{}, {"metadata": {}, "items": []}, {"metadata": {"resourceVersion": "1"}, "items": {}}]
    )
    def test_a_list_that_is_none_is_refused(self, serve: Serve, page: Manifest) -> None:
        api = Scripted(alive())
        api.list_answers = [lambda it: it.json(page)]
        with pytest.raises(Broken, match="answered no list"):
            list(serve(api).everything())

    async def test_a_busy_server_is_asked_for_the_same_page_again(self, serve: Serve) -> None:
        api = Scripted(alive())
        api.list_answers = [refuses(429, **{"Retry-After": "0"}), refuses(503, **{"Retry-After": "0"})]
        (first,) = await batches(serve(api), 1)
        assert (nodes(first), api.lists) == ({"n-1": "100"}, 3)


class TestTogether:
    async def test_a_burst_is_one_batch(self, serve: Serve) -> None:
        burst = [json.dumps(event("ADDED", f"n-{number}", 100 + number)) for number in range(2, 102)]
        _, second = await batches(serve(Scripted(says("\n".join(burst).encode()))), 2)
        assert len(nodes(second)) == 100

    async def test_a_thousand_changes_are_several(self, serve: Serve) -> None:
        burst = [event("ADDED", f"n-{number}", 100 + number) for number in range(2, 1_302)]
        found = await batches(serve(Scripted(says(*burst))), 4)
        assert all(len(batch.objects) + len(batch.gone) <= 500 for batch in found[1:])
        assert sum(len(nodes(batch)) for batch in found[1:]) <= 1_300

    async def test_an_older_event_after_a_newer_one_does_not_lower_a_version(self, serve: Serve) -> None:
        labels = event("MODIFIED", "n-1", 90, late="yes")
        _, second = await batches(serve(Scripted(says(labels))), 2)
        assert nodes(second) == {"n-1": "100"}
