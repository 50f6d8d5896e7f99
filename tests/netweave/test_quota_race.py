"""T20: however many ask at once, and of however many processes, a tenant gets what its quota has room for."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests import written
from tests.gateway import Gateway
from tests.written import POOLS

ROUNDS, ASKED, ROOM = 20, 100, 10
TENANT = "/admin/v1/tenants/acme"


def test_of_a_hundred_that_ask_three_processes_exactly_ten_are_served(gateway: Gateway) -> None:
    written.configure(gateway)
    others = [gateway.another_web() for _ in range(2)]
    gateway.start(gateway.worker, gateway.web)
    try:
        for process, port in others:
            process.start()
            process.wait_ready(partial(ready, gateway, port))
        ports = [gateway.port, *(port for _, port in others)]
        for number in range(ROUNDS):
            room_for_ten_more(gateway)
            with ThreadPoolExecutor(ASKED) as threads:
                made = list(threads.map(partial(ask, gateway, ports, number), range(ASKED)))
            assert Counter(made) == {201: ROOM, 429: ASKED - ROOM}
            assert there(gateway, number) == ROOM, "whatever was answered, the backend has no more"
            usage = gateway.get("root", TENANT).body["usage"]["maxResourcePools"]
            assert usage == gateway.get("root", TENANT).body["quotas"]["maxResourcePools"]
        assert gateway.manage("recount_quotas") == "nothing was wrong.\n"
    finally:
        for process, _ in others:
            process.stop()


def ask(gateway: Gateway, ports: list[int], round_: int, number: int) -> int:
    body = {"name": f"p-{round_}-{number}"}
    return gateway.send("alice", "POST", POOLS, body, port=ports[number % len(ports)]).status


def there(gateway: Gateway, round_: int) -> int:
    """How many pools of that round the backend has."""
    found = written.backend(gateway).execute("SELECT body FROM object WHERE kind = 'ResourcePool'")
    return sum(f'"name":"p-{round_}-'.encode() in body for (body,) in found)


def ready(gateway: Gateway, port: int) -> bool:
    return gateway.get("", "/readyz", port=port).status == 200


def room_for_ten_more(gateway: Gateway) -> None:
    used = gateway.get("root", TENANT).body["usage"]["maxResourcePools"]
    limit = {"quotas": {"maxResourcePools": used + ROOM}}
    assert gateway.send("root", "PATCH", TENANT, limit, If_Match="*").status == 200
