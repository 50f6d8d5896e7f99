"""The ledger of a run of netweave, and the checker that reads it: `python -m tests.ledger FILE`.

A ledger is a file of JSON lines. What happens in a run is appended by whoever does or sees it: the test that
changes the backend, the sinks that receive, the one who kills. Records of one object, and of one
subscription, stand in the order in which they happened; otherwise the order is free (what was to be expected
is often worked out in the end). `at` is Unix seconds with a fraction.

    {"what": "change", "source", "sequence", "object", "kind", "type", "before", "after", "tenant", "at"}
        a row of the change log: type CREATE, MODIFY or DELETE; before and after are stored bodies or null;
        tenant '' where the object is nobody's
    {"what": "made", "object", "type", "at"}
        what was really done to the backend (optional; with it P6 does not believe the change log)
    {"what": "subscribed", "subscription", "at", "tenant", "secret", "selects", "flavour"}
        tenant null hears of everybody's; selects (optional) as in a filter of /o2ims/v1; flavour (optional)
        names the shape of its bodies
    {"what": "rotated", "subscription", "secret", "at"}             from here on the new secret signs too
    {"what": "unsubscribed" | "suspended" | "resumed", "subscription", "at"}
    {"what": "expected", "subscription", "source", "sequence", "webhook_id"}    what should have arrived
    {"what": "received", "subscription", "webhook_id", "o2_sequence", "at", "status", "headers", "body"}
        one request: status is what the sink answered, body the text that came
    {"what": "dead", "subscription", "webhook_id", "at"}            it is a dead letter
    {"what": "replayed", "subscription", "webhook_id", "at"}        somebody asked for it once more
    {"what": "killed", "process", "at"}                             with -9
    {"what": "final", "object", "body", "flavour"}
        what the backend has in the end, as that flavour shows it; null where it is gone

    known.py  (first reading)  ─► what should be ─┐
    receipt.py (second)  ─► what came, one by one ┴► properties.py P1 … P10 ─► checker.py, what is broken
"""
