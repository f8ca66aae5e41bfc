"""The door: one settled arrival is copied into the spool, or turned away with its digest and the reasons.

What enters: an arrival, and a source that can read it. What leaves: a Spooled item whose bytes are durable and whose
digest is ours, or a TurnedAway. Nothing of the file is trusted: only its name's ending, its kind, its links and its
size are judged here; what it contains is for the sandbox. Serves G5 (nothing but media goes) and G6.

After a crash anywhere in here the original still stands in staging and is admitted again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import BinaryIO

from transfer.errors import Refusal, Unavailable
from transfer.intake.place import is_leftover, place
from transfer.model.clock import Clock
from transfer.model.ends import Origin, Source
from transfer.model.findings import Code, Finding
from transfer.model.identifiers import NOBODY, ItemId, PersonId, Sha256
from transfer.model.limits import MediaLimits
from transfer.model.media import Family, Format
from transfer.model.states import Arrival, Arrived, Kind, Spooled
from transfer.store.blobs import Blobs
from transfer.store.incoming import Progress

_SPARSE_FROM = 64 * 1024  # bytes; below, file systems store some files without any block of their own
_SPARSE_SHARE = 2  # sparse: less than one part in this many has data
_MAX_EXTENTS = 4096  # of which a file is asked for its data; one with more holes than that is sparse

_REFUSING = frozenset(
    {
        Code.SYMLINK,
        Code.HARD_LINK,
        Code.NOT_A_FILE,
        Code.SPARSE,
        Code.TOO_LARGE,
        Code.EMPTY,
        Code.NAME_NOT_ALLOWED,
        Code.UNREADABLE,
        Code.SHORTCUT,
        Code.UNFINISHED,
        Code.NOT_AS_REPORTED,
        Code.WRITTEN_BY_DEVICE,
        Code.WRITER_UNKNOWN,
        Code.WRITTEN_BY_SEVERAL,
        Code.MALWARE,
    }
)
# What a source may say of a file that ends it: it is turned away then, and not tried for ever.
_BY_THE_SOURCE = frozenset({Code.UNREADABLE, Code.NOT_AS_REPORTED, Code.MALWARE})

_USUAL = (
    "7z aac apk app avi bat bin bmp bz2 c cab class cmd com cpl cpp css csv dat deb dll dmg doc docm docx eml "
    "eps epub exe flac flv gz h hta htm html ico ini ipa iso jar js json key lnk log lua m4a m4v md mid mkv "
    "mov mp3 mpeg mpg msg msi odp ods odt ogg pages pdf php pif pl ppt pptm pptx ps1 psd py rar raw rb reg "
    "rpm rtf scr sh sql svg swf tar tgz tif tiff toml torrent ts url vb vbs wav wma wmv wsf xhtml xls xlsm "
    "xlsx xml xz yaml yml zip "
)
_USUAL_SUFFIXES = frozenset("." + name for name in _USUAL.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedAway:
    """Refused at the door and not kept. `findings` are all there are, those of `arrived` included.

    `sha256` is None where there is no content to read (a link, a FIFO, a device, a socket, a folder), where it may
    not be read, and where it is longer than the policy's limit for hashing. `private` says who was seen to have
    written it, where that is why.
    """

    arrived: Arrived
    sha256: Sha256 | None
    size: int
    findings: tuple[Finding, ...]
    private: Mapping[str, str] = field(default_factory=dict)


def admit(
    arrival: Arrival,
    *,
    source: Source,
    blobs: Blobs,
    limits: MediaLimits,
    allowed_suffixes: Collection[str],
    item: ItemId,
    clock: Clock,
    hash_limit: int,
    reserve: int = 0,
    progress: Progress | None = None,
) -> Spooled | TurnedAway | None:
    """Takes up one arrival as `item`; None if it is no longer what it was (or nothing anybody dropped): start over.

    `allowed_suffixes` are lower-case and begin with a dot. `hash_limit` and `reserve` are bytes: how much of a
    refused file is read for its digest at most, and what must stay free on the disk of the spool.
    Raises Unavailable: the source or the disk fails, or there is no room; nothing was changed.
    """
    if is_leftover(arrival.path):
        return None
    try:
        origin = _origin(arrival, source)
        arrived = _arrived(arrival, submitter=origin.submitter, item=item, clock=clock)
        findings = _door_findings(arrival, arrived, limits=limits, allowed_suffixes=allowed_suffixes) + origin.findings
        turned_away = partial(_turn_away, arrived, private=origin.private)
        if arrival.kind is not Kind.FILE or not origin.readable:
            return turned_away(None, findings) if _unchanged(source, arrival) else None
        try:
            with source.open(arrival) as stream:
                if _is_sparse(stream, arrival):
                    findings = (*findings, Finding(code=Code.SPARSE, detail={"allocated": arrival.allocated}))
                if any(finding.code in _REFUSING for finding in findings):
                    hashed = blobs.hash_only(stream, limit=hash_limit) if arrival.size <= hash_limit else None
                    return turned_away(hashed, findings) if _unchanged(source, arrival) else None
                return _spool(stream, arrived, source=source, blobs=blobs, reserve=reserve, progress=progress)
        except Refusal as refusal:
            return turned_away(None, (*findings, _found(refusal)))
    except Unavailable:
        if _unchanged(source, arrival):
            raise
        return None


def _origin(arrival: Arrival, source: Source) -> Origin:
    """Who handed it in; nobody did where the source refuses to say. Raises as `origin_of`, and what is no finding."""
    try:
        return source.origin_of(arrival)
    except Refusal as refusal:
        return Origin(submitter=NOBODY, findings=(_found(refusal),), readable=False)


def _found(refusal: Refusal) -> Finding:
    """What a source said that ends a file. Raises the refusal itself where it is none of these."""
    if refusal.code not in _BY_THE_SOURCE:
        raise refusal
    return Finding(code=Code(refusal.code))


def _arrived(arrival: Arrival, *, submitter: PersonId, item: ItemId, clock: Clock) -> Arrived:
    where = place(arrival.path)
    return Arrived(
        item=item,
        arrival=arrival,
        name=where.name,
        campaign=where.campaign,
        post=where.post,
        submitter=submitter,
        at=clock.now(),
        findings=where.findings,
    )


def _spool(
    stream: BinaryIO, arrived: Arrived, *, source: Source, blobs: Blobs, reserve: int, progress: Progress | None
) -> Spooled | None:
    arrival = arrived.arrival
    if blobs.free_bytes() - arrival.size < reserve:
        raise Unavailable(
            f"There is no room in the spool for a file of {arrival.size} bytes.",
            advice="Free some space on the disk of state/; it goes on by itself.",
        )
    with blobs.incoming() as incoming:
        try:
            raw = incoming.copy(stream, limit=arrival.size, progress=progress)
        except Refusal as refusal:
            if refusal.code == Code.TOO_LARGE:  # it has grown while it was copied
                return None
            raise
        if raw.size != arrival.size or not _unchanged(source, arrival):
            return None
        return Spooled(arrived=arrived, raw=incoming.keep())


def _turn_away(
    arrived: Arrived, hashed: tuple[Sha256, int] | None, findings: tuple[Finding, ...], *, private: Mapping[str, str]
) -> TurnedAway | None:
    size = arrived.arrival.size
    if hashed is not None and hashed[1] != size:
        return None
    return TurnedAway(
        arrived=replace(arrived, findings=findings),
        sha256=hashed[0] if hashed else None,
        size=size,
        findings=findings,
        private=private,
    )


def _door_findings(
    arrival: Arrival, arrived: Arrived, *, limits: MediaLimits, allowed_suffixes: Collection[str]
) -> tuple[Finding, ...]:
    findings = list(arrived.findings)
    match arrival.kind:
        case Kind.SYMLINK:
            findings.append(Finding(code=Code.SYMLINK))
        case Kind.FIFO | Kind.SOCKET | Kind.DEVICE | Kind.PACKAGE:
            findings.append(Finding(code=Code.NOT_A_FILE, detail={"kind": arrival.kind.value}))
        case Kind.SHORTCUT:
            findings.append(Finding(code=Code.SHORTCUT))
        case Kind.FOLDER:  # the source could not enter it, or would not that deep
            findings.append(Finding(code=Code.UNREADABLE, detail={"kind": arrival.kind.value}))
        case Kind.FILE:
            findings += _file_findings(arrival, arrived.name.suffix, limits=limits, allowed_suffixes=allowed_suffixes)
    return tuple(findings)


def _file_findings(
    arrival: Arrival, suffix: str, *, limits: MediaLimits, allowed_suffixes: Collection[str]
) -> list[Finding]:
    findings: list[Finding] = []
    limit = _limit(suffix, limits)
    if suffix not in allowed_suffixes:
        # The end of a name is whatever somebody typed; only what is usual is repeated, where all can read it.
        detail = {"suffix": suffix} if suffix in _USUAL_SUFFIXES else {}
        findings.append(Finding(code=Code.NAME_NOT_ALLOWED, detail=detail))
    if arrival.links > 1:
        findings.append(Finding(code=Code.HARD_LINK, detail={"links": arrival.links}))
    if arrival.size > limit:
        findings.append(Finding(code=Code.TOO_LARGE, detail={"bytes": arrival.size, "limit": limit}))
    if arrival.size == 0:
        findings.append(Finding(code=Code.EMPTY))
    if arrival.version is not None and arrival.version.unfinished:
        findings.append(Finding(code=Code.UNFINISHED))
    return findings


def _limit(suffix: str, limits: MediaLimits) -> int:
    """The most bytes a file of this name may have; the examination applies the limit of what it really is."""
    families = {made.family for made in Format if suffix in made.suffixes}
    by_family = {Family.IMAGE: limits.image_bytes, Family.VIDEO: limits.video_bytes, Family.TEXT: limits.text_bytes}
    return max((by_family[family] for family in families), default=limits.any_bytes)


def _is_sparse(stream: BinaryIO, arrival: Arrival) -> bool:
    """Whether most of the file is holes: it is asked for its data, since compressing file systems allocate little too.

    Where the source is no local file there are no holes.
    """
    if arrival.size < _SPARSE_FROM or arrival.allocated * _SPARSE_SHARE >= arrival.size:
        return False
    with contextlib.suppress(OSError):
        descriptor = stream.fileno()
        try:
            return _data_bytes(descriptor, arrival.size) * _SPARSE_SHARE < arrival.size
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
    return False


def _data_bytes(descriptor: int, size: int) -> int:
    data = end = 0
    for _ in range(_MAX_EXTENTS):
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:  # no data behind the last hole
            break
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        data += end - start
        if end >= size:
            break
    return data


def _unchanged(source: Source, arrival: Arrival) -> bool:
    now = source.observe(arrival.path)
    return now is not None and now.identity == arrival.identity and now.kind is arrival.kind
