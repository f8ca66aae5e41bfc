"""The files of a backup: its list of digests in `sha256sum` form, its label, and copies hashed as they are made.

What enters: folders of ours to be copied, or a backup that may have lain anywhere. What leaves: files and digests.
A backup is trusted for nothing until every byte of it has been compared with its list, and the list with its label;
whoever can write the whole backup can of course make another: the signed log inside it is what tells.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from transfer.errors import Misuse, Tampered
from transfer.model.clock import parse_time, render_time
from transfer.model.identifiers import Sha256
from transfer.store.durable import TEMPORARY_PREFIX, sync_folder, world_errors, write_all

LIST_NAME = "MANIFEST.sha256"
LABEL_NAME = "backup.json"
FORMAT = "oneway-transfer/backup/v1"

_CHUNK = 1 << 20
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_STEP = re.compile(r"(?!\.)[ -.0-\[\]-~]+")  # printable ASCII without / and \, and not hidden
_ADVICE = "Use another backup; this one is not as it was made."


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a backup says of itself: when it was made, how many files and bytes it has, whether keys are among them."""

    made_at: datetime
    files: int
    size: int
    keys: bool
    list_sha256: Sha256


def render_label(label: Label) -> bytes:
    """The label's JSON, one object on one line."""
    return (
        json.dumps(
            {
                "format": FORMAT,
                "made_at": render_time(label.made_at),
                "files": label.files,
                "bytes": label.size,
                "keys": label.keys,
                "manifest_sha256": label.list_sha256,
            }
        ).encode()
        + b"\n"
    )


def parse_label(untrusted: bytes) -> Label:
    """The inverse of `render_label`. Raises Misuse for another format, Tampered for what is not exactly a label."""
    try:
        told = json.loads(untrusted)
        if isinstance(told, dict) and told.get("format", FORMAT) != FORMAT:
            raise Misuse(
                f"This backup is of another format, {str(told['format'])[:60]!a}.",
                advice="Use the program that made it.",
            )
        label = Label(
            made_at=parse_time(told["made_at"]),
            files=int(told["files"]),
            size=int(told["bytes"]),
            keys=bool(told["keys"]),
            list_sha256=Sha256(told["manifest_sha256"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise Tampered(f"{LABEL_NAME} of the backup cannot be read.", advice=_ADVICE) from error
    if render_label(label) != untrusted:
        raise Tampered(f"{LABEL_NAME} of the backup was changed.", advice=_ADVICE)
    return label


def render_list(digests: dict[str, Sha256]) -> bytes:
    """The list of files, sorted, as `sha256sum -c` reads it."""
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items())).encode("ascii")


def parse_list(untrusted: bytes) -> dict[str, Sha256]:
    """The inverse of `render_list`. Raises Tampered."""
    digests: dict[str, Sha256] = {}
    for line in untrusted.decode("ascii", "replace").split("\n")[:-1]:
        found = _LINE.fullmatch(line)
        if found is None or not is_plain(found[2]):
            raise Tampered(f"A line of {LIST_NAME} cannot be read.", advice=_ADVICE)
        digests[found[2]] = Sha256(found[1])
    if render_list(digests) != untrusted:
        raise Tampered(f"{LIST_NAME} was changed.", advice=_ADVICE)
    return digests


def verify_backup(source: Path) -> Label:
    """Reads every byte of a backup. Raises Misuse if it is none, Tampered if anything is changed, missing or added."""
    with world_errors("reading the backup"):
        if not (source / LABEL_NAME).is_file():
            raise Misuse(
                f"{source} is no complete backup: it has no {LABEL_NAME}.", advice="Give the folder of a backup."
            )
        label = parse_label((source / LABEL_NAME).read_bytes())
        found = set(files_below(source, skip_temporaries=False)) - {LABEL_NAME}
        if LIST_NAME not in found or hash_file(source / LIST_NAME)[0] != label.list_sha256:
            raise Tampered(f"{LIST_NAME} does not belong to the backup's {LABEL_NAME}.", advice=_ADVICE)
        digests = parse_list((source / LIST_NAME).read_bytes())
        found.remove(LIST_NAME)
        problems = [f"{path} is missing" for path in sorted(digests.keys() - found)]
        problems += [f"{path} is not in the list" for path in sorted(found - digests.keys())]
        size = 0
        for path in sorted(found & digests.keys()):
            digest, length = hash_file(source / path)
            size += length
            if digest != digests[path]:
                problems.append(f"{path} was changed")
    if not problems and (label.files, label.size) != (len(digests), size):
        problems.append("the numbers of files and bytes do not agree")
    if problems:
        raise Tampered(f"The backup {source} is not as it was made: {'; '.join(problems[:5])}.", advice=_ADVICE)
    return label


def is_plain(path: str) -> bool:
    """Whether a relative path is of the kind that a backup can have."""
    return all(_STEP.fullmatch(step) for step in path.split("/"))


def files_below(root: Path, *, skip_temporaries: bool) -> Iterator[str]:
    """The relative paths of all regular files below `root`, sorted; nothing if there is no such folder.

    Raises Tampered where anything else stands (a link, a FIFO), Misuse for a name that no list can hold, OSError.
    """
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with contextlib.suppress(FileNotFoundError), os.scandir(root / folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if skip_temporaries and entry.name.startswith(TEMPORARY_PREFIX):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                elif not entry.is_file(follow_symlinks=False):
                    raise Tampered(
                        f"{root / path} is neither a file nor a folder.", advice="Find out who put it there."
                    )
                elif not is_plain(path):
                    raise Misuse(f"{str(root / path)!a} has a name that cannot be backed up.", advice="Rename it.")
                else:
                    yield path


def hash_file(path: Path) -> tuple[Sha256, int]:
    """Digest and size of a regular file. Raises OSError."""
    with _reading(path) as descriptor:
        return _pass_on(descriptor, None)


def copy_file(source: Path, destination: Path, *, mode: int = 0o600) -> tuple[Sha256, int]:
    """A durable copy at a new path, with its digest and size; folders are made (0700). Raises OSError."""
    with _reading(source) as reading:
        make_private(destination.parent)
        writing = os.open(destination, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            os.fchmod(writing, mode)
            copied = _pass_on(reading, writing)
            os.fsync(writing)
        finally:
            os.close(writing)
    return copied


def make_private(folder: Path) -> None:
    """Makes a folder and those above it that are missing, each 0700. Raises OSError."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def sync_all_folders(root: Path) -> None:
    """Makes the names in every folder below and at `root` durable. Raises OSError."""
    for folder, _, _ in os.walk(root):
        sync_folder(Path(folder))


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Tampered(f"{path} is no plain file.", advice="Find out who put it there.")
        yield descriptor
    finally:
        os.close(descriptor)


def _pass_on(reading: int, writing: int | None) -> tuple[Sha256, int]:
    digest = hashlib.sha256()
    size = 0
    while chunk := os.read(reading, _CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if writing is not None:
            write_all(writing, chunk)
    return Sha256(digest.hexdigest()), size
