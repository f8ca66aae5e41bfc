"""Ready-made types of the line for the tests of the store: small, plain, and different wherever `number` is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from transfer.model.events import EntryRef, Event, EventName
from transfer.model.findings import Code, Finding, Reason, ScanAnswer, ScanResult, Severity, Verdict, WaitingFor
from transfer.model.identifiers import CampaignId, ItemId, PersonId, Sha256, SourceId
from transfer.model.media import Format, MediaFacts, RebuildFacts, StreamFacts
from transfer.model.names import safe_name
from transfer.model.states import (
    Arrival,
    Arrived,
    CleanBlob,
    Examined,
    Held,
    Kind,
    RawBlob,
    Rebuilt,
    Refused,
    Spooled,
    State,
)
from transfer.store.blobs import Blobs
from transfer.store.database import WriteTx
from transfer.store.incoming import Progress

START = datetime(2026, 1, 1, tzinfo=UTC)
HAPPENED = Event(name=EventName.FILE_SPOOLED)


class SteppingClock:
    """Each look is a second later."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


class CountingRecorder:
    """Remembers what it was asked to record."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def append(self, tx: WriteTx, event: Event) -> EntryRef:
        self.events.append(event)
        return EntryRef(index=len(self.events) - 1, leaf_hash=b"\0" * 32)


def item_id(number: int) -> ItemId:
    return ItemId(f"i-{number:08d}")


def digest(number: int) -> Sha256:
    return Sha256(f"{number:064x}")


def arrival(number: int, **changes: object) -> Arrival:
    plain = Arrival(
        source=SourceId("sam"),
        path=b"open-day/\xff\xfe-%d.jpg" % number,
        kind=Kind.FILE,
        device=2**63 + number,
        inode=2**64 - 1 - number,
        size=10 + number,
        mtime_ns=1_700_000_000_000_000_000 + number,
        ctime_ns=1_700_000_000_000_000_001 + number,
        allocated=4096,
    )
    return replace(plain, **changes)  # type: ignore[arg-type] # the fields are checked when the record is read back


def arrived(number: int, *, post: str | None = None) -> Arrived:
    return Arrived(
        item=item_id(number),
        arrival=arrival(number),
        name=safe_name(f"photo-{number}.jpg"),
        campaign=CampaignId("open-day"),
        post=safe_name(post) if post else None,
        submitter=PersonId("u_" + "0" * 32),
        at=START + timedelta(minutes=number),
        findings=(Finding(code=Code.NAME_CHANGED, detail={"characters": 2}),),
    )


def spooled(number: int, *, raw: Sha256 | None = None, post: str | None = None) -> Spooled:
    blob = RawBlob(sha256=raw or digest(number), size=10 + number)
    return Spooled(arrived=arrived(number, post=post), raw=blob)


def examined(number: int, *, raw: Sha256 | None = None) -> Examined:
    streams = (StreamFacts(kind="video", codec="h264"),)
    return Examined(
        spooled=spooled(number, raw=raw),
        media=MediaFacts(format=Format.JPEG, width=3, height=2, frames=1, streams=streams),
        findings=(Finding(code=Code.METADATA, detail={"tags": 3}),),
        scans=(ScanResult(answer=ScanAnswer.CLEAN, scanner="clamd"),),
        tools={"pillow": "13"},
    )


def rebuilt(number: int, *, raw: Sha256 | None = None, clean: Sha256 | None = None) -> Rebuilt:
    return Rebuilt(
        examined=examined(number, raw=raw),
        clean=CleanBlob(sha256=clean or digest(1000 + number), size=9, format=Format.JPEG),
        rebuild=RebuildFacts(format=Format.JPEG, width=3, height=2, removed=("EXIF",)),
        findings=(),
        scans=(),
        left=("picture: JPEG, 3 x 2, 3 channels, baseline", "segments: DQT, SOF0, DHT x 2, SOS"),
    )


def held(
    number: int,
    *,
    raw: Sha256 | None = None,
    clean: Sha256 | None = None,
    waiting_for: WaitingFor = WaitingFor.APPROVAL,
) -> Held:
    reason = Reason(rule="metadata-removed", clauses=("G6",), severity=Severity.NOTE, message="Metadata was removed.")
    verdict = Verdict(
        refused=False, waiting_for=waiting_for, reasons=(reason,), policy_name="university", policy_sha256=digest(7)
    )
    return Held(rebuilt=rebuilt(number, raw=raw, clean=clean), verdict=verdict)


def refused(
    number: int, *, reached: State = State.ARRIVED, sha256: Sha256 | None = None, code: Code | None = None
) -> Refused:
    reason = Reason(rule="no-links", clauses=("G6", "G10"), severity=Severity.REFUSE, message="A link is no file.")
    return Refused(
        arrived=arrived(number),
        reached=reached,
        sha256=sha256,
        size=10,
        media=None,
        reasons=(reason,),
        policy_sha256=digest(7),
        findings=(Finding(code=code),) if code else (),
    )


def spool(blobs: Blobs, source: BinaryIO, *, limit: int, progress: Progress | None = None) -> RawBlob:
    """Copies a stream into the spool, as the door does it."""
    with blobs.incoming() as incoming:
        incoming.copy(source, limit=limit, progress=progress)
        return incoming.keep()
