"""The station: Examined → Rebuilt. The file is made anew, proven empty of anything else, and scanned again.

What enters: an examined item. What leaves: the same item with a clean blob, or the findings that keep it from one.

    1. a MEDIA child writes the new file into a draft        its facts are claims
    2. a RESIDUE child, which never sees raw bytes, reads it  any finding ends it
    3. the malware scanners read it                           what we are about to release, not only what came
    4. the gateway hashes it and keeps it as a clean blob     only here does a CleanBlob come about

After a crash at any line before 4 there is a draft that the next start sweeps away, and the item is still Examined.
"""

from __future__ import annotations

import contextlib
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO, Protocol

from transfer.errors import Unavailable
from transfer.model.findings import Code, Finding, ScanAnswer, ScanResult
from transfer.model.identifiers import Sha256
from transfer.model.limits import MediaLimits
from transfer.model.media import Family, Format, MediaFacts, RebuildFacts
from transfer.model.recipe import Decode, Films, Recipe
from transfer.model.states import CleanBlob, Examined, Rebuilt
from transfer.sandbox.replies import RebuildReply, ResidueReply

_LEAST_SECONDS = 60.0
_BYTES_A_SECOND = 10 << 20  # a slow disk's pace; a film is rebuilt and read again at ten times this on a small machine

# Points of a film's pictures, as an old machine decodes and encodes them; a new one is five to twenty times as fast.
_DECODED_A_SECOND, _ENCODED_A_SECOND = 40_000_000, 5_000_000

# What each format becomes; a child that says otherwise is not believed.
_BECOMES = MappingProxyType(
    {form: form for form in Format} | {Format.HEIC: Format.JPEG, Format.MOV: Format.MP4},
)


class Rebuilder(Protocol):
    """A leased MEDIA child, as far as this station needs it."""

    def rebuild(
        self,
        raw: int,
        output: int,
        /,
        *,
        format: Format,  # noqa: A002 - the word of the wire protocol
        recipe: Recipe,
        limits: MediaLimits,
        seconds: float,
    ) -> RebuildReply:
        """When it returns, no child can write to the output. Raises ChildFault, Unavailable."""
        ...

    def discard(self) -> None:
        """Throws the child away."""
        ...


class ResidueReader(Protocol):
    """A leased RESIDUE child, as far as this station needs it."""

    def residue(
        self,
        clean: int,
        /,
        *,
        format: Format,  # noqa: A002 - as above
        seconds: float,
        encoded: bool = False,
    ) -> ResidueReply:
        """Raises ChildFault, Unavailable."""
        ...


class ResidueReaders(Protocol):
    """The pool of RESIDUE children."""

    def lease(self) -> AbstractContextManager[ResidueReader]:
        """Raises Unavailable."""
        ...


class Scanners(Protocol):
    """All malware scanners."""

    def scan(self, content: BinaryIO, size: int) -> tuple[ScanResult, ...]:
        """Each one's answer about exactly `size` bytes, read from the content's position on. Never raises."""
        ...


class Draft(Protocol):
    """A file being made."""

    descriptor: int

    def reader(self) -> BinaryIO:
        """A read-only stream of it. Raises Unavailable."""
        ...

    def keep(self, made: Format, /) -> CleanBlob:
        """Hashes it and makes it durable among the clean blobs. Raises Refusal, Unavailable."""
        ...

    def close(self) -> None:
        """Closes `descriptor`."""
        ...


