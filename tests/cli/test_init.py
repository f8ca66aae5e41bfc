"""`transfer init`: a whole workspace or nothing, and every name that is missing is asked for."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.cli.rooms import call


def test_the_demo_is_whole(tmp_path: Path) -> None:
    place = tmp_path / "w"
    told = call("init", place, "--demo")
    assert told.code == 0
    assert "Next: transfer run" in told.out
    folders = {"staging", "release", "release-aside", "feedback", "receipts", "state", "log", "keys", "demo"}
    assert folders <= {path.name for path in place.iterdir()}
    for private in ("state", "keys"):
        assert stat.S_IMODE((place / private).stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "demo" / "helen.key").stat().st_mode) == 0o600
    assert len(list((place / "demo" / "samples").iterdir())) >= 6
    people = call("people", "list", "--json", "-w", place).json["people"]
    assert {(one["name"], *one["roles"]) for one in people} == {("helen", "approver"), ("sam", "submitter")}
    assert call("audit", "verify", "-w", place).code == 0


def test_a_real_one_keeps_the_approvers_key_outside(tmp_path: Path) -> None:
    words = ("--approver", "Helen Brook", "--submitter", "Sam Field", "--device", "ipad")
    told = call("init", tmp_path / "w", *words)
    assert told.code == 0
    assert (tmp_path / "helen-brook.key").is_file()
    assert "remove it from this machine" in told.out
    assert not (tmp_path / "w" / "demo").exists()
    assert call("policy", "check", "--json", "-w", tmp_path / "w").json["derived_from"] == ["university"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "A workspace needs a first approver, a submitter and a device."),
        (("--approver", "Helen"), "A workspace needs"),
        (("--demo", "--device", "My iPad"), "'My iPad' is not well formed"),
        (("--demo", "--approver", "u_1"), "does not begin with u_"),
        (("--demo", "--origin", "two words"), "The log's name 'two words' has a space"),
        (("--demo", "--approver", "Sam"), "the same person, who could then approve what they drop"),
    ],
)
def test_what_is_wrong_leaves_nothing_behind(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    answer = call("init", tmp_path / "w", *arguments)
    assert answer.code in {1, 2}
    assert said in answer.err
    assert list(tmp_path.iterdir()) == []


def test_a_founding_that_failed_can_be_tried_again(tmp_path: Path) -> None:
    words = ("--approver", "Helen", "--submitter", "Sam", "--device", "ipad")
    (tmp_path / "w").mkdir()
    (tmp_path / "w").chmod(0o500)  # nothing can be made in it, unless one is root: then the name is what fails
    assert call("init", tmp_path / "w", *words, "--origin", "\x7f").code in {2, 3}
    (tmp_path / "w").rmdir()
    assert list(tmp_path.iterdir()) == []
    assert call("init", tmp_path / "w", *words).code == 0


def test_never_over_something(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "mine.txt").write_text("mine")
    answer = call("init", tmp_path / "w", "--demo")
    assert answer.code == 2
    assert "There is something at" in answer.err
    assert [path.name for path in (tmp_path / "w").iterdir()] == ["mine.txt"]
    (tmp_path / "file").touch()
    assert call("init", tmp_path / "file", "--demo").code == 2
    assert call("init", tmp_path / "file" / "below", "--demo").code == 3


def test_a_key_that_is_there_stays(tmp_path: Path) -> None:
    words = ("--approver", "Helen", "--submitter", "Sam", "--device", "ipad", "--key", tmp_path / "old.key")
    (tmp_path / "old.key").write_text("an older key")
    answer = call("init", tmp_path / "w", *words)
    assert answer.code == 2
    assert "a key is never written over another" in answer.err
    assert (tmp_path / "old.key").read_text() == "an older key"
    assert not (tmp_path / "w").exists()


def test_where_nothing_can_be_made() -> None:
    answer = call("init", "/proc/nothing", "--demo")
    assert answer.code == 3
    assert "/proc/nothing" in answer.err
