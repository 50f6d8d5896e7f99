"""What tests of rights and of the admin API stand on: backends that can be written to, and requests with a
body."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.o2ims.conftest import send, served

__all__ = ["send", "served"]

Call = Callable[..., Any]


@pytest.fixture
def edit(call: Call, send: Call) -> Call:
    """`edit("alice", "PATCH", path, {...})`: a change of what is there now, with its ETag; `by` reads it."""

    def edited(who: str, method: str, path: str, body: Any = None, *, by: str = "") -> Any:
        tag = call(by or who, path.partition("?")[0]).headers.get("ETag", "*")
        return send(who, method, path, body, If_Match=tag)

    return edited
