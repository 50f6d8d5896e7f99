"""Reads a ledger twice, first for what should be and then for what came, and says what is broken."""

from dataclasses import dataclass, field
from pathlib import Path

from tests.ledger.known import known
from tests.ledger.properties import PROPERTIES
from tests.ledger.receipt import receipts

MESSAGES_KEPT = 20


@dataclass(slots=True)
class Verdict:
    """On one property: how often it is broken, and the first messages."""

    name: str
    text: str
    broken: int = 0
    messages: list[str] = field(default_factory=list)

    def say(self, message: str) -> None:
        """One more record breaks it."""
        self.broken += 1
        if len(self.messages) < MESSAGES_KEPT:
            self.messages.append(message)


def check(path: Path) -> list[Verdict]:
    """The verdicts on P1 to P10, in order; raises `NotALedgerError`."""
    should = known(path)
    verdicts = []
    checks = []
    for each in PROPERTIES:
        number, _, name = each.__name__.partition("_")
        verdict = Verdict(
            f"{number.upper()} {name.replace('_', ' ')}", " ".join((each.__doc__ or "").split())
        )
        verdicts.append(verdict)
        checks.append(each(should, verdict.say))
    for begun in checks:
        next(begun)
    for receipt in receipts(path):
        for begun in checks:
            begun.send(receipt)
    for begun in checks:
        try:
            begun.send(None)
        except StopIteration:
            continue
    return verdicts
