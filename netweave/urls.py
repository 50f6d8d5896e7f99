"""What netweave offers. Every O2 root is spelled out here; docs/api-mapping.md says what each object
becomes."""

from typing import Any

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularJSONAPIView

from netweave import problems
from netweave.docs import Swagger
from o2ims.representations.gateway_v1 import GATEWAY_V1
from o2ims.representations.inventory_v1 import INVENTORY_V1
from o2ims.representations.representation import Representation
from o2ims.views.deployment_managers import DeploymentManagers
from o2ims.views.o_cloud import OCloudInfrastructure
from o2ims.views.resource_pools import ResourcePools
from o2ims.views.resource_types import ResourceTypes
from o2ims.views.resources import Resources
from o2ims.views.versions import ApiVersions

LIST: dict[str, Any] = {"get": "list"}
ITEM: dict[str, Any] = {"get": "retrieve"}
CREATE, UPDATE, DELETE = {"post": "create"}, {"put": "update"}, {"delete": "destroy"}

# The document and the field disagree about capitals and hyphens: every spelling is answered, the first is
# documented.
INVENTORY_ROOTS = (
    "o2ims-infrastructureInventory",
    "O2ims-infrastructureInventory",
    "o2ims_infrastructureInventory",
    "O2ims_infrastructureInventory",
)


def nouns(flavour: Representation) -> list[URLPattern]:
    """What both roots have: the nouns of the inventory, in one flavour."""
    return [
        path("deploymentManagers", DeploymentManagers.as_view(LIST, flavour=flavour)),
        path("deploymentManagers/<str:id>", DeploymentManagers.as_view(ITEM, flavour=flavour)),
        path("resourceTypes", ResourceTypes.as_view(LIST, flavour=flavour)),
        path("resourceTypes/<str:id>", ResourceTypes.as_view(ITEM, flavour=flavour)),
        path("resourcePools/<str:pool>/resources", Resources.as_view(LIST, flavour=flavour)),
        path("resourcePools/<str:pool>/resources/<str:id>", Resources.as_view(ITEM, flavour=flavour)),
    ]


gateway_v1: list[URLPattern] = [
    path("oCloudInfrastructure", OCloudInfrastructure.as_view(ITEM, flavour=GATEWAY_V1)),
    *nouns(GATEWAY_V1),
    path("resourcePools", ResourcePools.as_view(LIST | CREATE, flavour=GATEWAY_V1)),
    path("resourcePools/<str:id>", ResourcePools.as_view(ITEM | UPDATE | DELETE, flavour=GATEWAY_V1)),
    path("resources", Resources.as_view(LIST | CREATE, flavour=GATEWAY_V1)),
    path("resources/<str:id>", Resources.as_view(ITEM | DELETE, flavour=GATEWAY_V1)),
]
inventory: list[URLPattern | URLResolver] = [
    path("api_versions", ApiVersions.as_view(ITEM, flavour=INVENTORY_V1)),
    path("v1/api_versions", ApiVersions.as_view(ITEM, flavour=INVENTORY_V1)),
    path("v1", OCloudInfrastructure.as_view(ITEM, flavour=INVENTORY_V1)),
    path("v1/", OCloudInfrastructure.as_view(ITEM, flavour=INVENTORY_V1)),
    path("v1/", include(nouns(INVENTORY_V1))),
    path("v1/resourcePools", ResourcePools.as_view(LIST, flavour=INVENTORY_V1)),
    path("v1/resourcePools/<str:id>", ResourcePools.as_view(ITEM, flavour=INVENTORY_V1)),
]
urlpatterns = [
    path("o2ims/v1/", include(gateway_v1)),
    *(path(f"{root}/", include(inventory)) for root in INVENTORY_ROOTS),
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
    path("docs/", Swagger.as_view(url_name="openapi"), name="docs"),
    re_path(r"^admin/v1(?:/|\Z)", problems.not_found),  # the admin API's root is never the admin site's
    path("admin/", admin.site.urls),
]

handler400 = problems.bad_request
handler403 = problems.forbidden
handler404 = problems.not_found
handler500 = problems.failed
