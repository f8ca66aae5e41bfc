"""The station: Spooled → Examined. What is this file, is it malware, and what is in it besides?

What enters: a spooled item. What leaves: what a sandbox child says about its bytes, which are read there and nowhere
else, together with the malware scanner's answer; nothing of that is a decision, the policy makes it (G5, G6, G9).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from transfer.inspection.noticed import noticed, printable
from transfer.inspection.scan import Scanners
from transfer.inspection.written_names import personal_in_name
from transfer.model.findings import Code, Finding, ScanAnswer, ScanResult
from transfer.model.identifiers import Sha256
from transfer.model.limits import MediaLimits
from transfer.model.search import Search
from transfer.model.states import Examined, Spooled
from transfer.sandbox.replies import ExamineReply

EXAMINE_SECONDS = 60.0  # for any file, besides what its size takes
_BYTES_A_SECOND = 10 << 20  # a slow disk's pace; a film is read through at twenty times this on a small machine


class Examiner(Protocol):
    """A leased sandbox child, as far as this station needs it."""

    def examine(
        self,
        raw_fd: int,
        /,
        *,
        suffix: str,
        limits: MediaLimits,
        search: Search,
        seconds: float,
        fingerprint: bool = False,
    ) -> ExamineReply:
        """Raises ChildFault, a Refusal, if the child crashes, is too slow or too large, or talks nonsense."""
        ...


class RawBlobs(Protocol):
    """Opens originals in the spool."""

    def open_raw(self, sha256: Sha256) -> BinaryIO:
        """Raises Tampered if it is missing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexamined:
    """Not understood, beyond a limit, or malware: why, and what the scanner said."""

    findings: tuple[Finding, ...]
    scans: tuple[ScanResult, ...] = ()


def examine(
    spooled: Spooled,
    *,
    child: Examiner,
    blobs: RawBlobs,
    scanner: Scanners,
    limits: MediaLimits,
    search: Search,
    seconds: float = EXAMINE_SECONDS,
    fingerprint: bool = False,
) -> Examined | Unexamined:
    """What the scanners and the child found. Malware is not handed to a decoder.

    The child gets `seconds` and more the larger the file is. A scanner that does not answer is a fact for the policy,
    no error. Raises Tampered if the blob is missing, and ChildFault if the child failed.
    """
    raw = spooled.raw
    with blobs.open_raw(raw.sha256) as content:
        scans = scanner.scan(content, raw.size)
        if scans[-1].answer is ScanAnswer.INFECTED:  # it is the last that was asked
            return Unexamined(
                findings=(noticed(Code.MALWARE, threat=scans[-1].threat, scanner=scans[-1].scanner),), scans=scans
            )
        os.lseek(content.fileno(), 0, os.SEEK_SET)
        reply = child.examine(
            content.fileno(),
            suffix=spooled.arrived.name.suffix,
            limits=limits,
            search=search,
            seconds=seconds + raw.size / _BYTES_A_SECOND,
            fingerprint=fingerprint,
        )
    if reply.media is None:
        return Unexamined(findings=reply.findings or (noticed(Code.UNDECODABLE),), scans=scans)
    return Examined(
        spooled=spooled,
        media=reply.media,
        findings=(*reply.findings, *_in_names(spooled, search)),
        scans=scans,
        tools={**reply.tools, "scanner": printable(scans[0].signatures or scans[0].scanner)},
        fingerprints=reply.fingerprints,
    )


def _in_names(spooled: Spooled, search: Search) -> tuple[Finding, ...]:
    """Personal data in the file's name and in its post's. Marks in names are for the policy, which knows them too."""
    arrived = spooled.arrived
    return tuple(
        finding
        for name in (arrived.name, arrived.post)
        if name is not None
        for finding in personal_in_name(name.text, search)
    )
