"""Keeps `manifest.note` on the device's side in step with what stands there.

    1  the new version is signed and stored           after a crash here: the same bytes are published by the next run
    2  the live guard accepts the old and the new
    3  temporary name, fsync, rename over the old, fsync of the folder
    4  the version is recorded as published
    5  the guard accepts the new one only

One number never stands for two texts. A hundred releases in a row need one renewal at their end, not a hundred.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol

from transfer.audit.notes import Signer, sign_note
from transfer.model.clock import Clock
from transfer.model.ends import Expectation
from transfer.model.identifiers import Sha256
from transfer.model.names import SafeName, parse_safe_name
from transfer.release.dispatch import Lookout
from transfer.release.manifest import Manifest, ManifestEntry, entry_of, render_listing, render_manifest
from transfer.release.parcel import MANIFEST_NAME, name_digest, temporary_name
from transfer.store.database import Database
from transfer.store.manifests import ManifestRow, Manifests
from transfer.store.release_marks import ReleaseMarks
from transfer.store.releases import Releases, ReleaseState


class Board(Protocol):
    """The one place on the device's side where a name is replaced."""

    def post(self, name: SafeName, temporary: SafeName, content: bytes) -> None:
        """Old or new, never a mixture. Raises Unavailable."""
        ...


class ManifestKeeper:
    """Signs, stores and publishes the manifest. `origin` names the gateway; `marks` is for a folder in OneDrive."""

    def __init__(
        self,
        *,
        database: Database,
        releases: Releases,
        manifests: Manifests,
        board: Board,
        lookout: Lookout,
        signer: Signer,
        origin: str,
        clock: Clock,
        entropy: Callable[[int], bytes],
        marks: ReleaseMarks | None = None,
    ) -> None:
        self._database = database
        self._releases = releases
        self._manifests = manifests
        self._board = board
        self._lookout = lookout
        self._signer = signer
        self._origin = origin
        self._clock = clock
        self._entropy = entropy
        self._marks = marks

    def renew(self) -> int | None:
        """Publishes what is not published yet; the number of the version, or None if nothing had to be done.

        Raises Unavailable: try again later; nothing is lost.
        """
        with self._database.read() as tx:
            rows = self._releases.current(tx, ReleaseState.PRESENT, ReleaseState.ALTERED)
            latest = self._manifests.latest(tx)
        entries = tuple(entry_of(row) for row in rows)
        listing = _sha256(render_listing(entries).encode())
        if latest is not None and latest.listing_sha256 == listing:
            if latest.placed:
                return None
            return self._publish(latest)
        if latest is not None and not latest.placed:
            self._publish(latest)  # a version that was signed is also published, before the next one
        return self._publish(self._sign(entries, listing, 1 if latest is None else latest.number + 1))

    def _sign(self, entries: tuple[ManifestEntry, ...], listing: Sha256, number: int) -> ManifestRow:
        manifest = Manifest(origin=self._origin, number=number, at=self._clock.now(), entries=entries)
        note = sign_note(render_manifest(manifest), [self._signer]).encode()
        row = ManifestRow(
            number=number,
            sha256=_sha256(note),
            listing_sha256=listing,
            note=note,
            temporary=temporary_name(self._entropy(8)).text,
            placed=False,
        )
        with self._database.write() as tx:
            self._manifests.intend(tx, row)
        return row

    def _publish(self, row: ManifestRow) -> int:
        temporary = parse_safe_name(row.temporary)
        self._lookout.expect(self._expectation(row, temporary, placed=False))
        self._board.post(MANIFEST_NAME, temporary, row.note)
        with self._database.write() as tx:
            self._manifests.placed(tx, row.number)
        self._lookout.placed(self._expectation(row, temporary, placed=True))
        return row.number

    def _expectation(self, row: ManifestRow, temporary: SafeName, *, placed: bool) -> Expectation:
        mark = None
        if self._marks is not None:
            with self._database.read() as tx:
                mark = self._marks.of_note(tx, name_digest(MANIFEST_NAME), row.note, placed=placed)
        return Expectation(name=MANIFEST_NAME, temporary=temporary, sha256=row.sha256, size=len(row.note), mark=mark)


def _sha256(content: bytes) -> Sha256:
    return Sha256(hashlib.sha256(content).hexdigest())
