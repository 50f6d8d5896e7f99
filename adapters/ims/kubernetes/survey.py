"""A whole cluster, read once: what there is to list, then all of it, as of one resourceVersion.

It is a generator of what to ask the API server and is sent the answers, because they come sync for a list and
async for a watch. The nodes' list decides the resourceVersion; the others are asked for exactly that one, so
that joined objects are of the same moment and the versions of what follows fit.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from adapters.errors import Broken, Forbidden, Misconfigured
from adapters.ims.kubernetes.cluster import Cluster, Identity
from adapters.ims.kubernetes.discovery import (
    BUILT_IN,
    Collection,
    machine_apis,
    machine_collections,
    serves,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question: a list where there is `keep` (see `adapters.kube.Listing`), else the object at `path`."""

    path: str
    what: str
    query: Mapping[str, str] = field(default_factory=dict)
    keep: Callable[[Any], Any] | None = None
    at: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What discovery found."""

    version: str
    machine_apis: tuple[str, ...]
    collections: tuple[Collection, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """The cluster, as it was at `version`, and the collections it was made from: of what discovery `found`,
    those we may read."""

    cluster: Cluster
    collections: tuple[Collection, ...]
    version: int
    found: Found


def discover(source: str, also: tuple[Collection, ...] = ()) -> Generator[Ask, Any, Found]:
    """Which version it is, which Machine APIs it serves, and which of `also`. Raises `Misconfigured` where it
    does not serve one of those that is required."""
    version = (yield Ask(path="/version", what="read its version")).get("gitVersion")
    if not isinstance(version, str):
        raise Broken(source, "is no Kubernetes API server: its version has no gitVersion")
    collections = list(BUILT_IN)
    groups = yield Ask(path="/apis", what="read its API groups")
    apis = machine_apis(groups)
    for api in apis:
        served = yield Ask(path=f"/apis/{api}", what=f"read what {api} has")
        collections += machine_collections(api, served)
    for api in dict.fromkeys(collection.api for collection in also):
        answer = (yield Ask(path=f"/apis/{api}", what=f"read what {api} has")) if serves(groups, api) else {}
        names = {resource["name"] for resource in answer.get("resources") or ()}
        for collection in (wanted for wanted in also if wanted.api == api):
            if collection.plural in names:
                collections.append(collection)
            elif collection.required:
                raise Misconfigured(source, f"does not serve {collection.table}: it is of another type")
    return Found(version, tuple(apis), tuple(collections))


def survey(
    source: str, *, name: str, server: str, pool_labels: tuple[str, ...], also: tuple[Collection, ...] = ()
) -> Generator[Ask, Any, Survey]:
    """Everything. Raises `Forbidden` for what must be listed and may not be, `Broken` for what is no
    cluster."""
    found = yield from discover(source, also)
    identity = Identity(
        name=name,
        server=server,
        version=found.version,
        machine_apis=found.machine_apis,
        pool_labels=pool_labels,
    )
    cluster, readable, at = Cluster(source, identity), [], ""
    for collection in found.collections:
        keep = partial(cluster.read, collection.table)
        what = f"list {collection.plural}"
        try:
            listing = yield Ask(
                path=collection.path, what=what, query=dict(collection.query), keep=keep, at=at
            )
        except Forbidden:
            if collection.required:
                raise
            continue
        at = at or listing.version
        if not at.isdecimal():
            raise Broken(source, "has resource versions that are no numbers")
        for ref, facts in filter(None, listing.items):
            cluster.put(ref, facts, int(at))
        readable.append(collection)
    if not cluster.known:
        raise Broken(source, "has no namespace kube-system")
    return Survey(cluster, tuple(readable), int(at), found)
