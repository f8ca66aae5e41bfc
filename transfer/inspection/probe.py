"""The child's half of inspection: what is this file really, and may it go on?

What enters: a descriptor on an untrusted file, the extension of its name, limits and what is looked for. What leaves:
facts and findings in plain numbers and short ASCII, or findings alone where it is not understood. libmagic, the
extension and a real decode must agree. Nothing is opened: call `warm` before the child confines itself, then `probe`
for each file.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from functools import cache

import av
import PIL
import pillow_heif

from transfer.inspection import fingerprint, personal_data
from transfer.inspection.decode_images import decode_image, warm_images
from transfer.inspection.decode_text import decode_text
from transfer.inspection.decode_video import decode_video, warm_video
from transfer.inspection.noticed import Unfit, noticed, printable
from transfer.inspection.picture_words import Reader, Words
from transfer.inspection.sniff import HEAD_BYTES, Sniffer, agreed_format, libmagic_version
from transfer.model.findings import Code, Finding
from transfer.model.fingerprint import Fingerprint
from transfer.model.limits import MediaLimits
from transfer.model.media import Family, Format, MediaFacts
from transfer.model.search import Search

_BUFFER = 262_144


def warm() -> None:
    """Load the type database and exercise every decoder once, so that nothing has to be opened or imported later."""
    _sniffer().media_type(b"\xff\xd8\xff\xe0\0\x10JFIF\0")
    warm_images()
    warm_video()
    fingerprint.warm()
    personal_data.warm()
    for family in Family:
        _tools(family)


def probe(
    descriptor: int,
    *,
    suffix: str,
    limits: MediaLimits,
    search: Search,
    keep: Callable[[object], None] | None = None,
    prints: list[Fingerprint] | None = None,
    read: Reader | None = None,
) -> tuple[MediaFacts | None, tuple[Finding, ...], dict[str, str]]:
    """The facts (None: not understood, or beyond a limit), the findings, and the versions of the tools that looked.

    `descriptor` is read from its beginning and left open; `suffix` has its dot. `keep` gets the decoded still picture.
    `prints`, if it is a list, gets what the picture, or sampled frames of it, look like. `read` reads words in them.
    Raises MemoryError where a decoder meets the sandbox's bound; everything else wrong with the file is a finding.
    """
    tools = {"libmagic": libmagic_version()}
    head = os.pread(descriptor, HEAD_BYTES, 0)
    if not head:
        return None, (noticed(Code.EMPTY),), tools
    try:
        form = agreed_format(printable(_sniffer().media_type(head)), printable(suffix))
        tools |= _tools(form.family)
        words = Words(read) if search.pictures and form.family is not Family.TEXT else None
        facts, findings = _decode(
            descriptor, form=form, limits=limits, search=search, keep=keep, prints=prints, words=words
        )
    except Unfit as unfit:
        return None, unfit.findings, tools
    if words is not None:
        findings += words.findings(search)
    if prints:
        tools["pdqhash"] = fingerprint.recipe()
    return facts, findings, tools


def _decode(
    descriptor: int,
    *,
    form: Format,
    limits: MediaLimits,
    search: Search,
    keep: Callable[[object], None] | None,
    prints: list[Fingerprint] | None,
    words: Words | None,
) -> tuple[MediaFacts, tuple[Finding, ...]]:
    size = os.fstat(descriptor).st_size
    limit = {Family.IMAGE: limits.image_bytes, Family.VIDEO: limits.video_bytes, Family.TEXT: limits.text_bytes}
    if size > limit[form.family]:
        raise Unfit(Code.TOO_LARGE, bytes=size, limit=limit[form.family], format=form)
    # Unbuffered reads of our own position would do for pictures; FFmpeg asks for a few bytes at a time.
    source = io.BufferedReader(io.FileIO(descriptor, closefd=False), _BUFFER)
    source.seek(0)
    if form.family is Family.VIDEO:
        return decode_video(source, size, form=form, limits=limits, search=search, prints=prints, words=words)
    data = source.read(size)
    if form.family is Family.TEXT:
        return decode_text(data, form=form, limits=limits, search=search)
    return decode_image(data, form=form, limits=limits, search=search, keep=keep, prints=prints, words=words)


@cache
def _sniffer() -> Sniffer:
    return Sniffer()


@cache
def _tools(family: Family) -> dict[str, str]:
    if family is Family.IMAGE:
        return {"Pillow": PIL.__version__, "libheif": str(pillow_heif.libheif_version())}
    if family is Family.VIDEO:
        return {"PyAV": av.__version__, "FFmpeg": str(av.ffmpeg_version_info)}
    return {}
