"""`transfer audit republish`: whoever follows the advice has the log again, all shards of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.rooms import Room, call
from tests.cli.test_all_shards import LABELS
from tests.cli.test_all_shards import turned as turned  # noqa: PLC0414 - a fixture
from tests.cli.test_formats import fits


@pytest.fixture
def broken(turned: Room, tmp_path: Path) -> Room:
    """A copy of a workspace with three shards, to be damaged."""
    return turned.copy(tmp_path / "w")


def files(room: Room) -> dict[str, bytes]:
    log = room.workspace.log
    return {str(path.relative_to(log)): path.read_bytes() for path in log.rglob("*") if path.is_file()}


@pytest.mark.parametrize("left", ["an empty folder", "nothing"])
def test_a_log_that_is_lost_is_written_anew_as_the_advice_says(
    broken: Room, left: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = files(broken)
    shutil.rmtree(broken.workspace.log)
    if left != "nothing":
        broken.workspace.log.mkdir()
    capfd.readouterr()
    refused = broken.call("run", "--once", "-q")
    said = capfd.readouterr().err  # of the gateway's own process
    if left == "nothing":
        assert (refused.code, "Make the folder, mount its disk" in said) == (3, True)
    else:
        assert (refused.code, "`transfer audit republish`" in said) == (4, True)
    done = broken.must("audit", "republish", "--json").json
    fits("audit-republish", done)
    assert done["shards"] == len(LABELS)
    assert sorted(done["written"]) == sorted(before)
    assert files(broken) == before
    broken.must("audit", "verify")
    said = broken.must("audit", "republish").out
    assert "nothing was written" in said
    broken.gateway()
    broken.must("audit", "verify")


SEALED = [f"archive/{label}/" for label in LABELS[:2]]
EACH = [
    (where, path) for where in ("", *SEALED) for path in ("tile/entries/000", "tile/0/000", "log.vkey", "checkpoint")
]


@pytest.mark.parametrize(("where", "path"), [*EACH, *((where, "sealed.tlog-proof") for where in SEALED)])
def test_what_is_missing_of_one_shard_is_told_and_written(broken: Room, where: str, path: str) -> None:
    if path.startswith("tile") and not (broken.workspace.log / where / path).exists():
        (partial,) = (broken.workspace.log / where / f"{path}.p").iterdir()
        path = f"{path}.p/{partial.name}"
    before = files(broken)
    (broken.workspace.log / where / path).unlink()
    assert broken.call("audit", "verify").code == (0 if "proof" in path else 4)
    told = broken.must("audit", "republish").out
    assert f"log/{where}{path}" in told
    assert files(broken) == before
    broken.must("audit", "verify")


def test_a_restored_workspace_has_to_be_told_to_go_on_first(broken: Room, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    broken.must("backup", backup)
    restored = Room(tmp_path / "restored")
    assert call("restore", backup, "--to", restored.root).code == 0
    shutil.rmtree(restored.workspace.log / "tile", ignore_errors=True)
    refused = restored.call("audit", "republish")
    assert refused.code == 2
    assert "`transfer audit adopt`" in refused.err
