"""The writing child's one entry: a raw file on one descriptor becomes a new file on another, or findings say why not.

What enters: two descriptors, the format that inspection found, the policy's limits and the recipe; perhaps the picture
that inspection has just decoded from the same file. What leaves: facts and findings. The facts are claims of a process
that has seen hostile bytes: the gateway hashes the output itself and has another process read it.
"""

from __future__ import annotations

import errno
import os
import pkgutil
import re
import struct
import zlib
from importlib import import_module

import av
import av.error
import av.logging
from PIL import Image

from transfer.disarm.descriptors import OutputFault, read_whole, write_whole
from transfer.disarm.encode import encode_video
from transfer.disarm.images import remake_image
from transfer.disarm.images import warm as warm_images
from transfer.disarm.text import remake_text
from transfer.disarm.video import remake_video
from transfer.errors import Refusal
from transfer.model.findings import Code, Finding
from transfer.model.limits import MediaLimits
from transfer.model.media import Family, Format, RebuildFacts
from transfer.model.recipe import Films, Recipe

DISK_FULL = "disk-full"
_FULL = {errno.ENOSPC, errno.EDQUOT}
# Under which name a sentence of ours stands in a finding, so that the policy's rule can say it; a decoder's own words,
# which may quote the file, are never said.
_WORDS = {Code.REBUILD_FAILED: "why", Code.UNDECODABLE: "problem"}
_UNPRINTABLE = re.compile(r"[^ -~]+")
# What decoders raise for a broken file; anything else is a defect of ours and ends the child.
_BROKEN = (
    av.error.FFmpegError,
    OSError,
    EOFError,
    ValueError,  # UnicodeError too
    SyntaxError,  # Pillow's plugins
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
)


def warm() -> None:
    """Imports and exercises everything that a confined process could not open by name later."""
    av.logging.set_level(None)
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    warm_images()


def remake(
    raw: int,
    out: int,
    *,
    format: Format,  # noqa: A002 - the word of the wire protocol
    recipe: Recipe,
    limits: MediaLimits,
    decoded: object | None = None,
) -> tuple[RebuildFacts | None, tuple[Finding, ...]]:
    """Writes the new file into `out`, an empty file open for reading and writing.

    `decoded` is a `PIL.Image.Image` of the same raw file, loaded at full size, not yet turned. Facts, or findings: one
    with `world` in its detail means that the output could not be written (`disk-full`), which is not the file's fault.
    """
    picture = decoded if isinstance(decoded, Image.Image) else None
    try:
        return _remake(raw, out, form=format, recipe=recipe, limits=limits, picture=picture), ()
    except Refusal as refusal:
        return None, (_finding(Code(refusal.code), refusal.sentence, key=_WORDS.get(Code(refusal.code), "reason")),)
    except OutputFault as fault:
        world = DISK_FULL if fault.errno in _FULL else os.strerror(fault.errno)
        return None, (Finding(code=Code.REBUILD_FAILED, detail={"world": world}),)
    except Image.DecompressionBombError:
        return None, (_finding(Code.TOO_MANY_PIXELS, "The picture has too many pixels."),)
    except MemoryError:
        raise  # the child says so itself; FFmpeg has one that is also an FFmpegError
    except _BROKEN as error:
        return None, (_finding(Code.REBUILD_FAILED, f"{type(error).__name__}: {error}"),)


def _remake(
    raw: int, out: int, *, form: Format, recipe: Recipe, limits: MediaLimits, picture: Image.Image | None
) -> RebuildFacts:
    if form.family is Family.VIDEO:
        if os.fstat(raw).st_size > limits.video_bytes:
            raise Refusal(f"The film has more than {limits.video_bytes} bytes.", code=Code.TOO_LARGE)
        way = encode_video if recipe.films is Films.ENCODE else remake_video
        return way(raw, out, form=form, recipe=recipe, limits=limits)
    if form.family is Family.TEXT:
        content, facts = remake_text(read_whole(raw, limit=limits.text_bytes), form=form, limits=limits)
    else:
        untrusted = read_whole(raw, limit=limits.image_bytes)
        content, facts = remake_image(untrusted, form=form, recipe=recipe, limits=limits, decoded=picture)
    write_whole(out, content)
    return facts


def _finding(code: Code, reason: str, *, key: str = "reason") -> Finding:
    return Finding(code=code, detail={key: _UNPRINTABLE.sub("?", reason)[:120]})
