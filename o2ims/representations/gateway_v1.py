"""`/o2ims/v1`: the gateway's own API. Lists are `{"items": [...]}`, and everything is shown."""

from dataclasses import replace

from adapters.types import Kind
from o2ims.representations import attributes as a
from o2ims.representations.attribute import Attribute
from o2ims.representations.representation import Representation

GATEWAY_V1 = Representation(
    name="o2ims v1",
    envelope=True,
    page=100,
    components={
        Kind.RESOURCE_POOL: "ResourcePool",
        Kind.RESOURCE: "Resource",
        Kind.RESOURCE_TYPE: "ResourceType",
        Kind.DEPLOYMENT_MANAGER: "DeploymentManager",
    },
    o_cloud_component="OCloud",
    shapes={
        Kind.RESOURCE_POOL: (
            a.pool_id,
            a.name,
            a.description,
            replace(a.location, required=True),
            a.o_cloud,
            a.global_location,
            a.extensions,
        ),
        Kind.RESOURCE: (
            a.resource_id,
            a.name,
            a.description,
            a.resource_type,
            a.resource_pool,
            a.o_cloud,
            a.global_asset,
            a.parent,
            a.tags,
            a.groups,
            a.extensions,
        ),
        Kind.RESOURCE_TYPE: (a.type_id, a.name, a.description, *a.type_facts, a.o_cloud, a.extensions),
        Kind.DEPLOYMENT_MANAGER: (
            a.manager_id,
            a.name,
            a.description,
            a.o_cloud,
            *a.manager_facts,
            a.extensions,
        ),
    },
    o_cloud=(
        a.o_cloud,
        Attribute(
            name="globalCloudId",
            key="global_cloud_id",
            description="The O-Cloud, as the SMO calls it.",
            example="cloud-eu",
        ),
        *a.cloud_facts,
        a.extensions,
    ),
)
