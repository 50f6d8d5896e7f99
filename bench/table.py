"""The one table: figures beside their bounds, loads beside their floors, and on what machine and commit
they were taken."""

import os
import platform
import subprocess
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from pathlib import Path

from bench.load import Case

_HOW = "One web process, token authentication; server and load on a core each; medians of interleaved runs."


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure; `bound` is what it should not exceed, None where it only stands beside another."""

    name: str
    value: float
    unit: str
    bound: float | None = None

    @property
    def held(self) -> bool:
        """Whether it is within its bound."""
        return self.bound is None or self.value <= self.bound


@dataclass(slots=True)
class Table:
    """What the cases of a run found; `broken` are those that did not come to their end."""

    cases: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether every case came to its end, and every figure is within its bound."""
        return not self.broken and all(figure.held for figure in self.figures)

    def add(self, figure: Figure) -> None:
        """One more figure, said at once."""
        self.figures.append(figure)
        bound = "" if figure.bound is None else f" (bound {_shown(figure.bound)}; holds: {_holds(figure)})"
        print(f"{figure.name}: {_shown(figure.value)} {figure.unit}{bound}", flush=True)

    def spread(self, name: str, seconds: Sequence[float], *, p50: float | None, p99: float | None) -> None:
        """Two figures of many times: their median and their 99th percentile, each with its bound."""
        self.add(Figure(f"{name}, p50", quantile(seconds, 0.5), "s", p50))
        self.add(Figure(f"{name}, p99", quantile(seconds, 0.99), "s", p99))

    @contextmanager
    def case(self, name: str) -> Iterator[None]:
        """Inside, one case runs. If it breaks, that is told, and the others have their turn all the same."""
        started = time.monotonic()
        self.cases.append(name)
        self.broken.append(name)
        try:
            yield
            self.broken.remove(name)
        except Exception:  # noqa: BLE001 - whatever it was: the servers of a case are its own
            traceback.print_exc()
        print(f"-- {name}: {time.monotonic() - started:.0f} s", flush=True)

    def loads(self, name: str, cases: Sequence[Case], *, floors: int = 0) -> None:
        """The loads of one case; the first `floors` of them are what the others are compared with."""
        names = [case.name for case in cases[:floors]]
        head = [
            "case",
            "connections",
            "req/s",
            "CPU µs",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            *(f"of {floor}" for floor in names),
        ]
        self.lines += ["", f"## {name}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        for connections in sorted(cases[0].runs):
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
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
        ).stdout
        head = [
            f"# {now:%Y-%m-%d %H:%M} UTC, commit {commit.strip() or 'unknown'}: {', '.join(self.cases)}",
            "",
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}. {_HOW}",
            "",
            *(
                [f"Broken, and so not measured to the end: {', '.join(self.broken)}.", ""]
                if self.broken
                else []
            ),
            "| figure | measured | bound | holds |",
            "|---|---|---|---|",
        ]
        path = folder / f"{now:%Y-%m-%d-%H%M}.md"
        folder.mkdir(exist_ok=True)
        path.write_text("\n".join([*head, *map(_row, self.figures), *self.lines]) + "\n")
        return path


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least that share of all does not exceed."""
    return sorted(values)[max(0, ceil(len(values) * share) - 1)]


def _row(figure: Figure) -> str:
    bound = "" if figure.bound is None else f"≤ {_shown(figure.bound)} {figure.unit}"
    return f"| {figure.name} | {_shown(figure.value)} {figure.unit} | {bound} | {_holds(figure)} |"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _holds(figure: Figure) -> str:
    if figure.bound is None:
        return ""
    return "yes" if figure.held else "**NO**"
