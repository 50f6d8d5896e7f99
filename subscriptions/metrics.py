"""What is counted about subscriptions. Labels are states and outcomes of ours, and names in the
configuration."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86400)

DELIVERIES = Counter("netweave_deliveries", "Attempts, by their outcome.", ["outcome"])
DEAD = Counter("netweave_dead_letters", "Deliveries that were given up, by the last outcome.", ["outcome"])
WAITING = Gauge("netweave_deliveries_waiting", "Deliveries that wait, by their endpoint's state.", ["state"])
OLDEST = Gauge(
    "netweave_deliveries_oldest_seconds", "Age of the oldest that waits, by its endpoint's state.", ["state"]
)
ENDPOINTS = Gauge("netweave_endpoints", "Subscriptions, by their endpoint's state.", ["state"])
LATENCY = Histogram(
    "netweave_delivery_latency_seconds",
    "From a change's being recorded to its first acknowledgement.",
    buckets=_SECONDS,
)
FAN_OUT = Histogram(
    "netweave_fanout_latency_seconds", "From a change's being recorded to its deliveries.", buckets=_SECONDS
)
FAN_OUT_LAG = Gauge("netweave_fanout_lag_changes", "Changes not fanned out yet.", ["source"])
REPEATED = Counter(
    "netweave_duplicates_suspected", "Deliveries tried again though nobody knows how the last attempt ended."
)
LATE = Counter("netweave_completions_late", "Attempts that ended after their lane was somebody else's.")
FOREIGN = Counter("netweave_deliveries_foreign", "Matches dropped by the second check. Must stay 0.")
