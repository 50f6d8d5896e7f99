"""What is counted about requests. No label a stranger can choose."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("netweave_requests", "Requests answered.", ["method", "status"])
REQUEST_SECONDS = Histogram(
    "netweave_request_seconds",
    "From a request's first byte to its answer.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
HANDSHAKE = Histogram(
    "o2ims_tls_handshake_duration_seconds",
    "From a client's first message to the end of the TLS handshake.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
CERTIFICATE_EXPIRY = Gauge(
    "o2ims_tls_cert_expiry_seconds", "Until the certificate we serve with ends.", ["usage"]
)
SIGN_INS = Counter("netweave_sign_ins", "Attempts to sign in to the admin site by their outcome.", ["result"])
for _result in ("success", "denied", "locked", "unavailable"):
    SIGN_INS.labels(_result)
