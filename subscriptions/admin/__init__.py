"""The admin pages of events: who wants to hear, and what they were told."""

from subscriptions.admin.deliveries import DeliveryAdmin

__all__ = ["DeliveryAdmin"]
