"""The adapter: reads its options, connects, and asks the API server what a survey, a check, a watch or a
write wants to know."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import aclosing
from typing import Any, ClassVar, TypeVar

from adapters import secrets
from adapters.base import ImsAdapter, Options
from adapters.configuration import duration
from adapters.errors import BackendError, Expired, Forbidden, Misconfigured, NotFound, Unsupported
from adapters.ims.kubernetes import machines, sets, templates
from adapters.ims.kubernetes.cluster import Changes
from adapters.ims.kubernetes.discovery import Collection
from adapters.ims.kubernetes.machine_api import MachineApi, abilities
from adapters.ims.kubernetes.observation import Observation
from adapters.ims.kubernetes.pools import LABELS, flavor_in
from adapters.ims.kubernetes.survey import Ask, Found, Survey, discover, survey
from adapters.kube import Connection, Session
from adapters.types import (
    Ability,
    Batch,
    DeploymentManager,
    Footprint,
    InventoryObject,
    Kind,
    Metadata,
    Resource,
    ResourcePool,
    ResourceType,
)

_SURVEYS = 3
_ACCESS_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

_Answer = TypeVar("_Answer")
_Object = TypeVar("_Object", DeploymentManager, ResourceType, ResourcePool, Resource)


class Adapter(ImsAdapter):
    """Its options: `kubeconfig` (a path; without it, the pod's service account), `context`, `serviceAccount`
    (its folder, if it is not the usual one), `nodePoolLabels`, `machineTemplates` that new pools are made
    from and the `namespace` they are made in, `timeout` of a request (10s), `watchTimeout` of a stream
    (4m)."""

    ordered = True
    mapping_version = 3
    prefix = "k8s"
    kind: ClassVar[str] = "kubernetes"
    #: What is read besides what every cluster has and its Machine APIs.
    also: ClassVar[tuple[Collection, ...]] = ()

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._found = Found("", (), ())

    def metadata(self) -> Metadata:
        """It can be watched; what can be written is what its Machine APIs, as they were found last, and the
        configured machine templates allow."""
        can = {Ability.REAL_TIME_EVENTS} | abilities(self._found, self.options.config)
        return Metadata(name=self.name, kind=self.kind, version=self._found.version, can=frozenset(can))

    def check(self) -> None:
        """Asks for its version and APIs, and whether each thing that we need may be listed and watched; and
        whether the machine templates can be used at all."""
        templates.check(self.name, self.options.config)
        connection = self._connect()
        self._found = self._run(discover(self.name, self.also))
        for collection in self._found.collections:
            if collection.required:
                connection.get(collection.path, {"limit": "1"}, what=f"list {collection.plural}")
                self._check_watch(connection, collection)

    def deployment_managers(self) -> Iterator[DeploymentManager]:
        """The cluster."""
        yield from self._all(DeploymentManager)

    def types(self) -> Iterator[ResourceType]:
        """Instance types and StorageClasses."""
        yield from self._all(ResourceType)

    def pools(self) -> Iterator[ResourcePool]:
        """Sets of machines, or what nodes' labels make pools, and the pool of volumes."""
        yield from self._all(ResourcePool)

    def resources(self) -> Iterator[Resource]:
        """Nodes, Machines without one, and PersistentVolumes."""
        yield from self._all(Resource)

    def everything(self) -> Iterator[InventoryObject]:
        """All objects as of one moment, from one reading of the cluster."""
        yield from self._read().objects

    async def watch(self, checkpoint: str) -> AsyncGenerator[Batch, None]:  # noqa: ARG002
        """Lists and watches; where only a new list helps, a full batch says why."""
        connection = await asyncio.to_thread(self._connect)
        async with connection.session() as session:
            observation = Observation(
                self.name, session, lambda: self._survey(session), self._seconds("watchTimeout", "4m")
            )
            async with aclosing(observation.batches()) as batches:
                async for batch in batches:
                    yield batch

    def find(self, kind: Kind, *, tenant: str | None, native_id: str = "", native_name: str = "") -> Batch:
        """By id as it is listed; by name among what a Machine API has, whatever Kubernetes calls it."""
        if native_id:
            return super().find(kind, tenant=tenant, native_id=native_id)
        api = self._machine_api()
        if not api.found.machine_apis:
            raise NotFound(self.name, f"has no {kind} {native_name}")
        by_name = sets.by_name if kind is Kind.RESOURCE_POOL else machines.by_name
        return by_name(api, native_name, tenant)

    def footprint(
        self,
        wanted: ResourcePool | Resource,
        *,
        type_native_id: str = "",
        there: Mapping[str, Any] | None = None,
    ) -> Footprint:
        """Machines, as many and as large as the set or its template says."""
        if isinstance(wanted, Resource):
            flavor = flavor_in(there or {})
            return flavor.times(1) if flavor else Footprint(resources=1, cpu_cores=None, memory_gb=None)
        api = self._machine_api()
        return sets.wanted(api, wanted, type_native_id) if there is None else sets.grown(api, wanted, there)

    def create_pool(self, native_name: str, pool: ResourcePool, *, type_native_id: str = "") -> Batch:
        """A MachineSet or a MachineDeployment, from a machine template."""
        api = self._machine_api(Ability.RESOURCE_POOL_CREATE)
        return sets.create(api, native_name, pool, type_native_id)

    def update_pool(self, native_id: str, pool: ResourcePool) -> Batch:
        """Size and description of a set; a pool that no set makes cannot be changed."""
        return sets.update(self._machine_api(Ability.RESOURCE_POOL_UPDATE), native_id, pool)

    def delete_pool(self, native_id: str, *, tenant: str | None, cascade: bool = False) -> Batch:
        """The set, with its Machines; what a finalizer holds is still there, and says so."""
        api = self._machine_api(Ability.RESOURCE_POOL_DELETE)
        return sets.delete(api, native_id, tenant, cascade=cascade)

    def create_resource(self, native_name: str, resource: Resource) -> Batch:
        """A Machine of OpenShift beside its pool's set; of Cluster API's, only a set makes Machines."""
        return machines.create(self._machine_api(Ability.RESOURCE_CREATE), native_name, resource)

    def delete_resource(self, native_id: str, *, tenant: str | None) -> Batch:
        """A Machine, and its place in its set."""
        return machines.delete(self._machine_api(Ability.RESOURCE_DELETE), native_id, tenant)

    def close(self) -> None:
        """Lets go of the connection; the next call makes a new one."""
        with self._lock:
            if self._connection:
                self._connection.close()
                self._connection = None

    def _connect(self) -> Connection:
        with self._lock:
            if self._connection is None:
                self._connection = Connection(
                    self.name,
                    kubeconfig=self._text("kubeconfig"),
                    context=self._text("context"),
                    service_account=self._text("serviceAccount"),
                    timeout=self._seconds("timeout", "10s"),
                )
            return self._connection

    def _machine_api(self, ability: Ability | None = None) -> MachineApi:
        """What can be written just now. Raises `Unsupported` where `ability` is not among it."""
        self._found = self._run(discover(self.name, self.also))
        if ability and ability not in self.metadata().can:
            raise Unsupported(self.name, ability)
        return MachineApi(
            source=self.name,
            connection=self._connect(),
            found=self._found,
            pool_labels=self._pool_labels(),
            tenant=self.options.tenant,
            config=self.options.config,
        )

    def _all(self, kind: type[_Object]) -> Iterator[_Object]:
        return (found for found in self._read().objects if isinstance(found, kind))

    def _read(self) -> Changes:
        for _ in range(_SURVEYS - 1):
            try:
                return self._run(self._questions()).cluster.drain()
            except Expired:
                continue  # a list that takes longer than the API server remembers: begin again
        return self._run(self._questions()).cluster.drain()

    def _questions(self) -> Generator[Ask, Any, Survey]:
        access = self._connect().access()
        return survey(
            self.name,
            name=access.cluster or self.name,
            server=access.server,
            pool_labels=self._pool_labels(),
            also=self.also,
        )

    def _run(self, questions: Generator[Ask, Any, _Answer]) -> _Answer:
        """Answers what a survey asks."""
        connection = self._connect()
        try:
            ask = next(questions)
            while True:
                try:
                    if ask.keep:
                        answer = connection.list(ask.path, ask.keep, ask.query, what=ask.what, at=ask.at)
                    else:
                        answer = connection.get(ask.path, ask.query, what=ask.what)
                except BackendError as error:
                    ask = questions.throw(error)
                else:
                    ask = questions.send(answer)
        except StopIteration as end:
            found: _Answer = end.value
            return found

    async def _survey(self, session: Session) -> Survey:
        for _ in range(_SURVEYS - 1):
            try:
                return await self._run_async(session)
            except Expired:
                continue
        return await self._run_async(session)

    async def _run_async(self, session: Session) -> Survey:
        questions = await asyncio.to_thread(self._questions)
        try:
            ask = next(questions)
            while True:
                try:
                    if ask.keep:
                        answer = await session.list(ask.path, ask.keep, ask.query, what=ask.what, at=ask.at)
                    else:
                        answer = await session.get(ask.path, ask.query, what=ask.what)
                except BackendError as error:
                    ask = questions.throw(error)
                else:
                    ask = questions.send(answer)
        except StopIteration as end:
            found: Survey = end.value
            self._found = found.found
            return found

    def _check_watch(self, connection: Connection, collection: Collection) -> None:
        """Whether we may watch it: asked, because to try would take as long as nothing changes."""
        wanted = {"group": collection.group, "resource": collection.plural, "verb": "watch"}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }
        try:
            answer = connection.post(_ACCESS_REVIEW, review, what="read what we may do")
        except Forbidden:
            return  # we may not even ask: the watch itself will tell
        if not (answer.get("status") or {}).get("allowed"):
            raise Forbidden(self.name, f"does not allow us to watch {collection.plural}")

    def _pool_labels(self) -> tuple[str, ...]:
        found = self.options.config.get("nodePoolLabels")
        if found is None:
            return LABELS
        if not isinstance(found, list) or not all(isinstance(label, str) and label for label in found):
            raise Misconfigured(self.name, "nodePoolLabels must be a list of label names")
        return tuple(found)

    def _text(self, key: str) -> str:
        found = self.options.config.get(key) or ""
        if not isinstance(found, str):
            raise Misconfigured(self.name, f"{key} must be text")
        return secrets.resolve(self.name, found)

    def _seconds(self, key: str, default: str) -> float:
        try:
            return duration(self.options.config.get(key, default)).total_seconds()
        except ValueError as error:
            raise Misconfigured(self.name, f"{key}: {error}") from error
