"""Machine templates: what new machines are made from, as the configuration has them.

machineTemplates:
  <name>:
    api: openshift         or cluster-api; not needed where the cluster has only one of them
    namespace: …           default: the adapter's `namespace`, else `openshift-machine-api` or `default`
    labels: {…}            of the set and its machines
    annotations: {…}       of the machines
    cpuCores, memoryGb     how large one machine is (GB of 2^30 bytes): quotas count it; written on the set,
                           where autoscalers read it too
    spec: {…}              a Machine's spec as it is: providerSpec; or clusterName, bootstrap,
    infrastructureRef
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.errors import Invalid, Misconfigured
from adapters.ims.kubernetes.facts import (
    CLUSTER_API,
    CLUSTER_NAME,
    MACHINE_SET,
    OPENSHIFT,
    POOL_ID,
    UNREADABLE,
    Machine,
    MachineSet,
)
from adapters.ims.kubernetes.flavor import MOST, Flavor
from adapters.ims.kubernetes.mapping import machine_type
from adapters.ims.kubernetes.meta import TENANT
from adapters.ims.kubernetes.names import pointer

KEY = "k8s.machineTemplate"

_GROUPS = {"openshift": OPENSHIFT, "cluster-api": CLUSTER_API}
_NAMESPACES = {OPENSHIFT: "openshift-machine-api", CLUSTER_API: "default"}
_SIZES = ("cpuCores", "memoryGb")
_KEYS = ("api", "namespace", "labels", "annotations", "spec", *_SIZES)
_OURS = {TENANT, POOL_ID, MACHINE_SET, CLUSTER_NAME}


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineTemplate:
    """One of them. `api` is a group/version; `spec` goes to `spec.template.spec` of a set as it is."""

    name: str
    api: str
    namespace: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]
    flavor: Flavor | None

    @property
    def group(self) -> str:
        """The API's group."""
        return self.api.partition("/")[0]

    @property
    def machine_labels(self) -> Mapping[str, str]:
        """What its machines carry, whatever their set."""
        cluster = {CLUSTER_NAME: self.spec["clusterName"]} if self.group == CLUSTER_API else {}
        return {**self.labels, **cluster}

    @property
    def type_native_id(self) -> str:
        """The type that its machines are of."""
        raw = {"metadata": {"name": self.name, "uid": self.name}, "spec": self.spec}
        made = Machine.of_openshift(raw) if self.group == OPENSHIFT else Machine.of_cluster_api(raw)
        return machine_type(made)

    @property
    def location(self) -> str:
        """The place it says its machines are in, or ''."""
        raw = {"metadata": {"name": self.name, "uid": self.name}, "spec": {"template": {"spec": self.spec}}}
        return ", ".join(MachineSet.of(raw, "MachineSet").zones)


def check(source: str, config: Mapping[str, Any]) -> None:
    """Raises `Misconfigured`, naming the key, for a template that cannot work on any cluster."""
    for name in _configured(source, config):
        _read(source, config, name)


def choose(
    source: str, config: Mapping[str, Any], apis: Iterable[str], *, named: object, type_native_id: str
) -> MachineTemplate:
    """The template a caller wants: by name, else by the type of its machines, else the only one. `apis` are
    the Machine APIs there are, as group/version."""
    configured, served = _configured(source, config), tuple(apis)
    if named is not None:
        if not isinstance(named, str) or named not in configured:
            raise _unknown(source, configured)
        chosen = _template(source, config, named, served)
        if type_native_id and chosen.type_native_id != type_native_id:
            raise Invalid(source, f"{KEY} {named} is not of that type", pointer="/resourceTypeId")
        return chosen
    if type_native_id:
        all_ = [_template(source, config, name, served) for name in configured]
        fitting = [template for template in all_ if template.type_native_id == type_native_id]
        if len(fitting) != 1:
            raise Invalid(
                source,
                f"{len(fitting) or 'none'} of its machine templates are of that type; {KEY} chooses one",
                pointer="/resourceTypeId",
            )
        return fitting[0]
    if len(configured) != 1:
        raise _unknown(source, configured)
    return _template(source, config, next(iter(configured)), served)


