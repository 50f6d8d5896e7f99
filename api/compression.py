"""gzip, when asked for."""

import gzip
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

SMALLEST = 512


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header allows gzip (RFC 9110 12.5.3): named, or by `*`, with a weight
    above 0."""
    weights: dict[str, float] = {}
    for part in header.split(","):
        coding, *parameters = (piece.strip().lower() for piece in part.split(";"))
        try:
            weights[coding] = next((float(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        except ValueError:
            weights[coding] = 0.0
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0


class CompressionMiddleware:
    """Compresses whole answers of text that gain from it. ETags are weak, so they hold for both forms."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """One request."""
        response = self.get_response(request)
        if not isinstance(response, HttpResponse) or response.has_header("Content-Encoding"):
            return response
        if response.status_code != 304 and "json" not in response.headers.get("Content-Type", ""):
            return response
        response.headers["Vary"] = ", ".join(filter(None, [response.headers.get("Vary"), "Accept-Encoding"]))
        if len(response.content) < SMALLEST:
            return response
        if accepts_gzip(request.headers.get("Accept-Encoding", "")):
            response.content = gzip.compress(response.content, compresslevel=4, mtime=0)
            response.headers["Content-Encoding"] = "gzip"
            response.headers["Content-Length"] = str(len(response.content))
        return response
