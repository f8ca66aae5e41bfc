"""Reads an MP4 box by box to its last byte and finds every box and every field that only metadata needs.

What enters: a rebuilt MP4. What leaves: notes in the report.
Allowed: ftyp, moov, free filled with zeros, one mdat of which every byte belongs to a sample (`residue_samples`); one
video track and at most one audio track; no dates, the language `und`, the two handler names below, no compressor's
name; no udta, meta, uuid, chapters or further tracks; no unit in a packet that is no picture (`residue_units`).
Source: ISO/IEC 14496-12; 14496-14 (esds) and 14496-15 (avcC, hvcC).
"""

from __future__ import annotations

import struct

from transfer.disarm.residue_boxes import Box, anything, exactly, holding, only_zeros, require, walk
from transfer.disarm.residue_entries import read_entries
from transfer.disarm.residue_samples import Track, check_coverage
from transfer.disarm.residue_units import check_packets
from transfer.disarm.residue_view import Report, View

_NO_TRACKS: frozenset[bytes] = frozenset()
_BRANDS = {b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"avc1", b"av01", b"mp41", b"mp42", b"dby1"}
_UNITY = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_TURNS = {
    (a, b, c, d) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1) for d in (-1, 0, 1) if a * d != b * c
}
_SAID_TURNS = {
    (1, 0, 0, 1): "",
    (0, 1, -1, 0): "turned by 90",
    (-1, 0, 0, -1): "turned by 180",
    (0, -1, 1, 0): "turned by 270",
}
_HANDLERS = {
    bytes(8) + kind + bytes(12) + name + b"\0": kind
    for kind, name in ((b"vide", b"VideoHandler"), (b"soun", b"SoundHandler"))
}
_REFERENCE = b"\0\0\0\0\0\0\0\1" + b"\0\0\0\x0curl \0\0\0\1"


def read_mp4(view: View, report: Report) -> None:
    """Notes everything unexpected. Raises Broken where the boxes do not hold together."""
    tracks: list[Track] = []
    allowed = {
        b"ftyp": holding(_brands),
        b"free": only_zeros,
        b"mdat": anything,
        b"moov": lambda view, box, report: _movie(view, box, report, tracks),
    }
    met = walk(view, 0, view.size, report, allowed, several=frozenset({b"free"}))
    require(met, (b"ftyp", b"moov", b"mdat"), "file", report, 0)
    kinds = [track.handler for track in tracks]
    report.unless(kinds in ([b"vide"], [b"vide", b"soun"]), "box moov", "its tracks are not picture and sound")
    if b"mdat" in met:
        media = met[b"mdat"][0]
        check_coverage(view, tracks, media.content, media.end, report)
        check_packets(view, tracks, report)


def _movie(view: View, box: Box, report: Report, tracks: list[Track]) -> None:
    def track(view: View, box: Box, report: Report) -> None:
        tracks.append(_track(view, box, report))

    allowed = {b"mvhd": holding(_movie_header), b"trak": track}
    met = walk(view, box.content, box.end, report, allowed, several=frozenset({b"trak"}))
    require(met, (b"mvhd", b"trak"), box.where, report, box.start)


def _track(view: View, box: Box, report: Report) -> Track:
    track = Track()

    def edits(view: View, box: Box, report: Report) -> None:
        walk(view, box.content, box.end, report, {b"elst": holding(_edit_list)}, several=_NO_TRACKS)

    def media(view: View, box: Box, report: Report) -> None:
        _media(view, box, report, track)

    def header(view: View, box: Box, report: Report) -> None:
        body = box.body(view)
        report.unless(_track_header(body), box.where, "it holds more or other than it must", box.start)
        a, b, c, d = struct.unpack_from(">2i4x2i", body[-44:].ljust(44, b"\0"))
        track.turn = _SAID_TURNS.get((a >> 16, b >> 16, c >> 16, d >> 16), "mirrored")

    allowed = {b"tkhd": header, b"edts": edits, b"mdia": media}
    met = walk(view, box.content, box.end, report, allowed, several=_NO_TRACKS)
    require(met, (b"tkhd", b"mdia"), box.where, report, box.start)
    return track


def _media(view: View, box: Box, report: Report, track: Track) -> None:
    def handler(view: View, box: Box, report: Report) -> None:
        track.handler = _HANDLERS.get(box.body(view), b"")
        report.unless(bool(track.handler), box.where, "it is not picture or sound by its neutral name", box.start)

    def information(view: View, box: Box, report: Report) -> None:
        _information(view, box, report, track)

    def length(view: View, box: Box, report: Report) -> None:
        body = box.body(view)
        report.unless(_media_header(body), box.where, "it holds more or other than it must", box.start)
        wide = body[:1] == b"\1"
        units, duration = struct.unpack_from(">IQ" if wide else ">II", body.ljust(36, b"\0"), 20 if wide else 12)
        track.milliseconds = 1000 * duration // units if units else 0

    allowed = {b"mdhd": length, b"hdlr": handler, b"minf": information}
    met = walk(view, box.content, box.end, report, allowed, several=_NO_TRACKS)
    require(met, (b"mdhd", b"hdlr", b"minf"), box.where, report, box.start)


