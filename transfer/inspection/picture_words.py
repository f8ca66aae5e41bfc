"""Words that a reader finds in pictures go through the same lists as a caption's.

What enters: a few decoded pictures of one untrusted file, one after another. What leaves: findings with `where` =
"picture", or `text-unread` where there is no reader or it gave up: what was to be read never passes unread in silence.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from transfer.inspection.metadata import marking_findings
from transfer.inspection.noticed import noticed
from transfer.inspection.personal_data import personal_data_in
from transfer.model.findings import Code, Finding
from transfer.model.search import Search

MAX_PICTURES = 5  # of one file that are read

Reader = Callable[[Image.Image], str]  # the words in a picture, a line each


class Words:
    """What was read in one file. Used by one decoder, and thrown away with it."""

    def __init__(self, read: Reader | None) -> None:
        self._read = read
        self._texts: list[str] = []
        self._looked = 0
        self._problem = "" if read is not None else "what reads them is not installed"

    def look(self, picture: Image.Image) -> None:
        """Read this picture, if not enough were read. Raises MemoryError: that is the sandbox's."""
        self._looked += 1
        if self._read is None or self._problem or self._looked > MAX_PICTURES:
            return
        try:
            self._texts.append(self._read(picture))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - a library of many parts, over an untrusted picture; its words are not ours
            self._problem = "what reads them gave up"

    def findings(self, search: Search) -> tuple[Finding, ...]:
        """What stands in all that was read."""
        text = "\n".join(dict.fromkeys(self._texts))
        unread = (noticed(Code.TEXT_UNREAD, problem=self._problem),) if self._problem else ()
        return (
            *unread,
            *marking_findings(text, search, where="picture"),
            *personal_data_in(text, search, where="picture"),
        )
