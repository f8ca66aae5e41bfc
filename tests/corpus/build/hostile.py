"""Files that are not what they say, are made to break a reader, or have no business here."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from PIL import Image

from tests import samples
from tests.corpus.build.careless import plain
from tests.corpus.build.clean import saved
from tests.corpus.build.films import displayed, film
from tests.corpus.build.parts import (
    EICAR,
    PNG_START,
    archive,
    box,
    boxes_of,
    chunk,
    chunks_of,
    document,
    element,
    elf,
    gif,
    gif_frame,
    header,
    in_segment,
    jpeg_parts,
    jpeg_with,
    page,
    patched,
    png,
    riff,
    riff_chunk,
    rows,
    segment,
    webp_chunks,
)


def _picture() -> Image.Image:
    return samples.picture(160, 120)


def _ordered(*kinds: bytes) -> bytes:
    """A PNG of three picture chunks with its chunks in this order."""
    packed = zlib.compress(rows(64, 48))
    parts = {
        b"IHDR": header(64, 48),
        b"IDAT": chunk(b"IDAT", packed[:200]),
        b"more": chunk(b"IDAT", packed[200:]),
        b"IEND": chunk(b"IEND"),
        b"PLTE": chunk(b"PLTE", bytes(12)),
        b"tEXt": chunk(b"tEXt", b"Author\0Sam"),
    }
    return PNG_START + b"".join(parts[kind] for kind in kinds)


def _bad_checksum() -> bytes:
    content = samples.png(text={})
    first, picture, *rest = chunks_of(content)
    return content[:8] + first + picture[:-1] + bytes((picture[-1] ^ 1,)) + b"".join(rest)


def _unknown_critical() -> bytes:
    return png(chunk(b"EVIL", b"must be understood"))


def _segment_beyond() -> bytes:
    whole = plain()
    return whole[:2] + segment(0xE5, b"x", length=65_535) + whole[2:400]


def _oversampled() -> bytes:
    """A JPEG whose sampling factors are impossible."""
    whole = bytearray(plain())
    at = whole.index(b"\xff\xc0") + 11
    whole[at] = 0xFF
    return bytes(whole)


def _no_end() -> bytes:
    return plain()[:-2]


def _riff(length: int) -> bytes:
    return riff(*webp_chunks(samples.webp(64, 48, exif=False)), length=length)


def _child_beyond_parent() -> bytes:
    return patched(film(), b"mdia", (0x00FFFFFF).to_bytes(4, "big"), at=-8)


def _samples_beyond() -> bytes:
    """Sample positions that lie far behind the file's end."""
    return patched(film(), b"stco", b"\x7f\xff\xff\xff", at=8)


def _outside_media() -> bytes:
    """A film whose media are said to lie in a file of the computer's own: the reference is longer than before."""
    content = film()
    old, new = box(b"url ", b"\0\0\0\1"), box(b"url ", bytes(4), b"file:///etc/hostname\0")
    grown, more = content.replace(old, new), len(new) - len(old)
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        grown = _grown(grown, kind, 2 * more if kind == b"moov" else more)
    return grown


def _grown(content: bytes, kind: bytes, more: int) -> bytes:
    """The file with the length of each box of this kind raised."""
    at = content.find(kind)
    while at >= 0:
        length = int.from_bytes(content[at - 4 : at], "big") + more
        content = content[: at - 4] + length.to_bytes(4, "big") + content[at:]
        at = content.find(kind, at + 4)
    return content


