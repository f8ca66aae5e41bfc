"""Both ends in OneDrive in one process, as in a gateway: one thread takes in, another one releases.

What enters: the tenant as JSON in the first argument; then, for each turn, a line that says how many files there will
be. What leaves: a line of JSON for each turn. Every file is asked for as intake asks, spooled with its SHA-256 and held
against the quickXorHash that was told of it, and uploaded with a database and a log; what lies between is left out.
"""

from __future__ import annotations

import json
import os
import queue
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

import certifi

from transfer.audit.log import Log
from transfer.errors import Unavailable
from transfer.graph.identity import FixedToken
from transfer.graph.reader import Reader
from transfer.graph.session import DownloadingSession, UploadingSession, user_agent
from transfer.graph.throttle import Throttle
from transfer.graph.verbs import READER, WRITER
from transfer.graph.writer import Writer
from transfer.intake.admit import admit
from transfer.intake.authorship import Staff
from transfer.intake.onedrive import OneDriveSource
from transfer.model.ends import Parcel
from transfer.model.identifiers import PersonId, SourceId, item_id_from_entropy
from transfer.model.limits import MediaLimits
from transfer.model.media import Format
from transfer.model.states import Arrival, CleanBlob, Spooled
from transfer.release.onedrive import OneDriveSink
from transfer.release.onedrive_fill import Filler
from transfer.release.parcel import name_digest, temporary_name
from transfer.store import journal, tables  # noqa: F401 - makes every table known
from transfer.store.blobs import Blobs
from transfer.store.database import Database
from transfer.store.onedrive_placements import Echo, Placements
from transfer.store.onedrive_uploads import Uploads
from transfer.wiring import SystemClock

_ANY = 1 << 40
_LIMITS = MediaLimits(**dict.fromkeys(MediaLimits.__dataclass_fields__, _ANY))


class Ends:
    """A source and a sink over one tenant, with a spool, a database and a log of their own."""

    def __init__(self, tenant: dict[str, Any]) -> None:
        top = Path(tenant["folder"])
        self.clock = SystemClock()
        self.db = Database.create(top / "db")
        self.blobs = Blobs(top)
        self.blobs.prepare()
        common: dict[str, Any] = {"user_agent": user_agent("Bench"), "base_url": tenant["base_url"]}
        self.reading = DownloadingSession(
            verbs=READER, credential=FixedToken(token=tenant["reader"]), throttle=Throttle(clock=self.clock), **common
        )
        self.writing = UploadingSession(
            verbs=WRITER, credential=FixedToken(token=tenant["writer"]), throttle=Throttle(clock=self.clock), **common
        )
        self.source = OneDriveSource(
            source=SourceId("staff"),
            folder=tenant["staging"]["folder"],
            reader=Reader(self.reading, drive=tenant["staging"]["drive"], watched=tenant["staging"]["folder"]),
            staff=Staff(people={tenant["staff"].casefold(): PersonId("u_" + "5" * 32)}, device=frozenset()),
            db=self.db,
            poll_seconds=0.0,
            monotonic=time.monotonic,
        )
        writer = Writer(self.writing, drive=tenant["release"]["drive"], folder=tenant["release"]["folder"])
        uploads = Uploads()
        self.placements = Placements(Log(origin="bench.example/audit", clock=self.clock, entropy=os.urandom))
        self.sink = OneDriveSink(
            writer=writer,
            application=tenant["application"],
            database=self.db,
            uploads=uploads,
            placements=self.placements,
            filler=Filler(writer=writer, database=self.db, uploads=uploads, pause=time.sleep),
            clock=self.clock,
        )
        self._seen: set[tuple[object, ...]] = set()

    def turn(self, count: int) -> dict[str, Any]:
        """Takes in so many files and releases each; what it took. The peak of memory is in bytes, of this process."""
        spooled: queue.SimpleQueue[Spooled | None] = queue.SimpleQueue()
        released: list[Parcel] = []
        releasing = threading.Thread(target=self._release_all, args=(spooled, released))
        started, used = time.perf_counter(), _used()
        releasing.start()
        try:
            left = count
            while left:
                for arrival in self.source.sightings():
                    if arrival.identity not in self._seen and (taken := self._take(arrival)) is not None:
                        spooled.put(taken)
                        left -= 1
        finally:
            spooled.put(None)
            releasing.join()
        took, cpu = time.perf_counter() - started, _used() - used
        return {"seconds": took, "cpu": cpu, "verified": self._verified(released), "peak": _peak()}

    def _take(self, arrival: Arrival) -> Spooled | None:
        """Into the spool. The gateway looks twice before: the second look is made here."""
        if self.source.observe(arrival.path) is None:
            return None
        admitted = admit(
            arrival,
            source=self.source,
            blobs=self.blobs,
            limits=_LIMITS,
            allowed_suffixes={".mp4"},
            item=item_id_from_entropy(os.urandom(5)),
            clock=self.clock,
            hash_limit=_ANY,
        )
        if admitted is None:
            return None
        self._seen.add(arrival.identity)
        if not isinstance(admitted, Spooled):
            raise Unavailable(f"A file was turned away: {admitted.findings}")
        return admitted

    def _release_all(self, spooled: queue.SimpleQueue[Spooled | None], released: list[Parcel]) -> None:
        while (taken := spooled.get()) is not None:
            clean = CleanBlob(sha256=taken.raw.sha256, size=taken.raw.size, format=Format.MP4)
            with self.blobs.open_raw(clean.sha256) as content:
                parcel = Parcel(
                    item=taken.arrived.item,
                    clean=clean,
                    name=taken.arrived.name,
                    temporary=temporary_name(os.urandom(8)),
                    content=content,
                    still_stands=lambda: None,
                )
                self.sink.put(parcel)
            self.blobs.remove_raw(clean.sha256)
            released.append(parcel)

    def _verified(self, released: list[Parcel]) -> int:
        """Of how many the service said that it has the bytes that were sent."""
        with self.db.read() as tx:
            rows = [self.placements.find(tx, name_digest(parcel.name)) for parcel in released]
        return sum(row is not None and row.echo is Echo.VERIFIED for row in rows)

    def close(self) -> None:
        """Ends all."""
        self.source.close()
        self.writing.close()
        self.db.close()


def main() -> None:
    """A turn for each line."""
    tenant = json.loads(sys.argv[1])
    certifi.where = lambda: tenant["authority"]  # the stand-in's certificate is nobody else's to trust
    ends = Ends(tenant)
    try:
        print(json.dumps({"peak": _peak()}), flush=True)
        for line in sys.stdin:
            print(json.dumps(ends.turn(int(line))), flush=True)
    finally:
        ends.close()


def _used() -> float:
    """Seconds of processor time of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak() -> int:
    """Largest resident memory in bytes; the kernel's other count begins with that of whoever started the process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
