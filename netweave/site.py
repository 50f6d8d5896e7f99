"""The admin site: Django's own, with our name on it, for those who have a role of the platform."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import include, path, reverse


class NetweaveAdminConfig(AdminConfig):
    """Makes `NetweaveSite` the default admin site."""

    default_site = "netweave.site.NetweaveSite"


class NetweaveSite(AdminSite):
    """For platform roles only; tenants' own people use the API. Which page is for whom, models say by their
    `resource`."""

    site_header = "netweave"
    site_title = "netweave"
    index_title = "Overview"
    login_template = "netweave/sign_in.html"
    index_template = "admin/dashboard.html"
    site_url = None  # the link to the API's documentation is in templates/admin/base_site.html

    @property
    def login_form(self) -> Any:  # type: ignore[override]  # Django's is an attribute
        """The form at /admin/login/."""
        from netweave.sign_in import SignIn  # noqa: PLC0415 - forms need the apps that this module begins

        return SignIn

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether there is anything here for the caller at all: a role that ended closes the site at once."""
        from tenancy import second_factor  # noqa: PLC0415 - as above

        user: Any = request.user
        return getattr(user, "runs_the_platform", False) and second_factor.passed(request, user)

    def index(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """The dashboard, and the menu."""
        from netweave.dashboard import panels  # noqa: PLC0415 - the apps' models begin with this module

        shown = panels(request.user) if isinstance(request.user, get_user_model()) else {}
        return super().index(request, {**shown, **(extra_context or {})})

    def get_urls(self) -> list[Any]:
        """Django's, and the pages of what is no row."""
        from subscriptions.admin.subscriptions import SubscriptionPages  # noqa: PLC0415 - as above

        pages = path("subscriptions/subscription/", include(SubscriptionPages(self).urls()))
        return [pages, *super().get_urls()]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """In the order the pages are registered, who before what, and not in the alphabet's."""
        order = list(self._registry)
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda page: order.index(page["model"]))
        apps.sort(key=lambda app: order.index(app["models"][0]["model"]))
        for app in apps:
            if app["app_label"] == "subscriptions" and request.user.has_perm("subscriptions.view_endpoint"):
                app["models"].insert(0, _SUBSCRIPTIONS | {"admin_url": reverse(_LISTED)})
        return apps


_LISTED = "admin:subscriptions_subscription_changelist"
#: In the menu: they live in Redis, so there is no model of them.
_SUBSCRIPTIONS = {
    "model": None,
    "name": "Subscriptions",
    "object_name": "Subscription",
    "perms": {"add": False, "change": False, "delete": False, "view": True},
    "add_url": None,
    "view_only": True,
}