_M3U = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"
WRONG_NAMES: dict[str, Callable[[], bytes]] = {
    "program.jpg": samples.program,
    "elf.png": elf,
    "archive.jpg": archive,
    "document.png": document,
    "page.jpg": page,
    "png-called.jpg": lambda: samples.png(text={}),
    "jpeg-called.png": plain,
    "gif-called.webp": samples.gif,
    "webp-called.gif": lambda: samples.webp(exif=False),
    "mp4-called.webm": film,
    "webm-called.mp4": lambda: film(form="webm", codec="libvpx", audio="libopus"),
    "matroska-called.webm": lambda: film(form="matroska"),
    "picture-called.mp4": plain,
    "film-called.jpg": film,
    "bitmap.jpg": lambda: saved(_picture(), "BMP"),
    "tiff.jpg": lambda: saved(_picture(), "TIFF"),
    "icon.png": lambda: saved(_picture(), "ICO"),
    "photoshop.jpg": lambda: b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(200),
    "jpeg2000.jpg": lambda: saved(_picture(), "JPEG2000"),
    "playlist.mp4": lambda: _M3U,
    "film-list.mp4": lambda: b"ffconcat version 1.0\nfile /etc/hostname\n",
    "svg.png": lambda: b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>',
    "random.jpg": lambda: bytes(zlib.crc32(bytes((n % 256, n // 256))) & 255 for n in range(5_000)),
    "random.mp4": lambda: bytes(zlib.crc32(bytes((n % 251, n // 251))) & 255 for n in range(5_000)),
    "zeros.png": lambda: bytes(4_096),
    "empty.jpg": bytes,
}
NOT_MEDIA: dict[str, Callable[[], bytes]] = {
    "setup.exe": samples.program,
    "archive.zip": archive,
    "letter.pdf": document,
    "page.html": page,
    "drawing.svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "letter.docx": lambda: archive("word/document.xml", b"<w:document/>"),
    "sheet.csv": lambda: b"name,place\nSam,Oxford\n",
    "script.sh": lambda: b"#!/bin/sh\nid\n",
    "link.url": lambda: b"[InternetShortcut]\nURL=https://university.example/\n",
    "photo.jpg.exe": samples.program,
    "no-extension": plain,
    "sound.mp3": lambda: b"ID3\x04\0\0\0\0\0\0" + bytes(100),
    "raw.tiff": lambda: saved(_picture(), "TIFF"),
    "film.mkv": lambda: film(form="matroska"),
    "photo\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe": samples.program,
}
BROKEN_PICTURES: dict[str, Callable[[], bytes]] = {
    "two-starts.jpg": lambda: b"\xff\xd8" + plain(),
    "segment-without-length.jpg": lambda: jpeg_with(segment(0xE5, b"", length=0)),
    "segment-beyond.jpg": _segment_beyond,
    "no-tables.jpg": lambda: b"\xff\xd8" + b"".join(p for p in jpeg_parts(plain())[0] if p[1] != 0xDB) + b"\xff\xd9",
    "no-picture.jpg": lambda: b"\xff\xd8" + b"".join(jpeg_parts(plain())[0][:2]) + b"\xff\xd9",
    "no-end.jpg": _no_end,
    "impossible-sampling.jpg": _oversampled,
    "bad-checksum.png": _bad_checksum,
    "unknown-critical-chunk.png": _unknown_critical,
    "two-headers.png": lambda: png(header(64, 48)),
    "picture-apart.png": lambda: _ordered(b"IHDR", b"IDAT", b"tEXt", b"more", b"IEND"),
    "palette-late.png": lambda: _ordered(b"IHDR", b"IDAT", b"more", b"PLTE", b"IEND"),
    "header-late.png": lambda: _ordered(b"tEXt", b"IHDR", b"IDAT", b"more", b"IEND"),
    "no-picture.png": lambda: _ordered(b"IHDR", b"IEND"),
    "no-end.png": lambda: _ordered(b"IHDR", b"IDAT", b"more"),
    "bad-deflate.png": lambda: PNG_START + header(64, 48) + chunk(b"IDAT", b"\x78\x9c" + bytes(500)) + chunk(b"IEND"),
    "chunk-beyond.png": lambda: PNG_START + header(64, 48) + chunk(b"IDAT", b"x", length=1 << 30) + chunk(b"IEND"),
    "no-trailer.gif": lambda: gif(gif_frame(), end=b""),
    "unknown-block.gif": lambda: gif(gif_frame(), b"\x42\x10", gif_frame()),
    "frame-outside.gif": lambda: gif(gif_frame(), gif_frame(8, 8, at=(60_000, 60_000))),
    "size-too-large.webp": lambda: _riff(1 << 20),
    "size-too-small.webp": lambda: _riff(40),
    "two-pictures.webp": lambda: riff(*webp_chunks(samples.webp(64, 48, exif=False)) * 2),
    "picture-in-picture.webp": lambda: riff(riff_chunk(b"ANMF", riff_chunk(b"ANMF", bytes(40)))),
    "items-beyond.heic": lambda: patched(samples.heic(exif=False), b"iloc", b"\xff" * 16, at=12),
    "no-items.heic": lambda: boxes_of(samples.heic(exif=False))[0] + box(b"meta", bytes(4)),
    "parent-too-small.heic": lambda: patched(samples.heic(exif=False), b"iprp", (12).to_bytes(4, "big"), at=-8),
    "no-items.avif": lambda: boxes_of(samples.avif(exif=False))[0] + box(b"mdat", bytes(64)),
}
BROKEN_FILMS: dict[str, Callable[[], bytes]] = {
    "child-beyond-parent.mp4": _child_beyond_parent,
    "samples-beyond.mp4": _samples_beyond,
    "outside-media.mp4": _outside_media,
    "at-an-angle.mp4": lambda: displayed(film(), 0.7071, 0.7071, -0.7071, 0.7071),
    "stretched.mp4": lambda: displayed(film(), 3, 0, 0, 1),
    "no-index.mp4": lambda: b"".join(part for part in boxes_of(film()) if part[4:8] != b"moov"),
    "two-indexes.mp4": lambda: film() + boxes_of(film())[-1],
    "huge-box.mp4": lambda: film() + box(b"free", length=1 << 40, long=True),
    "sound-only.mp4": lambda: film(codec="libx264", pictures=0),
    "prores.mov": lambda: film(form="mov", codec="prores_ks", audio="", frames=5),
    "old-codec.mp4": lambda: film(codec="mpeg4"),
    "motion-jpeg.mov": lambda: film(form="mov", codec="mjpeg", frames=5),
    "surround-codec.mp4": lambda: film(audio="ac3"),
    "encrypted.mp4": lambda: film().replace(b"avc1\0\0\0\0", b"encv\0\0\0\0", 1),
    "attachment.webm": lambda: _attached("tool.exe", samples.program()),
    "font-attached.webm": lambda: _attached("font.ttf", b"\0\1\0\0" + bytes(60)),
    "element-beyond.webm": lambda: in_segment(_webm(), element(0x1254C367, length=1 << 40)),
    "no-tracks.webm": lambda: _webm().replace(b"\x16\x54\xae\x6b", b"\xec\x54\xae\x6b"),
}
HOSTILE_TEXTS: dict[str, Callable[[], bytes]] = {
    "page.txt": page,
    "fragment.txt": lambda: b"Look at this <img src=x onerror=alert(1)> picture\n",
    "script-link.txt": lambda: b"Click javascript:alert(1) now\n",
    "drawing.txt": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>\n',
    "xml.txt": lambda: b'<?xml version="1.0"?>\n<note/>\n',
    "shell.txt": lambda: b"#!/bin/sh\nrm -rf /\n",
    "batch.txt": lambda: b"@echo off\r\ndel *.*\r\n",
    "php.txt": lambda: b"Hello <?php system($_GET['c']); ?>\n",
    "shortcut.txt": lambda: b"[InternetShortcut]\r\nURL=file:///etc/passwd\r\n",
    "registry.txt": lambda: b"Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER]\r\n",
    "rich-text.txt": lambda: b"{\\rtf1 {\\object\\objdata 0105}}\n",
    "powershell.txt": lambda: b"powershell -NoProfile -EncodedCommand SQBFAFgA\n",
    "visual-basic.txt": lambda: b'Set shell = CreateObject("WScript.Shell")\r\nshell.Run "calc.exe"\r\n',
    "latex.txt": lambda: b"\\documentclass{article}\n\\begin{document}\\input{/etc/passwd}\\end{document}\n",
    "program.txt": samples.program,
    "c-program.txt": lambda: b"#include <stdio.h>\nint main(void) { return 0; }\n",
    "malware.txt": lambda: EICAR,
    "malware.jpg": lambda: jpeg_with(segment(0xFE, EICAR)),
    "malware.png": lambda: png(chunk(b"tEXt", b"Comment\0" + EICAR)),
    "wide-letters.txt": lambda: "Open day".encode("utf-16"),
    "old-letters.txt": lambda: "Universität".encode("latin-1"),
    "zero-bytes.txt": lambda: b"Open\0day\n",
    "terminal-orders.txt": lambda: b"Open \x07day \x08\x08\n",
    "only-blanks.txt": lambda: b"  \n\t\n",
    "only-invisible.txt": "\u200b\u2060\u200b\n".encode,
    "script.srt": lambda: samples.srt(["<script>alert(1)</script>"]),
    "script.vtt": lambda: samples.vtt(["<img src=x>"]),
    "no-times.srt": lambda: b"1\nHello\n",
    "backwards.srt": lambda: b"1\n00:00:05,000 --> 00:00:01,000\nHello\n",
    "no-header.vtt": lambda: b"00:00.000 --> 00:02.000\nHello\n",
    "caption-called.srt": lambda: b"Come to our open day!\n",
}


def _webm() -> bytes:
    return film(form="webm", codec="libvpx", audio="libopus")


def _attached(name: str, content: bytes) -> bytes:
    """A WebM with a file attached, as Matroska allows."""
    attached = element(
        0x61A7,
        element(0x466E, name.encode()),
        element(0x4660, b"application/octet-stream"),
        element(0x465C, content),
        element(0x46AE, b"\1"),
    )
    return in_segment(_webm(), element(0x1941A469, attached))


FILES = WRONG_NAMES | NOT_MEDIA | BROKEN_PICTURES | BROKEN_FILMS | HOSTILE_TEXTS
