"""The log as a folder of files: what auditors get, copy and verify with nothing else.

What enters: a path, and whatever lies there; none of it is trusted, links are not followed. What leaves: bytes of
bounded length. A folder into which a gateway is publishing reads consistently: a partial tile that is replaced by a
wider one meanwhile is read from that one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from transfer.audit.notes import MAX_NOTE_BYTES, Ed25519Verifier, parse_vkey
from transfer.audit.reader import Claim, Survey
from transfer.audit.tiles import (
    BUNDLE,
    MAX_ENTRY_BYTES,
    TILE_BYTES,
    WIDTH,
    Tile,
    parse_bundle,
    parse_hashes,
    parse_tile_path,
    tile_widths,
)
from transfer.errors import Misuse, Tampered
from transfer.store.durable import TEMPORARY_PREFIX, world_errors

CHECKPOINT = "checkpoint"
VKEY = "log.vkey"
ARCHIVE = "archive"  # the folder of the sealed shards, in that of the running one (`audit.shards`)
SEALED = "sealed.tlog-proof"  # only in a sealed one: the proof of its last entry
OPENED = "opened.tlog-proof"  # and that of its first

_AGAIN = "Copy the whole folder again; on the gateway `transfer audit republish` writes it anew from the database."
_FOLDER = re.compile(r"tile(/(entries|[0-7])(/x[0-9]{3}){0,6}(/[0-9]{3}\.p)?)?")
_BESIDE = frozenset({CHECKPOINT, VKEY, SEALED, OPENED})
_MAX_BUNDLE_BYTES = WIDTH * (MAX_ENTRY_BYTES + 2)


class FolderReader:
    """A LogReader over `log/`. `bare`: a log as others publish it, without `log.vkey`."""

    def __init__(self, folder: Path, *, bare: bool = False) -> None:
        self.folder = folder
        self._bare = bare

    def checkpoint(self) -> bytes | None:
        """The published one."""
        return self._read(CHECKPOINT, MAX_NOTE_BYTES)

    def own_key(self) -> Ed25519Verifier | None:
        """What `log.vkey` holds. Raises Tampered if it is malformed, or missing from a log of ours."""
        content = self._read(VKEY, MAX_NOTE_BYTES)
        if content is None:
            if self._bare:
                return None
            raise Tampered(f"{self.folder.name}/{VKEY} is missing.", advice=_AGAIN)
        text = content.decode("utf-8", "replace")
        try:
            if text.endswith("\n"):
                return parse_vkey(text[:-1])
        except Misuse as error:
            raise Tampered(f"{self.folder.name}/{VKEY} is not what was published. {error.sentence}") from error
        raise Tampered(f"{self.folder.name}/{VKEY} is not what was published: its line does not end.")

    def sealed(self) -> bytes | None:
        """The proof of a sealed shard's last entry, as it lies there; None if there is none."""
        return self._read(SEALED, 2 * MAX_NOTE_BYTES)

    def opened(self) -> bytes | None:
        """The proof of a sealed shard's first entry, as it lies there; None if there is none."""
        return self._read(OPENED, 2 * MAX_NOTE_BYTES)

    def is_pruned(self) -> bool:
        """Whether it is a sealed shard whose entries are not here any more, only their hashes."""
        return self.sealed() is not None and not (self.folder / "tile" / "entries").exists()

    def claims(self) -> tuple[Claim, ...]:
        """None."""
        return ()

    def survey(self, size: int) -> Survey:
        """Every name there is. Raises Tampered for one that no log has, and for anything but files and folders."""
        extras: set[Tile] = set()
        unfinished: list[str] = []
        for path in self._files():
            if path in _BESIDE:
                continue
            folder, _, last = path.rpartition("/")
            if last.startswith(TEMPORARY_PREFIX):
                self._check_unfinished(f"{folder}/{last.removeprefix(TEMPORARY_PREFIX)}".removeprefix("/"))
                unfinished.append(path)
                continue
            tile = self._parse(path)
            if tile.width < WIDTH or tile.index >= tile_widths(tile.level, size)[0]:
                extras.add(tile)
        return Survey(end=_end_of(extras, size), needed=size, extras=frozenset(extras), unfinished=tuple(unfinished))

    def entries(self, index: int, width: int) -> list[bytes]:
        """Raises Tampered if the bundle is missing or malformed."""
        tile, content = self._read_tile(Tile(BUNDLE, index, width), _MAX_BUNDLE_BYTES)
        try:
            return parse_bundle(content, tile.width)[:width]
        except Tampered as error:
            raise Tampered(f"{self.name(tile)} is not what was published. {error.sentence}") from error

    def hashes(self, level: int, index: int, width: int) -> bytes:
        """Raises Tampered if the tile is missing or has another length."""
        tile, content = self._read_tile(Tile(level, index, width), TILE_BYTES)
        try:
            parse_hashes(content, tile.width)
        except Tampered as error:
            raise Tampered(f"{self.name(tile)} is not what was published. {error.sentence}") from error
        return content[: width * 32]

    def index(self, first: int, end: int) -> None:  # noqa: ARG002 a folder has no index
        """None."""
        return

    def name(self, tile: Tile) -> str:
        """Its path."""
        return f"{self.folder.name}/{tile.path}"

    def _read_tile(self, tile: Tile, limit: int) -> tuple[Tile, bytes]:
        for candidate in self._candidates(tile):
            content = self._read(candidate.path, limit)
            if content is not None:
                return candidate, content
        raise Tampered(
            f"{self.name(tile)} is missing.",
            advice=_AGAIN,
        )

    def _candidates(self, tile: Tile) -> Iterator[Tile]:
        yield tile
        if tile.width == WIDTH:
            return
        full = Tile(tile.level, tile.index)
        yield full
        with contextlib.suppress(OSError):
            widths = (
                int(name) for name in os.listdir(self.folder / f"{full.path}.p") if re.fullmatch("[0-9]{1,3}", name)
            )
            yield from (Tile(tile.level, tile.index, width) for width in sorted(widths) if tile.width < width < WIDTH)
        yield full  # it may have replaced the partial ones while we looked

    def _read(self, path: str, limit: int) -> bytes | None:
        with world_errors(f"reading {self.folder.name}/{path}"):
            try:
                descriptor = os.open(self.folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise self._unknown(path) from error
                raise
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise self._unknown(path)
                content = _read_up_to(descriptor, limit + 1)
            finally:
                os.close(descriptor)
        if len(content) > limit:
            raise Tampered(f"{self.folder.name}/{path} is larger than any such file of a log.")
        return content

    def _files(self) -> Iterator[str]:
        """The relative paths of all files, folder by folder."""
        waiting = [""]
        while waiting:
            below = waiting.pop()
            with world_errors(f"reading {self.folder.name}/{below}"):
                try:
                    found = list(os.scandir(self.folder / below))
                except FileNotFoundError:
                    continue  # emptied and removed while we looked
            for entry in found:
                path = f"{below}/{entry.name}" if below else entry.name
                if path == ARCHIVE and entry.is_dir(follow_symlinks=False):
                    continue  # logs of their own
                if entry.is_dir(follow_symlinks=False) and _FOLDER.fullmatch(path):
                    waiting.append(path)
                elif entry.is_file(follow_symlinks=False):
                    yield path
                else:
                    raise self._unknown(path)

    def _check_unfinished(self, path: str) -> None:
        if path not in _BESIDE:
            self._parse(path)

    def _parse(self, path: str) -> Tile:
        try:
            return parse_tile_path(path)
        except Tampered as error:
            raise self._unknown(path) from error

    def _unknown(self, path: str) -> Tampered:
        return Tampered(
            f"{self.folder.name}/{path[:200]!a} has no place in a log.",
            advice="Find out who put it there, keep a copy of it, and take it away.",
        )


def _end_of(extras: set[Tile], size: int) -> int:
    """How far the entries go without a gap, from the bundle in which the checkpoint's last entry lies."""
    index = size // WIDTH
    while Tile(BUNDLE, index) in extras:
        index += 1
    widths = [tile.width for tile in extras if tile.level == BUNDLE and tile.index == index]
    return max(size, index * WIDTH + max(widths, default=0))


def _read_up_to(descriptor: int, limit: int) -> bytes:
    parts: list[bytes] = []
    while limit > 0 and (part := os.read(descriptor, limit)):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)