class Blobs(Protocol):
    """Where originals are read and drafts are made."""

    def open_raw(self, sha256: Sha256, /) -> BinaryIO:
        """Raises Tampered if it is missing."""
        ...

    def done_with(self, stream: BinaryIO, /) -> None:
        """It was read for the last time. Never raises."""
        ...

    def draft(self) -> AbstractContextManager[Draft]:
        """Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrebuilt:
    """There is no clean blob, and why."""

    findings: tuple[Finding, ...]
    scans: tuple[ScanResult, ...] = ()


def rebuild(
    examined: Examined,
    *,
    child: Rebuilder,
    residue: ResidueReaders,
    blobs: Blobs,
    scanner: Scanners,
    limits: MediaLimits,
    recipe: Recipe,
) -> Rebuilt | Unrebuilt:
    """The clean blob with what was done and found, or why there is none.

    Raises ChildFault if a child failed, Tampered if the original is missing, and Unavailable if the disk is full or the
    sandbox cannot be had; the item then stays as it is.
    """
    raw, form = examined.spooled.raw, examined.media.format
    with contextlib.ExitStack() as stack:
        original = stack.enter_context(blobs.open_raw(raw.sha256))
        draft = stack.enter_context(blobs.draft())
        seconds = _seconds(raw.size) + _coding_seconds(examined.media, recipe)
        reply = child.rebuild(
            original.fileno(), draft.descriptor, format=form, recipe=recipe, limits=limits, seconds=seconds
        )
        if _coding_seconds(examined.media, recipe):
            child.discard()  # its processor time is used up, and the next film needs as much
        _blame_the_world(reply.findings)
        draft.close()
        made = stack.enter_context(draft.reader())
        size = os.fstat(made.fileno()).st_size
        doubts = _doubts(examined.media, reply, size)
        if doubts or reply.facts is None:
            child.discard()
            return Unrebuilt(findings=doubts)
        with residue.lease() as reader:
            encoded = reply.facts.format.family is Family.VIDEO and recipe.films is Films.ENCODE
            proof = reader.residue(made.fileno(), format=reply.facts.format, encoded=encoded, seconds=_seconds(size))
        if proof.findings:
            child.discard()
            return Unrebuilt(findings=proof.findings)
        made.seek(0)
        scans = scanner.scan(made, size)
        if scans[-1].answer is ScanAnswer.INFECTED:
            child.discard()
            return Unrebuilt(findings=(Finding(code=Code.MALWARE, detail=_threat(scans[-1])),), scans=scans)
        clean = draft.keep(reply.facts.format)
        blobs.done_with(original)
    return Rebuilt(
        examined=examined,
        clean=clean,
        rebuild=reply.facts,
        findings=reply.findings,
        scans=scans,
        left=proof.left,
    )


def _seconds(size: int) -> float:
    return _LEAST_SECONDS + size / _BYTES_A_SECOND


def _coding_seconds(media: MediaFacts, recipe: Recipe) -> float:
    """What decoding all of a film, or encoding it anew, may take besides; 0 for what is not coded in full."""
    if media.format.family is not Family.VIDEO or (recipe.films is Films.COPY and recipe.decode is Decode.SAMPLE):
        return 0.0
    points = media.width * media.height * max(media.frames, 1)
    return points / (_ENCODED_A_SECOND if recipe.films is Films.ENCODE else _DECODED_A_SECOND)


def _blame_the_world(findings: tuple[Finding, ...]) -> None:
    """A disk that is full refuses no file. Raises Unavailable."""
    for finding in findings:
        world = finding.detail.get("world")
        if world is not None:
            full = world == "disk-full"
            raise Unavailable(
                "The disk is full while a file is rebuilt." if full else "A rebuilt file could not be written.",
                advice="Free some space; it goes on by itself." if full else "Check the disk; it is tried again.",
            )


def _doubts(media: MediaFacts, reply: RebuildReply, size: int) -> tuple[Finding, ...]:
    """Why the reply is not believed, from what the gateway can see itself."""
    facts = reply.facts
    if facts is None:
        return reply.findings or (_failed("no reason given"),)
    doubts = []
    if facts.format is not _BECOMES[media.format]:
        doubts.append(_failed(f"{media.format.value} became {facts.format.value}"))
    if not size:
        doubts.append(_failed("the new file is empty"))
    if facts.format.family is Family.VIDEO and not _whole(facts):
        doubts.append(
            Finding(
                code=Code.REBUILD_FAILED,
                detail={"reason": "packets lost", "before": facts.packets_in, "after": facts.packets_out},
            )
        )
    if facts.format.family is Family.IMAGE and (facts.width, facts.height) != (media.width, media.height):
        doubts.append(_failed(f"{media.width}x{media.height} became {facts.width}x{facts.height}"))
    return tuple(doubts)


def _whole(facts: RebuildFacts) -> bool:
    return 0 < facts.packets_in == facts.packets_out


def _failed(reason: str) -> Finding:
    return Finding(code=Code.REBUILD_FAILED, detail={"reason": reason})


def _threat(scan: ScanResult) -> dict[str, str | int]:
    return {"threat": "".join(c if " " <= c <= "~" else "?" for c in scan.threat)[:120], "in": "the rebuilt file"}
