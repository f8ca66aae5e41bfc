"""The packets of films' pictures: what the rebuild leaves of one must stand before the other reader."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable

import av

from tests import samples
from tests.corpus.build.films import film
from tests.fuzz.engine import Target
from transfer.disarm.picture_units import Sieve, sieve_for
from transfer.disarm.residue_samples import Track
from transfer.disarm.residue_units import check_picture
from transfer.disarm.residue_view import Report, View
from transfer.inspection.brands import film_type

_CODECS = {"h264": (b"avc1", "libx264", 4), "hevc": (b"hvc1", "libx265", 21), "av1": (b"av01", "libsvtav1", 0)}
_WIDTHS = (1, 2, 4)


def fresh(codec: str, width: int) -> Sieve:
    """A sieve for packets of this codec with so many bytes of length in front of each unit."""
    place = _CODECS[codec][2]
    found = sieve_for(codec, b"\1" + bytes(max(place - 1, 0)) + bytes([width - 1]))
    assert found is not None
    return found


def doubts(codec: str, width: int, packet: bytes) -> list[str]:
    """What the reader says of one packet."""
    view_of, report = os.memfd_create("packet"), Report()
    try:
        os.write(view_of, packet)
        check_picture(View(view_of), 0, len(packet), Track(entry=_CODECS[codec][0], length_bytes=width), report)
    finally:
        os.close(view_of)
    return [str(finding.detail["what"]) for finding in report.findings()]


def sifted(codec: str, width: int, packet: bytes) -> bytes:
    """What is left of a packet; held against the reader, and sifted again. Raises ValueError for a damaged one."""
    sieve = fresh(codec, width)
    left = sieve.sift(memoryview(packet))
    assert (left is None) == (not sieve.left_out)
    left = packet if left is None else left
    again = fresh(codec, width)
    assert again.sift(memoryview(left)) is None
    assert doubts(codec, width, left) == []
    return left


def _parse(codec: str) -> Callable[[bytes], object]:
    """The first byte says how wide lengths are."""
    return lambda content: sifted(codec, _WIDTHS[content[0] % 3] if content else 4, content[1:])


def _packets(codec: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        with av.open(io.BytesIO(film(codec=_CODECS[codec][1], size=(64, 64), audio=""))) as whole:
            return [b"\2" + bytes(packet) for packet in whole.demux(video=0) if packet.size]

    return seeds


def packet_targets() -> Iterable[Target]:
    """The sieves, and the brands by which a film is known."""
    for codec in _CODECS:
        yield Target(name=f"packets {codec}", seeds=_packets(codec), parse=_parse(codec), errors=(ValueError,))
    yield Target(name="brands", seeds=lambda: [samples.mp4()[:64], samples.mov()[:64]], parse=film_type)
