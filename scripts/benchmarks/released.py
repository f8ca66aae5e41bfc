"""A past of releases, as far as what they looked like goes: fingerprints of pictures that resemble no other."""

from __future__ import annotations

import random
from pathlib import Path

from transfer.model.fingerprint import Fingerprint
from transfer.model.identifiers import item_id_from_entropy
from transfer.store.fingerprints import Fingerprints
from transfer.wiring import open_site
from transfer.workspace import Workspace

_AT_ONCE = 2_000


def release(root: Path, number: int) -> None:
    """The workspace at `root` has so many afterwards, through the same table as those of real releases."""
    site = open_site(Workspace(root))
    prints = Fingerprints()
    dice = random.Random(number)
    with site.db.read() as tx:
        there = prints.count(tx)
    for start in range(there, number, _AT_ONCE):
        with site.db.write() as tx:
            for each in range(start, min(start + _AT_ONCE, number)):
                digits = f"{dice.getrandbits(256):064x}"
                made = Fingerprint(hash=digits, mirrored=digits, quality=100)
                prints.released(tx, item_id_from_entropy(each.to_bytes(5, "big")), [made])
    site.db.close()
