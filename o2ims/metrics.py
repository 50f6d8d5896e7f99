"""What is counted about the inventory. Labels are names in the configuration, kinds and reasons: all
bounded."""

from prometheus_client import Counter, Gauge

SOURCE_UP = Gauge("netweave_source_up", "1 while the source answers and is followed.", ["source"])
SOURCE_LAG = Gauge("netweave_source_lag_seconds", "Since the source last proved to be there.", ["source"])
SOURCE_HOLDING = Gauge("netweave_source_holding", "1 while mass deletes are held back.", ["source"])
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
