"""The adapter: reads its options, connects, and asks the API server what a survey, a check or a watch wants
to know."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import aclosing
from typing import Any, TypeVar

from adapters import secrets
from adapters.base import ImsAdapter, Options
from adapters.configuration import duration
from adapters.errors import BackendError, Expired, Forbidden, Misconfigured
from adapters.ims.kubernetes.cluster import Changes
from adapters.ims.kubernetes.discovery import Collection
from adapters.ims.kubernetes.observation import Observation
from adapters.ims.kubernetes.pools import LABELS
from adapters.ims.kubernetes.survey import Ask, Survey, discover, survey
from adapters.kube import Connection, Session
from adapters.types import (
    Ability,
    Batch,
    DeploymentManager,
    InventoryObject,
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
    (its folder, if it is not the usual one), `nodePoolLabels`, `timeout` of a request (10s), `watchTimeout`
    of a stream (4m)."""

    ordered = True
    prefix = "k8s"

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._version = ""

    def metadata(self) -> Metadata:
        """It can be watched; writing comes with a Machine API, later."""
        can = frozenset({Ability.REAL_TIME_EVENTS})
        return Metadata(name=self.name, kind="kubernetes", version=self._version, can=can)

    def check(self) -> None:
        """Asks for its version and APIs, and whether each thing that we need may be listed and watched."""
        connection = self._connect()
        found = self._run(discover(self.name))
        self._version = found.version
        for collection in found.collections:
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
            self._version = found.kubernetes
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
