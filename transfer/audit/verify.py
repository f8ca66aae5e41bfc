"""Verifying a log without trusting whoever keeps it.

What enters: a reader, and the verifier keys that the auditor brings. What leaves: a report of what was checked, or
Tampered with the entry, tile or signature that does not fit. Trusted: the verifier keys, and nothing else. Nothing is
called verified over nothing: without a checkpoint, without an entry or without a key there is no report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from transfer.audit.checkpoint import Checkpoint, OpenedCheckpoint, open_checkpoint
from transfer.audit.entries import VERSION, decode_leaf
from transfer.audit.notes import Verifier
from transfer.audit.reader import Claim, LogReader
from transfer.audit.walk import Walk
from transfer.errors import NotSo, Tampered
from transfer.model.facets import Facets, Inheritance

Leaves: TypeAlias = "Iterator[tuple[int, dict[str, Any]]]"
StatementCheck: TypeAlias = Callable[[Leaves], list[str]]

_TIME = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z")
_REINDEX = "Find out who changed the database; `transfer audit reindex` makes its index again from the entries."
_REMEMBERED_ITEMS = 1 << 18  # beyond so many items, an older one's chain is followed by reading, not by memory


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What was checked and found in order; sizes and counts are numbers of entries, files and signatures.

    `unpublished` entries lie after the checkpoint: no signature covers them yet, as after a crash or while a gateway
    runs. `pinned` is the size of the auditor's older checkpoint, proven to be this log's beginning.
    """

    origin: str
    size: int
    root: bytes
    entries_checked: int
    tiles_checked: int
    signatures_checked: tuple[str, ...]
    signatures_unknown: int
    unpublished: int
    unfinished: int
    pinned: int | None
    statements_checked: bool
    first_at: str
    last_at: str

    @property
    def sentence(self) -> str:
        """The report in one line, for people."""
        signed_by = ", ".join(self.signatures_checked)
        hashed = (
            f"{self.entries_checked:,} of {self.size:,} entries hashed again, {self.tiles_checked:,} tiles and bundles "
            f"compared, {len(self.signatures_checked)} signature(s) verified ({signed_by})"
        )
        parts = [hashed]
        if self.pinned is not None:
            parts.append(f"the older checkpoint of {self.pinned:,} entries is its beginning")
        if self.unpublished:
            parts.append(f"NOT signed yet: the {self.unpublished:,} entries after the checkpoint")
        if self.unfinished:
            parts.append(f"{self.unfinished} file(s) half written, as after a crash")
        if not self.statements_checked:
            parts.append("approvals were not checked")
        return "; ".join(parts) + "."


def verify_log(
    reader: LogReader,
    verifiers: Sequence[Verifier],
    *,
    origin: str | None = None,
    older: bytes | str | None = None,
    statement_check: StatementCheck | None = None,
) -> VerifyReport:
    """Checks everything there is.

    `origin`: the log that this must be. `older`: a checkpoint that the auditor kept; it must be this log's beginning.
    `statement_check` is handed every entry, in order, as (index, leaf) and answers sentences about what is not
    covered by a statement. Raises Tampered; NotSo if there is nothing to verify; Misuse without verifier keys.
    """
    opened = _open(reader, verifiers, origin)
    checkpoint = opened.checkpoint
    signed = Claim(size=checkpoint.size, root=checkpoint.root, who="the signed checkpoint")
    claims = [signed, *reader.claims()]
    kept = _open_older(older, verifiers, checkpoint) if older is not None else None
    if kept is not None:
        claims.append(Claim(size=kept.size, root=kept.root, who="the older checkpoint that was kept"))
    survey = reader.survey(checkpoint.size)
    walk = Walk(reader, survey, signed=signed, claims=claims)
    chain = _Chain(reader)
    leaves = _leaves(reader, walk, chain)
    problems = statement_check(leaves) if statement_check is not None else []
    for _ in leaves:  # whatever the statement check left unread is still verified
        pass
    if walk.entries_checked < checkpoint.size:
        raise Tampered(f"Only {walk.entries_checked} of {checkpoint.size} entries could be checked.")
    if problems:
        more = f" There are {len(problems) - 1} more of this kind." if len(problems) > 1 else ""
        raise Tampered(problems[0] + more)
    return VerifyReport(
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root,
        entries_checked=checkpoint.size,
        tiles_checked=walk.tiles_checked,
        signatures_checked=tuple(signature.name for signature in opened.verified),
        signatures_unknown=opened.unknown,
        unpublished=walk.entries_checked - checkpoint.size,
        unfinished=len(survey.unfinished),
        pinned=kept.size if kept is not None else None,
        statements_checked=statement_check is not None,
        first_at=chain.first_at,
        last_at=chain.last_at,
    )


