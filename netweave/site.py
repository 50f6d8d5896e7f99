"""The admin site: Django's own, with our name on it."""

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig


class NetweaveAdminConfig(AdminConfig):
    """Makes `NetweaveSite` the default admin site."""

    default_site = "netweave.site.NetweaveSite"


class NetweaveSite(AdminSite):
    """For platform roles only; tenants' own people use the API."""

    site_header = "netweave"
    site_title = "netweave"
    index_title = "Overview"
    site_url = "/docs/"
