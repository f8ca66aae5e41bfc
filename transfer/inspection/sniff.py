"""What a file's first bytes say it is, and whether that agrees with its name. The only door to libmagic.

What enters: the first bytes of an untrusted file and its extension. What leaves: one of our formats, or `Unfit`.
libmagic is trusted to name a type and nothing else; a real decode must agree before anything is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import pylibmagic  # noqa: F401  # must come before magic: it points libmagic at the database it was built with

# isort: split
import magic

from transfer.inspection.brands import film_type
from transfer.inspection.noticed import Unfit
from transfer.model.findings import Code
from transfer.model.media import Family, Format

HEAD_BYTES = 16_384

_BY_TYPE: Mapping[str, tuple[Format, ...]] = MappingProxyType(
    {
        "image/jpeg": (Format.JPEG,),
        "image/png": (Format.PNG,),
        "image/apng": (Format.PNG,),
        "image/vnd.mozilla.apng": (Format.PNG,),
        "image/webp": (Format.WEBP,),
        "image/gif": (Format.GIF,),
        "image/heic": (Format.HEIC,),
        "image/heic-sequence": (Format.HEIC,),
        # The brand that HEIC and AVIF have in common: which of the two it is, the decoder of that one alone will say.
        "image/heif": (Format.HEIC, Format.AVIF),
        "image/heif-sequence": (Format.HEIC, Format.AVIF),
        "image/avif": (Format.AVIF,),
        "image/avif-sequence": (Format.AVIF,),
        "video/mp4": (Format.MP4,),
        "video/x-m4v": (Format.MP4,),
        # What some cameras and phones call their MP4; whether there is a picture of an allowed codec shows later.
        "video/3gpp": (Format.MP4,),
        "audio/mp4": (Format.MP4,),
        "video/quicktime": (Format.MOV,),
        "video/webm": (Format.WEBM,),
    }
)
_PERHAPS_PROSE = frozenset({"application/x-subrip", "application/json", "application/x-ndjson"})
_NO_OPINION = frozenset({"application/octet-stream", "application/x-empty", ""})

# What libmagic is sure of when it says so, because such files begin with a line of their own.
_PROGRAMS = frozenset(
    {
        "text/html",
        "text/xml",
        "text/rtf",
        "text/javascript",
        "text/x-php",
        "text/x-shellscript",
        "text/x-perl",
        "text/x-python",
        "text/x-script.python",
        "text/x-ruby",
        "text/x-lua",
        "text/x-tcl",
        "text/x-awk",
        "text/x-gawk",
        "text/x-nawk",
        "text/x-msdos-batch",
        "text/x-wine-extension-reg",
        "text/x-ms-regedit",
        "image/svg+xml",
        "application/javascript",
        "application/rtf",
        "application/postscript",
        "application/x-mswinurl",
        "application/x-setupscript",
        "application/x-ms-shortcut",
        "application/x-tex",
        "text/x-tex",
        "text/vcard",
        "text/calendar",
        "application/xml",
        "application/x-dosexec",
        "application/x-executable",
        "application/x-sharedlib",
        "application/x-pie-executable",
        "application/x-mach-binary",
        "application/vnd.microsoft.portable-executable",
    }
)


class Sniffer:
    """libmagic with its database loaded: opens nothing once it is made."""

    def __init__(self) -> None:
        self._magic = magic.Magic(mime=True)

    def media_type(self, head: bytes) -> str:
        """The media type libmagic gives to these first bytes, or a film its brands; an empty string where both fail."""
        try:
            found = str(self._magic.from_buffer(head))
        except magic.MagicException:
            found = ""
        return film_type(head) or found if found in _NO_OPINION else found


def libmagic_version() -> str:
    """The version of libmagic in use, such as `5.41`."""
    number = int(magic.version())  # type: ignore[no-untyped-call]  # its stub has no annotation there
    return f"{number // 100}.{number % 100:02d}"


@cache
def format_of_suffix(suffix: str) -> Format | None:
    """The format that goes by this extension (with its dot, any case), if any."""
    wanted = suffix.lower()
    return next((form for form in Format if wanted in form.suffixes), None)


def agreed_format(sniffed: str, suffix: str) -> Format:
    """The one format that content and name agree on.

    Raises Unfit: TYPE_UNKNOWN where either names none of ours, TYPE_MISMATCH where they name different ones,
    TEXT_IS_PROGRAM where a file that goes by a text's name begins as a program or a markup document does.
    """
    named = format_of_suffix(suffix)
    found = _BY_TYPE.get(sniffed, ())
    if named is None:
        raise Unfit(Code.TYPE_UNKNOWN, suffix=suffix, content=sniffed)
    if named.family is Family.TEXT:
        return _agreed_text(sniffed, named)
    if named in found:
        return named
    if sniffed in _NO_OPINION:
        raise Unfit(Code.TYPE_UNKNOWN, suffix=suffix, content=sniffed)
    raise Unfit(Code.TYPE_MISMATCH, suffix=suffix, content=sniffed)


def _agreed_text(sniffed: str, named: Format) -> Format:
    if sniffed in _PROGRAMS:
        raise Unfit(Code.TEXT_IS_PROGRAM, content=sniffed)
    # libmagic guesses a dozen kinds of text from ordinary prose (a mail, a poem in C), and has no opinion on very short
    # ones: whether it really is text is for the strict decoder to say. Anything else it names is another format.
    prose = sniffed.startswith(("text/", "message/")) or sniffed in _PERHAPS_PROSE
    if not (prose or sniffed in _NO_OPINION):
        raise Unfit(Code.TYPE_MISMATCH, suffix=named.suffixes[0], content=sniffed)
    return named
