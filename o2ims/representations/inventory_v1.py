"""`/o2ims-infrastructureInventory/v1`: O-RAN.WG6.O2IMS-INTERFACE 3.2, in the spelling of its version 1.

Lists are bare arrays and leave `extensions` out unless asked for, as the field's other servers do (the
document leaves the default to each server); an item, and the O-Cloud itself, is shown whole.
"""

from dataclasses import replace

from adapters.types import Kind
from o2ims.representations import attributes as a
from o2ims.representations.attribute import Attribute
from o2ims.representations.representation import Representation

_extensions = replace(a.extensions, required=False, default_excluded=True)

INVENTORY_V1 = Representation(
    name="inventory v1",
    envelope=False,
    page=30,
    version="1.2.0",
    components={
        Kind.RESOURCE_POOL: "ResourcePoolInfo",
        Kind.RESOURCE: "ResourceInfo",
        Kind.RESOURCE_TYPE: "ResourceTypeInfo",
        Kind.DEPLOYMENT_MANAGER: "DeploymentManagerInfo",
    },
    o_cloud_component="CloudInfo",
    shapes={
        Kind.RESOURCE_POOL: (
            a.pool_id,
            a.o_cloud,
            replace(a.global_location, required=True),
            a.name,
            a.description,
            a.location,
            _extensions,
        ),
        Kind.RESOURCE: (
            a.resource_id,
            replace(a.name, required=False),
            a.description,
            a.resource_type,
            a.resource_pool,
            replace(a.global_asset, required=False),
            a.parent,
            a.tags,
            a.groups,
            _extensions,
        ),
        Kind.RESOURCE_TYPE: (a.type_id, a.name, a.description, *a.type_facts, _extensions),
        Kind.DEPLOYMENT_MANAGER: (
            a.manager_id,
            a.name,
            a.description,
            a.o_cloud,
            *a.manager_facts,
            _extensions,
        ),
    },
    o_cloud=(
        a.o_cloud,
        Attribute(
            name="globalcloudId",
            key="global_cloud_id",
            description="The O-Cloud, as the SMO calls it.",
            example="cloud-eu",
        ),
        *a.cloud_facts,
        replace(a.extensions, required=False),
    ),
)
