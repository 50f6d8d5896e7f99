"""T19: what every JSON answer of an API root in any test is held against: it is declared, it fits the OpenAPI
document, and there is no secret in it but the one that its 201 shows."""

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import unquote

import jsonschema_rs
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from drf_spectacular.generators import SchemaGenerator

from api.openapi import named
from netweave.urls import INVENTORY_ROOTS
from tenancy.middleware import API_ROOT

_generator: Any = SchemaGenerator
#: Names that no key of an answer has, as words of it: `accessToken` is one of them, `tokenId` is none.
SECRETS = re.compile(
    r"secrets?|password|passwd|passphrase|profiledata|kubeconfig|digest|credentials?|(private|signing|secret|api)key"
    r"|(access|bearer|refresh|id)?token|authorization|cookie|totp"
)
#: What callers and backends write into freely, and what is about them.
FREE = frozenset({"metadata", "extensions", "capabilities", "detail"})
_TOKEN, _SIGNING = re.compile(r"nwt_[A-Za-z0-9_-]{43}"), re.compile(r"whsec_[A-Za-z0-9+/]{43}=")
#: The answers that show a secret, this once, and what it looks like.
ONCE = {
    ("POST", "/admin/v1/tokens", 201): _TOKEN,
    ("POST", "/o2ims/v1/subscriptions", 201): _SIGNING,
    ("POST", f"/{INVENTORY_ROOTS[0]}/v1/subscriptions", 201): _SIGNING,
    ("POST", "/o2ims/v1/subscriptions/{subscriptionId}/rotate-secret", 200): _SIGNING,
}
TEXTS = re.compile(
    rb"nwt_[A-Za-z0-9_-]{40}|whsec_[A-Za-z0-9+/]{40}|PRIVATE KEY|argon2id?\$|postgresql://|rediss?://"
)
SELECTED = re.compile(r"fields|marker=")  # selectors, or what may carry them on
#: Made once and for all, before any test has changed a view.
DOCUMENT: dict[str, Any] = json.loads(
    json.dumps(_generator().get_schema(request=None, public=True), default=str)
)
_SPELLINGS = re.compile("|".join(INVENTORY_ROOTS))


def check(method: str, url: str, status: int, media_type: str, content: bytes) -> None:
    """Raises `AssertionError` for an answer that says what it must not, or not what it should. `url` is from
    the path on."""
    path, _, query = url.partition("?")
    path = unquote(path)
    if not API_ROOT.match(path) or not content or "json" not in media_type or method == "HEAD":
        return
    where = f"{method} {path}: {status}"
    body = told = json.loads(content)
    if looks := ONCE.get((method, _template(path), status)):
        assert looks.fullmatch(body["secret"]), where
        content = content.replace(body["secret"].encode(), b"")
        told = {key: value for key, value in body.items() if key != "secret"}
    assert not (found := TEXTS.search(content)), f"{where} shows {found}"
    assert not (keys := secret_keys(told)), f"{where} shows {keys}"
    if SELECTED.search(query) and status < 400:
        return  # parts of objects, as the caller wanted
    faults = _validator(method, _template(path), status).iter_errors(body)
    told_wrong = [f"{fault.instance_path}: {fault.message}" for fault in faults]
    assert not told_wrong, f"{where}: {told_wrong}"


def secret_keys(value: Any) -> list[str]:
    """The keys that are named like a secret."""
    if isinstance(value, list):
        return [found for inner in value for found in secret_keys(inner)]
    if not isinstance(value, dict):
        return []
    own = [key for key in value if SECRETS.fullmatch(key.lower().replace("_", "").replace("-", ""))]
    return own + [found for key, inner in value.items() if key not in FREE for found in secret_keys(inner)]


class Watched:
    """A middleware that checks what this process answers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(response, HttpResponse):
            kind = response.headers.get("Content-Type", "")
            check(str(request.method), request.get_full_path(), response.status_code, kind, response.content)
        return response


def _template(path: str) -> str:
    """The path of the document that this one is of; '' where it is of none."""
    try:
        route = resolve(path).route
    except Resolver404:
        return ""
    route = _SPELLINGS.sub(INVENTORY_ROOTS[0], route.replace("<str:", "{").replace(">", "}"))
    return named(f"/{route.rstrip('/')}")


@cache
def _validator(method: str, template: str, status: int) -> Any:
    """What checks such an answer; where the document has no such operation, it has to be a problem."""
    components = DOCUMENT["components"]
    item = DOCUMENT["paths"].get(template, {}).get(method.lower())
    if item is None:
        assert status >= 400, f"{method} {template} is answered {status}, and is in no document"
        return jsonschema_rs.validator_for({"$ref": "#/components/schemas/Problem", "components": components})
    assert str(status) in item["responses"], f"{method} {template} does not declare {status}"
    answer = item["responses"][str(status)]
    if "$ref" in answer:
        answer = components["responses"][answer["$ref"].rsplit("/", 1)[1]]
    (schema,) = (content["schema"] for kind, content in answer["content"].items() if kind.endswith("json"))
    return jsonschema_rs.validator_for({**schema, "components": components})
