"""Which version of an O-RAN API is spoken: the `Version` header, and `api_versions` (SOL013 9)."""

import re
from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.exceptions import NotAcceptable
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from api import conditional
from o2ims import openapi
from o2ims.representations.inventory_v1 import INVENTORY_V1
from o2ims.representations.representation import Representation
from tenancy.permissions import Resource

_VERSION = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?(?:\.(\d{1,4}))?(?:-impl:[\w.:-]{1,100})?\Z", re.ASCII)


def negotiated(request: Request, flavour: Representation) -> dict[str, str]:
    """The `Version` header of the answer; nothing on roots that have none. Raises `NotAcceptable` where the
    caller asks for a version that is not offered: another major one, or a newer minor one."""
    if not flavour.version:
        return {}
    asked = request.headers.get("Version", "")
    major, minor, _ = (int(part) for part in flavour.version.split("."))
    if asked:
        match = _VERSION.match(asked.strip())
        if not match or int(match[1]) != major or int(match[2] or 0) > minor:
            raise NotAcceptable(f"Version {asked[:40]!r} is not offered; this is {flavour.version}.")
    return {"Version": flavour.version}


class ApiVersions(ViewSet):
    """`api_versions`, of the API and of one of its major versions."""

    http_method_names = ["get", "head"]
    flavour: Representation = INVENTORY_V1
    resource = Resource.DEPLOYMENT_MANAGER  # every role reads them; there is none of its own for this
    noun = "api_versions"

    def retrieve(self, request: Request) -> HttpResponse:
        """ApiVersionInformation: where the API is, in the spelling it was asked in, and which versions
        there are."""
        prefix = request.path.removesuffix("/api_versions")
        found = {
            "uriPrefix": prefix,
            "apiVersions": [{"version": self.flavour.version, "isDeprecated": False}],
        }
        return conditional.answer(request._request, orjson.dumps(found), negotiated(request, self.flavour))

    def describe(self, path: str, method: str) -> dict[str, Any]:  # noqa: ARG002
        """The OpenAPI operation of GET on `path`."""
        return openapi.describe(self.flavour, self.noun, None, path)
