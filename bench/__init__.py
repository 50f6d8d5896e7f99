"""Figures, measured: `python -m bench` starts what it needs on loopback, drives it, and writes one table.

All figures come from one run, interleaved, with floors measured beside them: a ratio within a run means
something on any machine, an absolute figure only on the one it was taken on.

reads      what a page costs, and how little of that is the inventory's size     `reads.py`
sources    the same pages from twenty sources and from one                       `sources.py`
hanging    one source of twenty that never answers                               `hanging.py`
writes     a pool made, and seen on another process                              `writes.py`
relist     everything listed again, and nothing new in it                        `relist.py`
cluster    a real Kubernetes API server with 10,000 nodes                        `cluster.py`
large      100,000 resources; only when named, or with `--large`                 `large.py`
"""
