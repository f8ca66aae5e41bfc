"""Approved bytes into an upload that nobody sees, chunk by chunk; taken up again after a crash.

What enters: a parcel. What leaves: an upload at the service that holds exactly the approved bytes and waits for its
commit, or nothing. All is hashed while it is sent, and the last chunk goes only when the whole is the approved SHA-256.

    POST createUploadSession                 the address is durable before the first byte goes
    (row: this chunk is about to go)         with the hash of all bytes up to its end
    PUT chunk                                after a crash here: the service says how far it got, and the row whether
    …                                        those bytes are the ones that stand here now; else it starts over

Memory: one chunk. Requests for a file: one, and one for each chunk of 10 MiB.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from transfer.errors import Tampered, Unavailable
from transfer.graph.faults import GraphFault, NotThere, RangeWrong
from transfer.graph.quickxor import QuickXor
from transfer.graph.records import DriveItem
from transfer.graph.writer import CHUNK, Writer, position_of
from transfer.model.ends import Parcel
from transfer.model.identifiers import Sha256
from transfer.model.names import SafeName
from transfer.store.database import Database
from transfer.store.durable import world_errors
from transfer.store.onedrive_uploads import Part, UploadRow, Uploads

# A new upload is not always known everywhere at once: it is asked for again after so many seconds.
PAUSES = (0.5, 2.0, 5.0)
_ATTEMPTS = 3
_NOTHING = Part(end=0, sha256=Sha256(hashlib.sha256(b"").hexdigest()))


class _StartOver(Exception):
    """What the service has is not what stands here, or is gone: another upload, from the first byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """An upload that holds the approved bytes. `url` is a secret."""

    url: str
    quickxor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """The bytes up to `until.end`, of which all up to there have the hash `until.sha256`."""

    first: int
    content: bytes
    until: Part


class Filler:
    """Fills uploads. `pause` waits for so many seconds."""

    def __init__(
        self,
        *,
        writer: Writer,
        database: Database,
        uploads: Uploads,
        pause: Callable[[float], None],
        chunk: int = CHUNK,
    ) -> None:
        self._writer = writer
        self._database = database
        self._uploads = uploads
        self._pause = pause
        self._chunk = chunk

    def fill(self, parcel: Parcel) -> Filled:
        """An upload with all bytes in it. Raises Tampered if they are not the approved ones, Unavailable.

        After Tampered and a failed read nothing is left at the service; after GraphFault the next call goes on.
        """
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(_StartOver):
                return self._attempt(parcel)
            self.give_up(parcel.temporary)
        raise Unavailable(
            f"OneDrive lost the upload of {parcel.item} {_ATTEMPTS} times.",
            advice="Nothing of it can be seen there; it is tried again by itself.",
        )

    def give_up(self, temporary: SafeName) -> bool:
        """Ends the upload of this release, if there is one; whether there was. What was sent of it is gone."""
        with self._database.read() as tx:
            row = self._uploads.find(tx, temporary)
        if row is None:
            return False
        with contextlib.suppress(GraphFault):  # without its address nobody can commit it, and it expires
            self._writer.cancel(row.url)
        with self._database.write() as tx:
            self._uploads.ended(tx, temporary)
        return True

    def _attempt(self, parcel: Parcel) -> Filled:
        row, position = self._taken_up(parcel)
        hashed = QuickXor()
        url = None if row is None else row.url
        try:
            for chunk in _chunks(parcel, self._chunk):
                hashed.update(chunk.content)
                if row is not None and chunk.until.end <= position:
                    if chunk.until.end == position and chunk.until not in {row.sent, row.sending}:
                        raise _StartOver  # other bytes were sent before the crash
                    continue
                if chunk.first < position:
                    raise _StartOver  # it stopped within a chunk
                url = self._send(parcel, chunk, url)
        except (Tampered, Unavailable) as error:
            if not isinstance(error, GraphFault):
                self.give_up(parcel.temporary)
            raise
        if url is None:
            raise _empty(parcel)
        return Filled(url=url, quickxor=hashed.base64())

    def _taken_up(self, parcel: Parcel) -> tuple[UploadRow | None, int]:
        """The upload that was begun for exactly this parcel and is still known, and how far it got."""
        with self._database.read() as tx:
            row = self._uploads.find(tx, parcel.temporary)
        if row is None:
            return None, 0
        if (row.sha256, row.size) != (parcel.clean.sha256, parcel.clean.size):
            raise _StartOver
        try:
            return row, self._writer.position(row.url, total=row.size)
        except NotThere:
            raise _StartOver from None

    def _send(self, parcel: Parcel, chunk: Chunk, url: str | None) -> str:
        """Has this chunk arrive; the address of the upload, which the first chunk makes."""
        if url is None:
            url = self._begin(parcel, chunk)
        else:
            with self._database.write() as tx:
                row = self._uploads.find(tx, parcel.temporary)
                if row is None:
                    raise _StartOver
                sent = row.sending if row.sending.end == chunk.first else row.sent
                self._uploads.advance(tx, parcel.temporary, sent=sent, sending=chunk.until)
        arrived = self._arrived(url, chunk, parcel)
        if arrived == chunk.first:  # it was not taken after all: once more
            arrived = self._arrived(url, chunk, parcel)
        if arrived != chunk.until.end:
            raise _StartOver
        return url

    def _begin(self, parcel: Parcel, chunk: Chunk) -> str:
        url = self._writer.begin(parcel.name, parcel.clean.size)
        row = UploadRow(
            temporary=parcel.temporary,
            url=url,
            sha256=parcel.clean.sha256,
            size=parcel.clean.size,
            sent=_NOTHING,
            sending=chunk.until,
        )
        with self._database.write() as tx:
            self._uploads.begin(tx, row)
        return url

    def _arrived(self, url: str, chunk: Chunk, parcel: Parcel) -> int:
        """How many bytes from the start the service has after this chunk was sent."""
        total = parcel.clean.size
        for pause in (*PAUSES, None):
            try:
                answer = self._writer.send(url, chunk.content, first=chunk.first, total=total)
            except RangeWrong:  # an answer was lost on the way: it has this chunk, or another is its turn
                return self._position(url, total)
            except NotThere:
                if pause is None or (chunk.first and not self._is_known(url, total)):
                    raise _StartOver from None
                self._pause(pause)
                continue
            if isinstance(answer, DriveItem):
                self._writer.remove(answer.id, etag=None)
                raise Unavailable(
                    f"OneDrive made {parcel.item} visible before the approval was asked for; it was removed again.",
                    advice="Use a business drive or a document library for the release folder.",
                    clauses=("G1",),
                )
            return position_of(answer, total=total)
        raise _StartOver

    def _is_known(self, url: str, total: int) -> bool:
        with contextlib.suppress(NotThere):
            return self._writer.position(url, total=total) >= 0
        return False

    def _position(self, url: str, total: int) -> int:
        try:
            return self._writer.position(url, total=total)
        except NotThere:
            raise _StartOver from None


