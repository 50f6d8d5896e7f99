"""What identity, permission and audit cost a read, within one process: the middlewares around an answer that
costs nothing, less the same answer alone. Run by `bench/identity.py` with a gateway's settings."""

import statistics
import sys
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import resolve

from api import requests as requests_facts
from tenancy.audit import waiting
from tenancy.guard import permit
from tenancy.middleware import AuditMiddleware, IdentityMiddleware
from tenancy.permissions import Action, Resource
from tenancy.principals import principals
from tenancy.rates import Limit

COUNT, ROUNDS = 500, 40  # few at once: those that are being answered
ANSWER = HttpResponse(b"{}", content_type="application/json")


def run(token: str, *, counted: bool) -> None:
    """Prints the CPU time of one read, in µs; `counted`: with its rate asked of Redis."""
    settings.RATE_LIMIT_USER = settings.RATE_LIMIT_TENANT = None if not counted else Limit(10**6, 10**7)
    principals.attended = True
    principals.follow()
    factory, match = RequestFactory(), resolve("/o2ims/v1/resources")

    def asked(around: Callable[[HttpRequest], object]) -> float:
        requests = [
            factory.get("/o2ims/v1/resources", headers={"Authorization": f"Bearer {token}"})
            for _ in range(COUNT)
        ]
        for request in requests:
            request.resolver_match = match  # as Django has done by then, and the front
            requests_facts.facts(request)["address"] = "192.0.2.7"
            assert request.headers
        started = time.process_time()
        for request in requests:
            around(request)
        return (time.process_time() - started) / COUNT * 1e6

    def permitted(request: HttpRequest) -> HttpResponse:
        permit(request.principal, Resource.RESOURCE, Action.LIST)  # type: ignore[attr-defined]
        return ANSWER

    around = AuditMiddleware(IdentityMiddleware(permitted))
    asked(around)
    found = []
    for _ in range(ROUNDS):
        waiting.__init__()  # type: ignore[misc]
        found.append(asked(around) - asked(lambda _: ANSWER))
    sys.stdout.write(f"{statistics.median(found)}\n")
