"""What an answer says about its age: `Age`, `Proxy-Status` (RFC 9209) and what `Prefer: handling=strict`
makes of them."""

from django.http import HttpRequest

from o2ims.inventory import Staleness

_AWAY = "destination_unavailable"
_ERRORS = {
    "Unreachable": _AWAY,
    "TimedOut": "connection_timeout",
    "Untrusted": "tls_certificate_error",
    "Unauthorized": "http_request_denied",
    "Forbidden": "http_request_denied",
    "Busy": "connection_limit_reached",
    "Broken": "http_protocol_error",
    "Expired": "http_protocol_error",
    "Vanished": "http_response_incomplete",  # so much is missing from a list that it is not believed yet
    "Misconfigured": "proxy_configuration_error",
    "MissingExtra": "proxy_configuration_error",
}


class StaleSources(Exception):
    """The caller wants no old answer, and some sources in its scope are not fresh."""

    def __init__(self, stale: list[Staleness]) -> None:
        super().__init__(", ".join(one.source for one in stale))
        self.stale = stale

    @property
    def timed_out(self) -> bool:
        """Whether all of them are merely silent."""
        return all(one.error_class in {"TimedOut", ""} for one in self.stale)


def headers(request: HttpRequest, stale: list[Staleness]) -> dict[str, str]:
    """The headers that tell what is old; none where all is fresh. Raises `StaleSources` for a caller who
    wants no old answer."""
    strict = wants_strict(request)
    if not stale:
        return {"Preference-Applied": "handling=strict"} if strict else {}
    if strict:
        raise StaleSources(stale)
    ages = [one.silent for one in stale if one.silent is not None]
    age = {"Age": str(int(max(ages)))} if ages else {}
    return {"Proxy-Status": proxy_status(stale), **age}


def proxy_status(stale: list[Staleness]) -> str:
    """RFC 9209: one member for each source that is not fresh."""
    return ", ".join(
        f'netweave; error={_ERRORS.get(one.error_class, _AWAY)}; details="source={one.source}"'
        for one in stale
    )


def wants_strict(request: HttpRequest) -> bool:
    """Whether the caller prefers an error to an old answer (RFC 7240)."""
    preferences = (
        part.split(";")[0].strip().lower() for part in request.headers.get("Prefer", "").split(",")
    )
    return any(
        preference.replace('"', "").replace(" ", "") == "handling=strict" for preference in preferences
    )
