"""Verifying a log that goes on from shard to shard.

What enters: the shards in their order, and the keys that the auditor brings, of whichever shard. What leaves: a report
of each, or Tampered with the one thing that does not fit. The keys of the other shards are learned from the log itself:
a sealed shard's last entry names the next key, and the first entry of a shard the key before. Each shard is then
verified from end to end under its key, and both entries of each link are compared with what lies on the other side, so
the whole stands on the auditor's key: an entry that named another key would not be in the tree that was signed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from transfer.approvals.coverage import Approvals, Body
from transfer.audit.checkpoint import parse_checkpoint
from transfer.audit.entries import decode_leaf
from transfer.audit.notes import Ed25519Verifier, Verifier, parse_note, parse_vkey
from transfer.audit.reader import LogReader
from transfer.audit.receipts import open_receipt, parse_receipt
from transfer.audit.shards import label_of
from transfer.audit.verify import VerifyReport, verify_log
from transfer.audit.verify_hashes import verify_hashes
from transfer.errors import Misuse, Tampered, TransferError
from transfer.model.events import EventName

_ADVICE = "Copy the whole log again; if it is so there too, ask whoever runs the gateway, and keep what you have."


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of them. `name` is how a sentence calls it, empty for the running one.

    `opening` and `proof` are the proofs of its first and its last entry, where it is sealed.
    """

    reader: LogReader
    name: str = ""
    opening: bytes | None = None
    proof: bytes | None = None
    pruned: bool = False

    @property
    def origin(self) -> str:
        """As its checkpoint says, the signature not checked; empty if there is none."""
        with contextlib.suppress(Tampered):  # which verifying finds
            return parse_checkpoint(parse_note(self.reader.checkpoint() or b"")[0]).origin
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardReport:
    """What was verified of one shard. `pruned_by` is the shard and the entry that tell of its pruning."""

    report: VerifyReport
    vkey: str
    pruned_by: tuple[str, int] | None = None

    @property
    def label(self) -> str:
        """The end of its name."""
        return label_of(self.report.origin)


def verify_shards(
    shards: Sequence[Shard],
    verifiers: Sequence[Verifier],
    approvals: Approvals,
    *,
    older: bytes | None = None,
    alone: bool = False,
) -> list[ShardReport]:
    """A report for each, in their order. `alone`: the first may have one before it that is not to be looked at.

    Raises Tampered, NotSo, as `verify_log`.
    """
    keys = _keys(shards, verifiers)
    vkeys = [_vkey(own, shard.origin) for own, shard in zip(keys, shards, strict=True)]
    pinned = None if older is None else _pinned(shards, older)
    reports: list[VerifyReport] = []
    for number, shard in enumerate(shards):
        with _named(shard):
            own, kept = keys[number], older if number == pinned else None
            reports.append(_verify_one(shard, own, approvals, older=kept))
            if not (alone and number == 0):
                _check_opened(approvals.first, shards[number - 1] if number else None, vkeys[number], vkeys[number - 1])
            if number < len(shards) - 1:
                _check_sealed(approvals.last, shards[number + 1], vkeys[number + 1])
    return [
        ShardReport(report=report, vkey=_vkey(own, report.origin), pruned_by=_pruned_by(shard, report, approvals))
        for shard, report, own in zip(shards, reports, keys, strict=True)
    ]


def _verify_one(shard: Shard, own: Sequence[Verifier], approvals: Approvals, *, older: bytes | None) -> VerifyReport:
    approvals.begin(shard.origin)
    if not shard.pruned:
        report = verify_log(shard.reader, own, older=older, statement_check=approvals)
        for proof, index, leaf in ((shard.opening, 0, approvals.first), (shard.proof, report.size - 1, approvals.last)):
            if proof is not None and _proven(proof, own, report, index=index) != leaf:
                raise Tampered(f"The proof of its entry {index} is of another entry.", advice=_ADVICE)
        return report
    approvals.skip()
    report = verify_hashes(shard.reader, own)
    approvals.first = _proven(shard.opening, own, report, index=0)
    approvals.last = _proven(shard.proof, own, report, index=report.size - 1)
    return report


def _proven(proof: bytes | None, own: Sequence[Verifier], report: VerifyReport, *, index: int) -> Body:
    """What is left of a pruned shard's entries: its first and its last. Raises Tampered."""
    which = "first" if index == 0 else "last"
    if proof is None:
        raise Tampered(f"The proof of its {which} entry is missing.", advice=_ADVICE)
    receipt = parse_receipt(proof)
    entry, checkpoint = open_receipt(receipt, own)
    if (checkpoint.size, checkpoint.root, receipt.index) != (report.size, report.root, index):
        raise Tampered(f"The proof of its {which} entry is not against its last checkpoint.", advice=_ADVICE)
    return decode_leaf(entry)


def _pruned_by(shard: Shard, report: VerifyReport, approvals: Approvals) -> tuple[str, int] | None:
    if not shard.pruned:
        return None
    told = approvals.pruned.get(label_of(report.origin))
    if told is None:
        raise Tampered(
            f"The entries of the sealed log {report.origin} are missing, and no entry says that they were pruned.",
            advice=_ADVICE,
        )
    return told


