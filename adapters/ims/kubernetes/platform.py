"""What OpenShift says of a cluster as a whole: its version, what it stands on, and how far its machines'
configuration has come. A cluster without it says nothing here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from adapters.ims.kubernetes.meta import Meta, mapping, present, text


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterVersion:
    """The ClusterVersion (config.openshift.io). `version` is the last one that was installed completely,
    `desired` the one that is wanted."""

    meta: Meta
    version: str
    desired: str
    channel: str
    cluster_id: str

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """The facts of a raw ClusterVersion."""
        spec, status = mapping(raw, "spec"), mapping(raw, "status")
        history = status.get("history") or ()
        whole = (text(entry, "version") for entry in history if entry.get("state") == "Completed")
        return cls(
            meta=Meta.of(raw),
            version=next(whole, ""),
            desired=text(mapping(status, "desired"), "version"),
            channel=text(spec, "channel"),
            cluster_id=text(spec, "clusterID"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Infrastructure:
    """The Infrastructure (config.openshift.io): where the cluster runs and how it is reached."""

    meta: Meta
    name: str
    platform: str
    region: str
    api_url: str
    control_plane: str

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """The facts of a raw Infrastructure."""
        status = mapping(raw, "status")
        about = mapping(status, "platformStatus")
        platform = text(about, "type") or text(status, "platform")
        return cls(
            meta=Meta.of(raw),
            name=text(status, "infrastructureName"),
            platform=platform,
            region=text(mapping(about, platform.lower()), "region"),
            api_url=text(status, "apiServerURL"),
            control_plane=text(status, "controlPlaneTopology"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineConfigPool:
    """A MachineConfigPool (machineconfiguration.openshift.io): counts of machines with one configuration."""

    meta: Meta
    paused: bool
    machines: int
    ready: int
    updated: int
    degraded: int

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """The facts of a raw MachineConfigPool."""
        status = mapping(raw, "status")
        return cls(
            meta=Meta.of(raw),
            paused=mapping(raw, "spec").get("paused") is True,
            machines=_count(status, "machineCount"),
            ready=_count(status, "readyMachineCount"),
            updated=_count(status, "updatedMachineCount"),
            degraded=_count(status, "degradedMachineCount"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What of all that a deployment manager shows; '' and {} where nothing is known."""

    name: str = ""
    service_uri: str = ""
    locations: tuple[str, ...] = ()
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: Iterable[object]) -> Self:
        """Of the ClusterVersion, the Infrastructure and the MachineConfigPools among `facts`."""
        found = list(facts)
        version = next((one for one in found if isinstance(one, ClusterVersion)), None)
        infrastructure = next((one for one in found if isinstance(one, Infrastructure)), None)
        pools = {one.meta.name: _counts(one) for one in found if isinstance(one, MachineConfigPool)}
        return cls(
            name=infrastructure.name if infrastructure else "",
            service_uri=infrastructure.api_url if infrastructure else "",
            locations=(infrastructure.region,) if infrastructure and infrastructure.region else (),
            capabilities=present(
                {
                    "openshiftVersion": version.version if version else "",
                    "platform": infrastructure.platform if infrastructure else "",
                    "controlPlaneTopology": infrastructure.control_plane if infrastructure else "",
                    "machineConfigPools": dict(sorted(pools.items())),
                }
            ),
            extensions=present(
                {
                    "k8s.openshift.clusterId": version.cluster_id if version else "",
                    "k8s.openshift.channel": version.channel if version else "",
                    "k8s.openshift.desiredVersion": version.desired if version else "",
                    "k8s.openshift.infrastructureName": infrastructure.name if infrastructure else "",
                }
            ),
        )


def _counts(pool: MachineConfigPool) -> dict[str, Any]:
    return {
        "machineCount": pool.machines,
        "readyMachineCount": pool.ready,
        "updatedMachineCount": pool.updated,
        "degradedMachineCount": pool.degraded,
        "paused": pool.paused,
    }


def _count(raw: Mapping[str, Any], key: str) -> int:
    found = raw.get(key, 0)
    if isinstance(found, bool) or not isinstance(found, int):
        raise TypeError(f"{key} is no number")
    return found
