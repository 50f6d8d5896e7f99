"""The glue to drf-spectacular: a view that can describe its operations itself is asked to."""

from typing import Any

from drf_spectacular.openapi import AutoSchema


class Schema(AutoSchema):
    """Asks the view's `describe(path, method)`, which gives a whole OpenAPI operation; other views are
    inspected as usual."""

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> Any:
        """The OpenAPI operation of one path and method."""
        describe = getattr(self.view, "describe", None)
        if describe is None:
            return super().get_operation(path, path_regex, path_prefix, method, registry)
        return describe(path, method)
