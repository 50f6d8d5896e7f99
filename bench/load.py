"""Load on one URL, by wrk on one core, and what it cost the server on the other; or calls to several in turn,
one at a time. Nothing here goes on for ever: every loop has a count and a `Limit`."""

import http.client
import os
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

SERVER_CORE, LOAD_CORE = "0", "1"
CALLS_SECONDS, WRK_SECONDS = 300, 30  # of calls in turn; of wrk, beyond what it was told
BURSTS, BURST = 20, 5  # bursts a round, and calls of each
_CPU_CLOCK = 2  # of clock_getcpuclockid(3): the scheduler's own count, finer than the ticks in /proc
_REPORT = """
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(95), latency:percentile(99),
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: interleaved rounds, seconds of each run of wrk, and whether all of it is."""

    rounds: int
    seconds: int
    full: bool = False


class Limit:
    """The time that a loop of requests has."""

    def __init__(self, seconds: float, what: str) -> None:
        self._seconds, self._what = seconds, what
        self._started = time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._started

    def check(self) -> None:
        """Raises `RuntimeError` once the time is over."""
        if self.spent > self._seconds:
            raise RuntimeError(f"{self._what}: not within {self._seconds:.0f} s")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of wrk: requests a second, CPU µs of the server a request, and percentiles in ms."""

    rate: float
    cpu: float
    p50: float
    p95: float
    p99: float


@dataclass(slots=True)
class Case:
    """One URL of one server; `runs` by number of connections."""

    name: str
    url: str
    pids: Sequence[int]
    headers: Sequence[str] = ()
    runs: dict[int, list[Run]] = field(default_factory=dict)

    def median(self, connections: int) -> Run:
        """The medians of its runs."""
        runs = self.runs[connections]
        return Run(*(statistics.median(getattr(run, name) for run in runs) for name in Run.__slots__))


def cpu_seconds(pids: Sequence[int]) -> float:
    """CPU time that processes have used, user and system, their ended threads included."""
    return sum(time.clock_gettime(~pid << 3 | _CPU_CLOCK) for pid in pids)


def rss(pid: int) -> float:
    """Resident memory of a process in MB."""
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


def drive(case: Case, connections: int, seconds: int, scripts: Path) -> None:
    """One run of wrk on a case, added to its runs. Raises `RuntimeError` if any answer was not a 2xx."""
    script = scripts / "report.lua"
    script.write_text(_REPORT)
    command = [
        "taskset",
        "-c",
        LOAD_CORE,
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "-s",
        str(script),
    ]
    for header in case.headers:
        command += ["-H", header]
    before = cpu_seconds(case.pids)
    limit = seconds + WRK_SECONDS
    done = subprocess.run([*command, case.url], capture_output=True, text=True, check=True, timeout=limit)
    used = cpu_seconds(case.pids) - before
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
    if not found or int(found[6]):
        raise RuntimeError(f"{case.name}: {done.stdout}{done.stderr}")
    requests, duration, p50, p95, p99 = (int(found[n]) for n in range(1, 6))
    if not requests:
        raise RuntimeError(f"{case.name}: no answer to {connections} connections within {seconds} s")
    run = Run(requests / duration * 1e6, used / requests * 1e6, p50 / 1000, p95 / 1000, p99 / 1000)
    case.runs.setdefault(connections, []).append(run)


def interleaved(
    cases: Sequence[Case], effort: Effort, *, scripts: Path, connections: Sequence[int] = (1, 32)
) -> None:
    """Every case in turn, in every round, with each number of connections; after one call of each, which
    makes what is kept for the next."""
    with ExitStack() as stack:
        for case in cases:
            _caller(case, stack)()
    for _ in range(effort.rounds):
        for count in connections:
            for case in cases:
                drive(case, count, effort.seconds, scripts)
                time.sleep(0.1)


def costs(cases: Sequence[Case], effort: Effort) -> list[float]:
    """What a call of each case costs its server, in CPU µs: the median of many short bursts, one call at a
    time, the cases in turn. A ratio of two of them holds on a busy machine too, where runs of wrk, seconds
    apart, find it in different moods."""
    found: list[list[float]] = [[] for _ in cases]
    limit = Limit(CALLS_SECONDS, f"bursts of each of {len(cases)}")
    with on_load_core(), ExitStack() as stack:
        calls = [_caller(case, stack) for case in cases]
        order = list(range(len(cases)))
        for _ in range(effort.rounds * BURSTS):
            for number in order:
                limit.check()
                before = cpu_seconds(cases[number].pids)
                for _ in range(BURST):
                    calls[number]()
                found[number].append((cpu_seconds(cases[number].pids) - before) / BURST * 1e6)
            order.reverse()
    return [statistics.median(values) for values in found]


def alternating(cases: Sequence[Case], count: int) -> list[list[float]]:
    """`count` calls of each case, one at a time, the cases in turn: what disturbs the machine disturbs all
    alike. The seconds that each call took, by case. Raises `RuntimeError` for an answer that is no 200, and
    after `CALLS_SECONDS`."""
    found: list[list[float]] = [[] for _ in cases]
    limit = Limit(CALLS_SECONDS, f"{count} calls of each of {len(cases)}")
    with on_load_core(), ExitStack() as stack:
        calls = [_caller(case, stack) for case in cases]
        order = list(range(len(cases)))
        for _ in range(count):
            limit.check()
            for number in order:
                found[number].append(calls[number]())
            order.reverse()
    return found


@contextmanager
def on_load_core() -> Iterator[None]:
    """Inside, this thread runs where wrk would."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _caller(case: Case, stack: ExitStack) -> Callable[[], float]:
    url = urlsplit(case.url)
    connection = stack.enter_context(closing(http.client.HTTPConnection(url.netloc, timeout=20)))
    headers = dict(header.split(": ", 1) for header in case.headers)

    def call() -> float:
        started = time.perf_counter()
        connection.request("GET", f"{url.path}?{url.query}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        took = time.perf_counter() - started
        if answer.status != 200:
            raise RuntimeError(f"{case.name}: {answer.status} {body[:200]!r}")
        return took

    return call
