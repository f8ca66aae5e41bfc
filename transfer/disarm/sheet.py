"""The gateway's side of a contact sheet: asks one child for it, has another prove that it is nothing but a picture.

What enters: a clean blob. What leaves: the bytes of a plain JPEG, for a person to look at before they sign, or None
where there is none to be had. Nothing is decided by it: what is approved is the file's digest.
"""

from __future__ import annotations

import os
import tempfile
from typing import BinaryIO, Protocol

from transfer.disarm.rebuild import ResidueReaders
from transfer.errors import Refusal
from transfer.model.identifiers import Sha256
from transfer.model.limits import MediaLimits
from transfer.model.media import Family, Format
from transfer.model.states import CleanBlob
from transfer.sandbox.replies import RebuildReply
from transfer.store.durable import world_errors

MAX_BYTES = 16 << 20
SECONDS = 60.0


class Drawer(Protocol):
    """A leased MEDIA child, as far as this needs it."""

    def sheet(
        self,
        clean: int,
        output: int,
        /,
        *,
        format: Format,  # noqa: A002 - the word of the wire protocol
        limits: MediaLimits,
        seconds: float,
        second: int = 0,
    ) -> RebuildReply:
        """Raises ChildFault, Unavailable."""
        ...


class CleanBlobs(Protocol):
    """Opens files that we made."""

    def open_clean(self, sha256: Sha256, /) -> BinaryIO:
        """Raises Tampered if it is missing."""
        ...


def contact_sheet(
    clean: CleanBlob, *, child: Drawer, residue: ResidueReaders, blobs: CleanBlobs, limits: MediaLimits
) -> bytes | None:
    """A JPEG of at most 16 MiB; None for a text, and for what cannot be drawn. Raises Tampered, Unavailable."""
    if clean.format.family is Family.TEXT:
        return None
    with blobs.open_clean(clean.sha256) as content:
        return _drawn(content, clean.format, child=child, residue=residue, limits=limits)


def side_by_side(
    first: bytes, second: bytes, *, child: Drawer, residue: ResidueReaders, limits: MediaLimits
) -> bytes | None:
    """Two of our contact sheets on one, as a JPEG of at most 16 MiB; None if it cannot be drawn. Raises Unavailable."""
    with _scratch() as both:
        with world_errors("writing a temporary file"):
            both.write(first + second)
            both.flush()
        return _drawn(both, Format.JPEG, child=child, residue=residue, limits=limits, second=len(first))


def _drawn(
    content: BinaryIO, form: Format, *, child: Drawer, residue: ResidueReaders, limits: MediaLimits, second: int = 0
) -> bytes | None:
    with _scratch() as output:
        try:
            reply = child.sheet(
                content.fileno(), output.fileno(), format=form, limits=limits, seconds=SECONDS, second=second
            )
            if reply.facts is None or not 0 < os.fstat(output.fileno()).st_size <= MAX_BYTES:
                return None
            with residue.lease() as reader:
                if reader.residue(output.fileno(), format=Format.JPEG, seconds=SECONDS).findings:
                    return None
        except Refusal:  # a child that crashed over it: whoever signs is told that there is no sheet
            return None
        output.seek(0)
        return output.read(MAX_BYTES)


def _scratch() -> BinaryIO:
    with world_errors("making a temporary file"):
        return tempfile.TemporaryFile()
