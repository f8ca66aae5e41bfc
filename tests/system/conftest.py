"""Workspaces with real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.place import Place, copy_of, run_command


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A demo workspace, made by the command, that nothing runs on."""
    root = tmp_path_factory.mktemp("template") / "w"
    made = run_command("init", root, "--demo", cwd=root.parent)
    assert made.code == 0, made
    return Place(root)


@pytest.fixture
def place(template: Place, tmp_path: Path) -> Iterator[Place]:
    """A demo workspace of this test's own, with short waits."""
    made = copy_of(template, tmp_path / "w")
    yield made
    made.close()
