"""How a view becomes an operation of the OpenAPI document: as it describes itself, and with what it needs."""

from typing import Any

from api import openapi
from tenancy.guard import needed


class Schema(openapi.Schema):
    """Adds `x-permission`: what the caller's roles must allow (`ResourcePool:create`), or `anyone`."""

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> Any:
        """The OpenAPI operation of one path and method."""
        operation = super().get_operation(path, path_regex, path_prefix, method, registry)
        wanted = needed(self.view, getattr(self.view, "action", ""))
        if operation is None or wanted is None:
            return operation
        return {**operation, "x-permission": wanted if isinstance(wanted, str) else ":".join(wanted)}
