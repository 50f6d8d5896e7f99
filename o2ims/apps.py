"""The Django app."""

from django.apps import AppConfig


class O2ImsConfig(AppConfig):
    """The inventory."""

    name = "o2ims"
    verbose_name = "What"
