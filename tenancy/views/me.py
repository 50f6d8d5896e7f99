"""Who am I, and what may I?"""

from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from api import conditional
from tenancy import openapi
from tenancy.guard import ANYONE, principal_of
from tenancy.representation import me


class Me(ViewSet):
    """The caller, as the gateway knows it; also for somebody who may do nothing else."""

    http_method_names = ["get", "head"]
    resource = ANYONE

    def retrieve(self, request: Request) -> HttpResponse:
        """Name, tenant, roles and permissions."""
        return conditional.answer(request._request, orjson.dumps(me(principal_of(request))), {})

    def describe(self, path: str, method: str) -> dict[str, Any]:  # noqa: ARG002
        """The OpenAPI operation of GET."""
        return openapi.describe_me()
