"""What a file can be, and what inspection learns about it. Everything here may come out of a sandbox child:
numbers, enumerations and short printable ASCII only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """The three kinds of media the line carries."""

    IMAGE = "image"
    VIDEO = "video"
    TEXT = "text"


class Format(StrEnum):
    """The formats we understand to the last byte, by media type."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    GIF = "image/gif"
    HEIC = "image/heic"
    AVIF = "image/avif"
    MP4 = "video/mp4"
    MOV = "video/quicktime"
    WEBM = "video/webm"
    TEXT = "text/plain"
    SRT = "application/x-subrip"
    VTT = "text/vtt"

    @property
    def family(self) -> Family:
        """Which of the three kinds it belongs to."""
        if self.value.startswith("image/"):
            return Family.IMAGE
        return Family.VIDEO if self.value.startswith("video/") else Family.TEXT

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The extensions this format goes by; the first is the one we write."""
        return _SUFFIXES[self]


_SUFFIXES: dict[Format, tuple[str, ...]] = {
    Format.JPEG: (".jpg", ".jpeg", ".jpe", ".jfif"),
    Format.PNG: (".png",),
    Format.WEBP: (".webp",),
    Format.GIF: (".gif",),
    Format.HEIC: (".heic", ".heif"),
    Format.AVIF: (".avif",),
    Format.MP4: (".mp4", ".m4v"),
    Format.MOV: (".mov", ".qt"),
    Format.WEBM: (".webm",),
    Format.TEXT: (".txt", ".text", ".caption"),
    Format.SRT: (".srt",),
    Format.VTT: (".vtt",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts:
    """One stream of a container: FFmpeg's kind (video, audio, subtitle, data, attachment) and codec name."""

    kind: str
    codec: str


# Sound that is not coded, by FFmpeg's names of codecs: what cameras record beside a coded picture.
PLAIN_SOUND = frozenset(
    f"pcm_{kind}" for kind in ("s8", "u8", "s16le", "s16be", "s24le", "s24be", "s32le", "s32be", "f32le", "f32be")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """What inspection found: pixels as displayed (orientation applied), frames, milliseconds, characters of text."""

    format: Format
    width: int = 0
    height: int = 0
    frames: int = 0
    duration_ms: int = 0
    characters: int = 0
    streams: tuple[StreamFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildFacts:
    """What the rebuild did. `removed` names what was there and is gone: `EXIF`, `XMP`, `GPS`, `stream data gpmd`, …

    For video, packets are counted per kept stream before and after; they are equal or the rebuild failed.
    """

    format: Format
    width: int = 0
    height: int = 0
    frames: int = 0
    duration_ms: int = 0
    packets_in: int = 0
    packets_out: int = 0
    removed: tuple[str, ...] = ()
