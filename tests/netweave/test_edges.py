"""The edge of the running server: bodies, headers, logs."""

import contextlib
import http.client
import json
import socket
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.gateway import Gateway

PATH = "/o2ims/v1/resourcePools"
BIG = b" " * (1024 * 1024 + 1)


@pytest.fixture
def served(gateway: Gateway) -> Gateway:
    gateway.configure({"name": "sample", "type": "mock", "shared": True, "config": {"live": 0}})
    gateway.start(gateway.both)
    return gateway


def send(
    gateway: Gateway, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers)  # type: ignore[arg-type]
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_bodies_are_bounded_and_the_caller_is_asked_first(served: Gateway) -> None:
    token = {"Authorization": f"Bearer {served.tokens['alice']}"}
    for body in (BIG, iter([BIG])):
        status, headers, answer = send(served, "POST", PATH, body, **token)
        assert (status, headers["content-type"]) == (413, "application/problem+json")
        assert json.loads(answer)["title"] == "Content Too Large"
    assert send(served, "POST", PATH, BIG)[0] == 401
    assert send(served, "POST", PATH, iter([BIG]))[0] == 401
    assert send(served, "PATCH", PATH, b"{}", **token)[0] == 405
    assert send(served, "GET", PATH, b"{}", **token)[0] == 200


def test_headers_are_bounded(served: Gateway) -> None:
    for head in (b"GET " + PATH.encode() + b" HTTP/1.1\r\nX-Long: ", b"GET /" + b"x" * 1000):
        with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
            connection.sendall(head)
            sent = 0
            with contextlib.suppress(OSError):
                while sent < 4 * 1024 * 1024:
                    sent += connection.send(b"y" * 65536)
            assert sent < 4 * 1024 * 1024
    assert send(served, "GET", PATH, X_Long="z" * 40_000)[0] == 401
    assert send(served, "GET", PATH + "?filter=" + "z" * 8000)[0] == 401


def test_who_takes_too_long_to_send_a_request_is_cut_off_and_nobody_else(gateway: Gateway) -> None:
    gateway.environment["RECEIVE_TIMEOUT"] = "1s"
    gateway.both.command[:] = gateway._command("serve", "--with-worker", "--port", str(gateway.port))
    gateway.configure({"name": "sample", "type": "mock", "shared": True, "config": {"live": 0}})
    gateway.start(gateway.both)
    token = f"Authorization: Bearer {gateway.tokens['alice']}\r\n"
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{token}"
    whole = f"{head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    for begin in ("", head, whole):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
            connection.settimeout(0.1)
            connection.sendall(begin.encode())
            answer = b""
            for _ in range(100):
                with contextlib.suppress(TimeoutError):
                    answer = connection.recv(1000)
                    break
                with contextlib.suppress(OSError):
                    connection.sendall(b"x" if begin else b"")
            assert answer.startswith(b"HTTP/1.1 408 "), begin
    keeping = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    for _ in range(2):
        keeping.request("GET", "/livez")
        assert keeping.getresponse().read() is not None
        same = keeping.sock
        time.sleep(1.5)  # between two requests a connection may rest
    assert keeping.sock is same
    keeping.close()


def test_every_answer_carries_its_id_its_trace_and_a_policy(served: Gateway) -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    for path in (PATH, "/nowhere", "/docs/", "/admin/login/"):
        _, headers, _ = send(served, "GET", path, **{"X-Request-Id": "my-id", "traceparent": trace})
        assert headers["x-request-id"] == "my-id"
        assert headers["traceparent"] == trace
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
    assert len(send(served, "GET", PATH)[1]["x-request-id"]) == 36


def test_a_foreign_host_name_is_refused(served: Gateway) -> None:
    status, headers, _ = send(
        served, "GET", PATH, Host="evil.example", Authorization=f"Bearer {served.tokens['alice']}"
    )
    assert (status, headers["content-type"]) == (400, "application/problem+json")


def test_each_request_is_one_line_of_json_with_who_and_what(served: Gateway) -> None:
    served.get(
        "alice",
        f"{PATH}?filter=(eq,name,x)",
        X_Request_Id="find-me",
        traceparent=f"00-{'c' * 32}-{'d' * 16}-00",
    )

    def told() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in served.both.log.read_text().splitlines() if "find-me" in line]
        return [line for line in lines if line["event"] == "request"]

    served.until(told, what="the line in the log")
    (line,) = told()
    assert (line["user"], line["tenant"], line["status"], line["path"]) == ("alice@acme", "acme", 200, PATH)
    assert line["traceparent"].startswith(f"00-{'c' * 32}")


def test_no_token_gets_into_a_log_whatever_happens(gateway: Gateway) -> None:
    gateway.environment["LOG_LEVEL"] = "DEBUG"
    gateway.both.command[:] = gateway._command("serve", "--with-worker", "--port", str(gateway.port))
    gateway.configure({"name": "sample", "type": "mock", "shared": True, "config": {"live": 0}})
    gateway.start(gateway.both)
    token = gateway.tokens["alice"]
    for path in (PATH, f"{PATH}?filter=(", "/o2ims/v1/%ff", "/nowhere"):
        gateway.get("alice", path)
    send(gateway, "POST", PATH, iter([BIG]), Authorization=f"Bearer {token}")
    send(gateway, "GET", PATH, Host="evil.example", Authorization=f"Bearer {token}")
    assert token not in gateway.both.log.read_text()
    assert gateway.environment["DATABASE_URL"].split(":")[2].split("@")[0] not in gateway.both.log.read_text()


def test_the_operations_port_offers_operations_only(served: Gateway) -> None:
    for path, status in (("/metrics", 200), ("/livez", 200), ("/readyz", 200), (PATH, 404)):
        assert served.get("alice", path, port=served.port + 2).status == status
    assert served.get("", "/metrics").status == 404


def test_people_sign_in_behind_a_proxy_that_ends_tls(gateway: Gateway) -> None:
    gateway.environment |= {
        "EXTERNAL_URL": "https://netweave.example.com",
        "ALLOWED_HOSTS": "netweave.example.com,127.0.0.1",
    }
    del gateway.environment["ALLOW_PLAIN_HTTP"]
    gateway.both.command[:] = gateway._command("serve", "--with-worker", "--port", str(gateway.port))
    gateway.configure({"name": "sample", "type": "mock", "config": {"live": 0}})
    gateway.start(gateway.both)
    gateway.manage("add_user", "boss", "--admin", "--password-stdin", given="correct horse battery\n")
    _, headers, page = send(gateway, "GET", "/admin/login/", Host="netweave.example.com")
    cookie = headers["set-cookie"].split(";")[0]
    field = page.decode().split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    form = urlencode(
        {
            "csrfmiddlewaretoken": field,
            "username": "boss",
            "password": "correct horse battery",
            "next": "/admin/",
        }
    )
    given = {
        "Host": "netweave.example.com",
        "Cookie": cookie,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    signed_in = send(gateway, "POST", "/admin/login/", form, Origin="https://netweave.example.com", **given)
    assert signed_in[0] == 302
    assert "__Host-session=" in signed_in[1]["set-cookie"]
    assert send(gateway, "POST", "/admin/login/", form, Origin="https://evil.example", **given)[0] == 403
    pools = gateway.get("root", "/o2ims/v1/resources?limit=1", Host="netweave.example.com")
    assert pools.headers["link"].startswith("<https://netweave.example.com/o2ims/v1/resources?")
