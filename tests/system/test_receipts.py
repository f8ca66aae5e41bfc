"""Receipts as people get them: made by the running gateway, found where the feedback says, checked by a command."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from tests import samples
from tests.store.disks import fill
from tests.system.place import Place, run_command, running, wait_for
from tests.system.test_full_disk import GOES_ON, on_small_disk
from transfer.audit.entries import parse_leaf
from transfer.audit.notes import parse_vkey
from transfer.audit.receipts import open_receipt, parse_receipt
from transfer.model.states import State

ENDS = {"file.released": "released", "file.refused": "refused", "file.withdrawn": "withdrawn"}


def receipts(place: Place) -> dict[str, bytes]:
    """All of them, by their names."""
    folder = place.workspace.receipts
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def due(place: Place) -> set[str]:
    """The names of those that there should be, by the log."""
    ended = [leaf for leaf in place.entries() if leaf["event"] in ENDS]
    return {f"{leaf['at'][:7]}/{leaf['item']}-{ENDS[leaf['event']]}.tlog-proof" for leaf in ended}


def check(place: Place) -> int:
    """Every end has its receipt, every receipt is genuine; how many."""
    there = receipts(place)
    assert set(there) == due(place)
    verifier = parse_vkey((place.workspace.log / "log.vkey").read_text().strip())
    for name, text in there.items():
        leaf = parse_leaf(open_receipt(parse_receipt(text), [verifier])[0])
        assert name.endswith(f"{leaf.item}-{ENDS[leaf.event]}.tlog-proof")
    return len(there)


def drop_all(place: Place) -> None:
    place.drop("photo.jpg", samples.jpeg(900, 700))
    place.drop("words.txt", samples.text())
    place.drop("later.txt", samples.text("Another.\n"))
    place.drop("minutes.txt", b"CONFIDENTIAL: minutes\n")
    place.drop("tool.exe", b"MZ no software\n")


@pytest.mark.slow
def test_every_end_has_its_receipt(place: Place) -> None:
    drop_all(place)
    place.must("run", "--once", "--quiet")
    assert check(place) == 2
    place.approve_all()
    place.must("run", "--once", "--quiet")
    place.withdraw(place.by_name("later.txt").item)
    place.must("run", "--once", "--quiet")
    assert check(place) == 6
    assert place.leftovers() == []

    row = place.by_name("photo.jpg")
    (path,) = place.workspace.receipts.rglob(f"{row.item}-released.tlog-proof")
    verified = place.must("audit", "verify", path, "--vkey", place.workspace.log / "log.vkey", "--json").json
    released = (place.release / str(row.released_as)).read_bytes()
    assert verified["entry"]["file"]["sha256"] == hashlib.sha256(released).hexdigest()
    told = place.workspace.feedback / "open-day" / "RELEASED photo.jpg.txt"
    assert path.name in " ".join(told.read_text().split())
    refused = place.by_name("minutes.txt")
    told = place.workspace.feedback / "open-day" / "REFUSED minutes.txt.txt"
    assert f"receipts/ as {refused.item}-refused.tlog-proof" in " ".join(told.read_text().split())

    proof = place.root.parent / "refusal.tlog-proof"  # the same, on demand
    place.must("audit", "prove", refused.item, "--out", proof)
    answer = run_command(
        "audit", "verify", proof, "--vkey", place.workspace.log / "log.vkey", "--json", cwd=place.root.parent
    )
    assert answer.json["entry"]["event"] == "file.refused"
    assert answer.json["entry"]["file"]["sha256"] == hashlib.sha256(b"CONFIDENTIAL: minutes\n").hexdigest()


def test_while_it_runs_they_are_there_within_seconds(place: Place) -> None:
    with running(place):
        drop_all(place)
        wait_for(lambda: place.counts().get("held") == 3 and place.counts().get("refused") == 2, 20, "the verdicts")
        wait_for(lambda: len(receipts(place)) == 2, 3, "the receipts of the refusals")
        place.approve_all()
        wait_for(lambda: place.counts().get("released") == 3, 20, "the releases")
        wait_for(lambda: len(receipts(place)) == 5, 3, "the receipts of the releases")
    assert check(place) == 5


@pytest.mark.slow
def test_a_workspace_from_before_gets_all_of_them(place: Place) -> None:
    drop_all(place)
    place.must("run", "--once", "--quiet")
    before = receipts(place)
    shutil.rmtree(place.workspace.receipts)
    told = {each["name"]: each for each in place.command("doctor", "--json").json["checks"] if each["status"] == "note"}
    assert "receipts" in told["folders"]["sentence"]
    place.must("run", "--once", "--quiet")
    assert receipts(place) == before
    assert check(place) == 2


@pytest.mark.slow
def test_a_restored_workspace_makes_them_anew(place: Place, tmp_path: Path) -> None:
    drop_all(place)
    place.must("run", "--once", "--quiet")
    before = receipts(place)
    place.must("backup", tmp_path / "backup")
    assert not (tmp_path / "backup" / "receipts").exists()
    place.must("run", "--once", "--quiet")
    assert run_command("restore", tmp_path / "backup", "--to", tmp_path / "again", cwd=tmp_path).code == 0
    again = Place(tmp_path / "again")
    assert receipts(again) == {}
    again.must("audit", "adopt", "--log", place.workspace.log)
    again.must("run", "--once", "--quiet")
    assert receipts(again) == before
    assert check(again) == 2
    again.close()


@pytest.mark.slow
def test_nothing_waits_for_a_full_disk_of_receipts(place: Place) -> None:
    with on_small_disk(place, "receipts", kibibytes=256) as disk:
        filler = fill(disk)
        with running(place) as gateway:
            drop_all(place)
            wait_for(lambda: "The disk is full while writing receipts" in gateway.complained(), 20, "a word about it")
            wait_for(lambda: place.counts().get("held") == 3, 20, "the verdicts")
            place.approve_all()
            wait_for(lambda: place.counts().get("released") == 3, 20, "the releases")
            wait_for(lambda: place.entries("original.retired"), 20, "what comes after")
            assert receipts(place) == {}
            filler.unlink()
            wait_for(lambda: len(receipts(place)) == 5, GOES_ON, "the receipts")
        assert check(place) == 5
        fill(disk)
        place.drop("more.exe", b"MZ more software\n")
        answer = place.command("run", "--once", "--quiet")
        assert answer.code == 3
        assert "The disk is full while writing receipts" in answer.err
        (disk / "filler").unlink()
        place.must("run", "--once", "--quiet")
        assert check(place) == 6
        place.close()


@pytest.mark.slow
def test_killed_while_they_are_made(place: Place) -> None:
    """What was signed and has no receipt yet gets it after the next start."""
    for number in range(5):
        for each in range(4):
            place.drop(f"tool-{number}-{each}.exe", b"MZ no software %d %d\n" % (number, each))
        with running(place) as gateway:
            wait_for(lambda n=number: place.counts().get("refused", 0) > 4 * n, 20, "a refusal")
            wait_for(lambda n=number: len(receipts(place)) >= n * 4 - 2, 5, "some receipts")
            gateway.kill()
        wait_for(lambda: place.command("doctor", "--json").code in {0, 1, 2, 3}, 20, "the end of its children")
    place.must("run", "--once", "--quiet")
    assert all(row.state is State.REFUSED for row in place.rows())
    assert check(place) == 20
    place.verify()
