"""Load on one URL, by wrk on one core, and what it cost the server on the other."""

import os
import re
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

SERVER_CORE, LOAD_CORE = "0", "1"
_TICK = os.sysconf("SC_CLK_TCK")
_REPORT = """
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(95), latency:percentile(99),
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
"""


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
    """CPU time that processes have used, user and system."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICK


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
    done = subprocess.run([*command, case.url], capture_output=True, text=True, check=True)
    used = cpu_seconds(case.pids) - before
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
    if not found or int(found[6]):
        raise RuntimeError(f"{case.name}: {done.stdout}{done.stderr}")
    requests, duration, p50, p95, p99 = (int(found[n]) for n in range(1, 6))
    run = Run(requests / duration * 1e6, used / requests * 1e6, p50 / 1000, p95 / 1000, p99 / 1000)
    case.runs.setdefault(connections, []).append(run)


def interleaved(cases: Sequence[Case], *, rounds: int, seconds: int, scripts: Path) -> None:
    """Every case in turn, `rounds` times, with 1 and with 32 connections."""
    for _ in range(rounds):
        for connections in (1, 32):
            for case in cases:
                drive(case, connections, seconds, scripts)
                time.sleep(0.1)
