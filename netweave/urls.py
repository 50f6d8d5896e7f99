"""What netweave offers. Every root is spelled out here; docs/api-mapping.md says what each object of the O2
roots becomes, docs/admin-api.md what is administered."""

from typing import Any

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView

from netweave import problems
from netweave.docs import Swagger
from netweave.removal import RemovableTenants
from o2ims.representations.gateway_v1 import GATEWAY_V1
from o2ims.representations.inventory_v1 import INVENTORY_V1
from o2ims.representations.representation import Representation
from o2ims.views.deployment_managers import DeploymentManagers
from o2ims.views.o_cloud import OCloudInfrastructure
from o2ims.views.resource_pools import ResourcePools
from o2ims.views.resource_types import ResourceTypes
from o2ims.views.resources import Resources
from o2ims.views.versions import ApiVersions
from subscriptions.views.deliveries import Deliveries
from subscriptions.views.subscriptions import Subscriptions
from tenancy.views.audit import Audit
from tenancy.views.bindings import Bindings
from tenancy.views.certificates import Certificates
from tenancy.views.issuers import Issuers
from tenancy.views.me import Me
from tenancy.views.roles import Roles
from tenancy.views.tokens import Tokens
from tenancy.views.users import Users

LIST: dict[str, Any] = {"get": "list"}
ITEM: dict[str, Any] = {"get": "retrieve"}
CREATE, UPDATE, DELETE = {"post": "create"}, {"put": "update"}, {"delete": "destroy"}
PATCH = {"patch": "partial_update"}

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
    path("subscriptions", Subscriptions.as_view(LIST | CREATE, flavour=GATEWAY_V1)),
    path("subscriptions/<str:id>", Subscriptions.as_view(ITEM | UPDATE | DELETE, flavour=GATEWAY_V1)),
    path("subscriptions/<str:id>/deliveries", Deliveries.as_view(LIST)),
    path("subscriptions/<str:id>/test", Subscriptions.as_view({"post": "test"})),
    path("subscriptions/<str:id>/rotate-secret", Subscriptions.as_view({"post": "rotate_secret"})),
    path("subscriptions/<str:id>/resume", Subscriptions.as_view({"post": "resume"})),
    path("subscriptions/<str:id>/replay", Subscriptions.as_view({"post": "replay"})),
]
inventory: list[URLPattern | URLResolver] = [
    path("api_versions", ApiVersions.as_view(ITEM, flavour=INVENTORY_V1)),
    path("v1/api_versions", ApiVersions.as_view(ITEM, flavour=INVENTORY_V1)),
    path("v1", OCloudInfrastructure.as_view(ITEM, flavour=INVENTORY_V1)),
    path("v1/", OCloudInfrastructure.as_view(ITEM, flavour=INVENTORY_V1)),
    path("v1/", include(nouns(INVENTORY_V1))),
    path("v1/resourcePools", ResourcePools.as_view(LIST, flavour=INVENTORY_V1)),
    path("v1/resourcePools/<str:id>", ResourcePools.as_view(ITEM, flavour=INVENTORY_V1)),
    path("v1/subscriptions", Subscriptions.as_view(LIST | CREATE, flavour=INVENTORY_V1)),
    path("v1/subscriptions/<str:id>", Subscriptions.as_view(ITEM | DELETE, flavour=INVENTORY_V1)),
]
admin_v1: list[URLPattern] = [
    path("me", Me.as_view(ITEM)),
    path("tenants", RemovableTenants.as_view(LIST | CREATE)),
    path("tenants/<str:id>", RemovableTenants.as_view(ITEM | UPDATE | PATCH | DELETE)),
    path("tenants/<str:tenant>/users", Users.as_view(LIST | CREATE)),
    path("tenants/<str:tenant>/users/<str:id>", Users.as_view(ITEM | UPDATE | PATCH | DELETE)),
    path("roles", Roles.as_view(LIST | CREATE)),
    path("roles/<str:id>", Roles.as_view(ITEM | UPDATE | PATCH | DELETE)),
    path("bindings", Bindings.as_view(LIST | CREATE)),
    path("bindings/<str:id>", Bindings.as_view(ITEM | UPDATE | PATCH | DELETE)),
    path("audit", Audit.as_view(LIST)),
    path("audit/<str:id>", Audit.as_view(ITEM)),
    path("issuers", Issuers.as_view(LIST | CREATE)),
    path("issuers/<str:id>", Issuers.as_view(ITEM | DELETE)),
    path("certificates", Certificates.as_view(LIST)),
    path("certificates/<str:id>", Certificates.as_view(ITEM | DELETE)),
    path("tokens", Tokens.as_view(LIST | CREATE)),
    path("tokens/<str:id>", Tokens.as_view(ITEM | DELETE)),
]
urlpatterns = [
    path("o2ims/v1/", include(gateway_v1)),
    *(path(f"{root}/", include(inventory)) for root in INVENTORY_ROOTS),
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
    path("docs/", Swagger.as_view(url_name="openapi"), name="docs"),
    path("admin/v1/", include(admin_v1)),
    re_path(r"^admin/v1(?:/|\Z)", problems.not_found),  # the admin API's root is never the admin site's
    path("admin/", admin.site.urls),
    path("", RedirectView.as_view(pattern_name="docs")),
    path("docs", RedirectView.as_view(pattern_name="docs")),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
]

handler400 = problems.bad_request
handler403 = problems.forbidden
handler404 = problems.not_found
handler500 = problems.failed
