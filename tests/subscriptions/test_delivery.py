"""One send: what comes back is told as an outcome, and nothing else comes out."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any

import pytest
import trustme

from subscriptions import delivery
from subscriptions.callback import Forbidden, Policy, check_url
from subscriptions.schedule import Outcome
from tests.sink import Sink, closed_port

HERE = Policy(loopback=True, plain_http=True)


def posted(url: str, allowed: Policy = HERE, body: bytes = b"{}") -> delivery.Answer:
    async def send() -> delivery.Answer:
        async with delivery.session(allowed, delivery.tls()) as to:
            return await delivery.post(to, url, body, {"Content-Type": "application/json"})

    return asyncio.run(send())


@contextmanager
def raw(answer: bytes, *, drip: float = 0.0) -> Iterator[str]:
    """A server that says these bytes to each connection, at once or one at a time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    found, _ = listener.accept()
                except OSError:
                    return
                with found:
                    found.recv(65536)
                    try:
                        for piece in [bytes([one]) for one in answer] if drip else [answer]:
                            found.sendall(piece)
                            if stop.wait(drip):
                                return
                    except OSError:
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        finally:
            stop.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "delivered"), (204, "delivered"), (302, "redirected"), (400, "refused"), (410, "gone"),
     (422, "refused"), (429, "limited"), (500, "failed"), (404, "failed")],
)  # fmt: skip
def test_a_status_is_an_outcome(sink: Sink, status: int, outcome: str) -> None:
    sink.answer = lambda _: status
    sink.headers = {"Retry-After": "7", "Location": "/elsewhere"}
    answer = posted(sink.url)
    assert (answer.outcome, answer.status, answer.wait) == (outcome, status, 7.0)
    assert len(sink.tried) == 1, "a redirect is not followed"


def test_where_nobody_is_is_connect_and_no_name_is_dns() -> None:
    assert posted(f"http://127.0.0.1:{closed_port()}/x").outcome is Outcome.CONNECT
    assert posted("http://nobody.invalid/x").outcome is Outcome.DNS


def test_an_address_that_is_not_allowed_is_forbidden_and_nobody_is_called(sink: Sink) -> None:
    assert posted(sink.url, Policy(plain_http=True)).outcome is Outcome.FORBIDDEN
    assert sink.tried == []


def test_a_certificate_that_is_not_believed_is_tls() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with Sink(tls=context) as to:
        assert posted(to.url).outcome is Outcome.TLS
        assert to.tried == []


def test_one_that_is_believed_by_setting_is_called(settings: Any, tmp_path: Any) -> None:
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    settings.CALLBACK_CA = str(tmp_path / "ca.pem")
    with Sink(tls=context) as to:
        assert posted(to.url).outcome is Outcome.DELIVERED


def test_what_drips_is_a_timeout(monkeypatch: Any) -> None:
    monkeypatch.setattr(delivery, "ALL_SECONDS", 0.5)
    started = time.monotonic()
    with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000, drip=0.01) as url:
        assert posted(url).outcome is Outcome.TIMEOUT
    assert time.monotonic() - started < 5


def test_of_a_huge_answer_only_the_start_is_read() -> None:
    head = b"HTTP/1.1 503 Nope\r\nContent-Length: 50000000\r\n\r\n"
    with raw(head + b"\x1b[31mno" + b"y" * 5_000_000) as url:
        answer = posted(url)
    assert (answer.outcome, answer.status) == ("failed", 503)
    assert answer.text.startswith("�[31mno")
    assert len(answer.text) <= delivery.MOST_KEPT


@pytest.mark.parametrize("answer", [b"", b"no http at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_what_is_no_answer_is_broken_or_cut_off(answer: bytes) -> None:
    with raw(answer) as url:
        assert posted(url).outcome in {Outcome.BROKEN, Outcome.CONNECT}


def test_a_head_beyond_every_bound_ends_it() -> None:
    with raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n") as url:
        assert posted(url).outcome in {Outcome.TOO_LARGE, Outcome.BROKEN}


def test_our_own_servers_are_nowhere_to_go_whatever_is_allowed(settings: Any) -> None:
    settings.REDIS_URL = "redis://10.9.8.7:6379/0"
    settings.REDIS_SENTINELS = [("10.9.8.8", 26379)]
    settings.CALLBACK_NETWORKS = [ip_network("10.0.0.0/8")]
    delivery._infrastructure.cache_clear()
    try:
        allowed = delivery.policy()
    finally:
        delivery._infrastructure.cache_clear()
    check_url("https://10.9.8.9/x", allowed)
    for ours in ("10.9.8.7", "10.9.8.8"):
        with pytest.raises(Forbidden, match="the gateway's own"):
            check_url(f"https://{ours}/x", allowed)
