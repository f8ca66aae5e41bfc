"""Files that are two things at once: something else lies behind the end, between the pieces or in the metadata."""

from __future__ import annotations

from collections.abc import Callable

from tests import samples
from tests.corpus.build.careless import plain
from tests.corpus.build.careless_films import behind, between
from tests.corpus.build.films import film
from tests.corpus.build.hostile import _webm
from tests.corpus.build.parts import (
    archive,
    box,
    chunk,
    document,
    element,
    elf,
    exif_text,
    gif,
    gif_extension,
    gif_frame,
    in_segment,
    jpeg_with,
    jpeg_xmp,
    packed_png,
    page,
    png,
    riff,
    riff_chunk,
    rows,
    segment,
    webp_chunks,
)

RAR = b"Rar!\x1a\x07\x01\x00" + bytes(40)
SEVEN = b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(40)
PHP = b"<?php system($_GET['c']); ?>"
SHELL = b"#!/bin/sh\nid\n"
SCRIPT = b"<script>alert(document.domain)</script>"


def _webp() -> bytes:
    return samples.webp(64, 48, exif=False)


def _split_archive() -> bytes:
    """A ZIP whose members lie in a comment and whose directory lies behind the picture."""
    whole = archive()
    at = whole.index(b"PK\x01\x02")
    return jpeg_with(segment(0xFE, whole[:at])) + whole[at:]


def _script_gif() -> bytes:
    """A GIF whose width opens a comment of a script that begins behind the picture."""
    return gif(gif_frame(), width=0x2A2F, height=8) + b"*/=1;alert(1);//"


def _script_jpeg() -> bytes:
    """A JPEG whose first segment's length opens a comment (`/*`) and whose last one closes it."""
    words = bytes(0x2F2A - 2 - 5)
    return b"\xff\xd8\xff\xe0\x2f\x2a" + b"JFIF\0" + words + segment(0xFE, b"*/=alert(1);/*") + plain()[20:]


BEHIND_A_PICTURE: dict[str, Callable[[], bytes]] = {
    "zip-behind.jpg": lambda: plain() + archive(),
    "zip-behind.png": lambda: png(behind=archive()),
    "zip-behind.gif": lambda: gif(gif_frame()) + archive(),
    "zip-behind.webp": lambda: _webp() + archive(),
    "zip-behind.heic": lambda: samples.heic(exif=False) + archive(),
    "zip-behind.avif": lambda: samples.avif(exif=False) + archive(),
    "zip-behind.mp4": lambda: film() + archive(),
    "zip-behind.mov": lambda: film(form="mov") + archive(),
    "zip-behind.webm": lambda: _webm() + archive(),
    "zip-after-zeros.jpg": lambda: plain() + bytes(5_000) + archive(),
    "zip-after-a-film.jpg": lambda: plain() + film(frames=5) + archive(),
    "rar-behind.jpg": lambda: plain() + RAR,
    "seven-behind.png": lambda: png(behind=SEVEN),
    "document-behind.jpg": lambda: plain() + document(),
    "document-behind.png": lambda: png(behind=document()),
    "page-behind.jpg": lambda: plain() + page(),
    "page-behind.gif": lambda: gif(gif_frame()) + page(),
    "php-behind.jpg": lambda: plain() + PHP,
    "shell-behind.png": lambda: png(behind=SHELL),
    "program-behind.jpg": lambda: plain() + samples.program(),
    "elf-behind.webp": lambda: _webp() + elf(),
    "program-behind.mp4": lambda: film() + samples.program(),
    "page-behind.webm": lambda: _webm() + page(),
}
WITHIN: dict[str, Callable[[], bytes]] = {
    "split-zip.jpg": _split_archive,
    "zip-in-comment.jpg": lambda: jpeg_with(segment(0xFE, archive())),
    "zip-in-segment.jpg": lambda: jpeg_with(segment(0xE9, archive())),
    "zip-in-chunk.png": lambda: png(chunk(b"prVt", archive())),
    "zip-in-the-lines.png": lambda: packed_png(rows(64, 48) + archive()),
    "zip-behind-the-lines.png": lambda: packed_png(rows(64, 48), archive()),
    "zip-behind-the-points.gif": lambda: gif(gif_frame(behind=archive())),
    "zip-in-free.mp4": lambda: behind(box(b"free", archive())),
    "zip-in-uuid.mp4": lambda: behind(box(b"uuid", bytes(range(16)), archive())),
    "zip-in-void.webm": lambda: in_segment(_webm(), element(0xEC, archive())),
    "zip-in-chunk.webp": lambda: riff(*webp_chunks(_webp()), riff_chunk(b"NOTE", archive())),
    "zip-in-comment.gif": lambda: gif(gif_extension(0xFE, archive()), gif_frame()),
    "document-in-comment.jpg": lambda: jpeg_with(segment(0xFE, document())),
    "document-in-text.png": lambda: png(chunk(b"tEXt", b"Comment\0" + document())),
    "document-in-free.mp4": lambda: between(box(b"free", document())),
    "script-in-comment.jpg": lambda: jpeg_with(segment(0xFE, SCRIPT)),
    "script-in-xmp.jpg": lambda: jpeg_xmp(SCRIPT),
    "php-in-exif.jpg": lambda: jpeg_with(exif_text(0x010F, PHP.decode())),
    "php-in-text.png": lambda: png(chunk(b"tEXt", b"Comment\0" + PHP)),
    "php-in-comment.gif": lambda: gif(gif_extension(0xFE, PHP), gif_frame()),
    "shell-in-comment.jpg": lambda: jpeg_with(segment(0xFE, SHELL)),
    "page-in-comment.gif": lambda: gif(gif_extension(0xFE, page()), gif_frame()),
    "page-in-free.mp4": lambda: between(box(b"free", page())),
    "program-in-chunk.png": lambda: png(chunk(b"prVt", samples.program())),
    "program-in-free.mp4": lambda: behind(box(b"free", samples.program())),
    "elf-in-segment.jpg": lambda: jpeg_with(segment(0xE9, elf())),
    "script-around.gif": _script_gif,
    "script-around.jpg": _script_jpeg,
    "page-in-tags.mp4": lambda: film(tags={"comment": SCRIPT.decode()}),
    "page-in-tags.webm": lambda: film(form="webm", codec="libvpx", audio="", tags={"comment": SCRIPT.decode()}),
    "zip-behind.txt": lambda: b"Come to our open day!\n" + archive(),
    "document.txt": document,
}
FILES = BEHIND_A_PICTURE | WITHIN
