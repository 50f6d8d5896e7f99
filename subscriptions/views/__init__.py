"""The subscriptions on the two O2-IMS roots."""
