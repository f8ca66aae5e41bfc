"""Those who write a clean copy and those who prove it share no code: what one gets wrong, the other must not."""

from __future__ import annotations

import sys

import pytest

from tests.architecture.test_shape import MODULES, imports, module_name, tree

GRAPH = {module_name(path): set(imports(path)) for path in MODULES}
READERS = {name for name in GRAPH if name.startswith("transfer.disarm.residue")}
# The gateway's side of the station: it starts both kinds of children and reads no file of either.
GATEWAY = {"transfer.disarm.rebuild", "transfer.disarm.sheet"}
WRITERS = {name for name in GRAPH if name.startswith("transfer.disarm.")} - READERS - GATEWAY
# Words that both speak: findings, formats, and what they are made of. Nothing that reads or writes a format.
WORDS = {"transfer.model.findings", "transfer.model.media"}


def reached(start: set[str]) -> set[str]:
    """All modules of ours that these import, however indirectly, themselves included."""
    found, waiting = set[str](), list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += GRAPH[name] & GRAPH.keys()
    return found


def test_both_sides_were_found() -> None:
    assert {"transfer.disarm.residue", "transfer.disarm.residue_units"} <= READERS
    assert {"transfer.disarm.remake", "transfer.disarm.encode", "transfer.disarm.tidy_mp4"} <= WRITERS


def test_they_share_words_only() -> None:
    assert reached(READERS) & reached(WRITERS) <= WORDS


def test_readers_reach_nothing_but_words() -> None:
    assert reached(READERS) - READERS <= WORDS


@pytest.mark.parametrize("name", sorted(READERS))
def test_readers_use_no_library(name: str) -> None:
    outside = {imported.partition(".")[0] for imported in GRAPH[name]} - {"transfer", "__future__"}
    assert outside <= sys.stdlib_module_names


def test_the_words_read_and_write_no_format() -> None:
    for path in MODULES:
        if module_name(path) in WORDS:
            assert {imported.partition(".")[0] for imported in imports(path)} <= {
                "__future__", "collections", "dataclasses", "datetime", "enum", "types", "typing", "transfer",
            }  # fmt: skip
            assert tree(path)
