"""`python -m tests.ledger FILE`: a verdict on each of P1 to P10; exits with 1 if one is broken, 2 if the file
is no ledger."""

import argparse
import sys
from pathlib import Path

from tests.ledger.checker import check
from tests.ledger.receipt import NotALedgerError


def main(arguments: list[str]) -> int:
    """Prints the verdicts, and what is broken below each."""
    parser = argparse.ArgumentParser(prog="python -m tests.ledger", description=__doc__)
    parser.add_argument("file", type=Path)
    try:
        verdicts = check(parser.parse_args(arguments).file)
    except (NotALedgerError, OSError) as error:
        sys.stderr.write(f"no ledger: {error}\n")
        return 2
    for verdict in verdicts:
        found = f"BROKEN {verdict.broken} times" if verdict.broken else "holds"
        more = ["…"] if verdict.broken > len(verdict.messages) else []
        lines = [f"{verdict.name}: {found}", *(f"    {message}" for message in [*verdict.messages, *more])]
        sys.stdout.write("\n".join(lines) + "\n")
    return 1 if any(verdict.broken for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
