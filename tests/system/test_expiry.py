"""What the policy keeps no longer goes from the real folders, by entries, also when processes are killed meanwhile."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import samples
from tests.system.inside import inside
from tests.system.place import Place, end_family, family, running, start, stop, wait_for
from transfer.model.clock import render_time
from transfer.return_guard.perimeter import AsideName, parse_aside_name
from transfer.return_guard.recognise import name_digest
from transfer.sandbox.profiles import kernel_support

pytestmark = pytest.mark.slow

UNLINKAT, AT_FDCWD, AT_REMOVEDIR = 263, (1 << 64) - 100, 0x200
LONG_AGO = timedelta(days=3)


def keep_a_day(place: Place) -> None:
    with place.workspace.policy_file.open("a") as policy:
        policy.write("\n[retention]\naside_days = 1\nfeedback_days = 1\n")


def notes(place: Place) -> list[str]:
    return sorted(path.name.split()[0] for path in place.workspace.feedback.rglob("*.txt"))


def age(place: Place) -> None:
    """As if everything there had been there for days; while nothing runs."""
    for path in aside(place).iterdir():
        name = parse_aside_name(path.name, reported=True)
        assert name is not None
        older = name._replace(milliseconds=name.milliseconds - round(LONG_AGO.total_seconds() * 1000))
        path.rename(path.with_name(older.render(reported=True)))
    with closing(sqlite3.connect(place.workspace.database)) as database, database:
        past = render_time(datetime.now(UTC) - LONG_AGO)
        database.execute("UPDATE notice_kept SET since = ?", (past,))


def aside(place: Place) -> Path:
    return place.root / "release-aside"


def lay_evidence(place: Place, number: int) -> str:
    milliseconds = round((datetime.now(UTC) - LONG_AGO).timestamp() * 1000)
    name = AsideName(milliseconds, f"{number:016x}", name_digest(b"planted-%d" % number))
    (aside(place) / name.render(reported=True)).write_bytes(b"evidence %d" % number)
    return name.report


def test_notes_and_evidence_go_after_their_days_and_what_is_open_stays(place: Place) -> None:
    keep_a_day(place)
    with running(place):
        place.drop("bad.exe", b"MZ no picture", post="a post")
        place.drop("waits.txt", samples.text())
        (place.release / "planted").write_bytes(b"planted")
        (place.release / "folder" / "deep").mkdir(parents=True)
        wait_for(lambda: len(place.entries("return.refused")) == 2, 15, "what was planted")
        wait_for(lambda: notes(place) == ["REFUSED", "WAITING"], 20, "the notes")
        wait_for(lambda: all(path.suffix == ".done" for path in aside(place).iterdir()), 5, "the answers")
        moved = {entry["facts"]["report"] for entry in place.entries("return.refused")}
    place.close()
    age(place)
    with running(place):
        wait_for(lambda: notes(place) == ["WAITING"], 15, "the end of the note")
        wait_for(lambda: os.listdir(aside(place)) == [], 15, "the end of the evidence")
        (place.release / "again").write_bytes(b"again")
        wait_for(lambda: len(place.entries("return.refused")) == 3, 10, "what was planted since")
    assert {entry["facts"]["report"] for entry in place.entries("evidence.expired")} == moved
    (told,) = place.entries("feedback.expired")
    assert told["facts"] == {"days": 1, "items": 1}
    assert sorted(path.name for path in place.workspace.feedback.rglob("*") if path.is_dir()) == ["open-day"]
    with running(place):
        time.sleep(2)
        assert notes(place) == ["WAITING"]
        assert len(os.listdir(aside(place))) == 1
    assert len(place.entries("evidence.expired")) == 2
    assert len(place.entries("feedback.expired")) == 1
    place.verify()


def test_killed_at_any_time_everything_goes_in_the_end_and_is_told_once(place: Place) -> None:
    keep_a_day(place)
    with running(place):
        for number in range(30):
            place.drop(f"bad-{number}.exe", b"MZ %d" % number)
        wait_for(lambda: notes(place) == ["REFUSED"] * 30, 30, "the notes")
    place.close()
    age(place)
    laid = {lay_evidence(place, number) for number in range(150)}
    for seconds in (0.0, 0.15, 0.4, 0.8):
        begun = start(place)
        time.sleep(seconds)
        end_family(begun.process.pid)
        begun.process.wait()
    begun = start(place)
    try:
        wait_for(lambda: os.listdir(aside(place)) == [], 60, "the end of the evidence")
        wait_for(lambda: notes(place) == [], 20, "the end of the notes")
    finally:
        stop(begun)
    reports = [entry["facts"]["report"] for entry in place.entries("evidence.expired")]
    assert sorted(reports) == sorted(laid)
    assert sum(entry["facts"]["items"] for entry in place.entries("feedback.expired")) == 30
    place.verify()


@pytest.mark.skipif(kernel_support().landlock < 2, reason="this kernel has no Landlock with the rights that are needed")
def test_the_guard_may_remove_there_and_nobody_else_and_nowhere_else(place: Place) -> None:
    with running(place) as run:
        (place.release / "planted").write_bytes(b"planted")
        wait_for(lambda: place.entries("return.refused"), 10, "the guard at work, and so within its limits")
        roles = {member.role: member.pid for member in family(run.process.pid)}
        evidence = aside(place) / "evidence"
        folder = aside(place) / "folder"
        folder.mkdir()
        evidence.write_bytes(b"evidence")
        mine = [place.drop("mine.txt", b"mine\n"), place.workspace.log / "log.vkey", place.workspace.database]

        def unlinks(role: str, path: Path, flags: int = 0) -> int:
            with inside(roles[role]) as process:
                return -process.call(UNLINKAT, AT_FDCWD, os.fsencode(path) + b"\0", flags)

        assert unlinks("gateway", evidence) == errno.EACCES
        assert evidence.exists()
        for path in mine:
            assert unlinks("guard", path) == errno.EACCES, path
            assert path.exists()
        assert unlinks("guard", evidence) == 0
        assert unlinks("guard", folder, AT_REMOVEDIR) == 0
        assert len(os.listdir(aside(place))) == 1