def _unknown(source: str, configured: Mapping[str, Any]) -> Invalid:
    there = f"there are {', '.join(sorted(configured))}" if configured else "none is configured"
    return Invalid(source, f"{KEY} must name a machine template; {there}", pointer=pointer("extensions", KEY))


def _configured(source: str, config: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(source, config, "machineTemplates", "machineTemplates")


def _template(source: str, config: Mapping[str, Any], name: str, apis: tuple[str, ...]) -> MachineTemplate:
    raw, where = _read(source, config, name), f"machineTemplates.{name}"
    api = _api(source, raw, where, apis)
    group = api.partition("/")[0]
    cluster_name = raw["spec"].get("clusterName")
    if group == CLUSTER_API and not (isinstance(cluster_name, str) and cluster_name):
        raise Misconfigured(source, f"{where}.spec.clusterName is needed")
    try:
        made = MachineTemplate(
            name=name,
            api=api,
            namespace=raw.get("namespace") or config.get("namespace") or _NAMESPACES[group],
            labels=raw.get("labels") or {},
            annotations=raw.get("annotations") or {},
            spec=raw["spec"],
            flavor=_flavor(raw),
        )
        assert made.type_native_id
        assert made.location is not None
    except UNREADABLE as error:
        raise Misconfigured(source, f"{where}.spec cannot be understood: {error}") from error
    return made


def _api(source: str, raw: Mapping[str, Any], where: str, apis: tuple[str, ...]) -> str:
    if not raw.get("api") and len(apis) == 1:
        return apis[0]
    if not raw.get("api"):
        raise Misconfigured(source, f"{where}.api is needed: the cluster has {' and '.join(apis) or 'none'}")
    group = _GROUPS[raw["api"]]
    found = next((api for api in apis if api.partition("/")[0] == group), None)
    if found is None:
        raise Misconfigured(source, f"{where}.api is {raw['api']}, which the cluster does not have")
    return found


def _read(source: str, config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A template's own settings, each of the right form."""
    where = f"machineTemplates.{name}"
    raw = _mapping(source, _configured(source, config), name, where)
    for key in raw:
        if key not in _KEYS:
            raise Misconfigured(source, f"{where}.{key} is no key; there are {', '.join(_KEYS)}")
    if raw.get("api") not in {None, *_GROUPS}:
        raise Misconfigured(source, f"{where}.api must be {' or '.join(_GROUPS)}")
    if not isinstance(raw.get("namespace", ""), str):
        raise Misconfigured(source, f"{where}.namespace must be text")
    for key in ("labels", "annotations"):
        texts = _mapping(source, raw, key, f"{where}.{key}")
        if not all(isinstance(value, str) for value in texts.values()):
            raise Misconfigured(source, f"{where}.{key} must map text to text")
        if ours := sorted(_OURS & texts.keys()):
            raise Misconfigured(source, f"{where}.{key} may not have {ours[0]}: it is set for each pool")
    if not _mapping(source, raw, "spec", f"{where}.spec"):
        raise Misconfigured(source, f"{where}.spec is needed: a Machine's spec")
    sizes = [raw[key] for key in _SIZES if key in raw]
    if len(sizes) == 1 or not all(_is_size(one) for one in sizes):
        raise Misconfigured(source, f"{where}: {' and '.join(_SIZES)} go together, two numbers above 0")
    return raw


def _is_size(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < MOST


def _flavor(raw: Mapping[str, Any]) -> Flavor | None:
    return Flavor(*(float(raw[key]) for key in _SIZES)) if _SIZES[0] in raw else None


def _mapping(source: str, raw: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    found = raw.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise Misconfigured(source, f"{where} must be a mapping with text for keys")
    return found
