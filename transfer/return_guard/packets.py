"""The messages of gateway and guard as packets: strict both ways. Pure.

    byte 0: the protocol's version      byte 1: the kind of message      then fixed-width fields, big-endian

A name is one byte with its length and that many bytes of UTF-8. What an expected name is known by in OneDrive (`mark`)
is one byte, 0 where there is none, and then 20 bytes of quickXorHash and the item's id like a name, empty while it is
not known. What enters: packets from the other process, any
bytes at all. What leaves: one of the types of `messages`, or ValueError; each message has exactly one spelling.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from datetime import UTC, datetime, timedelta

from transfer.model.drive import DriveMark
from transfer.model.ends import Presence
from transfer.model.identifiers import Sha256
from transfer.model.names import MAX_BYTES, SafeName, parse_safe_name
from transfer.model.states import Kind
from transfer.return_guard.breaches import Breach, Place
from transfer.return_guard.messages import (
    LAST_MILLISECOND,
    MAX_BREACHES,
    MAX_DAYS,
    MAX_EXPECTED,
    MAX_ITEM_ID,
    MAX_MESSAGE,
    MAX_SIZE,
    VERSION,
    Ask,
    Audited,
    Beat,
    Done,
    Expect,
    Expected,
    Forget,
    FromGateway,
    FromGuard,
    Hello,
    Keep,
    ListBegins,
    ListEnds,
    Received,
    Report,
    Seen,
    Stage,
    SweepNow,
    Told,
    Verdict,
    What,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = (Kind.FILE, Kind.FOLDER, Kind.SYMLINK, Kind.FIFO, Kind.SOCKET, Kind.DEVICE, Kind.SHORTCUT, Kind.PACKAGE)
_BREACHES, _PLACES = tuple(Breach), tuple(Place)
_QUICKXOR = 20  # bytes
_OF_JPEG = 2
_ITEM_ID = re.compile(rf"[!-~]{{0,{MAX_ITEM_ID}}}")

_NUMBERED: dict[int, type[ListBegins | ListEnds | SweepNow | Keep | Done]] = {
    1: ListBegins,
    2: ListEnds,
    6: SweepNow,
    8: Keep,
    67: Done,
}

_HEAD = struct.Struct(">BB")
_U32 = struct.Struct(">I")
_EXPECT = struct.Struct(">IB32sQ")
_RECEIVED = struct.Struct(">8sB")
_BEAT = struct.Struct(">QII")
_SEEN = struct.Struct(">IB32s")
_AUDITED = struct.Struct(">IIB")
_TOLD = struct.Struct(">BB32s")
_REPORT = struct.Struct(">8sB32sBQB32sQ")


def render_message(message: FromGateway | FromGuard) -> bytes:
    """The one packet for this message. Raises ValueError for values out of bounds."""
    try:
        kind, body = _body(message)
    except struct.error as error:
        raise ValueError(f"a field is out of bounds: {error}") from error
    return _HEAD.pack(VERSION, kind) + body


def parse_from_gateway(untrusted: bytes) -> FromGateway:
    """Raises ValueError for anything but one message of the gateway in its one spelling."""
    message = _parse(untrusted)
    if isinstance(message, FromGateway):
        return message
    raise ValueError("this is not a message of the gateway")


def parse_from_guard(untrusted: bytes) -> FromGuard:
    """Raises ValueError for anything but one message of the guard in its one spelling."""
    message = _parse(untrusted)
    if isinstance(message, FromGuard):
        return message
    raise ValueError("this is not a message of the guard")


def _body(message: FromGateway | FromGuard) -> tuple[int, bytes]:  # noqa: PLR0911 - one return a message
    match message:
        case Expect(sequence, expected):
            size = _bounded(expected.size, MAX_SIZE)
            fields = _EXPECT.pack(sequence, expected.stage, _raw(expected.sha256, 32), size)
            return 3, fields + _text(expected.name) + _text(expected.temporary) + _mark(expected.mark)
        case Forget(sequence, name) | Ask(sequence, name):
            return 4 if isinstance(message, Forget) else 5, _U32.pack(sequence) + _text(name)
        case Received(report, verdict):
            return 7, _RECEIVED.pack(_raw(report, 8), verdict)
        case Hello():
            return 65, b""
        case Beat(sweeps, pending, wait):
            return 66, _BEAT.pack(sweeps, pending, wait)
        case Seen(sequence, sha256):
            return 68, _SEEN.pack(sequence, sha256 is not None, _raw(sha256 or "00" * 32, 32))
        case Report():
            return 69, _render_report(message)
        case Audited():
            return 70, _render_audited(message)
        case _:
            return _numbered_body(message)


def _numbered_body(message: ListBegins | ListEnds | SweepNow | Keep | Done) -> tuple[int, bytes]:
    match message:
        case ListBegins(count):
            return 1, _U32.pack(_bounded(count, MAX_EXPECTED))
        case ListEnds(sequence):
            return 2, _U32.pack(sequence)
        case SweepNow(sequence):
            return 6, _U32.pack(sequence)
        case Keep(days):
            return 8, _U32.pack(_bounded(days, MAX_DAYS))
        case Done(sequence):
            return 67, _U32.pack(sequence)


def _render_report(report: Report) -> bytes:
    seen = report.presence
    milliseconds = (seen.seen_at - _EPOCH) // timedelta(milliseconds=1)
    return _REPORT.pack(
        _raw(report.id, 8),
        report.what,
        _raw(seen.name_sha256, 32),
        _KINDS.index(seen.kind),
        _bounded(seen.size, MAX_SIZE),
        seen.sha256 is not None,
        _raw(seen.sha256 or "00" * 32, 32),
        _bounded(milliseconds, LAST_MILLISECOND),
    )


def _render_audited(audited: Audited) -> bytes:
    count = _bounded(len(audited.breaches), MAX_BREACHES)
    told = [
        _TOLD.pack(_BREACHES.index(one.breach), _PLACES.index(one.place), _raw(one.permission, 32))
        for one in audited.breaches
    ]
    return _AUDITED.pack(audited.age, audited.more, count) + b"".join(told)


def _parse(untrusted: bytes) -> FromGateway | FromGuard:
    if not _HEAD.size <= len(untrusted) <= MAX_MESSAGE or untrusted[0] != VERSION:
        raise ValueError("this is not a message of our version")
    try:
        message = _parse_body(untrusted[1], untrusted[_HEAD.size :])
        again = render_message(message)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"this message is not well formed: {error}") from error
    if again != untrusted:
        raise ValueError("this message is not in its one spelling")
    return message


def _parse_body(kind: int, body: bytes) -> FromGateway | FromGuard:
    match kind:
        case 1 | 2 | 6 | 8 | 67:
            (number,) = _U32.unpack(body)
            return _NUMBERED[kind](number)
        case 3:
            sequence, stage, sha256, size = _EXPECT.unpack_from(body)
            name, rest = _take_name(body[_EXPECT.size :])
            temporary, rest = _take_name(rest)
            expected = Expected(
                stage=Stage(stage),
                name=name,
                temporary=temporary,
                sha256=Sha256(sha256.hex()),
                size=size,
                mark=_take_mark(rest),
            )
            return Expect(sequence, expected)
        case 4 | 5:
            (sequence,) = _U32.unpack_from(body)
            name, _rest = _take_name(body[_U32.size :])
            return Forget(sequence, name) if kind == 4 else Ask(sequence, name)
        case _:
            return _parse_answer(kind, body)


def _parse_answer(kind: int, body: bytes) -> FromGateway | FromGuard:
    match kind:
        case 7:
            report, verdict = _RECEIVED.unpack(body)
            return Received(report.hex(), Verdict(verdict))
        case 65:
            return Hello()
        case 66:
            return Beat(*_BEAT.unpack(body))
        case 68:
            sequence, known, sha256 = _SEEN.unpack(body)
            return Seen(sequence, Sha256(sha256.hex()) if known else None)
        case 69:
            report, what, name, kind_number, size, known, sha256, milliseconds = _REPORT.unpack(body)
            presence = Presence(
                name_sha256=Sha256(name.hex()),
                kind=_KINDS[kind_number],
                size=size,
                sha256=Sha256(sha256.hex()) if known else None,
                seen_at=_EPOCH + timedelta(milliseconds=_bounded(milliseconds, LAST_MILLISECOND)),
            )
            return Report(id=report.hex(), what=What(what), presence=presence)
        case 70:
            age, more, _count = _AUDITED.unpack_from(body)
            told = [_take_told(*fields) for fields in _TOLD.iter_unpack(body[_AUDITED.size :])]
            return Audited(age=age, breaches=tuple(told), more=more)
        case _:
            raise ValueError(f"there is no message of kind {kind}")


def _take_told(breach: int, place: int, permission: bytes) -> Told:
    return Told(breach=_BREACHES[breach], place=_PLACES[place], permission=Sha256(permission.hex()))


def _mark(mark: DriveMark | None) -> bytes:
    if mark is None:
        return b"\x00"
    item = (mark.item or "").encode("ascii")
    if not _ITEM_ID.fullmatch(item.decode()):
        raise ValueError("this is no id of an item in a drive")
    return bytes([_OF_JPEG if mark.jpeg else 1]) + _quickxor(mark.quickxor) + bytes([len(item)]) + item


def _take_mark(body: bytes) -> DriveMark | None:
    """None for 0; whatever is no one spelling of a mark is found by rendering it again."""
    if body[0] == 0:
        return None
    quickxor, length = body[1 : 1 + _QUICKXOR], body[1 + _QUICKXOR]
    item = body[2 + _QUICKXOR : 2 + _QUICKXOR + length].decode("ascii")
    return DriveMark(quickxor=base64.b64encode(quickxor).decode(), jpeg=body[0] == _OF_JPEG, item=item or None)


def _quickxor(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("this is no quickXorHash") from error
    if len(raw) != _QUICKXOR or base64.b64encode(raw).decode() != text:
        raise ValueError("this is no quickXorHash")
    return raw


def _text(name: SafeName) -> bytes:
    encoded = name.text.encode()
    return bytes([len(encoded)]) + encoded


def _take_name(body: bytes) -> tuple[SafeName, bytes]:
    end = 1 + _bounded(body[0], MAX_BYTES)
    return parse_safe_name(body[1:end].decode()), body[end:]


def _raw(hexadecimal: str, length: int) -> bytes:
    raw = bytes.fromhex(hexadecimal)
    if len(raw) != length:
        raise ValueError(f"{len(raw)} bytes instead of {length}")
    return raw


def _bounded(number: int, most: int) -> int:
    if not 0 <= number <= most:
        raise ValueError(f"{number} is not between 0 and {most}")
    return number
