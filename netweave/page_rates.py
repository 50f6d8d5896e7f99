"""How fast one address may ask for pages: the admin site and the documentation. What an API root is asked is
counted by who asks (tenancy/middleware.py), and the files that pages load are not counted at all."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from api import problems, requests
from tenancy.audit import Deed
from tenancy.middleware import API_ROOT
from tenancy.rates import Away, Verdict, pages, rates

PAGES = re.compile(r"/(?:admin|docs)(?:/|\Z)|/openapi\.json\Z")


class PageRates:
    """Answers 429 itself where an address is too fast, as the page that was asked for would look."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """One request."""
        if not PAGES.match(request.path_info) or API_ROOT.match(request.path_info):
            return self.get_response(request)
        try:
            verdict = rates.take(pages(Deed.of(request).address))
        except Away:
            return _refused(request, 503, "Requests cannot be counted at the moment.", {"Retry-After": "5"})
        if verdict is None or not verdict.wait:
            return self.get_response(request)
        requests.facts(request)["too_fast"] = True
        return _refused(request, 429, _too_fast(verdict), verdict.headers)


def _too_fast(verdict: Verdict) -> str:
    limit = verdict.bucket.limit
    return f"Too many pages for this address: {limit.per_second} a second, {limit.burst} at once."


def _refused(request: HttpRequest, status: int, detail: str, headers: dict[str, str]) -> HttpResponse:
    if request.path_info == "/openapi.json":
        return problems.problem(request, status, detail, headers=headers)
    said = {
        "title": "Not now",
        "detail": detail,
        "seconds": headers["Retry-After"],
        "site_header": "netweave",
    }
    response = render(request, "netweave/not_now.html", said, status=status)
    for name, value in headers.items():
        response.headers[name] = value
    return response
