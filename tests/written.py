"""What became of a write, in every place where it leaves a trace: the backend in its file, the operation, the
changes, what is shown; and ways to hold one up in its middle, with nothing but what it waits for anyway."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.gateway import Answer, Gateway
from tests.peers.postgres import Postgres

POOLS, RESOURCES = "/o2ims/v1/resourcePools", "/o2ims/v1/resources"


def configure(gateway: Gateway) -> None:
    """One backend, kept in a file that tests have open too."""
    config = {"path": str(gateway.den.path / "mock.sqlite"), "live": 0}
    gateway.configure({"name": "one", "type": "mock", "default": True, "shared": True, "config": config})


def backend(gateway: Gateway) -> sqlite3.Connection:
    """The backend's own hands."""
    return sqlite3.connect(gateway.den.path / "mock.sqlite", timeout=5, isolation_level=None)


def made(gateway: Gateway, name: str) -> int:
    """How many pools of that name the backend has."""
    found = backend(gateway).execute("SELECT body FROM object WHERE kind = 'ResourcePool'").fetchall()
    return sum(f'"name":"{name}"'.encode() in body for (body,) in found)


def shown(gateway: Gateway, *, port: int | None = None) -> list[str]:
    """The names of the pools that alice sees."""
    answer = gateway.get("alice", POOLS, port=port)
    return [item["name"] for item in answer.body["items"]] if answer.status == 200 else []


def operations(gateway: Gateway, name: str) -> list[str]:
    """The states of the operations about that pool, in the order in which they began."""
    with gateway.database() as rows:
        found = rows.execute(
            "SELECT state FROM o2ims_operation WHERE %s IN (native_name, native_id) ORDER BY started_at",
            [name],
        )
        return [state for (state,) in found]


def changes(gateway: Gateway, object_id: str) -> list[str]:
    """What was told of an object, in order."""
    with gateway.database() as rows:
        found = rows.execute(
            "SELECT type FROM o2ims_change WHERE object_id = %s ORDER BY sequence", [object_id]
        )
        return [type_ for (type_,) in found]


def told(gateway: Gateway, request_id: str) -> list[tuple[str, str, int | None]]:
    """What the audit trail says of a request: action, result and status of each entry."""
    with gateway.database() as rows:
        return rows.execute(
            "SELECT action, result, status FROM tenancy_auditentry WHERE request_id = %s ORDER BY id",
            [request_id],
        ).fetchall()


@contextmanager
def asking(
    gateway: Gateway, method: str, path: str, body: Any = None, *, port: int | None = None, **headers: str
) -> Iterator[list[Answer]]:
    """A request of alice's that is under way inside the block, answered (or not) at its end."""
    answers: list[Answer] = []

    def ask() -> None:
        answers.append(gateway.send("alice", method, path, body, port=port, **headers))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        thread.join(30)


def waits(postgres: Postgres, statement: str) -> bool:
    """Whether somebody waits for a lock in a statement that begins so."""
    with postgres.connect() as superuser:
        found = superuser.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND starts_with(query, %s)",
            [statement],
        ).fetchone()
    return found is not None and found[0] > 0
