"""The Django app: its commands, and the grants on Django's own tables."""

from django.apps import AppConfig


class NetweaveConfig(AppConfig):
    """The wiring."""

    name = "netweave"
    verbose_name = "Overview"

    def ready(self) -> None:
        """Registers the checks."""
        from netweave import checks  # noqa: F401, PLC0415 - Django's way: importing registers
