"""Recorded changes, made known: counted, logged, and whoever follows the log is woken.

A lost wake-up costs a follower at most a second: nobody depends on one.
"""

import asyncio
from collections.abc import Sequence

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from o2ims import metrics
from o2ims.models import Change

log = structlog.get_logger()

WAKE_GROUP = "changes"
WAKE_SECONDS = 0.5


async def announce(source: str, changes: Sequence[Change], request_id: str) -> None:
    """Of one source's changes, in the order in which they were recorded."""
    if not changes:
        return
    for change in changes:
        metrics.CHANGES.labels(source, change.kind, change.type).inc()
    log.info("changes_recorded", source=source, changes=len(changes), request_id=request_id)
    try:
        async with asyncio.timeout(WAKE_SECONDS):
            await get_channel_layer().group_send(WAKE_GROUP, {"type": "changes"})
    except Exception as error:  # noqa: BLE001 - whatever Redis's client raises: nobody depends on a wake-up
        log.debug("wake_failed", error=type(error).__name__)


announce_now = async_to_sync(announce)
