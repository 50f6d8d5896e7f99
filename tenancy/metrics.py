"""What is counted about identity."""

from prometheus_client import Counter

AUTH = Counter("o2ims_auth", "Requests to an API root by the outcome of identifying the caller.", ["status"])
for _status in ("success", "missing", "invalid", "suspended", "unavailable"):
    AUTH.labels(_status)

AUTHZ = Counter(
    "o2ims_authz", "Identified requests by what they needed and got.", ["resource", "action", "result"]
)

AUDITED = Counter("netweave_audit_entries", "Entries of the audit trail, by how it ended.", ["result"])
for _result in ("success", "denied", "error"):
    AUDITED.labels(_result)

RATE_LIMITED = Counter("netweave_rate_limited", "Requests refused for their rate, by whose limit.", ["of"])
for _of in ("tenant", "user", "address", "pages"):
    RATE_LIMITED.labels(_of)
JWKS_ERRORS = Counter("netweave_jwks_errors", "Questions for keys that an issuer did not answer.", ["issuer"])
RATE_LIMIT_ERRORS = Counter("netweave_rate_limit_errors", "Requests not counted, because Redis was away.")
