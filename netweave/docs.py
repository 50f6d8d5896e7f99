"""Swagger UI and the OpenAPI document: what the generator cannot know."""

from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.urls import reverse
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.exceptions import PermissionDenied

from api import openapi
from o2ims import openapi as o2ims
from subscriptions import openapi as events
from tenancy import audit_openapi
from tenancy import openapi as administration


class Swagger(SpectacularSwaggerSplitView):
    """Swagger UI without an inline script or style, and without a foreign address."""

    template_name = "swagger.html"

    def handle_exception(self, exc: Exception) -> Any:
        """Who may not read it yet is led to the login, and from there back."""
        if isinstance(exc, PermissionDenied):
            return redirect_to_login(self.request.get_full_path(), reverse("admin:login"))
        return super().handle_exception(exc)


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:  # noqa: ARG001, FBT001
    """Adds the components that operations refer to (a postprocessing hook of drf-spectacular)."""
    components = result.setdefault("components", {})
    for root in (openapi, o2ims, events, administration, audit_openapi):
        for name, content in root.components().items():
            components.setdefault(name, {}).update(content)
    result["paths"] = {
        openapi.named(path): item for path, item in result["paths"].items() if o2ims.documented(path)
    }
    result["tags"] = [*o2ims.TAGS, *administration.TAGS]
    return result
