"""Owners of real peers: each class starts a server of its own and leaves neither process nor file behind."""
