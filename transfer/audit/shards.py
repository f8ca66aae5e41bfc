"""Shards: one log after the other, each sealed and announcing the next; the names, and where the sealed ones lie.

    log/                       the running shard
    log/archive/<label>/       a sealed one: the same files, and the proofs of its first and its last entry

The origin of a shard ends with the year of its opening (`…/audit/2026`), a second one of the same year with a number
(`…/audit/2026.2`); the last segment is its label. A log whose origin has no year is labelled `first`.

What enters: origins, and the public folder. What leaves: labels, the next origin, the folders of sealed shards in
their order. Nothing is trusted here: `transfer.shards` verifies the links.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from transfer.audit.notes import Ed25519Verifier
from transfer.audit.reader_folder import ARCHIVE, FolderReader
from transfer.errors import Tampered
from transfer.store.durable import TEMPORARY_PREFIX, world_errors

FIRST = "first"
_LABEL = re.compile(r"([0-9]{4})(?:\.([1-9][0-9]{0,3}))?")


def label_of(origin: str) -> str:
    """How the folder of this shard is called once it is sealed."""
    last = origin.rpartition("/")[2]
    return last if _LABEL.fullmatch(last) else FIRST


def year_of(origin: str) -> int | None:
    """The year in its name, if it has one."""
    match = _LABEL.fullmatch(origin.rpartition("/")[2])
    return int(match[1]) if match else None


def family_of(origin: str) -> str:
    """What all shards of one log have in common."""
    return origin.rpartition("/")[0] if year_of(origin) is not None else origin


def is_over(origin: str, year: int) -> bool:
    """Whether a shard of this name is of a year before `year`."""
    named = year_of(origin)
    return named is not None and named < year


def next_origin(origin: str, year: int) -> str:
    """The name of the shard that follows this one, when it is opened in `year`; never an earlier one."""
    prefix, _, last = origin.rpartition("/")
    match = _LABEL.fullmatch(last)
    if match is None:
        return f"{origin}/{year}"
    if int(match[1]) < year:
        return f"{prefix}/{year}"
    return f"{prefix}/{match[1]}.{int(match[2] or 1) + 1}"


def may_follow(origin: str, candidate: str, year: int) -> bool:
    """Whether `candidate` can be the name of a later shard of this log, opened in `year` or prepared in it."""
    named = year_of(candidate)
    latest = max(year, year_of(origin) or 0) + 1  # a clock may have been set back
    if named is None or named > latest or family_of(candidate) != family_of(origin):
        return False
    return place_of(label_of(candidate)) > place_of(label_of(origin))


def place_of(label: str) -> tuple[int, int]:
    """By this shards are ordered. Raises Tampered for what is no label."""
    match = _LABEL.fullmatch(label)
    if match is None and label != FIRST:
        raise _foreign(label)
    return (int(match[1]), int(match[2] or 1)) if match else (0, 0)


def archived(log_dir: Path) -> list[FolderReader]:
    """The sealed shards beside a running one, oldest first. Raises Tampered for anything else that lies there."""
    folder = log_dir / ARCHIVE
    with world_errors(f"reading {log_dir.name}/{ARCHIVE}"):
        try:
            names = [name for name in os.listdir(folder) if not name.startswith(TEMPORARY_PREFIX)]
        except FileNotFoundError:
            return []
        for name in sorted(names):
            place_of(name)
            if (folder / name).is_symlink() or not (folder / name).is_dir():
                raise _foreign(name)
            if (folder / name / ARCHIVE).exists():
                raise _foreign(f"{name}/{ARCHIVE}")
    return [FolderReader(folder / label) for label in sorted(names, key=place_of)]


def is_switching(log_dir: Path) -> bool:
    """Whether the folder still shows the newest sealed shard: its successor has not been published yet."""
    sealed = archived(log_dir)
    return bool(sealed) and sealed[-1].checkpoint() == FolderReader(log_dir).checkpoint()


def verifiers_of(log_dir: Path, running: Ed25519Verifier) -> list[Ed25519Verifier]:
    """The keys of all shards, to know an older receipt by; what they prove was verified when it was written."""
    keys = [shard.own_key() for shard in archived(log_dir)]
    return [running, *(key for key in keys if key is not None and key != running)]


def _foreign(path: str) -> Tampered:
    return Tampered(
        f"{ARCHIVE}/{path[:80]!a} has no place in a log.",
        advice="Find out who put it there, keep a copy of it, and take it away.",
    )
