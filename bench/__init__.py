"""Figures, measured: `python -m bench` starts what it needs on loopback, drives it, and writes one table.

All figures come from one run, interleaved, with floors measured beside them: a ratio within a run means
something on any machine, an absolute figure only on the one it was taken on.

reads      what a page costs, and how little of that is the inventory's size     `reads.py`
sources    the same pages from twenty sources and from one                       `sources.py`
hanging    one source of twenty that never answers                               `hanging.py`
writes     a pool made, and seen on another process                              `writes.py`
relist     everything listed again, and nothing new in it                        `relist.py`
events     changes to subscribers: fan-out, sending, latency                     `events.py`
           with `--full` instead: workers die, a subscriber is away             `faults.py`
endpoints  subscribers who hang, refuse or leave, among others                  `endpoints.py`
cluster    a real Kubernetes API server with 10,000 nodes                        `cluster.py`
large      100,000 resources; only when named, or with `--large`                 `large.py`
"""

import os

import django

# The product's modules are read here too, as the tests do; nothing is connected to by these.
for _name, _value in {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SECRET_KEY": "nobody's",
    "GATEWAY_CONFIG": "nowhere",
    "DJANGO_SETTINGS_MODULE": "netweave.settings",
}.items():
    os.environ.setdefault(_name, _value)
django.setup()
