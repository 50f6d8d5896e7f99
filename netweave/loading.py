"""Django, loaded: once, and without looking for garbage in what stays for the whole life of the process.
That is a fifth of the start, and part of every full collection after it."""

import gc

import django


def load() -> None:
    """Loads it. Raises `ImproperlyConfigured` for a setting that is wrong."""
    gc.disable()
    try:
        django.setup()
    finally:
        gc.freeze()
        gc.enable()
