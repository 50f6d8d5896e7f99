"""One delivery in a worker's hands, and how that ended."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from subscriptions.schedule import Outcome


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """One delivery to send now: `number` is that of the attempt, `change` the Change's id (None: a test)."""

    lane: int
    token: uuid.UUID
    subscription: str
    tenant: str
    delivery: int
    sequence: int
    number: int
    refusals: int
    change: int | None
    tried_at: datetime | None
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a claim ended: `answer` is what a refusal said, `retry_after` what it asked for, in seconds."""

    claim: Claim
    outcome: Outcome
    status: int | None
    milliseconds: int
    answer: str = ""
    retry_after: float | None = None