def _information(view: View, box: Box, report: Report, track: Track) -> None:
    def where_data_is(view: View, box: Box, report: Report) -> None:
        walk(view, box.content, box.end, report, {b"dref": exactly(_REFERENCE)}, several=_NO_TRACKS)

    def tables(view: View, box: Box, report: Report) -> None:
        _tables(view, box, report, track)

    allowed = {
        b"vmhd": exactly(b"\0\0\0\1" + bytes(8)),
        b"smhd": exactly(bytes(8)),
        b"dinf": where_data_is,
        b"stbl": tables,
    }
    met = walk(view, box.content, box.end, report, allowed, several=_NO_TRACKS)
    require(met, (b"dinf", b"stbl"), box.where, report, box.start)


def _tables(view: View, box: Box, report: Report, track: Track) -> None:
    def entries(view: View, box: Box, report: Report) -> None:
        read_entries(view, box, report, track)

    def kept(view: View, box: Box, report: Report) -> None:  # noqa: ARG001 - residue_samples reads and checks them
        track.tables[box.kind] = box

    allowed = {
        b"stsd": entries,
        b"stsc": kept,
        b"stsz": kept,
        b"stco": kept,
        b"co64": kept,
        b"stts": holding(lambda body: _counted(body, 8)),
        b"ctts": holding(lambda body: _counted(body, 8)),
        b"stss": holding(lambda body: _counted(body, 4)),
        b"sdtp": holding(lambda body: body[:4] == bytes(4)),
        b"sgpd": holding(_roll_description),
        b"sbgp": holding(_roll_groups),
    }
    met = walk(view, box.content, box.end, report, allowed, several=_NO_TRACKS)
    require(met, (b"stsd", b"stts", b"stsc", b"stsz"), box.where, report, box.start)


def _brands(body: bytes) -> bool:
    brands = [body[at : at + 4] for at in range(8, len(body), 4)]
    return body[:8] == b"isom\0\0\2\0" and bool(brands) and set(brands) <= _BRANDS


def _movie_header(body: bytes) -> bool:
    """No dates, unit rate, full volume, zeros, unity matrix, zeros, next track."""
    start = _after_dates(body, 20, 32)
    return start is not None and body[start:-4] == b"\0\1\0\0\1\0" + bytes(10) + _UNITY + bytes(24)


def _track_header(body: bytes) -> bool:
    """Enabled or not, no dates, zeros, layer and group, volume, and a matrix of quarter turns and mirrors."""
    start = _after_dates(body, 24, 36)
    if start is None or len(body) != start + 60 or body[1:3] != b"\0\0" or body[3] & ~0x0F:
        return False
    # between the identifier and the duration four reserved bytes
    reserved = body[16:20] if body[0] == 0 else body[24:28]
    fixed = body[start : start + 16]
    a, b, u, c, d, v, x, y, w = struct.unpack_from(">9i", body, start + 16)
    turn = tuple(value // 0x10000 for value in (a, b, c, d))
    straight = turn in _TURNS and not any(value & 0xFFFF for value in (a, b, c, d, x, y))
    near = max(abs(x), abs(y)) <= 0x4000_0000 and (u, v, w) == (0, 0, 0x40000000)
    tidy = fixed[:8] == bytes(8) and fixed[8:10] == bytes(2) and fixed[12:] in (b"\1\0\0\0", bytes(4))
    return reserved == bytes(4) and tidy and straight and near


def _media_header(body: bytes) -> bool:
    """No dates, a time scale, a duration, the language `und`."""
    start = _after_dates(body, 20, 32)
    return start is not None and body[start:] == b"\x55\xc4\0\0"


def _after_dates(body: bytes, short: int, long: int) -> int | None:
    """Where the fields behind dates, identifiers and duration begin; None if there are dates."""
    if body[:1] == b"\0" and len(body) > short:
        return short if body[4:12] == bytes(8) else None
    if body[:1] == b"\1" and len(body) > long:
        return long if body[4:20] == bytes(16) else None
    return None


def _edit_list(body: bytes) -> bool:
    width = 20 if body[:1] == b"\1" else 12
    rates = {body[at + width - 4 : at + width] for at in range(8, len(body), width)}
    return len(body) <= 8 + 64 * width and _counted(body, width) and rates <= {b"\0\1\0\0"}


def _counted(body: bytes, width: int) -> bool:
    """A version, flags of zero, a count, and exactly that many entries."""
    return len(body) >= 8 and body[1:4] == bytes(3) and len(body) == 8 + width * int.from_bytes(body[4:8], "big")


def _roll_description(body: bytes) -> bool:
    """Entries of two bytes: how many samples a decoder must have heard before."""
    return len(body) >= 16 and body[:12] == b"\1\0\0\0roll\0\0\0\2" and len(body) == 16 + 2 * body[15]


def _roll_groups(body: bytes) -> bool:
    """Runs of samples to which such an entry applies."""
    return body[:8] == bytes(4) + b"roll" and len(body) == 12 + 8 * int.from_bytes(body[8:12], "big")
