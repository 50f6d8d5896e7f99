"""The O-Cloud itself."""

from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from api import conditional, pages
from o2ims import openapi
from o2ims.gateway import gateway
from o2ims.representations.gateway_v1 import GATEWAY_V1
from o2ims.representations.representation import Representation, on_the_wire
from o2ims.views.asked import selector
from o2ims.views.versions import negotiated
from tenancy.permissions import Resource


class OCloudInfrastructure(ViewSet):
    """What this gateway is: one O-Cloud, as the configuration describes it."""

    http_method_names = ["get", "head"]
    flavour: Representation = GATEWAY_V1
    resource = Resource.DEPLOYMENT_MANAGER  # every role reads them; there is none of its own for this
    noun = "oCloudInfrastructure"

    def retrieve(self, request: Request) -> HttpResponse:
        """The O-Cloud, whole unless attributes are selected."""
        version = negotiated(request, self.flavour)
        chosen = selector(dict(request._request.GET.lists()), self.flavour.o_cloud)
        wire = on_the_wire(self.flavour.o_cloud, self._body(request))
        return conditional.answer(
            request._request, orjson.dumps(chosen.apply(wire) if chosen else wire), version
        )

    def describe(self, path: str, method: str) -> dict[str, Any]:  # noqa: ARG002
        """The OpenAPI operation of GET on `path`."""
        return openapi.describe(self.flavour, self.noun, None, path)

    @staticmethod
    def _body(request: Request) -> dict[str, object]:
        cloud = gateway.current().o_cloud
        return {
            "o_cloud_id": cloud.id,
            "global_cloud_id": cloud.global_cloud_id,
            "name": cloud.name,
            "description": cloud.description,
            "service_uri": pages.root(request._request),
            "extensions": {},
        }
