"""The proof that nothing but a picture, a film or a text is left in what was rebuilt.

What enters: a descriptor of a rebuilt file and the format that it must have. What leaves: findings, and none means
proven; and a list of what is there, for the people who approve and audit.
It runs in a process that has never seen raw bytes, and shares no code with the modules that write. Every file is walked
from its first to its last byte by a list of what may be there; whatever is not on the list is a residue.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from transfer.disarm.residue_avif import read_avif
from transfer.disarm.residue_gif import read_gif
from transfer.disarm.residue_jpeg import read_jpeg
from transfer.disarm.residue_mp4 import read_mp4
from transfer.disarm.residue_png import read_png
from transfer.disarm.residue_text import read_srt, read_text, read_vtt
from transfer.disarm.residue_view import Broken, Report, View
from transfer.disarm.residue_webm import read_webm
from transfer.disarm.residue_webp import read_webp
from transfer.model.findings import Finding
from transfer.model.media import Format

# HEIC and QuickTime are never written, so there is nothing that could read them.
_READERS: dict[Format, Callable[[View, Report], None]] = {
    Format.JPEG: read_jpeg,
    Format.PNG: read_png,
    Format.WEBP: read_webp,
    Format.GIF: read_gif,
    Format.AVIF: read_avif,
    Format.MP4: read_mp4,
    Format.WEBM: read_webm,
    Format.TEXT: read_text,
    Format.SRT: read_srt,
    Format.VTT: read_vtt,
}
_FAULTS = (
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    OSError,
    RecursionError,
    struct.error,
    zlib.error,
)


def prove(
    descriptor: int,
    *,
    format: Format,  # noqa: A002 - the word of the wire protocol
    encoded: bool = False,
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """At most 16 findings RESIDUE with `where`, `what` and `at` (offset in bytes, or line of a text); and what is
    there, in at most 32 lines of printable ASCII. `encoded`: the film's packets are our own too. Never raises.
    """
    report = Report(encoded=encoded)
    reader = _READERS.get(format)
    if reader is None:
        report.note("file", f"we never write {format.value}")
        return report.findings(), ()
    try:
        reader(View(descriptor), report)
    except Broken as broken:
        report.note(broken.where, broken.what, broken.at)
    except _FAULTS as fault:
        report.note("file", f"it could not be read to its end: {type(fault).__name__}")
    return report.findings(), report.left()
