"""Why the demo cannot start: one line for the person at the terminal."""


class RefusalError(Exception):
    """Something that the person can put right; nothing has been started or changed."""
