"""The glue to drf-spectacular, and what the operations of every root are made with.

A view that can describe its operations itself is asked to.
"""

import re
from collections.abc import Iterable
from typing import Any

from drf_spectacular.openapi import AutoSchema

from api.openapi_parts import HEADERS, PARAMETERS, PROBLEM_SCHEMA, PROBLEMS

_RATE = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
SECURITY: list[dict[str, list[str]]] = [{"bearer": []}]


class Schema(AutoSchema):
    """Asks the view's `describe(path, method)`, which gives a whole OpenAPI operation; other views are
    inspected as usual."""

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> Any:
        """The OpenAPI operation of one path and method."""
        describe = getattr(self.view, "describe", None)
        if describe is None:
            return super().get_operation(path, path_regex, path_prefix, method, registry)
        return describe(path, method)


def named(path: str) -> str:
    """A path with its parameters under the names the objects give them: `resourcePools/{resourcePoolId}`."""
    return re.sub(r"(\w+?)(s?)/{(?:pool|tenant|id)}", r"\1\2/{\1Id}", path)


def reference(kind: str, name: str) -> dict[str, str]:
    """What refers to a component, for instance `("parameters", "limit")`."""
    return {"$ref": f"#/components/{kind}/{name}"}


def answer(text: str, headers: Iterable[str], content: dict[str, Any] | None = None) -> dict[str, Any]:
    """An answer that is no problem; `content` is `{media type: {schema, example}}`."""
    shown = {name: reference("headers", name) for name in (*headers, *_RATE)}
    found: dict[str, Any] = {"description": text, "headers": shown}
    return {**found, "content": content} if content else found


def problems(*statuses: int) -> dict[str, Any]:
    """The answers of an operation that are problems; that it was too fast is every operation's."""
    return {str(s): reference("responses", PROBLEMS[s][0]) for s in sorted({*statuses, 429})}


def components() -> dict[str, dict[str, Any]]:
    """What the operations of every root refer to."""
    return {
        "schemas": {"Problem": PROBLEM_SCHEMA},
        "responses": {name: _problem(status, name, text) for status, (name, text) in PROBLEMS.items()},
        "parameters": PARAMETERS,
        "headers": HEADERS,
        "securitySchemes": {
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "A token of a user: `manage.py issue_token`, or `POST /admin/v1/tokens`.",
            }
        },
    }


def _problem(status: int, name: str, text: str) -> dict[str, Any]:
    title = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    shown = {"type": "about:blank", "title": title, "status": status, "detail": text, "requestId": "7f0c2c4e"}
    extra = {
        401: ["WWW-Authenticate"],
        405: ["Allow"],
        409: ["Retry-After"],
        429: ["Retry-After"],
        503: ["Retry-After"],
    }
    content = {"application/problem+json": {"schema": reference("schemas", "Problem"), "example": shown}}
    return answer(text, ["X-Request-Id", *extra.get(status, [])], content)
