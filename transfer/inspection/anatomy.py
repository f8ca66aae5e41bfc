"""What a file holds besides its picture or film, and whether it is built as files of its kind are: the record. Pure.

What enters: what a walker (`structure_…`, `anatomy_boxes`, `structure_ebml`) comes across in an untrusted file. What
leaves: an `Anatomy`: kinds of metadata with their raw texts (bounded) to be searched, what stands behind the end, files
of another kind inside (G5, G6), and where the file breaks the rules of its format. A walker raises nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from transfer.inspection.programs import program_in
from transfer.inspection.second_files import (
    ARCHIVE_END_BYTES,
    begins_as,
    begins_as_markup,
    ends_as_archive,
    holds,
    is_packet,
)

MAX_KINDS = 64
MAX_TEXTS = 1_024
MAX_TEXT_BYTES = 262_144
MAX_ALL_TEXT_BYTES = 4_194_304
MAX_INFLATED = 1_048_576  # of one compressed text or profile
MAX_PROBLEMS = 8

PADDING = b"\0 \t\r\n\xff"
_LOOKS = (
    (re.compile(rb".{0,64}?ftyp", re.DOTALL), "video"),
    (re.compile(rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|RIFF....WEBP", re.DOTALL), "picture"),
    (re.compile(rb"\x1a\x45\xdf\xa3"), "video"),
    (re.compile(rb"[\t\n\r\x20-\x7e]{16}"), "text"),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One breach of the format's rules: a fixed sentence of ours, and at which byte."""

    problem: str
    at: int


@dataclass(frozen=True, slots=True)
class Second:
    """A file of another kind inside: what it looks like, and in which part."""

    looks: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedPoints:
    """The packed points of one picture: in which stretches of the file, and how much of them it needs.

    `needs` counts unpacked bytes of a PNG, points of a GIF; `lzw` is the code width a GIF's begin with, less one.
    """

    needs: int
    spans: list[tuple[int, int]] = field(default_factory=list)
    lzw: int = 0


@dataclass(slots=True)
class Anatomy:
    """What was found in one file.

    `trailing` counts the bytes behind its end that look harmless, `looks` is what they look like. `frames` of an
    animation, `tracks` and `packets` of a film are counted as they are declared; 0 where there is nothing to count.
    """

    kinds: list[str] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    credentials: bool = False
    trailing: int = 0
    looks: str = ""
    truncated: bool = False
    problems: list[Problem] = field(default_factory=list)
    seconds: list[Second] = field(default_factory=list)
    inflates: str = ""  # which part unpacks to more than it may
    attachments: int = 0
    unreferenced: int = 0  # bytes of a film's media data that belong to no sample
    packed: list[PackedPoints] = field(default_factory=list)  # of a PNG or GIF, in the file's order
    behind_points: int = 0  # bytes in a picture's packed data that stand behind its last line
    frames: int = 0
    tracks: int = 0
    packets: int = 0
    duration: int = 0  # seconds a film says it lasts
    text_bytes: int = 0

    def note(self, kind: str, payload: bytes = b"", *, starts: int = 0) -> None:
        """Metadata of this kind, with the bytes to search; what counts as its words begins at `starts`."""
        if kind not in self.kinds and len(self.kinds) < MAX_KINDS:
            self.kinds.append(kind)
        if not payload:
            return
        self.search(payload, where=kind, starts=starts)
        self._keep(payload)

    def _keep(self, payload: bytes) -> None:
        """These bytes are searched for marks later, as far as there is room."""
        kept = payload[: min(MAX_TEXT_BYTES, MAX_ALL_TEXT_BYTES - self.text_bytes)]
        if kept and len(self.texts) < MAX_TEXTS:
            self.texts.append(kept)
            self.text_bytes += len(kept)

    def search(self, payload: bytes, *, where: str, starts: int = 0) -> None:
        """Is there a file of another kind in these bytes?"""
        looks = begins_as(payload[starts : starts + 512]) or holds(payload)
        if looks:
            self.second(looks, where)

    def second(self, looks: str, where: str) -> None:
        """A file of another kind stands there."""
        second = Second(looks, where)
        if second not in self.seconds and len(self.seconds) < MAX_PROBLEMS:
            self.seconds.append(second)

    def broken(self, problem: str, at: int) -> None:
        """The file breaks a rule of its format there. `problem` is a sentence of ours and holds nothing of the file."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(problem, at))

    def trail(self, tail: bytes, count: int, *, known: int = 0) -> None:
        """So many bytes stand behind the end, beginning with `tail`; the first `known` of them are pictures or films.

        Nothing but padding is nothing.
        """
        behind = tail.lstrip(PADDING)
        if count <= 0 or not behind:
            return
        rest = tail[known:].lstrip(PADDING)
        looks = begins_as(rest[:512]) or holds(tail) or ("markup" if begins_as_markup(rest[:512]) else "")
        if not looks and not is_packet(rest[:512]):
            looks = program_in(rest[:MAX_TEXT_BYTES])
        if looks:
            self.second(looks, "behind the end")
            return
        self.trailing = count
        first = tail.lstrip(b"\0 \t\r\n")
        self.looks = next((name for pattern, name in _LOOKS if pattern.match(first)), "unknown")
        if self.looks in {"text", "unknown"}:
            self._keep(rest)

    def ends(self, head: bytes, tail: bytes) -> None:
        """The file's own first 1,024 bytes and its last: readers of PDF and HTML look there, and of ZIP here."""
        if self.seconds:
            return
        looks = holds(head)
        if looks in {"pdf", "markup"}:
            self.second(looks, "its beginning")
        elif ends_as_archive(tail[-ARCHIVE_END_BYTES:]):
            self.second("zip", "its end")