def quickxor_of(parcel: Parcel) -> str:
    """The quickXorHash of the approved bytes. Raises Tampered if they are not those, Unavailable."""
    hashed = QuickXor()
    for chunk in _chunks(parcel, CHUNK):
        hashed.update(chunk.content)
    return hashed.base64()


def _chunks(parcel: Parcel, size: int) -> Iterator[Chunk]:
    """The content from its start, each chunk but the last of `size` bytes; the last only if the whole is approved.

    Raises Tampered, Unavailable.
    """
    total, digest, first = parcel.clean.size, hashlib.sha256(), 0
    with world_errors("reading the rebuilt file"):
        parcel.content.seek(0)
    while first < total:
        content = _read(parcel.content, min(size, total - first))
        digest.update(content)
        end = first + len(content)
        if end == total and not _is_whole(parcel, digest.hexdigest()):
            raise _tampered(parcel)
        if not content or (len(content) < size and end < total):
            raise _tampered(parcel)
        yield Chunk(first=first, content=content, until=Part(end=end, sha256=Sha256(digest.hexdigest())))
        first = end


def _is_whole(parcel: Parcel, sha256: str) -> bool:
    return sha256 == parcel.clean.sha256 and not _read(parcel.content, 1)


def _read(content: BinaryIO, size: int) -> bytes:
    """`size` bytes, or what is left. Raises Unavailable."""
    with world_errors("reading the rebuilt file"):
        first = content.read(size)
        if len(first) in {0, size}:
            return first
        parts = [first]
        while (missing := size - sum(map(len, parts))) and (part := content.read(missing)):
            parts.append(part)
        return b"".join(parts)


def _tampered(parcel: Parcel) -> Tampered:
    return Tampered(
        f"The rebuilt file of {parcel.item} is not the approved one any more; it was not released.",
        advice="Restore the blob from a backup, or withdraw the item.",
        clauses=("G5", "G6"),
    )


def _empty(parcel: Parcel) -> Unavailable:
    return Unavailable(
        f"The rebuilt file of {parcel.item} is empty, and OneDrive takes no empty file by an upload.",
        advice="Withdraw the item: there is nothing in it.",
    )
