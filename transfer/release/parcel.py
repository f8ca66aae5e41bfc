"""The one place where a parcel is made: approved bytes with the names they will have on the device's side.

What enters: an `Approved`, which only a verified chain of signatures makes. What leaves: a `Parcel` for exactly the
approved digest; the sink hashes what it writes and publishes nothing else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import BinaryIO

from transfer.errors import Tampered
from transfer.model.ends import Parcel
from transfer.model.identifiers import ItemId, Sha256
from transfer.model.names import SafeName, parse_safe_name, safe_name
from transfer.model.states import Approved, CleanBlob
from transfer.store.releases import ReleaseRow

MANIFEST_NAME = parse_safe_name("manifest.note")
_TEMPORARY = re.compile(r"part-[0-9a-f]{16}\.tmp")


def approved_item(approved: Approved) -> ItemId:
    """Which item it is."""
    return approved.held.rebuilt.examined.spooled.arrived.item


def approved_clean(approved: Approved) -> CleanBlob:
    """Which bytes were approved."""
    return approved.held.rebuilt.clean


def wanted_name(approved: Approved) -> SafeName:
    """The name it would like: the sender's, with the extension of what we made of it."""
    name = approved.held.rebuilt.examined.spooled.arrived.name
    suffixes = approved_clean(approved).format.suffixes
    return name if name.suffix == suffixes[0] else name.with_suffix(suffixes[0])


def temporary_name(entropy: bytes) -> SafeName:
    """A name nobody can guess for the time of writing."""
    return safe_name(f"part-{entropy.hex()}.tmp")


def is_temporary(name: SafeName) -> bool:
    """Whether it is a name for the time of writing."""
    return _TEMPORARY.fullmatch(name.text) is not None


def name_digest(name: SafeName) -> Sha256:
    """What stands for a name on the device's side in rows that are to hold none."""
    return Sha256(hashlib.sha256(name.text.encode()).hexdigest())


def make_parcel(approved: Approved, *, row: ReleaseRow, content: BinaryIO, still_stands: Callable[[], None]) -> Parcel:
    """The parcel of a recorded release. Raises Tampered if what was recorded is not what was approved."""
    clean = approved_clean(approved)
    if (row.item, row.sha256, row.size) != (approved_item(approved), clean.sha256, clean.size):
        raise Tampered(
            f"The release recorded for {row.item} has other bytes than the approval.",
            advice="Verify the log with `transfer audit verify`.",
            clauses=("G6",),
        )
    return Parcel(
        item=row.item,
        clean=clean,
        name=row.name,
        temporary=row.temporary,
        content=content,
        still_stands=still_stands,
    )
