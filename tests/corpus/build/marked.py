"""Files that say they are not for everyone, in their name, their words or their metadata; and words about people."""

from __future__ import annotations

from collections.abc import Callable

from tests import samples
from tests.corpus.build.careless import heic, plain
from tests.corpus.build.clean import saved
from tests.corpus.build.films import film
from tests.corpus.build.parts import (
    chunk,
    described,
    exif_text,
    gif,
    gif_extension,
    gif_frame,
    jpeg_with,
    jpeg_xmp,
    png,
    segment,
    tiff,
    xmp,
)

OTHER_LABEL = "f42aa342-8706-4288-bd11-ebb85995028c"


def label(guid: str, *, name: str = "Restricted") -> str:
    """A sensitivity label as Purview writes it into document properties, as attributes."""
    key = f"pdfx:MSIP_Label_{guid}"
    return (
        f'{key}_Enabled="true" {key}_Method="Standard" {key}_Name="{name}" '
        f'{key}_SiteId="72f988bf-86f1-41af-91ab-2d7cd011db47" {key}_ContentBits="0"'
    )


def label_elements(guid: str) -> bytes:
    """The same as elements of XMP."""
    inside = f"<msip:MSIP_Label_{guid}_Enabled>true</msip:MSIP_Label_{guid}_Enabled>"
    space = 'xmlns:msip="http://schemas.microsoft.com/office/2014/sensitivity"'
    return xmp(f'<rdf:Description rdf:about="" {space}>{inside}</rdf:Description>')


def _wide_comment(words: str) -> bytes:
    """Windows' own comment field, in UTF-16."""
    value = words.encode("utf-16-le") + b"\0\0"
    return segment(0xE1, b"Exif\0\0" + tiff([(0x9C9C, 1, len(value), value)]))


def _caption(words: str) -> Callable[[], bytes]:
    return f"{words}\n".encode


NAMES: dict[str, Callable[[], bytes]] = {
    "CONFIDENTIAL plan.jpg": plain,
    "top-secret_lab.png": png,
    "internal use only.mp4": lambda: film(frames=5, audio=""),
    "Official-Sensitive.webp": lambda: samples.webp(exif=False),
    "draft.txt": _caption("Come to our open day"),
    "photo (EMBARGOED).heic": lambda: samples.heic(exif=False),
    "\uff32\uff25\uff33\uff34\uff32\uff29\uff23\uff34\uff25\uff24.gif": lambda: gif(gif_frame()),
}
WORDS: dict[str, Callable[[], bytes]] = {
    "marked-caption.txt": _caption("OFFICIAL-SENSITIVE: not before Friday"),
    "quiet-mark.txt": _caption("This is strictly confidential, please"),
    "capitals-only.txt": _caption("RESTRICTED until the ceremony"),
    "joined-mark.txt": _caption("STRICTLY_CONFIDENTIAL notes"),
    "broken-line.txt": _caption("NOT FOR\nPUBLICATION"),
    "accented-mark.txt": _caption("CO\u0301NFIDENTIAL"),
    "split-by-nothing.txt": _caption("CONFI\u200bDENTIAL"),
    "marked.srt": lambda: samples.srt(["INTERNAL USE ONLY"]),
    "marked.vtt": lambda: samples.vtt(["Embargoed until Monday"]),
}
METADATA: dict[str, Callable[[], bytes]] = {
    "marked-exif.jpg": lambda: jpeg_with(exif_text(0x010E, "CONFIDENTIAL")),
    "marked-wide-comment.jpg": lambda: jpeg_with(_wide_comment("Strictly confidential")),
    "marked-comment.jpg": lambda: jpeg_with(segment(0xFE, b"not for publication")),
    "marked-xmp.jpg": lambda: jpeg_xmp(described('photoshop:Instructions="Embargoed until Friday"')),
    "marked-text.png": lambda: png(chunk(b"tEXt", b"Description\0TOP SECRET")),
    "marked-wide-text.png": lambda: png(chunk(b"iTXt", b"Comment\0\0\0\0\0strictly confidential")),
    "marked-comment.gif": lambda: gif(gif_extension(0xFE, b"CONFIDENTIAL"), gif_frame()),
    "marked-xmp.webp": lambda: saved(samples.picture(64, 48), "WEBP", xmp=described('dc:title="INTERNAL USE ONLY"')),
    "marked-xmp.heic": lambda: heic(xmp=described('dc:title="TOP SECRET"')),
    "marked-title.mp4": lambda: film(tags={"title": "CONFIDENTIAL"}),
    "marked-title.mov": lambda: film(form="mov", tags={"title": "Not for release"}),
    "marked-title.webm": lambda: film(form="webm", codec="libvpx", audio="", tags={"title": "OFFICIAL-SENSITIVE"}),
    "marked-track.mp4": lambda: film(stream_tags={"handler_name": "CONFIDENTIAL"}),
    "label-in-xmp.jpg": lambda: jpeg_xmp(described(label(OTHER_LABEL))),
    "label-in-elements.jpg": lambda: jpeg_xmp(label_elements(OTHER_LABEL)),
    "label-in-exif.jpg": lambda: jpeg_with(exif_text(0x010E, f"MSIP_Label_{OTHER_LABEL}_Enabled=true")),
    "label-in-text.png": lambda: png(chunk(b"tEXt", f"MSIP_Label_{OTHER_LABEL}_Enabled\0true".encode())),
    "label-in-wide-text.jpg": lambda: jpeg_with(_wide_comment(f"MSIP_Label_{OTHER_LABEL}_Name=Secret")),
    "label-in-tags.mp4": lambda: film(tags={f"MSIP_Label_{OTHER_LABEL}_Enabled": "true"}, movflags="use_metadata_tags"),
    "label-in-tags.webm": lambda: film(
        form="webm", codec="libvpx", audio="", tags={f"MSIP_Label_{OTHER_LABEL}_Enabled": "true"}
    ),
    "label-in-xmp.webp": lambda: saved(samples.picture(64, 48), "WEBP", xmp=described(label(OTHER_LABEL))),
}
PEOPLE: dict[str, Callable[[], bytes]] = {
    "address.txt": _caption("Write to sam.sample@students.university.example for tickets"),
    "telephone.txt": _caption("Call Helen on +44 20 7946 0958 until noon"),
    "bank.txt": _caption("Pay to GB82 WEST 1234 5698 7654 32, thank you"),
    "card.txt": _caption("My card is 4111 1111 1111 1111"),
    "address.srt": lambda: samples.srt(["Write to sam.sample@mail.example"]),
    "telephone.vtt": lambda: samples.vtt(["Ring +44 20 7946 0958"]),
}
FILES = NAMES | WORDS | METADATA | PEOPLE
