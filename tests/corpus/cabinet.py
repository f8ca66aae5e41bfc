"""The corpus on the disk: built once for each state of its builder, and the manifest of what is expected of each file.

What enters: the builder's modules, `manifest/*.toml`. What leaves: a folder with one folder a category, and `Expected`
for each file. Nothing is taken from elsewhere; the same builder and libraries make the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import PIL
import pillow_heif

from tests.corpus.build import (
    bomb,
    careless,
    careless_films,
    clean,
    hostile,
    marked,
    polyglot,
    returned,
    truncated,
)

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("TRANSFER_CORPUS") or HERE / ".cache")
Maker = Callable[[], bytes]

MAKERS: Mapping[str, Mapping[str, Maker]] = {
    "clean": clean.FILES,
    "careless": careless.FILES | careless_films.FILES,
    "hostile": hostile.FILES,
    "polyglot": polyglot.FILES,
    "truncated": truncated.FILES,
    "bomb": bomb.FILES,
    "marked": marked.FILES,
    "returned": returned.FILES,
}
PASSING = ("clean", "careless")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is right for one file: `rules` are those that decide, `clauses` what they cite; `notes` stand beside."""

    category: str
    name: str
    made: str
    verdict: str  # as `held:approval` or `refused`
    rules: tuple[str, ...]
    clauses: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """As `polyglot/zip-behind.jpg`."""
        return f"{self.category}/{self.name}"


@cache
def manifest() -> dict[str, Expected]:
    """What is expected, by category and name."""
    listed = {}
    for path in sorted((HERE / "manifest").glob("*.toml")):
        with path.open("rb") as file:
            for name, told in tomllib.load(file).items():
                frozen = {key: tuple(value) if isinstance(value, list) else value for key, value in told.items()}
                one = Expected(category=path.stem, name=name, **frozen)
                listed[one.key] = one
    return listed


def content(key: str) -> bytes:
    """One file, made now."""
    category, _, name = key.partition("/")
    return MAKERS[category][name]()


def names() -> list[str]:
    """Every file that is built."""
    return [f"{category}/{name}" for category, makers in MAKERS.items() for name in makers]


def built() -> Path:
    """The folder with the whole corpus; built if this builder has not been here before."""
    folder = CACHE / _version()
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="making-") as making:
            target = Path(making) / "corpus"
            with _quiet():
                for key in names():
                    path = target / key
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content(key))
            with contextlib.suppress(OSError):  # another run was quicker
                target.rename(folder)
        for old in CACHE.iterdir():
            if old.name != folder.name and not old.name.startswith("making-"):
                shutil.rmtree(old, ignore_errors=True)
    return folder


def path_of(key: str) -> Path:
    """Where the file lies."""
    return built() / key


def _version() -> str:
    digest = hashlib.sha256(f"{PIL.__version__} {pillow_heif.__version__} {av.__version__}".encode())
    for path in (*sorted((HERE / "build").glob("*.py")), HERE.parent / "samples.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Encoders write to standard error by themselves."""
    sys.stderr.flush()
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
