"""`manage.py audit`: proves, exports and prunes the audit trail, at a shell."""

import sys
from typing import Any, BinaryIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date

from api.pages import PageError
from tenancy import exports
from tenancy.audit import Deed
from tenancy.proof import prove, said
from tenancy.pruning import prune
from tenancy.refusals import Refused
from tenancy.selection import NAMES, Selection
from tenancy.tables import FORMATS
from tenancy.trail import AuditEntry


class Command(BaseCommand):
    """verify: is the trail whole; export: a selection of it, or its seals; prune: forget what is old."""

    help = "Verifies, exports or prunes the audit trail."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parts = parser.add_subparsers(dest="what", required=True)
        verify = parts.add_parser("verify", help="every seal and every entry; exit code 1 if it is not whole")
        verify.add_argument("--head", default="", help="a number:hash that verify printed earlier")
        export = parts.add_parser("export", help="to standard output")
        export.add_argument("--format", choices=[one.suffix for one in FORMATS], default="jsonl")
        export.add_argument(
            "--seals", action="store_true", help="the seals and public keys instead (JSON Lines)"
        )
        for name in NAMES:
            export.add_argument(f"--{name}", default="", dest=f"of_{name}", metavar=name.upper())
        prune_ = parts.add_parser("prune", help="what is older than AUDIT_RETENTION, by whole days")
        prune_.add_argument("--before", default="", help="a day (UTC), instead")

    def handle(self, *args: Any, **options: Any) -> None:
        """One of the three. Raises `CommandError`."""
        {"verify": self._verify, "export": self._export, "prune": self._prune}[options["what"]](options)

    def _verify(self, options: dict[str, Any]) -> None:
        found = prove(noted=options["head"])
        for fault in found.faults:
            self.stderr.write(str(fault))
        for line in said(found):
            self.stdout.write(line)
        if not found.whole:
            raise CommandError(f"The audit trail is not whole: {found.count} faults.")

    def _export(self, options: dict[str, Any]) -> None:
        given = {name: [options[f"of_{name}"]] for name in NAMES if options[f"of_{name}"]}
        try:
            selection = Selection.of(given)
        except PageError as error:
            raise CommandError(f"--{error.parameter} {error.detail}") from error
        deed = Deed.of_command("audit export")
        what = "seals" if options["seals"] else options["format"]
        newest = AuditEntry.objects.values_list("pk", flat=True).first() or 0
        facts = {"format": what, "selection": dict(selection.given), "through": str(newest)}
        deed.tell(deed.entry("export", "Audit", after=facts))
        out: BinaryIO = getattr(self.stdout._out, "buffer", sys.stdout.buffer)
        if options["seals"]:
            out.writelines(exports.seals())
            return
        to = next(one for one in FORMATS if one.suffix == options["format"])
        out.writelines(exports.written(selection.rows(AuditEntry.objects.filter(pk__lte=newest)), to))

    def _prune(self, options: dict[str, Any]) -> None:
        before = timezone.now() - settings.AUDIT_RETENTION
        if options["before"]:
            day = parse_date(options["before"])
            if day is None:
                raise CommandError("--before must be a day such as 2026-01-31")
            before = before.replace(year=day.year, month=day.month, day=day.day)
        try:
            count = prune(before, Deed.of_command("audit prune"))
        except Refused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count} entries of the days before {before:%Y-%m-%d} (UTC) are gone.")
