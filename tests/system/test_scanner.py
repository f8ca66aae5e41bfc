"""The strict policy with a real clamd: what it finds is refused; while it is away everything waits and then goes on."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests import samples
from tests.clamd import dated, running_clamd
from tests.system.place import Place, running, wait_for
from transfer.inspection.scan import eicar
from transfer.model.states import State

pytestmark = pytest.mark.clamd


@pytest.fixture
def strict(place: Place) -> Place:
    """The workspace under the policy that demands a scanner."""
    text = place.workspace.policy_file.read_text()
    place.workspace.policy_file.write_text(text.replace('extends = "first-run"', 'extends = "university"'))
    assert 'extends = "university"' in place.workspace.policy_file.read_text()
    return place


def test_what_clamd_finds_is_refused_and_files_wait_while_it_is_away(strict: Place) -> None:
    with tempfile.TemporaryDirectory(prefix="clamd-") as short:
        folder = Path(short)
        address = folder / "front.sock"
        strict.set("scanner", kind='"clamd"', socket=f'"{address}"')
        with running(strict):
            strict.drop("early.jpg", samples.jpeg(64, 64))
            wait_for(lambda: waits_for(strict, "early.jpg") == "scanner", 20, "the verdict without a scanner")
            item = strict.by_name("early.jpg").item
            answer = strict.command("approve", item, "--as", "helen", "--key", strict.key, "--public", "--risk", "low")
            assert answer.code == 1
            assert "waits for scanner" in answer.err

            with running_clamd(folder / "real") as real, dated(real, address):
                wait_for(lambda: waits_for(strict, "early.jpg") == "approval", 40, "the scanner's answer")
                strict.drop("virus.txt", eicar())
                wait_for(lambda: state_of(strict, "virus.txt") is State.REFUSED, 20, "the refusal")
                assert "malware" in strict.by_name("virus.txt").reasons[0].message.lower()

            strict.drop("late.txt", b"Back again\n")
            wait_for(lambda: waits_for(strict, "late.txt") == "scanner", 20, "the verdict without a scanner")
        assert strict.entries("file.approved") == []
        scans = [scan for entry in strict.entries("file.examined") for scan in entry["facts"]["scans"]]
        assert {scan["answer"] for scan in scans} == {"unavailable"}  # the infected one never reached a decoder
        strict.verify()


def test_old_signatures_count_as_no_scanner(strict: Place) -> None:
    with tempfile.TemporaryDirectory(prefix="clamd-") as short:
        folder = Path(short)
        address = folder / "front.sock"
        strict.set("scanner", kind='"clamd"', socket=f'"{address}"')
        with running_clamd(folder / "real") as real, dated(real, address, days_old=60):
            strict.drop("photo.jpg", samples.jpeg(64, 64))
            strict.command("run", "--once", "--quiet")
            assert waits_for(strict, "photo.jpg") == "scanner"


def state_of(place: Place, name: str) -> State | None:
    """None until it is taken up."""
    return next((row.state for row in place.rows() if row.name.text == name), None)


def waits_for(place: Place, name: str) -> str | None:
    """What a held item waits for; None until then."""
    return next((row.waiting_for for row in place.rows() if row.name.text == name), None)
