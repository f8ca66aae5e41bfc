"""The first hour of a newcomer, with the real commands and processes: from `init --demo` to a refused plant."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
from pathlib import Path

import pytest

from tests import samples
from tests.system.place import Place, run_command, running, wait_for
from transfer.model.states import State

GUARD_SECONDS = 2.0  # a second to be moved aside, and a slow machine


def test_from_an_empty_folder_to_a_released_photo(tmp_path: Path) -> None:
    root = tmp_path / "w"
    made = run_command("init", root, "--demo", cwd=tmp_path)
    assert made.code == 0, made
    assert "transfer run" in made.out
    place = Place(root)
    place.set("intake", settle_seconds="0.3")
    for sample in (root / "demo" / "samples").iterdir():
        shutil.copy(sample, place.drop_folder)

    first = place.must("run", "--once")
    assert "held      open-day/campus.jpg  waits for approval" in first.out
    items = {each["name"]: each for each in place.must("status", "--json").json["items"]}
    assert {name: items[name]["state"] for name in items} == {
        "campus.jpg": "held",
        "caption.txt": "held",
        "tour.mp4": "held",
        "minutes.txt": "refused",
        "invoice.exe": "refused",
        "really-a-png.jpg": "refused",
    }
    assert all(reason["clause"] for each in items.values() for reason in each["reasons"])
    feedback = (root / "feedback" / "open-day" / "REFUSED minutes.txt.txt").read_text()
    assert "CONFIDENTIAL" in feedback
    assert "G6" in feedback

    photo = items["campus.jpg"]["item"]
    place.must("approve", photo, "--as", "helen", "--key", place.key, "--public", "--risk", "low")
    place.must("run", "--once", "--quiet")
    shown = place.must("show", photo, "--json").json
    assert shown["item"]["state"] == "released"
    there = (place.release / shown["item"]["released_as"]).read_bytes()
    assert hashlib.sha256(there).hexdigest() == shown["item"]["rebuilt_sha256"]
    assert b"Exif" in (root / "demo" / "samples" / "campus.jpg").read_bytes()[:64]
    assert b"Exif" not in there
    assert not (place.drop_folder / "campus.jpg").exists()
    assert (place.drop_folder / "minutes.txt").exists()
    assert "RELEASED campus.jpg.txt" in os.listdir(root / "feedback" / "open-day")
    place.check_release()
    assert place.verify() > 20
    place.close()


def test_once_with_nothing_there_is_done(place: Place) -> None:
    assert place.must("run", "--once", "--quiet").out == ""
    assert place.entries("gateway.stopped")
    place.verify()


def test_whatever_is_planted_on_the_device_side_goes_aside_within_a_second(place: Place) -> None:
    planted = b"a message for the university"
    with running(place):
        (place.release / "hello.txt").write_bytes(planted)
        wait_for(lambda: not (place.release / "hello.txt").exists(), GUARD_SECONDS, "moving the file aside")
        (place.release / "folder").mkdir()
        (place.release / "link").symlink_to(place.key)
        os.mkfifo(place.release / "pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            here = Path.cwd()
            os.chdir(place.release)  # a socket's address is short
            try:
                listener.bind("socket")
            finally:
                os.chdir(here)
        wait_for(lambda: os.listdir(place.release) == ["manifest.note"], GUARD_SECONDS, "moving the rest aside")
        wait_for(lambda: len(place.entries("return.refused")) == 5, 5, "the entries")
    found = {entry["facts"]["kind"]: entry for entry in place.entries("return.refused")}
    assert set(found) == {"file", "folder", "symlink", "fifo", "socket"}
    assert found["file"]["file"]["sha256"] == hashlib.sha256(planted).hexdigest()
    assert found["file"]["facts"]["clauses"] == ["G5"]
    place.verify()


def test_altered_is_restored_removed_is_recorded(place: Place) -> None:
    place.drop("one.jpg", samples.jpeg())
    place.drop("two.txt", samples.text())
    with running(place):
        _release_all(place, 2)
        one, two = place.release / "one.jpg", place.release / "two.txt"
        genuine = one.read_bytes()
        one.write_bytes(genuine + b"an addition")
        wait_for(lambda: place.entries("release.restored"), 5, "the restoring")
        wait_for(lambda: one.exists() and one.read_bytes() == genuine, 2, "the genuine file")
        two.unlink()
        wait_for(lambda: place.entries("release.removed"), 5, "the entry about the removal")
        assert not two.exists()
    altered = place.entries("release.altered")
    assert [entry["item"] for entry in altered] == [place.by_name("one.jpg").item]
    assert altered[0]["file"]["sha256"] == hashlib.sha256(genuine + b"an addition").hexdigest()
    place.verify()


def test_what_was_released_does_not_pass_a_second_time(place: Place) -> None:
    """A file of ours that finds its way from the device into staging (G5)."""
    place.drop("out.jpg", samples.jpeg())
    with running(place):
        _release_all(place, 1)
        shutil.copy(place.release / "out.jpg", place.drop_folder / "back-again.jpg")
        wait_for(lambda: place.counts().get("refused"), 10, "the refusal")
    back = place.by_name("back-again.jpg")
    assert back.state is State.REFUSED
    assert any("G5" in reason.clauses for reason in back.reasons), back.reasons
    assert (place.drop_folder / "back-again.jpg").exists()


@pytest.mark.parametrize("taken", [False, True], ids=["still there", "taken away before"])
def test_withdrawing_says_whether_it_was_still_there(place: Place, taken: bool) -> None:
    place.drop("out.jpg", samples.jpeg())
    with running(place):
        _release_all(place, 1)
        item = place.by_name("out.jpg").item
        if taken:
            (place.release / "out.jpg").unlink()
            wait_for(lambda: place.entries("release.removed"), 5, "the entry about the removal")
        place.must("withdraw", item, "--as", "helen", "--key", place.key, "--reason", "a face that must not be seen")
        wait_for(lambda: place.by_name("out.jpg").state is State.WITHDRAWN, 5, "the withdrawal")
        assert not (place.release / "out.jpg").exists()
    [entry] = place.entries("file.withdrawn")
    assert entry["facts"]["still_there"] is not taken
    place.check_release()
    place.verify()


def test_a_pause_stops_releasing_until_it_is_resumed(place: Place) -> None:
    place.drop("out.jpg", samples.jpeg())
    with running(place):
        wait_for(lambda: place.counts().get("held"), 10, "the verdict")
        place.must("pause", "--as", "helen", "--key", place.key, "--reason", "the device was lost")
        place.approve_all()
        refused = place.command("run", "--once")
        assert refused.code == 3  # a gateway runs already
        wait_for(lambda: place.counts().get("approved"), 5, "the approval")
        assert not (place.release / "out.jpg").exists()
        place.must("resume", "--as", "helen", "--key", place.key, "--reason", "it was found")
        wait_for(lambda: place.counts().get("released"), 5, "the release")
    place.check_release()
    place.verify()


def _release_all(place: Place, number: int) -> None:
    wait_for(lambda: place.counts().get("held") == number, 15, "the verdict")
    place.approve_all()
    wait_for(lambda: place.counts().get("released") == number, 10, "the release")
