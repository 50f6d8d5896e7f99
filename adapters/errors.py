"""The one tree of errors a backend may raise. Plugins turn every foreign exception into one of these, with
`from`.

    BackendError
    ├── Unreachable        no connection, or it broke: nobody answered
    │   └── TimedOut       nobody answered in time
    ├── Untrusted          TLS: a wrong host, an unknown issuer, an expired certificate
    ├── Refused            it answered, and does not let us
    │   ├── Unauthorized   it does not know us (credentials wrong or expired)
    │   └── Forbidden      it knows us, and we may not
    ├── Busy               it asked us to come back later (`retry_after` seconds, or None)
    ├── Broken             it answered nonsense: not what its API promises
    │   └── Expired        the checkpoint is too old to watch from: list again
    ├── NotFound           the object is not there
    ├── Conflict           the object exists already, or has changed meanwhile
    ├── Invalid            it refuses what was asked as wrong (`pointer`: where, a JSON pointer)
    ├── Unsupported        it cannot do that at all (`ability`: which one is missing)
    └── Misconfigured      our configuration cannot work: a missing file, extra, context or secret
        └── MissingExtra   the plugin's library is not installed (the message names the extra)

Every message starts with the backend's name. A message never carries a secret. No error knows an HTTP status:
`netweave/problems.py` translates for callers.
"""


class BackendError(Exception):
    """Something about one backend. `source` is the backend's name in the configuration."""

    def __init__(self, source: str, detail: str) -> None:
        super().__init__(f"{source}: {detail}")
        self.source = source
        self.detail = detail


def named(error: BaseException) -> str:
    """What an error is called to others (in a Source, an Operation, a metric, `Proxy-Status`): the class of
    this tree that it is of, whatever a plugin has derived from that; its own class where it is none of
    ours."""
    mine = (cls.__name__ for cls in type(error).__mro__ if cls.__module__ == __name__)
    return next(mine, type(error).__name__)


class Unreachable(BackendError):
    """No connection could be made, or it broke."""


class TimedOut(Unreachable):
    """No answer within the time limit."""


class Untrusted(BackendError):
    """The backend's certificate does not verify."""


class Refused(BackendError):
    """The backend answered and does not let us."""


class Unauthorized(Refused):
    """The backend does not accept our credentials."""


class Forbidden(Refused):
    """The backend knows us, and we may not."""


class Busy(BackendError):
    """The backend asks us to come back later; `retry_after` is in seconds, or None if it did not say."""

    def __init__(self, source: str, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(source, detail)
        self.retry_after = retry_after


class Broken(BackendError):
    """The backend's answer is not what its API promises."""


class Expired(Broken):
    """The checkpoint is too old to watch from; only a new list helps."""


class NotFound(BackendError):
    """The object is not there."""


class Conflict(BackendError):
    """The object exists already, or has changed since we read it."""


class Invalid(BackendError):
    """The backend refuses the request's content; `pointer` is a JSON pointer into the caller's body, or
    ''."""

    def __init__(self, source: str, detail: str, *, pointer: str = "") -> None:
        super().__init__(source, detail)
        self.pointer = pointer


class Unsupported(BackendError):
    """The backend cannot do this at all; `ability` is the missing one of `adapters.types.Ability`."""

    def __init__(self, source: str, ability: str) -> None:
        super().__init__(source, f"does not support {ability}")
        self.ability = ability


class Misconfigured(BackendError):
    """The configuration of this backend cannot work."""


class MissingExtra(Misconfigured):
    """The plugin's library is not installed; `extra` is what to install."""

    def __init__(self, source: str, extra: str) -> None:
        super().__init__(source, f"needs an extra: pip install 'netweave[{extra}]'")
        self.extra = extra
