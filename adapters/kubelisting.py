"""A list of the Kubernetes API, being read page by page; the same for sync and async, because it asks nobody
itself."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from adapters.errors import Broken, Expired
from adapters.http import LIST_LIMIT

PAGE = 500

_RESTARTS = 3

_Kept = TypeVar("_Kept")


class Listing(Generic[_Kept]):
    """One list being read, page by page: `query` of the next page, `add` what came, until `done`. `keep` is
    called with each item and its result is what `items` hold, so that the raw page can go. `version` is the
    list's resourceVersion; with `at` the list is as it was at that resourceVersion (`Expired` if the server
    has forgotten)."""

    def __init__(self, source: str, what: str, keep: Callable[[Any], _Kept], at: str = "") -> None:
        self.items: list[_Kept] = []
        self.version = ""
        self.done = False
        self._source, self._what, self._keep, self._at = source, what, keep, at
        self._token = ""
        self._restarts = 0

    def query(self) -> dict[str, str]:
        """The query of the page to ask for."""
        if self._token:
            return {"limit": str(PAGE), "continue": self._token}
        exact = {"resourceVersion": self._at, "resourceVersionMatch": "Exact"} if self._at else {}
        return {"limit": str(PAGE), **exact}

    def add(self, page: Any) -> None:
        """Takes a page in."""
        meta, items = page.get("metadata"), page.get("items")
        if (
            not isinstance(meta, dict)
            or not isinstance(items, list)
            or not isinstance(meta.get("resourceVersion"), str)
        ):
            raise Broken(self._source, f"answered no list, asked to {self._what}")
        if len(self.items) + len(items) > LIST_LIMIT:
            raise Broken(self._source, f"has more than {LIST_LIMIT} objects, asked to {self._what}")
        self.items.extend(map(self._keep, items))
        self.version = meta["resourceVersion"]
        self._token = meta.get("continue") or ""
        self.done = not self._token

    def restart(self, error: Expired) -> None:
        """Begins anew after a page has expired; raises `error` if that cannot help, or did not a few
        times."""
        if not self._token or self._restarts == _RESTARTS:
            raise error
        self._restarts += 1
        self.items.clear()
        self._token = ""
