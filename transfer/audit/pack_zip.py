"""The ZIP of an evidence pack: one spelling, so that the same files always make the same bytes. Pure.

Every member is stored, not compressed, with fixed times and modes, in the order of its name, and nothing stands
between, before or behind. Any ZIP program unpacks it. What enters: files of ours, or the untrusted bytes of a pack.
What leaves: bytes, or the files, from a ZIP of exactly this spelling: nothing can expand, overlap or hide in one.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping

from transfer.errors import Misuse, Tampered

MAX_ZIP_BYTES = 512 * 1024 * 1024
MAX_MEMBERS = 60_000  # below what a plain ZIP counts

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_LOCAL_MARK, _CENTRAL_MARK, _END_MARK = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_VERSION = 20  # what it takes to read it: ZIP 2.0
_MADE_BY = 3 << 8 | _VERSION  # Unix, so that the mode counts
_DAY = 1 << 5 | 1  # 1980-01-01
_MODE = 0o100644 << 16
_REPACKED = "Unpack it and verify the folder, if it was packed anew on its way."


def render_zip(files: Mapping[str, bytes]) -> Iterator[bytes]:
    """The parts of the ZIP, one after the other. Raises Misuse for more than a pack may hold."""
    total = sum(len(content) + len(name) * 2 + _LOCAL.size + _CENTRAL.size for name, content in files.items())
    if len(files) > MAX_MEMBERS or total + _END.size > MAX_ZIP_BYTES:
        raise Misuse(
            f"The pack would have {len(files)} files and {total:,} bytes; that is too much for one.",
            advice="Export a shorter period or one item; for a whole log hand over the folder `log/`.",
        )
    directory: list[bytes] = []
    position = 0
    for name in sorted(files):
        content, called = files[name], name.encode("ascii")
        crc = zlib.crc32(content)
        head = _LOCAL.pack(
            _LOCAL_MARK, _VERSION, 0, 0, 0, _DAY, crc, len(content), len(content), len(called), 0
        )  # fmt: skip
        directory.append(_directory_row(called, crc, len(content), position))
        yield head + called
        yield content
        position += len(head) + len(called) + len(content)
    yield _directory_end(directory, position)


def parse_zip(untrusted: bytes, *, check_name: Callable[[str, int], None]) -> dict[str, bytes]:
    """The inverse of `render_zip`. `check_name` is asked before a member of that name and size is read, and raises.

    Raises Tampered for any other spelling.
    """
    files: dict[str, bytes] = {}
    directory: list[bytes] = []
    position, before = 0, ""
    while untrusted.startswith(_LOCAL_MARK, position):
        name, crc, content, end = _member(untrusted, position, check_name)
        if name in files:
            raise Tampered(f"{name} is in the pack twice.")
        if name < before or len(files) >= MAX_MEMBERS:
            raise _foreign(f"{name} is not in its place")
        directory.append(_directory_row(name.encode("ascii"), crc, len(content), position))
        files[name] = content
        position, before = end, name
    if untrusted[position:] != _directory_end(directory, position):
        raise _foreign("its directory is another" if files else "it does not begin as one")
    return files


def _member(untrusted: bytes, position: int, check_name: Callable[[str, int], None]) -> tuple[str, int, bytes, int]:
    """Name, checksum and content of the member at this place, and where the next one begins."""
    if len(untrusted) < position + _LOCAL.size:
        raise _foreign("it ends too early")
    _, version, flags, method, time, day, crc, packed, size, length, extra = _LOCAL.unpack_from(untrusted, position)
    start = position + _LOCAL.size + length
    name = untrusted[position + _LOCAL.size : start].decode("ascii", "replace")
    check_name(name, size)
    if (version, flags, method, time, day, packed, extra) != (_VERSION, 0, 0, 0, _DAY, size, 0):
        raise _foreign(f"{name} is compressed, encrypted or marked otherwise")
    content = untrusted[start : start + size]
    if len(content) != size:
        raise Tampered(f"{name} is cut short.")
    if zlib.crc32(content) != crc:
        raise Tampered(f"{name} is damaged: its checksum is another.")
    return name, crc, content, start + size


def _directory_row(name: bytes, crc: int, size: int, position: int) -> bytes:
    fixed = (_CENTRAL_MARK, _MADE_BY, _VERSION, 0, 0, 0, _DAY, crc, size, size, len(name), 0, 0, 0, 0, _MODE, position)
    return _CENTRAL.pack(*fixed) + name


def _directory_end(directory: list[bytes], position: int) -> bytes:
    rows = b"".join(directory)
    return rows + _END.pack(_END_MARK, 0, 0, len(directory), len(directory), len(rows), position, 0)


def _foreign(why: str) -> Tampered:
    return Tampered(f"This is not a ZIP as packs are written: {why}.", advice=_REPACKED)
