"""Pictures and texts as people drop them, with everything that cameras, phones and editors leave in a file.

All of them pass, and nothing of it is left behind.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import pillow_heif
from PIL import Image, ImageDraw

from tests import samples
from tests.corpus.build.clean import animated, deep_png, saved
from tests.corpus.build.films import film, small_jpeg
from tests.corpus.build.parts import (
    chunk,
    chunks_of,
    described,
    exif_text,
    gif,
    gif_extension,
    gif_frame,
    jpeg_with,
    jpeg_xmp,
    packed_png,
    patched,
    png,
    riff,
    riff_chunk,
    rows,
    segment,
    tiff,
    webp_chunks,
    xmp,
)

FACES = (
    '<rdf:Description xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/">'
    "<mwg-rs:Regions><rdf:Bag><rdf:li mwg-rs:Name='Sam Sample' mwg-rs:Type='Face'/></rdf:Bag></mwg-rs:Regions>"
    "</rdf:Description>"
)
HISTORY = (
    '<rdf:Description xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" xmpMM:DocumentID="uuid:1"><xmpMM:History><rdf:Seq>'
    "<rdf:li>saved by Sam Sample</rdf:li></rdf:Seq></xmpMM:History></rdf:Description>"
)


def plain() -> bytes:
    """A JPEG with nothing in it."""
    return samples.jpeg(exif=False)


def camera_exif(*, big: bool = False) -> bytes:
    """Camera, lens and owner with serial numbers, in either byte order."""
    texts = {0x010F: "Sample Cameras", 0x0110: "Model 7", 0x0131: "Firmware 1.2", 0x013C: "PRESS-LAPTOP-07",
             0xA430: "Sam Sample", 0xA431: "SN12345678", 0xA435: "LENS98765"}  # fmt: skip
    entries = [(tag, 2, len(words) + 1, words.encode() + b"\0") for tag, words in texts.items()]
    return segment(0xE1, b"Exif\0\0" + tiff(entries, big=big))


def thumbnail_exif() -> bytes:
    """A second directory with a thumbnail, as cameras write it."""
    first = tiff([(0x010F, 2, 4, b"Cam\0")], next_ifd=26)
    picture = small_jpeg()
    start = 26 + 2 + 3 * 12 + 4
    entries = ((0x0103, 3, 1, 6), (0x0201, 4, 1, start), (0x0202, 4, 1, len(picture)))
    second = struct.pack("<H", 3) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return segment(0xE1, b"Exif\0\0" + first + second + picture)


def maker_notes() -> bytes:
    """A directory of the camera's own, whose meaning only its maker knows."""
    inner = struct.pack("<H", 1) + struct.pack("<HHII", 0x927C, 7, 400, 26 + 18) + bytes(4) + b"MAKER\0" + bytes(394)
    return segment(0xE1, b"Exif\0\0" + tiff([(0x8769, 4, 1, struct.pack("<I", 26))]) + inner)


def iptc() -> bytes:
    """A Photoshop block with an IPTC by-line and a city."""
    records = b"".join(struct.pack(">BBBH", 0x1C, 2, key, len(value)) + value
                       for key, value in ((80, b"Sam Sample"), (90, b"Oxford")))  # fmt: skip
    return segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records)


def two_pictures() -> bytes:
    """A JPEG with a second one behind it and an index of both (MPF), as phones keep depth or a second lens."""
    out = io.BytesIO()
    samples.picture(320, 240).save(out, "MPO", save_all=True, append_images=[samples.picture(160, 120, shift=2)])
    return out.getvalue()


def motion_photo() -> bytes:
    """A JPEG with a film behind it, which its XMP tells the length of."""
    behind = film(frames=10)
    camera = 'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MicroVideo="1" '
    packet = described(f'{camera}GCamera:MicroVideoOffset="{len(behind)}"')
    return jpeg_xmp(packet, plain()) + behind


def phone_trailer() -> bytes:
    """A JPEG with a phone maker's own block behind its end."""
    return plain() + b"\0\0\x01\x0a\x08\0\0\0Image_UTC_Data1767225600000SEFHk\0\0\0\x01\0\0\0SEFT"


def cmyk(**options: int) -> bytes:
    """A JPEG in the colours of a printing press."""
    return saved(samples.picture(320, 240).convert("CMYK"), "JPEG", quality=95, **options)


def wide_profile() -> bytes:
    """A profile of wide colours with a maker's name and a serial number in it."""
    content = bytearray(samples.colour_profile())
    content[48:52], content[80:84] = b"SAMP", b"SN07"
    return bytes(content)


