"""What was in a file and what is in its clean copy, side by side, for whoever is to sign and whoever audits.

What enters: a rebuilt item. What leaves: plain text in two columns. The left is what inspection and the rebuild met;
the right is what another process, which has never seen the original, found in the finished copy. Neither holds a
value out of the file: only names of kinds, numbers and codecs.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transfer.model.states import Rebuilt

_COLUMN, _GAP = 44, 3
_PARTS = ("segments:", "chunks:", "boxes:", "elements:", "blocks:")


def before_and_after(rebuilt: Rebuilt) -> str:
    """The whole page."""
    examined, clean = rebuilt.examined, rebuilt.clean
    raw, item = examined.spooled.raw, examined.spooled.arrived.item
    before = [
        examined.media.format.value,
        f"{raw.size:,} bytes",
        f"SHA-256 {raw.sha256}",
        *(f"stream {number}: {one.kind} {one.codec}" for number, one in enumerate(examined.media.streams)),
    ]
    after = [clean.format.value, f"{clean.size:,} bytes", f"SHA-256 {clean.sha256}"]
    title = f"Before and after: {item}"
    lines = [
        title,
        "=" * len(title),
        "",
        *_columns(["AS IT CAME"], ["AS IT WOULD GO"]),
        *_columns(before, after),
        "",
        *_columns(["TAKEN OUT"], ["LEFT, AS A SECOND READER SAW IT"]),
        *_columns(rebuilt.rebuild.removed or ["nothing that was found"], rebuilt.left or ["not recorded"]),
    ]
    return "\n".join(lines) + "\n"


def told_parts(left: Iterable[str]) -> tuple[str, ...]:
    """Of what is left, what it is (pictures, sounds, texts) and not of which parts its file is made."""
    return tuple(line for line in left if not line.startswith(_PARTS))


def _columns(left: Iterable[str], right: Iterable[str]) -> Iterator[str]:
    pairs = itertools.zip_longest(_wrapped(left), _wrapped(right), fillvalue="")
    return (f"{one:<{_COLUMN + _GAP}}{other}".rstrip() for one, other in pairs)


def _wrapped(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield from textwrap.wrap(line, _COLUMN, subsequent_indent="  ")