def _check_opened(first: Body, before: Shard | None, vkey: str, before_vkey: str) -> None:
    """The first entry of a shard against the shard before it. Raises Tampered."""
    opened = first.get("event") == EventName.SHARD_OPENED.value
    facts = _facts(first)
    said = facts.get("previous")
    if not opened:
        if before is not None:
            raise Tampered("It does not begin with the end of the shard before it.", advice=_ADVICE)
        return
    said = said if isinstance(said, Mapping) else {}
    if before is None:
        raise Tampered(
            f"The log before it is missing: {said.get('origin')!s:.200}, which belongs into archive/.", advice=_ADVICE
        )
    note = (before.reader.checkpoint() or b"").decode()
    checkpoint = parse_checkpoint(parse_note(note)[0])
    if facts.get("vkey") != vkey:
        raise Tampered("Its first entry names another key than the one that signed it.", advice=_ADVICE)
    if said.get("vkey") != before_vkey or said.get("origin") != checkpoint.origin:
        raise Tampered(
            f"Its first entry says that it follows {said.get('origin')!s:.200}; what lies before it is "
            f"{checkpoint.origin}, or has another key.",
            advice=_ADVICE,
        )
    if said.get("checkpoint") != note or said.get("size") != checkpoint.size:
        raise Tampered(
            f"The log before it was sealed with {said.get('size')!s:.20} entries, and is not so any more: it has "
            f"{checkpoint.size}, or another root.",
            advice=_ADVICE,
        )


def _check_sealed(last: Body, after: Shard, vkey: str) -> None:
    """The last entry of a shard against the shard after it. Raises Tampered."""
    if last.get("event") != EventName.SHARD_SEALED.value:
        raise Tampered("It was not sealed, and another log follows it; or it was cut.", advice=_ADVICE)
    said = _facts(last).get("next")
    said = said if isinstance(said, Mapping) else {}
    if (said.get("origin"), said.get("vkey")) != (after.origin, vkey):
        raise Tampered(
            f"It announced that {said.get('vkey')!s:.300} follows it; what follows is {after.origin} under {vkey}.",
            advice=_ADVICE,
        )


def _keys(shards: Sequence[Shard], verifiers: Sequence[Verifier]) -> list[list[Verifier]]:
    """The key of each: the auditor's where it fits, else the one that a neighbour names."""
    origins = [shard.origin for shard in shards]
    keys = [list(verifiers) if any(key.name == origin for key in verifiers) else [] for origin in origins]
    if not any(keys):
        return [list(verifiers) for _ in shards]  # verifying says that it does not fit
    for number in range(1, len(shards)):
        if not keys[number] and keys[number - 1]:
            keys[number] = _named_key(shards, number - 1, number, verifiers)
    for number in range(len(shards) - 2, -1, -1):
        if not keys[number] and keys[number + 1]:
            keys[number] = _named_key(shards, number + 1, number, verifiers)
    return [key or list(verifiers) for key in keys]


def _named_key(shards: Sequence[Shard], teller: int, told: int, others: Sequence[Verifier]) -> list[Verifier]:
    """What an entry of a neighbour says, not believed yet: it is verified with all others. Raises Tampered."""
    entry, which = (_last(shards[teller]), "next") if teller < told else (_first(shards[teller]), "previous")
    said = _facts(entry).get(which)
    said = said if isinstance(said, Mapping) else {}
    there, named = shards[told].origin, said.get("origin")
    if isinstance(named, str) and there and named != there:
        order = "announced that it would be followed by" if teller < told else "says that it follows"
        raise Tampered(
            f"The log {shards[teller].origin} {order} {named:.200}; what is there is {there}.", advice=_ADVICE
        )
    with contextlib.suppress(Misuse):
        return [parse_vkey(str(said.get("vkey"))), *others]
    return []


def _first(shard: Shard) -> Body:
    with contextlib.suppress(TransferError):
        if shard.opening is not None:
            return decode_leaf(parse_receipt(shard.opening).entry or b"")
        return decode_leaf(shard.reader.entries(0, 1)[0])
    return {}


def _last(shard: Shard) -> Body:
    with contextlib.suppress(TransferError, IndexError):
        if shard.proof is not None:
            return decode_leaf(parse_receipt(shard.proof).entry or b"")
        size = parse_checkpoint(parse_note(shard.reader.checkpoint() or b"")[0]).size
        return decode_leaf(shard.reader.entries((size - 1) // 256, (size - 1) % 256 + 1)[-1])
    return {}


def _pinned(shards: Sequence[Shard], older: bytes) -> int:
    try:
        origin = parse_checkpoint(parse_note(older)[0]).origin
    except Tampered as error:
        raise Tampered(f"The older checkpoint is not one that the log's key signed: {error.sentence}") from error
    for number, shard in enumerate(shards):
        if shard.origin == origin:
            if shard.pruned:
                raise Misuse(
                    f"The entries of {origin} were pruned, so an older checkpoint cannot be compared with them.",
                    advice="Its last checkpoint is verified without --older.",
                )
            return number
    raise Tampered(f"The older checkpoint is of the log {origin}, not of {shards[-1].origin}.")


def _facts(entry: Body) -> Body:
    facts = entry.get("facts")
    return facts if isinstance(facts, Mapping) else {}


def _vkey(keys: Sequence[Verifier], origin: str) -> str:
    return next((key.vkey for key in keys if isinstance(key, Ed25519Verifier) and key.name == origin), "")


@contextlib.contextmanager
def _named(shard: Shard) -> Iterator[None]:
    try:
        yield
    except Tampered as error:
        if not shard.name:
            raise
        raise Tampered(f"{shard.name}: {error.sentence}", advice=error.advice) from error
