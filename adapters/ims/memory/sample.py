"""The sample: two tenants, five pools, six types and as many resources as asked for, always the same ones."""

from collections.abc import Iterator
from dataclasses import dataclass

from adapters.types import (
    DeploymentManager,
    Footprint,
    InventoryObject,
    Resource,
    ResourceClass,
    ResourceKind,
    ResourcePool,
    ResourceType,
)


@dataclass(frozen=True, slots=True)
class _Model:
    name: str
    vendor: str
    model: str
    cpu: int
    memory: int
    gpu: int
    kind: ResourceKind
    class_: ResourceClass


@dataclass(frozen=True, slots=True)
class _Pool:
    name: str
    description: str
    location: str
    tenant: str | None
    type: str
    share: int  # of 120 resources
    prefix: str


_P, _L = ResourceKind.PHYSICAL, ResourceKind.LOGICAL
_C, _N, _S = ResourceClass.COMPUTE, ResourceClass.NETWORKING, ResourceClass.STORAGE

_MODELS = {
    "type-compute-large": _Model("Mock Compute Large", "netweave", "compute-large", 32, 128, 2, _L, _C),
    "type-compute-medium": _Model("Mock Compute Medium", "netweave", "compute-medium", 16, 64, 0, _L, _C),
    "type-edge-small": _Model("Mock Edge Small", "netweave", "edge-small", 8, 32, 0, _P, _C),
    "type-gpu": _Model("Mock Accelerated Server", "netweave", "gpu", 64, 512, 8, _P, _C),
    "type-storage-block": _Model("Mock Block Storage", "netweave", "block", 0, 0, 0, _L, _S),
    "type-switch": _Model("Mock Cell Site Switch", "netweave", "switch", 4, 8, 0, _P, _N),
}
_POOLS = {
    "pool-compute-1": _Pool(
        "Mock Compute Pool 1",
        "High-performance compute pool for testing",
        "mock-us-east-1a",
        "acme",
        "type-compute-large",
        65,
        "node-mock",
    ),
    "pool-compute-2": _Pool(
        "Mock Compute Pool 2",
        "Compute for a second tenant",
        "mock-us-east-1b",
        "globex",
        "type-compute-medium",
        25,
        "node-second",
    ),
    "pool-edge-1": _Pool(
        "Mock Edge Pool 1",
        "Far edge site",
        "mock-edge-17",
        "acme",
        "type-edge-small",
        12,
        "node-edge",
    ),
    "pool-gpu-1": _Pool(
        "Mock Accelerator Pool 1",
        "Servers with accelerators",
        "mock-us-east-1c",
        "globex",
        "type-gpu",
        8,
        "node-gpu",
    ),
    "pool-shared-1": _Pool(
        "Mock Shared Pool 1",
        "Storage and switches of the platform",
        "mock-us-east-1a",
        None,
        "type-storage-block",
        10,
        "volume",
    ),
}


def _pool(native_id: str, pool: _Pool, capacity: int) -> ResourcePool:
    return ResourcePool(
        native_id=native_id,
        name=pool.name,
        description=pool.description,
        tenant=pool.tenant,
        location=pool.location,
        extensions={
            "mock.nativeId": native_id,
            "mock.type": pool.type.removeprefix("type-"),
            "mock.capacity": capacity,
        },
    )


def _resource(pool_id: str, pool: _Pool, number: int, assets: str) -> Resource:
    type_id = "type-switch" if pool.type == "type-storage-block" and number % 5 == 0 else pool.type
    model = _MODELS[type_id]
    native_id = f"{pool.prefix}-{number:03}"
    return Resource(
        native_id=native_id,
        name=native_id.replace("-", " ").title(),
        description=f"{model.name} in {pool.name}",
        tenant=pool.tenant,
        type_native_id=type_id,
        pool_native_id=pool_id,
        global_asset_id=f"urn:netweave:mock:{assets}:{native_id}",
        tags=("mock", "edge" if "edge" in pool_id else "core"),
        groups=(pool.location,),
        extensions={
            "mock.nativeId": native_id,
            "mock.cpuCores": model.cpu,
            "mock.memoryGB": model.memory,
            "mock.gpuCount": model.gpu,
            "mock.rack": f"rack-{number // 20}",
            "mock.utilization": number * 7 % 100,
        },
        takes=Footprint(resources=1, cpu_cores=model.cpu, memory_gb=model.memory),
    )


def sample(size: int, assets: str) -> Iterator[InventoryObject]:
    """Everything there is at the start: one deployment manager, the types, the pools, and `size` resources
    (120 or more keep every pool's share; a smaller sample still leaves no pool empty). `assets` is what
    global asset ids are made with."""
    models = _MODELS.items()
    shares = {pool_id: max(1, size * pool.share // 120) for pool_id, pool in _POOLS.items()}
    shares["pool-compute-1"] += max(0, size - sum(shares.values()))
    yield DeploymentManager(
        native_id="cluster-mock-1",
        name="Mock Cluster 1",
        description="A deployment manager that deploys nothing",
        service_uri="https://cluster.mock.invalid",
        supported_locations=tuple(sorted({pool.location for pool in _POOLS.values()})),
        capabilities={"mock.deploys": False},
        capacity={"cpu": sum(_MODELS[pool.type].cpu * shares[pool_id] for pool_id, pool in _POOLS.items())},
        extensions={"mock.nativeId": "cluster-mock-1"},
    )
    for native_id, model in models:
        yield ResourceType(
            native_id=native_id,
            name=model.name,
            description=f"{model.cpu} CPU, {model.memory}GB RAM, {model.gpu} GPU",
            vendor=model.vendor,
            model=model.model,
            model_version="1",
            resource_kind=model.kind,
            resource_class=model.class_,
            extensions={
                "mock.nativeId": native_id,
                "mock.cpu": model.cpu,
                "mock.memory": model.memory,
                "mock.gpu": model.gpu,
            },
        )
    for pool_id, pool in _POOLS.items():
        yield _pool(pool_id, pool, capacity=max(100, shares[pool_id]))
    for pool_id, pool in _POOLS.items():
        for number in range(1, shares[pool_id] + 1):
            yield _resource(pool_id, pool, number, assets)


def visitor(assets: str) -> Resource:
    """The resource that comes and goes while the sample lives."""
    return _resource("pool-edge-1", _POOLS["pool-edge-1"], 999, assets)
