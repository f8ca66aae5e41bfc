"""The strict policy with a real clamd: what it finds is refused, and without it everything waits and goes on by itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests import samples
from tests.system.place import Place, running, wait_for
from transfer.model.states import State

pytestmark = pytest.mark.clamd


@pytest.fixture
def strict(place: Place) -> Place:
    """The workspace under the policy that demands a scanner."""
    text = place.workspace.policy_file.read_text()
    place.workspace.policy_file.write_text(text.replace('extends = "first-run"', 'extends = "university"'))
    assert 'extends = "university"' in place.workspace.policy_file.read_text()
    return place


def test_what_clamd_finds_is_refused_and_held_files_wait_for_it(strict: Place) -> None:
    with tempfile.TemporaryDirectory(prefix="clamd-") as short:
        folder = Path(short)
        strict.set("scanner", kind='"clamd"', socket=f'"{folder / "clamd.sock"}"')
        today = "Test:100:1700000000:*:00\n"
        del today
        with running(strict):
            strict.drop("before.jpg", samples.jpeg(64, 64))
            wait_for(lambda: strict.rows() and strict.by_name("before.jpg").state is State.HELD, 20, "the verdict")
            assert strict.by_name("before.jpg").waiting_for == "scanner"
            answer = strict.command(
                "approve",
                strict.by_name("before.jpg").item,
                "--as",
                "helen",
                "--key",
                strict.key,
                "--public",
                "--risk",
                "low",
            )
            assert answer.code == 1
            assert "waits for scanner" in answer.err
        assert [entry for entry in strict.entries("file.approved")] == []
