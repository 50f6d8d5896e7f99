"""The Django app."""

from django.apps import AppConfig


class SubscriptionsConfig(AppConfig):
    """Subscriptions and their deliveries."""

    name = "subscriptions"
    verbose_name = "Events"
