"""The one table: figures beside their bounds, loads beside their floors, and on what machine and commit
they were taken."""

import os
import platform
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.load import Case

_HOW = "One web process, token authentication; server and load on a core each; medians of interleaved runs."


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure; `bound` is what it should not exceed."""

    name: str
    value: float
    unit: str
    bound: float

    @property
    def held(self) -> bool:
        """Whether it is within its bound."""
        return self.value <= self.bound


@dataclass(slots=True)
class Table:
    """What a run found."""

    figures: list[Figure] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def add(self, figure: Figure) -> None:
        """One more figure, said at once."""
        self.figures.append(figure)
        print(f"{figure.name}: {figure.value:.3g} {figure.unit} (bound {figure.bound:g})", flush=True)

    def loads(self, cases: list[Case], *, floors: int) -> None:
        """The loads; the first `floors` of them are what the others are compared with."""
        names = [case.name for case in cases[:floors]]
        head = [
            "case",
            "connections",
            "req/s",
            "CPU µs",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            *(f"of {name}" for name in names),
        ]
        self.lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        for connections in (1, 32):
            bases = [case.median(connections).rate for case in cases[:floors]]
            for case in cases:
                run = case.median(connections)
                ratios = [f"{run.rate / base:.3f}" for base in bases]
                cells = [case.name, str(connections), f"{run.rate:,.0f}", f"{run.cpu:,.0f}"]
                cells += [f"{run.p50:.2f}", f"{run.p95:.2f}", f"{run.p99:.2f}", *ratios]
                self.lines.append("| " + " | ".join(cells) + " |")

    def write(self, folder: Path) -> Path:
        """Writes the run to a file named by its date; returns it."""
        now = datetime.now(UTC)
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout
        head = [
            f"# {now:%Y-%m-%d %H:%M} UTC, commit {commit.strip()}",
            "",
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}. {_HOW}",
            "",
            "| figure | measured | bound | |",
            "|---|---|---|---|",
        ]
        rows = [
            f"| {f.name} | {f.value:.3g} {f.unit} | ≤ {f.bound:g} {f.unit} | {'' if f.held else 'MISSED'} |"
            for f in self.figures
        ]
        path = folder / f"{now:%Y-%m-%d-%H%M}.md"
        folder.mkdir(exist_ok=True)
        path.write_text("\n".join([*head, *rows, "", *self.lines]) + "\n")
        return path
