"""Is this file built as it should be, to its last byte? The walker for each format, and what follows from its findings.

What enters: an untrusted file and its format. What leaves: its `Anatomy`, or `Unfit` before any decoder sees it: a file
that breaks off, breaks its format's rules or unpacks without bound is not handed on (G6). A second file inside and
attachments are findings: the policy says what follows (G5). Pure.
"""

from __future__ import annotations

from transfer.inspection.anatomy import Anatomy
from transfer.inspection.anatomy_boxes import dissect_boxes
from transfer.inspection.boxes import Read
from transfer.inspection.noticed import Unfit, noticed
from transfer.inspection.structure_ebml import dissect_ebml
from transfer.inspection.structure_gif import dissect_gif
from transfer.inspection.structure_jpeg import dissect_jpeg
from transfer.inspection.structure_png import dissect_png
from transfer.inspection.structure_points import check_points
from transfer.inspection.structure_webp import dissect_webp
from transfer.model.findings import Code, Finding
from transfer.model.limits import MediaLimits
from transfer.model.media import Format

PACKETS_A_SECOND = 1_000  # of one track; the densest in use has 400


def dissect_picture(data: bytes, form: Format) -> Anatomy:
    """What a picture's file holds and how it is built."""
    match form:
        case Format.JPEG:
            return dissect_jpeg(data)
        case Format.PNG:
            return dissect_png(data)
        case Format.WEBP:
            return dissect_webp(data)
        case Format.GIF:
            return dissect_gif(data)
        case _:
            return dissect_boxes(lambda at, length: data[at : at + length], len(data), picture=True)


def dissect_film(read: Read, size: int, form: Format) -> Anatomy:
    """What a film's file holds and how it is built; `read` gives a stretch of it."""
    return dissect_ebml(read, size) if form is Format.WEBM else dissect_boxes(read, size, picture=False)


def check_structure(found: Anatomy, limits: MediaLimits) -> None:
    """Raises Unfit: INFLATES, TOO_MANY_FRAMES, TOO_MANY_STREAMS, TOO_LONG, MALFORMED_STRUCTURE, UNDECODABLE."""
    also = structure_findings(found)
    if found.inflates:
        raise Unfit(Code.INFLATES, also, where=found.inflates)
    if found.frames > limits.frames:
        raise Unfit(Code.TOO_MANY_FRAMES, also, frames=found.frames, limit=limits.frames)
    if found.tracks > limits.streams:
        raise Unfit(Code.TOO_MANY_STREAMS, also, streams=found.tracks, limit=limits.streams)
    if found.duration > limits.seconds:
        raise Unfit(Code.TOO_LONG, also, seconds=found.duration, limit=limits.seconds)
    most = PACKETS_A_SECOND * limits.seconds * max(1, found.tracks)
    if found.packets > most:
        problem = f"it has {found.packets} packets, far more than a film of its length can have"
        raise Unfit(Code.MALFORMED_STRUCTURE, also, problem=problem, packets=found.packets, limit=most)
    if found.problems:
        first = found.problems[0]
        raise Unfit(Code.MALFORMED_STRUCTURE, also, problem=first.problem, byte=first.at, problems=len(found.problems))
    if found.truncated:
        raise Unfit(Code.UNDECODABLE, also, problem="the file breaks off before its end")


def check_packed(found: Anatomy, data: bytes, limits: MediaLimits) -> None:
    """Whether a picture's packed points go on behind its last line. Raises Unfit: INFLATES, MALFORMED_STRUCTURE.

    Its measures must have passed the limits: they bound what this costs.
    """
    check_points(found, data)
    check_structure(found, limits)


def structure_findings(found: Anatomy) -> tuple[Finding, ...]:
    """What the walk found and the policy may judge: files of another kind inside, and attachments."""
    findings = [noticed(Code.SECOND_FILE, looks=second.looks, where=second.where) for second in found.seconds]
    if found.attachments:
        findings.append(noticed(Code.ATTACHMENT, count=found.attachments))
    if found.unreferenced:
        findings.append(noticed(Code.TRAILING_DATA, bytes=found.unreferenced, looks="media data of no sample"))
    if found.behind_points:
        findings.append(noticed(Code.TRAILING_DATA, bytes=found.behind_points, looks="packed data of no point"))
    return tuple(findings)