def _open(reader: LogReader, verifiers: Sequence[Verifier], origin: str | None) -> OpenedCheckpoint:
    note = reader.checkpoint()
    if note is None:
        survey = reader.survey(0)
        if survey.extras:
            raise Tampered("The checkpoint is missing, although there are entries.")
        raise NotSo("There is nothing to verify: no checkpoint is there.", advice="Run the gateway once first.")
    try:
        opened = open_checkpoint(note, verifiers)
    except Tampered as error:
        raise Tampered(f"The checkpoint is not what the log's key signed: {error.sentence}") from error
    own = reader.own_key()
    if own is not None:
        try:
            open_checkpoint(note, [own])
        except Tampered as error:
            raise Tampered(f"log.vkey is not the key that signed the checkpoint. {error.sentence}") from error
    if origin is not None and opened.checkpoint.origin != origin:
        raise Tampered(f"This is the log {opened.checkpoint.origin}, not {origin}.")
    if opened.checkpoint.size == 0:
        raise NotSo("There is nothing to verify: the log is empty.")
    return opened


def _open_older(older: bytes | str, verifiers: Sequence[Verifier], newer: Checkpoint) -> Checkpoint:
    try:
        kept = open_checkpoint(older, verifiers).checkpoint
    except Tampered as error:
        raise Tampered(f"The older checkpoint is not one that the log's key signed: {error.sentence}") from error
    if kept.origin != newer.origin:
        raise Tampered(f"The older checkpoint is of the log {kept.origin}, not of {newer.origin}.")
    if kept.size > newer.size:
        raise Tampered(f"The log was cut: it had {kept.size} entries once and has {newer.size} now.")
    return kept


def _leaves(reader: LogReader, walk: Walk, chain: _Chain) -> Leaves:
    inheritance = Inheritance(partial(_indexed_campaign, reader))
    for first, entries in walk.bundles():
        indexed = reader.index(first, first + len(entries))
        for index, entry in enumerate(entries, first):
            try:
                body = decode_leaf(entry)
                chain.check(index, body)
                if indexed is not None:
                    _check_index(indexed[index], inheritance.facets(body))
            except Tampered as error:
                raise Tampered(
                    f"Entry {index} is not as an entry of a transfer log is: {error.sentence}", advice=error.advice
                ) from error
            yield index, body


def _indexed_campaign(reader: LogReader, index: int) -> str | None:
    """Of an entry that was checked long before."""
    indexed = reader.index(index, index + 1)
    return indexed[index].campaign if indexed is not None else None


def _check_index(indexed: Facets, expected: Facets) -> None:
    if indexed == expected:
        return
    for tag in {*indexed.tags} - {*expected.tags}:
        raise Tampered(f"the database's index has it under «{tag[:100]}», which it does not say.", advice=_REINDEX)
    for tag in {*expected.tags} - {*indexed.tags}:
        raise Tampered(f"the database's index does not have it under «{tag[:100]}».", advice=_REINDEX)
    raise Tampered("the database's index describes it otherwise.", advice=_REINDEX)


def _checked_time(index: int, body: dict[str, Any]) -> str:
    """The entry's time, after what every entry has was looked at. Raises Tampered."""
    version, number, at, event = body.get("v"), body.get("i"), body.get("at"), body.get("event")
    if version != VERSION or type(version) is not int:
        raise Tampered(f"it is of version {version!a}, and this program knows version {VERSION} only.")
    if number != index or type(number) is not int or not isinstance(event, str):
        raise Tampered(f"it says that it is number {number!a}, of the kind {event!a}.")
    if not isinstance(at, str) or not _TIME.fullmatch(at):
        raise Tampered(f"{at!a} is not a time.")
    return at


class _Chain:
    """What must hold from one entry to the next: number, version, time, and each item's previous entry."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._newest: dict[str, int] = {}
        self.first_at = ""
        self.last_at = ""

    def check(self, index: int, body: dict[str, Any]) -> None:
        """Raises Tampered. Called for every entry in order, a million times in a few seconds."""
        at = _checked_time(index, body)
        if at < self.last_at:
            raise Tampered(f"its time {at} is before that of the entry before it, {self.last_at}.")
        self.last_at = at
        if not self.first_at:
            self.first_at = at
        item = body.get("item")
        if item is None:
            if "prev" in body:
                raise Tampered("it names a previous entry, but no item.")
            return
        if not isinstance(item, str):
            raise Tampered("its item is not a text.")
        newest = self._newest.pop(item, None)
        said = body.get("prev", {}).get("i") if isinstance(body.get("prev", {}), dict) else -1
        if said != newest and not (newest is None and self._is_forgotten(index, item, said)):
            raise Tampered(f"it names {said} as the previous entry of its item; that is {newest}.")
        self._newest[item] = index
        if len(self._newest) > _REMEMBERED_ITEMS:
            del self._newest[next(iter(self._newest))]

    def _is_forgotten(self, index: int, item: str, said: object) -> bool:
        """Whether the entry it names is of the same item, although so many others lie between that we forgot it."""
        if len(self._newest) < _REMEMBERED_ITEMS or not isinstance(said, int) or not 0 <= said < index:
            return False
        entry = self._reader.entries(said // 256, said % 256 + 1)[-1]
        return bool(decode_leaf(entry).get("item") == item)