def patterned(form: str, **options: object) -> bytes:
    """A picture from which every turn and mirror image can be told."""
    image = samples.picture(96, 64)
    ImageDraw.Draw(image).line((0, 63, 40, 20), fill=(255, 255, 255), width=3)
    return saved(image, form, **options)


def turned(orientation: int) -> bytes:
    """A JPEG that is stored in another orientation than it is to be seen in."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return patterned("JPEG", quality=92, exif=exif.tobytes())


def png_after_header(*chunks: bytes, content: bytes | None = None) -> bytes:
    """A PNG with these chunks right behind its header."""
    content = samples.png(text={}) if content is None else content
    first, *rest = chunks_of(content)
    return content[:8] + first + b"".join(chunks) + b"".join(rest)


def extended_webp(flags: int, *, before: bytes = b"", behind: bytes = b"") -> bytes:
    """A WebP with an extended header and more chunks."""
    (picture,) = webp_chunks(samples.webp(64, 48, exif=False))
    size = (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    return riff(riff_chunk(b"VP8X", bytes((flags, 0, 0, 0)) + size), before, picture, behind)


def heic(*, pictures: int = 1, thumbnails: tuple[int, ...] = (), **options: object) -> bytes:
    """A HEIC with more in it than its picture."""
    made = pillow_heif.from_pillow(samples.picture(320, 240))
    for number in range(1, pictures):
        made.add_from_pillow(samples.picture(160, 120, shift=number))
    out = io.BytesIO()
    made.save(out, quality=80, thumbnails=list(thumbnails), **options)
    return out.getvalue()


def animated_avif() -> bytes:
    """An AVIF of three frames, without the times of today in its headers."""
    content = samples.avif(frames=3, exif=False)
    for kind in (b"mvhd", b"tkhd", b"mdhd"):
        content = patched(content, kind, bytes(16), at=4)  # version 1: two times of eight bytes
    return content


JPEGS: dict[str, Callable[[], bytes]] = {
    "camera.jpg": lambda: jpeg_with(camera_exif()),
    "camera-other-order.jpg": lambda: jpeg_with(camera_exif(big=True)),
    "place.jpg": samples.jpeg,
    "author.jpg": lambda: jpeg_with(exif_text(0x013B, samples.AUTHOR)),
    "copyright.jpg": lambda: jpeg_with(exif_text(0x8298, "(c) Sam Sample")),
    "thumbnail.jpg": lambda: jpeg_with(thumbnail_exif()),
    "old-thumbnail.jpg": lambda: jpeg_with(segment(0xE0, b"JFXX\0\x10" + small_jpeg())),
    "maker-notes.jpg": lambda: jpeg_with(maker_notes()),
    "xmp.jpg": lambda: samples.jpeg(exif=False, xmp=True),
    "xmp-place.jpg": lambda: jpeg_xmp(described('photoshop:City="Oxford"')),
    "faces.jpg": lambda: jpeg_xmp(xmp(FACES)),
    "edit-history.jpg": lambda: jpeg_xmp(xmp(HISTORY)),
    "iptc.jpg": lambda: jpeg_with(iptc()),
    "comment.jpg": lambda: samples.jpeg(exif=False, comment=samples.COMMENT),
    "many-comments.jpg": lambda: jpeg_with(*(segment(0xFE, b"note %d" % number) for number in range(60))),
    "unknown-segment.jpg": lambda: jpeg_with(segment(0xE9, b"VENDOR\0" + bytes(range(64)))),
    "credentials.jpg": lambda: jpeg_with(segment(0xEB, samples.content_credentials())),
    "profile.jpg": lambda: samples.jpeg(exif=False, icc=True),
    "profile-with-serial.jpg": lambda: saved(samples.picture(), "JPEG", quality=90, icc_profile=wide_profile()),
    "grey-with-profile.jpg": lambda: saved(samples.picture(mode="L"), "JPEG", icc_profile=wide_profile()),
    "cmyk.jpg": cmyk,
    "cmyk-full-colour.jpg": lambda: cmyk(subsampling=0),
    "two-pictures.jpg": two_pictures,
    "motion-photo.jpg": motion_photo,
    "phone-trailer.jpg": phone_trailer,
    "picture-behind.jpg": lambda: plain() + small_jpeg(),
    "everything.jpg": lambda: jpeg_with(
        camera_exif(), iptc(), segment(0xFE, b"note"), whole=samples.jpeg(icc=True, xmp=True, orientation=6)
    ),
    **{f"turned-{number}.jpg": (lambda number=number: turned(number)) for number in range(2, 9)},
}
OTHER_PICTURES: dict[str, Callable[[], bytes]] = {
    "words.png": lambda: samples.png(text={"Author": "Sam", "Title": "Open day", "Description": "A hall"}),
    "compressed-words.png": lambda: png(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a longer note " * 40))),
    "exif.png": lambda: samples.png(text={}, exif=True),
    "xmp.png": lambda: png_after_header(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + samples.XMP)),
    "time.png": lambda: png_after_header(chunk(b"tIME", struct.pack(">HBBBBB", 2026, 1, 1, 9, 30, 0))),
    "profile.png": lambda: samples.png(text={}, icc=True),
    "private-chunk.png": lambda: png_after_header(chunk(b"prVt", b"a program's own notes")),
    "credentials.png": lambda: png_after_header(chunk(b"caBX", samples.content_credentials())),
    "deep-with-words.png": lambda: png_after_header(chunk(b"tEXt", b"Author\0Sam"), content=deep_png()),
    "animated-with-words.png": lambda: png_after_header(chunk(b"tEXt", b"Author\0Sam"), content=animated("PNG")),
    "behind-the-last-line.png": lambda: packed_png(rows(64, 48) + b"end"),
    "hidden-colour.png": lambda: saved(_rubbed_out(), "PNG"),
    "comment.gif": samples.gif,
    "animated-comment.gif": lambda: samples.gif(frames=3),
    "behind-the-last-point.gif": lambda: gif(gif_frame(more=2, behind=b"ok")),
    "xmp.gif": lambda: gif(gif_extension(0xFF, samples.XMP, name=b"XMP DataXMP"), gif_frame()),
    "plain-text.gif": lambda: gif(gif_frame(), gif_extension(0xFE, b"made by Sam")),
    "program-block.gif": lambda: gif(gif_extension(0xFF, b"notes", name=b"SAMPLEAP1.0"), gif_frame()),
    "exif.webp": samples.webp,
    "xmp.webp": lambda: samples.webp(exif=False, xmp=True),
    "profile.webp": lambda: saved(samples.picture(160, 120), "WEBP", icc_profile=samples.colour_profile()),
    "animated-exif.webp": lambda: samples.webp(frames=3, xmp=True),
    "unknown-chunk.webp": lambda: extended_webp(0, behind=riff_chunk(b"NOTE", b"a program's own notes")),
    "place.heic": samples.heic,
    "turned.heic": lambda: samples.heic(orientation=6),
    "thumbnails.heic": lambda: heic(thumbnails=(64,)),
    "three-pictures.heic": lambda: heic(pictures=3),
    "xmp.heic": lambda: heic(xmp=samples.XMP),
    "place.avif": samples.avif,
    "animated.avif": animated_avif,
    "xmp.avif": lambda: saved(samples.picture(160, 120), "AVIF", quality=70, speed=10, xmp=samples.XMP),
}
TEXTS: dict[str, Callable[[], bytes]] = {
    "invisible.txt": "Open\u200b day\u2060 at\u00ad noon\u202e\u202c\n".encode,
    "decomposed.txt": "Cafe\u0301 and Universita\u0308t\n".encode,
    "tabs-and-blanks.txt": lambda: b"Open day   \t at noon  \n\n\n\n",
    "colours.srt": lambda: samples.srt(['<font color="#ff0000">Red</font>', "{\\an8}At the top"]),
    "notes.vtt": lambda: b"WEBVTT - made by Sam\n\nNOTE for Helen\n\n1\n00:00.000 --> 00:02.000\nHello\n",
    "styled.vtt": lambda: b"WEBVTT\n\nSTYLE\n::cue { color: red }\n\n00:00.000 --> 00:02.000\n<v Sam>Hello</v>\n",
    "placed.srt": lambda: b"1\n00:00:00,000 --> 00:00:02,000 X1:10 X2:90 Y1:10 Y2:20\nHello\n",
}


def _rubbed_out() -> Image.Image:
    """A picture whose left half is transparent and still has its colours."""
    image = samples.picture(160, 120).convert("RGBA")
    mask = Image.new("L", image.size, 255)
    ImageDraw.Draw(mask).rectangle((0, 0, 79, 119), fill=0)
    image.putalpha(mask)
    return image


FILES = JPEGS | OTHER_PICTURES | TEXTS
