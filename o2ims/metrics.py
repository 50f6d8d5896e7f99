"""What is counted about the inventory. Labels are names in the configuration, kinds, reasons and classes of
errors: all bounded."""

import threading

from prometheus_client import Counter, Gauge

from adapters.types import Kind

SOURCE_UP = Gauge("netweave_source_up", "1 while the source answers and is followed.", ["source"])
SOURCE_LAG = Gauge("netweave_source_lag_seconds", "Since the source last proved to be there.", ["source"])
SOURCE_HOLDING = Gauge("netweave_source_holding", "1 while mass deletes are held back.", ["source"])
SOURCE_ERROR = Gauge(
    "netweave_source_error",
    "1 for what a source that is not up failed with: a class of adapters/errors.py.",
    ["source", "error_class"],
)
ITEMS = Gauge("netweave_items", "Living inventory objects.", ["source", "kind"])
CHANGES = Counter("netweave_changes", "Changes recorded.", ["source", "kind", "type"])
RELISTS = Counter("netweave_relists", "Complete lists taken.", ["source", "reason"])
REPAIRS = Counter(
    "netweave_repairs", "Differences a periodic comparison found that the watch had not told.", ["source"]
)
SKIPPED = Counter("netweave_skipped", "Objects that could not be mapped.", ["source"])
FOREIGN = Counter(
    "netweave_foreign_dropped", "Objects of another tenant dropped by the second check. Must stay 0."
)
DUPLICATES = Gauge("netweave_duplicate_ids", "Ids that more than one source has.")
TWINS = Gauge("netweave_duplicate_assets", "Global asset ids that several sources of one O-Cloud have.")
MIRROR_AGE = Gauge(
    "netweave_mirror_age_seconds", "Since this process's mirror last caught up with the change log."
)

_failing: dict[str, str] = {}
_lock = threading.Lock()


def failing(source: str, error_class: str) -> None:
    """Says what a source fails with now ('' for nothing), and no longer what it failed with before."""
    with _lock:
        before = _failing.pop(source, "")
        if before and before != error_class:
            SOURCE_ERROR.remove(source, before)
        if error_class:
            _failing[source] = error_class
            SOURCE_ERROR.labels(source, error_class).set(1)


def forget(source: str) -> None:
    """Says nothing more about a source that this process does not follow any longer."""
    failing(source, "")
    for gauge in (SOURCE_UP, SOURCE_LAG, SOURCE_HOLDING):
        gauge.remove(source)
    for kind in Kind:
        ITEMS.remove(source, kind)
