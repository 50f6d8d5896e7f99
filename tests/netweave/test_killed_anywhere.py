"""T32: a web process dies by SIGKILL at fifty moments of its writes, from before it has heard of one to after
it has answered: nothing is done that the trail does not tell of, and nothing told that is not done."""

import os
import signal
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import written
from tests.gateway import Gateway
from tests.peers.process import Process
from tests.written import POOLS, asking, backend

pytestmark = [pytest.mark.xdist_group("killed"), pytest.mark.timeout(180)]
POINTS = 50
PROGRAM = Path(__file__).parent / "reborn_process.py"


class Reborn:
    """A web process that is there again when it was killed."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._child = gateway.den.path / "child.pid"  # the den's sitter knows it, too
        words = [*gateway._command()[:-1], str(PROGRAM), str(gateway.port), str(self._child)]
        self.process = Process("reborn", words, den=gateway.den)

    def start(self) -> None:
        self.process.start()
        self.process.wait_ready(self.ready)

    def ready(self) -> bool:
        return self.gateway.get("", "/readyz").status == 200

    def kill(self) -> None:
        os.kill(int(self._child.read_text()), signal.SIGKILL)


@pytest.fixture
def reborn(gateway: Gateway) -> Iterator[Reborn]:
    gateway.environment["OPERATION_LIMIT"] = "1s"
    gateway.worker.command[:] = gateway._command("worker", "--ops-port", str(gateway.ops_port))
    written.configure(gateway)
    found = Reborn(gateway)
    gateway.start(gateway.worker)
    found.start()
    yield found
    found.process.stop()


def usual_seconds(reborn: Reborn) -> float:
    """How long the first write of a process takes."""
    gateway, seconds = reborn.gateway, []
    for number in range(5):
        gateway.until(reborn.ready, what="the process that serves now")
        started = time.monotonic()
        assert gateway.send("alice", "POST", POOLS, {"name": f"usual-{number}"}).status == 201
        seconds.append(time.monotonic() - started)
        reborn.kill()
    return statistics.median(seconds)


def test_wherever_a_write_is_cut_off_there_is_no_effect_without_its_entry(reborn: Reborn) -> None:
    gateway, answered = reborn.gateway, Counter[int]()
    usual = usual_seconds(reborn)
    for point in range(POINTS):
        gateway.until(reborn.ready, what="the process that serves now")
        name = f"killed-{point}"
        with asking(gateway, "POST", POOLS, {"name": name}, X_Request_Id=name) as answers:
            time.sleep(usual * (0.2 + point / POINTS))
            reborn.kill()
        answered.update(answer.status for answer in answers)
    assert answered.keys() <= {0, 201}
    assert answered[0]
    with gateway.database() as rows:

        def under_way() -> int:
            (count,) = rows.execute(
                "SELECT count(*) FROM o2ims_operation WHERE state = 'started'"
            ).fetchone() or (0,)
            rows.commit()
            return int(count)

        gateway.until(lambda: under_way() == 0, what="every write settled")
        states = dict(
            rows.execute(
                "SELECT native_name, state FROM o2ims_operation WHERE native_name LIKE 'killed-%'"
            ).fetchall()
        )
        entries = rows.execute(
            "SELECT label, result FROM tenancy_auditentry WHERE kind = 'ResourcePool' AND action = 'create'"
        ).fetchall()
        changes = rows.execute(
            "SELECT after->>'name' FROM o2ims_change WHERE kind = 'ResourcePool' AND type = 'CREATE'"
        ).fetchall()
    told = Counter((name, result) for name, result in entries if name.startswith("killed-"))
    done = {f"killed-{point}" for point in range(POINTS) if there(gateway, f"killed-{point}")}
    recorded = Counter(name for (name,) in changes if name.startswith("killed-"))
    assert states, "all of them died too early"
    assert {name for name, result in told if result == "success"} == done
    assert recorded == Counter(done)
    assert set(told.values()) == {1}
    assert {name for name, _ in told} == states.keys()  # those of which nothing had begun are nowhere
    assert {state for name, state in states.items() if name in done} <= {"done", "settled"}
    assert {state for name, state in states.items() if name not in done} <= {"failed"}


def there(gateway: Gateway, name: str) -> bool:
    found = backend(gateway).execute("SELECT body FROM object WHERE kind = 'ResourcePool'").fetchall()
    return any(f'"name":"{name}"'.encode() in body for (body,) in found)
