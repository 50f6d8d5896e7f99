"""The backend in memory (type `mock`): a complete adapter that ships, for the demo, for learning and, since
it passes the contract suite, as the verified fake that other tests use.

A pool, a resource and a type are rows of its sample (`sample.py`); ticking changes something every few
seconds.
"""

from adapters.ims.memory.adapter import Adapter

__all__ = ["Adapter"]
