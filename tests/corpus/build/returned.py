"""Files that carry a mark which TikTok writes into what it hands out. What the gateway made itself, the tests make."""

from __future__ import annotations

from collections.abc import Callable

from tests import samples
from tests.corpus.build.clean import saved
from tests.corpus.build.films import film
from tests.corpus.build.parts import (
    chunk,
    described,
    element,
    gif,
    gif_extension,
    gif_frame,
    in_segment,
    jpeg_with,
    jpeg_xmp,
    png,
    segment,
    tiff,
)

MARK = "vid:v09044g40000cabcdefghijk1234567"


def _user_comment() -> bytes:
    """The mark in EXIF's own comment, behind the name of its letters."""
    value = b"ASCII\0\0\0" + MARK.encode()
    return segment(0xE1, b"Exif\0\0" + tiff([(0x9286, 7, len(value), value)]))


def _tag(name: str, words: str) -> bytes:
    tag = element(0x67C8, element(0x45A3, name.encode()), element(0x4487, words.encode()))
    return element(0x1254C367, element(0x7373, tag))


FILES: dict[str, Callable[[], bytes]] = {
    "comment.mp4": lambda: film(tags={"comment": MARK}),
    "comment.mov": lambda: film(form="mov", tags={"comment": MARK}),
    "description.mp4": lambda: film(tags={"description": f"saved {MARK}"}),
    "key.mp4": lambda: film(tags={"aigc_info": '{"aigc_label_type":0}'}, movflags="use_metadata_tags"),
    "key.mov": lambda: film(form="mov", tags={"aigc_info": '{"aigc_label_type":2}'}, movflags="use_metadata_tags"),
    "comment.webm": lambda: film(form="webm", codec="libvpx", audio="", tags={"comment": MARK}),
    "key.webm": lambda: in_segment(film(form="webm", codec="libvpx", audio=""), _tag("AIGC_INFO", "{}")),
    "comment.jpg": lambda: jpeg_with(segment(0xFE, MARK.encode())),
    "user-comment.jpg": lambda: jpeg_with(_user_comment()),
    "xmp.jpg": lambda: jpeg_xmp(described(f'dc:description="{MARK}"')),
    "key.jpg": lambda: jpeg_xmp(described('photoshop:Instructions="aigc_info"')),
    "text.png": lambda: png(chunk(b"tEXt", b"Comment\0" + MARK.encode())),
    "comment.gif": lambda: gif(gif_extension(0xFE, MARK.encode()), gif_frame()),
    "xmp.webp": lambda: saved(samples.picture(64, 48), "WEBP", xmp=described(f'dc:source="{MARK}"')),
    "fragmented.mp4": lambda: film(tags={"comment": MARK}, movflags="frag_keyframe+empty_moov+default_base_moof"),
}
