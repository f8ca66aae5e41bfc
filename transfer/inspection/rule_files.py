"""The files of a folder of YARA rules: read by the gateway, digested, and handed on as one text.

What enters: a folder that the operator keeps, trusted as the settings are. What leaves: `RuleFiles`, or `Misuse` with
the file and what to do. Nothing is compiled here: the gateway holds the keys, so the language's parser runs elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from transfer.errors import Misuse

SUFFIXES = (".yar", ".yara")
MAX_FILES = 5_000
MAX_BYTES = 64 * 1024 * 1024  # of all files together

_SETTING = "Correct `yara` under [scanner] in transfer.toml, or take the line out to do without these rules."


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFiles:
    """All rule files of a folder: pairs of a name and a text, in the order of the names; at least one."""

    files: tuple[tuple[str, str], ...]

    def render(self) -> bytes:
        """One JSON list of pairs, ASCII: what the compiling process is given, and what the digest is of."""
        return json.dumps(self.files, separators=(",", ":")).encode("ascii")

    @property
    def sha256(self) -> str:
        """Hexadecimal. Another byte in any file, another name or another file changes it."""
        return digest_of(self.render())


def digest_of(rendered: bytes) -> str:
    """The digest of a rendered set of rule files."""
    return hashlib.sha256(b"oneway-transfer/yara/v1\n" + rendered).hexdigest()


def parse_rule_files(rendered: bytes) -> RuleFiles:
    """The inverse of `render`. Raises ValueError for anything else."""
    value = json.loads(rendered)
    pairs = value if isinstance(value, list) else []
    if not pairs or not all(isinstance(pair, list) and [type(part) for part in pair] == [str, str] for pair in pairs):
        raise ValueError("not a list of pairs of texts")
    return RuleFiles(files=tuple((name, text) for name, text in pairs))


def read_rule_files(folder: Path) -> RuleFiles:
    """The rule files directly in this folder, links followed. Raises Misuse, also where there are none."""
    try:
        names = sorted(entry for entry in os.listdir(folder) if entry.lower().endswith(SUFFIXES))
    except OSError as error:
        raise Misuse(
            f"The folder of YARA rules {folder} cannot be read ({error.strerror}).", advice=_SETTING
        ) from error
    if not names:
        raise Misuse(
            f"The folder of YARA rules {folder} has no file that ends in {' or '.join(SUFFIXES)}.",
            advice="Put rules there (policies/yara has examples), or take `yara` out of [scanner] in transfer.toml.",
            clauses=("G9",),
        )
    if len(names) > MAX_FILES:
        raise Misuse(f"The folder {folder} has more than {MAX_FILES:,} rule files.", advice="Join or remove some.")
    left = MAX_BYTES
    files = []
    for name in names:
        text = _read(folder / name, left)
        left -= len(text)
        files.append((os.fsencode(name).decode("ascii", "replace"), _decoded(text, folder / name)))
    return RuleFiles(files=tuple(files))


def _read(path: Path, most: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO would keep us waiting
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Misuse(f"{path} is not a file.", advice="Put rule files only into the folder.")
            text = file.read(most + 1)
    except OSError as error:
        raise Misuse(
            f"The rule file {path} cannot be read ({error.strerror}).", advice="Let the gateway's account read it."
        ) from error
    if len(text) > most:
        raise Misuse(f"The rule files have more than {MAX_BYTES:,} bytes together.", advice="Remove some.")
    return text


def _decoded(text: bytes, path: Path) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise Misuse(f"{path}, line {line}: this is no UTF-8.", advice="Save the file as UTF-8.") from error
