"""Figures, measured: `python -m bench` starts what it needs on loopback, drives it, and writes one table.

All figures come from one run, interleaved, with floors measured beside them: a ratio within a run means
something on any machine, an absolute figure only on the one it was taken on.
"""
