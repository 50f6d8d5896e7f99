"""What operations of every root refer to in the OpenAPI document: parameters, headers, problems."""

from typing import Any

#: Every problem there is, by status: its name, and when it is answered.
PROBLEMS = {
    400: ("BadRequest", "A parameter or the body is wrong: `errors` says where and why."),
    401: ("Unauthorized", "No token, or one that is unknown, expired or revoked."),
    403: (
        "Forbidden",
        "The tenant is not active, or the caller's roles do not allow this: `detail` says what.",
    ),
    404: ("NotFound", "Nothing of that id in the caller's scope."),
    405: ("MethodNotAllowed", "The path does not take this method; `Allow` says which it takes."),
    406: ("NotAcceptable", "Neither JSON nor the offered version is acceptable to the caller."),
    409: ("Conflict", "There is one like it already, or it has changed, or it is not empty."),
    412: ("PreconditionFailed", "The object is not what `If-Match` names any more."),
    413: ("ContentTooLarge", "A body larger than 1 MiB."),
    415: ("UnsupportedMediaType", "The body is not application/json."),
    422: ("UnprocessableContent", "The request is well-formed and cannot be followed: `detail` says why."),
    428: ("PreconditionRequired", "`If-Match` is missing."),
    429: (
        "TooManyRequests",
        "A quota is used up (`type` quota-exceeded), or it is too fast (`type` rate-limited): `Retry-After`.",
    ),
    500: ("InternalServerError", "A fault of the gateway; the request id finds it in the log."),
    501: ("NotImplemented", "The backend cannot do this; `detail` names the missing ability."),
    502: ("BadGateway", "With `Prefer: handling=strict`: a source is not fresh."),
    503: ("ServiceUnavailable", "The gateway cannot answer now; try again after `Retry-After` seconds."),
    504: ("GatewayTimeout", "With `Prefer: handling=strict`: a source does not answer."),
}


def query(name: str, text: str, shown: str, **more: Any) -> dict[str, Any]:
    """A parameter of the query, with the example `shown` where there is one."""
    found = {"name": name, "in": "query", "description": text, "schema": {"type": "string"}, **more}
    return found if not shown else {**found, "examples": {"one": {"value": shown}}}


def _header(text: str, type_: str = "string") -> dict[str, Any]:
    return {"description": text, "schema": {"type": type_}}


def limit(default: int) -> dict[str, Any]:
    """The parameter `limit`, for lists with pages of `default`."""
    whole = {"type": "integer", "minimum": 1, "default": default}
    return query("limit", "At most this many (never more than 1,000).", "", schema=whole)


PARAMETERS: dict[str, dict[str, Any]] = {
    "limit": limit(100),
    "marker": query(
        "nextpage_opaque_marker", "From the `Link` of the page before; a page number is accepted too.", ""
    ),
    "ifNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag the caller has.",
        "schema": {"type": "string"},
    },
    "ifMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag of what the caller means to change; another state of it is 412.",
        "schema": {"type": "string"},
    },
}
HEADERS: dict[str, dict[str, Any]] = {
    "ETag": _header("Names this very answer."),
    "X-Request-Id": _header("The caller's request id, or a new one."),
    "Version": _header("The version of the API that answers."),
    "Age": _header(
        "Seconds since the oldest of the shown was confirmed; only where something is not fresh.", "integer"
    ),
    "Proxy-Status": _header("RFC 9209: which source is not fresh, and why."),
    "Preference-Applied": _header("The preference that was honoured."),
    "Link": _header('`rel="next"`: the next page.'),
    "WWW-Authenticate": _header("How to authenticate."),
    "Retry-After": _header("Seconds to wait.", "integer"),
    "Allow": _header("The methods this path takes."),
    "RateLimit-Limit": _header("How many requests fit into the caller's bucket.", "integer"),
    "RateLimit-Remaining": _header("How many of them are left now.", "integer"),
    "RateLimit-Reset": _header("In how many seconds all of them are again.", "integer"),
    "Location": _header("Where the object is."),
}
PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["type", "title", "status", "detail", "requestId"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "requestId": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "parameter": {"type": "string"},
                    "pointer": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "sources": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The sources that are not fresh.",
        },
    },
    "examples": [
        {
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "requestId": "7f0c2c4e",
            "detail": "filter: unknown attribute 'nme'",
            "errors": [{"parameter": "filter", "detail": "unknown attribute 'nme'"}],
        }
    ],
}
