"""The Django app."""

from django.apps import AppConfig


class TenancyConfig(AppConfig):
    """Tenants, users and their credentials."""

    name = "tenancy"
    verbose_name = "Who"
