"""The live view of `transfer run`: where to drop, what becomes of each file, and the command that would approve it."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from transfer.cli.sentences import sentence
from transfer.model.findings import Severity, WaitingFor
from transfer.model.states import State

if TYPE_CHECKING:
    from transfer.audit.show import ShownEntry
    from transfer.sandbox.profiles import Support
    from transfer.store.register import ItemRow
    from transfer.wiring import Site

_SHOWN = frozenset(
    {State.SPOOLED, State.HELD, State.APPROVED, State.RELEASED, State.REFUSED, State.WITHDRAWN, State.EXPIRED}
)
_COLOURS = {State.RELEASED: "32", State.REFUSED: "31", State.HELD: "33", State.APPROVED: "32", State.WITHDRAWN: "35"}
_INDENT = " " * 10
_NEWS = {
    "return.refused": "refused on the device's side: a {kind} that we did not put there ({size} bytes{sha256}), "
    "moved aside [G5]",
    "release.altered": "altered on the device's side: moved aside, the genuine file is put back [G5]",
    "release.restored": "the genuine file is back on the device's side",
    "release.removed": "gone from the device's side, and not by us",
    "release.rewritten": "OneDrive itself changed a picture after it was sent [G6]",
    "release.mismatch": "OneDrive has other bytes than were sent: taken back [G6]",
    "gateway.paused": "releasing is paused",
    "gateway.resumed": "releasing goes on",
}


class Live:
    """Prints lines on standard output; nothing when `quiet`."""

    def __init__(self, site: Site, *, quiet: bool) -> None:
        self._site = site
        self._quiet = quiet
        self._demo = site.workspace.demo.is_dir()
        self._key = min(site.workspace.demo.glob("*.key"), default=None) if self._demo else None
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def greet(self, support: Support) -> None:
        """Where things are, and what is enforced."""
        site = self._site
        lines = [f"oneway-transfer runs on {_near(site.workspace.root)}"]
        for source in site.settings.folder_sources:
            folders = sorted(entry.name for entry in source.folder.iterdir() if entry.is_dir())
            where = f"{_near(source.folder)}/{folders[0] if folders else 'CAMPAIGN'}/"
            lines.append(f"  drop files into   {where}")
        drives = [source for source in site.settings.sources if source.onedrive is not None]
        lines += [f"  drop files into   the folder of «{source.id}» in OneDrive" for source in drives]
        if self._demo:
            lines.append(f"  samples to try    {_near(site.workspace.demo / 'samples')}/")
        lines += [
            f"  released to       {_released_to(site)}   (the device's side)",
            f"  what became of it {_near(site.workspace.feedback)}/",
            f"  one way           {_valve(support, in_drive=site.settings.release.onedrive is not None)}",
            f"  malware scanner   {_scanner(site)}",
            f"  policy            {' ← '.join((site.policy.name, *site.policy.derived_from))} (`transfer policy show`)",
            "  stop              Ctrl-C",
            "",
        ]
        self._print("\n".join(lines))

    def announce(self, row: ItemRow) -> None:
        """One change of one item."""
        if self._quiet or row.state not in _SHOWN:
            return
        name = f"{row.campaign}/{row.name}" if row.campaign else row.name.text
        words = _words(row)
        self._print(f"{datetime.now(UTC):%H:%M:%S}  {self._paint(f'{row.state.value:<9}', row.state)} {name}{words}")
        for line in self._details(row):
            self._print(_INDENT + line)

    def tell(self, entry: ShownEntry) -> None:
        """One entry about the device's side, or about a pause."""
        event, facts = entry.leaf.event, entry.leaf.body.get("facts", {})
        digest = f", sha256 {entry.leaf.sha256[:16]}" if entry.leaf.sha256 else ""  # in OneDrive nobody reads it
        words = sentence(entry, {})
        if event in _NEWS:
            words = _NEWS[event].format(kind=facts.get("kind", ""), size=facts.get("size", ""), sha256=digest)
        self._print(f"{datetime.now(UTC):%H:%M:%S}  {self._paint('! ' + words, State.REFUSED)}")
        self._print(f"{_INDENT}entry {entry.leaf.index} of the transfer log, {event}")

    def _details(self, row: ItemRow) -> list[str]:
        wanted = {State.REFUSED: Severity.REFUSE, State.HELD: Severity.HOLD}.get(row.state)
        if row.state is State.HELD and row.waiting_for is WaitingFor.APPROVAL:
            return ["to approve it: " + self._approval(row)]
        return [
            f"{reason.message} [{', '.join(reason.clauses)}] {reason.advice}".rstrip()
            for reason in row.reasons
            if reason.severity is wanted
        ]

    def _approval(self, row: ItemRow) -> str:
        who, key = (self._key.stem, _near(self._key)) if self._key else ("NAME", "FILE")
        program = _near(Path(sys.prefix) / "bin" / "transfer") if sys.prefix != sys.base_prefix else "transfer"
        where = shlex.quote(_near(self._site.workspace.root))
        return f"{program} -w {where} approve {row.item} --as {who} --key {shlex.quote(key)} --public --risk low"

    def _paint(self, text: str, state: State) -> str:
        colour = _COLOURS.get(state)
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour and colour else text

    def _print(self, text: str) -> None:
        if self._quiet:
            return
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except OSError:  # nobody looks any more, as after `transfer run | head`; the gateway goes on
            self._quiet = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _released_to(site: Site) -> str:
    release = site.settings.release
    return "the release folder in OneDrive" if release.onedrive is not None else f"{_near(release.folder)}/"


def _words(row: ItemRow) -> str:
    if row.state is State.HELD and row.waiting_for is not None:
        return f"  waits for {row.waiting_for.value}"
    if row.state is State.RELEASED:
        return f"  as {row.released_as}"
    return ""


def _near(path: Path) -> str:
    """As short as it can be written from here, and still be pasted."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)


def _valve(support: Support, *, in_drive: bool) -> str:
    """What keeps it: for a folder in OneDrive no kernel can."""
    if support.complete and in_drive:
        return f"by closed lists of requests and rights; processes confined (Landlock {support.landlock}, seccomp)"
    if support.complete:
        return f"enforced by the kernel (Landlock {support.landlock}, seccomp)"
    return "NOT enforced by the kernel: " + " ".join(support.problems)


def _scanner(site: Site) -> str:
    scanner = site.settings.scanner
    rules = f"; YARA rules in {scanner.yara}" if scanner.yara else ""
    if scanner.kind.value == "none":
        follows = "every item is marked «not scanned for malware»" if _goes_on(site) else "items wait for one"
        return f"none; {follows}{rules}"
    return f"clamd at {scanner.socket or f'{scanner.host}:{scanner.port}'}{rules}"


def _goes_on(site: Site) -> bool:
    return site.policy.malware.scan.value == "when-available"
