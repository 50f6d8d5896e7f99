"""The API server is killed, stopped, cut off: how soon it is noticed, and that nothing is lost or
invented."""

import asyncio
import time
from contextlib import aclosing

import pytest

from adapters.errors import TimedOut, Unreachable
from adapters.ims.kubernetes.discovery import BUILT_IN
from adapters.ims.kubernetes.reflector import Reflector, Relist
from adapters.kube import Connection
from adapters.types import Kind
from tests.adapters.kubernetes_objects import node
from tests.contract.ims import Watching, away, watching
from tests.contract.kubernetes_backend import Somebody, adapter_of
from tests.peers.fault_proxy import FaultProxy, HalfClose, Pass, Reset, Silence, Truncate
from tests.peers.kubernetes import ControlPlane


def proxied(cluster: ControlPlane) -> FaultProxy:
    return FaultProxy(int(cluster.url.rpartition(":")[2]))


def resources(watch: Watching) -> int:
    return [kind for kind, _ in watch.state].count(Kind.RESOURCE)


class TestKilled:
    async def test_it_is_noticed_at_once_and_nothing_has_changed_when_it_is_back(
        self, cluster: ControlPlane
    ) -> None:
        await away(cluster.apply, node("n-1"))
        adapter = adapter_of(cluster.kubeconfig())
        try:
            async with watching(adapter) as watch:
                before = dict(watch.state)
                version = max(int(version) for version in watch.versions.values())
                killed = time.monotonic()
                await away(cluster.kill_api)
                assert type(await watch.ended()) is Unreachable
                assert time.monotonic() - killed < 3
            await away(cluster.start_api)
            async with watching(adapter) as watch:
                assert watch.state == before
            # What a watch from before the restart would be told:
            connection = Connection("lab", kubeconfig=str(cluster.kubeconfig()))
            async with connection.session() as session:
                reflector = Reflector(session, BUILT_IN[0], min(version, 5), seconds=60)
                with pytest.raises(Relist) as raised:
                    async with aclosing(reflector.events()) as events:
                        await anext(events)
            assert raised.value.reason == "expired"
            connection.close()
        finally:
            adapter.close()


class TestStopped:
    async def test_one_that_hangs_is_noticed_within_fifteen_seconds(self, cluster: ControlPlane) -> None:
        adapter = adapter_of(cluster.kubeconfig())
        try:
            async with watching(adapter) as watch:
                await watch.any(5)
                await away(cluster.pause_api)
                try:
                    assert type(await watch.ended(15)) is TimedOut
                finally:
                    await away(cluster.resume_api)
        finally:
            adapter.close()


class TestCutOff:
    @pytest.mark.parametrize("fault", [Truncate(), Reset(), HalfClose()])
    async def test_a_watch_goes_on_where_it_was(self, cluster: ControlPlane, fault: Truncate) -> None:
        added = await away(cluster.apply, node("n-1"))
        with proxied(cluster) as proxy:
            adapter = adapter_of(cluster.kubeconfig(url=f"https://127.0.0.1:{proxy.port}"))
            try:
                async with watching(adapter) as watch:
                    # The next piece of every open connection is where it ends; new ones pass.
                    proxy.fault = fault
                    backend = Somebody(cluster)
                    await away(backend.patch, "/api/v1/nodes/n-1", {"metadata": {"labels": {"a": "1"}}})
                    await asyncio.sleep(0.05)
                    proxy.fault = Pass()
                    await away(backend.patch, "/api/v1/nodes/n-1", {"metadata": {"labels": {"b": "2"}}})
                    key = (Kind.RESOURCE, added["metadata"]["uid"])
                    await watch.until(
                        lambda: watch.state[key].extensions.get("k8s.labels") == {"a": "1", "b": "2"}
                    )
            finally:
                adapter.close()

    async def test_every_connection_dropped_loses_nothing(self, cluster: ControlPlane) -> None:
        with proxied(cluster) as proxy:
            adapter = adapter_of(cluster.kubeconfig(url=f"https://127.0.0.1:{proxy.port}"))
            try:
                async with watching(adapter) as watch:
                    for number in range(5):
                        await away(proxy.drop)
                        await away(cluster.apply, node(f"n-{number}"))
                        await watch.until(lambda: resources(watch) == number + 1)  # noqa: B023
            finally:
                adapter.close()

    async def test_silence_of_the_whole_network_ends_the_watch(self, cluster: ControlPlane) -> None:
        with proxied(cluster) as proxy:
            adapter = adapter_of(cluster.kubeconfig(url=f"https://127.0.0.1:{proxy.port}"))
            try:
                async with watching(adapter) as watch:
                    proxy.fault = Silence()
                    assert type(await watch.ended(15)) is TimedOut
                    proxy.fault = Pass()
            finally:
                adapter.close()
