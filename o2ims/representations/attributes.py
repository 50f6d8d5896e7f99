"""The attributes that flavours share, by the object they belong to."""

from adapters.types import ResourceClass, ResourceKind
from o2ims.representations.attribute import Attribute, Shape

_POOL = "b3a2b1de-6f6d-5d40-9a4e-3f1f1c5f7a10"
_TYPE = "0d6a4f4f-6e0b-5b56-8c38-6b3f0c5f2b11"
_RESOURCE = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
_MANAGER = "2f1c3a52-2d0c-4c57-8f6e-0a4b5f2f9d12"

name = Attribute(name="name", key="name", description="A name for people.", example="workers-eu-1a")
description = Attribute(
    name="description", key="description", description="What it is, for people.", example="Workers in zone 1a"
)
o_cloud = Attribute(
    name="oCloudId", key="o_cloud_id", description="The O-Cloud it belongs to.", example="ocloud-1"
)
extensions = Attribute(
    name="extensions",
    key="extensions",
    type="map",
    description="The backend's own facts, under its prefix.",
    example={"k8s.machineset.name": "workers-eu-1a"},
)

pool_id = Attribute(
    name="resourcePoolId", key="id", type="uuid", description="Identifies the resource pool.", example=_POOL
)
location = Attribute(
    name="location",
    key="location",
    required=False,
    description="Where the pool is, in words.",
    example="eu-1a",
)
global_location = Attribute(
    name="globalLocationId",
    key="global_location_id",
    required=False,
    description="Where the pool is, as the SMO calls it.",
    example="site-17",
)

type_id = Attribute(
    name="resourceTypeId", key="id", type="uuid", description="Identifies the resource type.", example=_TYPE
)
type_facts: Shape = (
    Attribute(name="vendor", key="vendor", description="Who makes it.", example="netweave"),
    Attribute(name="model", key="model", description="The vendor's name of it.", example="m5.large"),
    Attribute(name="version", key="version", description="The model's version.", example="1"),
    Attribute(
        name="resourceKind",
        key="resource_kind",
        enum=tuple(ResourceKind),
        description="Whether it can be touched.",
        example="LOGICAL",
    ),
    Attribute(
        name="resourceClass",
        key="resource_class",
        enum=tuple(ResourceClass),
        description="What it is good for.",
        example="COMPUTE",
    ),
)

resource_id = Attribute(
    name="resourceId", key="id", type="uuid", description="Identifies the resource.", example=_RESOURCE
)
resource_type = Attribute(
    name="resourceTypeId", key="type_id", type="uuid", description="The type of the resource.", example=_TYPE
)
resource_pool = Attribute(
    name="resourcePoolId", key="pool_id", type="uuid", description="The pool it is in.", example=_POOL
)
global_asset = Attribute(
    name="globalAssetId",
    key="global_asset_id",
    description="The same in every source that sees this very thing.",
    example="urn:uuid:4c4c4544-0036-4d10-8052-b4c04f4e3132",
)
parent = Attribute(
    name="parentId", key="parent_id", type="uuid", required=False, description="The resource it is part of."
)
tags = Attribute(
    name="tags", key="tags", array=True, required=False, description="Keywords.", example=["edge"]
)
groups = Attribute(
    name="groups", key="groups", array=True, required=False, description="Groups it is in.", example=["eu-1a"]
)

manager_id = Attribute(
    name="deploymentManagerId", key="id", type="uuid", description="Identifies the manager.", example=_MANAGER
)
manager_facts: Shape = (
    Attribute(
        name="serviceUri",
        key="service_uri",
        type="uri",
        description="The root of its own API (O2-DMS).",
        example="https://cluster-1.example.com:6443",
    ),
    Attribute(
        name="supportedLocations",
        key="supported_locations",
        array=True,
        description="Where it can deploy to.",
        example=["eu-1a"],
    ),
    Attribute(
        name="capabilities",
        key="capabilities",
        type="map",
        description="What it can do.",
        example={"kubernetesVersion": "v1.37.2"},
    ),
    Attribute(
        name="capacity",
        key="capacity",
        type="map",
        description="What it has: cpu in cores, memory and storage in bytes.",
        example={"cpu": 192, "memory": 810483744768},
    ),
)

cloud_facts: Shape = (
    name,
    description,
    Attribute(
        name="serviceUri",
        key="service_uri",
        type="uri",
        description="The root of this gateway's APIs.",
        example="https://netweave.example.com",
    ),
)
