"""Evidence whose days are over: never without an entry, never twice in the log, nothing else touched."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.release.rig import Guard, Side, eventually, sha256_of
from tests.return_guard.test_perimeter import LOCAL_KINDS, plant
from tests.store.disks import small_disk
from transfer.errors import Unavailable
from transfer.model.ends import Presence
from transfer.model.identifiers import Sha256
from transfer.model.states import Kind
from transfer.return_guard.discard import discard
from transfer.return_guard.evidence import AT_ONCE, LOOK_SECONDS, Evidence
from transfer.return_guard.hashing import Hasher
from transfer.return_guard.messages import Keep, Received, Report, Verdict, What
from transfer.return_guard.perimeter import AsideName, FolderPerimeter, parse_aside_name
from transfer.return_guard.recognise import name_digest

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS = 90


def aside_name(number: int, *, moved: datetime) -> AsideName:
    milliseconds = round(moved.timestamp() * 1000)
    return AsideName(milliseconds, f"{number:016x}", name_digest(f"planted-{number}".encode()))


@dataclass
class Room:
    """A folder aside, and who lets things in it go; the answers of the gateway are the test's."""

    top: Path
    now: datetime = NOON
    steady: float = 0.0
    sent: list[Report] = field(default_factory=list)
    accepts: bool = True

    def __post_init__(self) -> None:
        self.release, self.aside = self.top / "release", self.top / "aside"
        self.release.mkdir(exist_ok=True)
        self.aside.mkdir(exist_ok=True)
        perimeter = FolderPerimeter(release=self.release, aside=self.aside)
        hasher: Hasher[AsideName] = Hasher(
            hash_one=lambda name: perimeter.digest_aside(name, limit=1 << 30, reported=True),
            wake=lambda: None,
            clock_ns=time.time_ns,
            name="aged",
        )
        hasher.start()
        outer = self

        class Clock:
            def now(self) -> datetime:
                return outer.now

        self.evidence = Evidence(
            perimeter=perimeter, hasher=hasher, clock=Clock(), monotonic=lambda: self.steady, send=self._send
        )

    def _send(self, report: Report) -> bool:
        if self.accepts:
            self.sent.append(report)
        return self.accepts

    def lay(self, number: int, *, age: timedelta, content: bytes = b"planted", reported: bool = True) -> Path:
        path = self.aside / aside_name(number, moved=self.now - age).render(reported=reported)
        path.write_bytes(content)
        return path

    def turn(self, until: Callable[[], object]) -> None:
        def turned() -> object:
            self.evidence.advance(connected=True)
            return until()

        eventually(turned)

    def quiet(self) -> None:
        for _ in range(20):
            self.evidence.advance(connected=True)
            time.sleep(0.005)

    def keep(self, days: int = DAYS) -> None:
        assert self.evidence.handle(Keep(days))

    def answer(self, verdict: Verdict = Verdict.LET_GO) -> bool:
        return self.evidence.handle(Received(self.sent[-1].id, verdict))

    @property
    def there(self) -> list[str]:
        return sorted(os.listdir(self.aside))


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_what_is_too_old_goes_after_the_answer_and_not_before(room: Room) -> None:
    old = room.lay(1, age=(DAYS + 1) * DAY, content=b"foreign")
    young = room.lay(2, age=(DAYS - 1) * DAY)
    room.keep()
    room.turn(lambda: room.sent)
    room.quiet()
    assert old.exists()
    (report,) = room.sent
    assert report.what is What.EXPIRED
    assert report.id == f"{1:016x}"
    seen = report.presence
    assert (seen.name_sha256, seen.kind, seen.size) == (name_digest(b"planted-1"), Kind.FILE, 7)
    assert seen.sha256 == sha256_of(b"foreign")
    assert seen.seen_at == NOON - (DAYS + 1) * DAY
    assert room.answer()
    room.turn(lambda: not old.exists())
    room.quiet()
    assert len(room.sent) == 1
    assert room.there == [young.name]


@pytest.mark.parametrize("verdict", [Verdict.KNOWN, Verdict.FOREIGN])
def test_another_answer_lets_nothing_go(room: Room, verdict: Verdict) -> None:
    old = room.lay(1, age=200 * DAY)
    room.keep()
    room.turn(lambda: room.sent)
    assert room.answer(verdict)
    room.quiet()
    assert old.exists()
    assert len(room.sent) == 1


def test_nothing_goes_without_days_or_a_gateway_or_with_days_for_ever(room: Room) -> None:
    old = room.lay(1, age=2000 * DAY)
    room.quiet()
    room.keep(0)
    room.quiet()
    room.keep()
    room.evidence.disconnected()
    for _ in range(20):
        room.evidence.advance(connected=False)
        room.evidence.advance(connected=True)
    assert room.sent == []
    assert old.exists()


def test_what_the_guard_did_not_name_or_did_not_report_stays(room: Room) -> None:
    room.lay(1, age=200 * DAY, reported=False)
    moved = aside_name(2, moved=room.now - 200 * DAY).render(reported=True)
    strange = [
        "notes.txt",
        moved + "~",
        "0" + moved,
        moved.upper(),
        moved.replace(".done", ".gone"),
        ".done",
        moved[1:],
    ]
    for name in strange:
        (room.aside / name).write_bytes(b"mine")
    before = room.there
    room.keep()
    room.quiet()
    assert room.sent == []
    assert room.there == before


def test_a_clock_that_goes_back_keeps_and_one_that_leaps_makes_nothing_older(room: Room) -> None:
    path = room.lay(1, age=(DAYS - 1) * DAY)
    room.now = NOON + 4000 * DAY  # somebody sets it; no time has passed
    room.keep()
    room.quiet()
    room.now = NOON - 4000 * DAY
    room.steady = LOOK_SECONDS + 1
    room.quiet()
    assert room.sent == []
    room.now, room.steady = NOON + 2 * DAY, (2 * DAY).total_seconds()
    room.turn(lambda: room.sent)
    room.answer()
    room.turn(lambda: not path.exists())


def test_a_lost_answer_makes_the_same_report_again(room: Room) -> None:
    room.lay(1, age=200 * DAY)
    room.keep()
    room.turn(lambda: room.sent)
    room.evidence.disconnected()
    room.quiet()
    assert len(room.sent) == 1
    room.keep()
    room.turn(lambda: len(room.sent) == 2)
    assert room.sent[0] == room.sent[1]
    assert not room.evidence.handle(Received("f" * 16, Verdict.LET_GO))
    room.answer()
    room.turn(lambda: room.there == [])


def test_it_waits_while_nothing_can_be_sent(room: Room) -> None:
    room.lay(1, age=200 * DAY)
    room.accepts = False
    room.keep()
    room.quiet()
    room.accepts = True
    room.turn(lambda: room.sent)


def test_one_look_takes_a_bounded_number_and_the_next_ones_the_rest(room: Room) -> None:
    for number in range(AT_ONCE + 30):
        room.lay(number, age=200 * DAY, content=b"")
    room.keep()

    def answered() -> bool:
        room.evidence.advance(connected=True)
        if room.sent:
            room.answer()
        return len(room.there) == 30

    eventually(answered, within=20)
    room.quiet()
    assert len(room.there) == 30  # not again at once
    room.steady += 2
    eventually(lambda: (answered(), room.there == [])[1], within=20)
    assert len({report.id for report in room.sent}) == AT_ONCE + 30


def test_evidence_that_cannot_be_removed_does_not_keep_the_rest(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    stays, goes = room.lay(1, age=300 * DAY), room.lay(2, age=200 * DAY)
    unlink = os.unlink

    def refuses(name: bytes, *, dir_fd: int) -> None:
        if os.fsdecode(name) == stays.name:
            raise PermissionError(1, "Operation not permitted")
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuses)
    room.keep()

    def answered() -> bool:
        room.evidence.advance(connected=True)
        if room.sent:
            room.answer()
        return not goes.exists()

    eventually(answered)
    room.steady = LOOK_SECONDS + 1
    room.quiet()
    assert room.there == [stays.name]
    assert len(room.sent) == 2


@pytest.mark.parametrize("kind", LOCAL_KINDS)
def test_any_kind_of_thing_goes_whole(tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    plant(tmp_path / "in" / "x", kind)
    removed(tmp_path / "in", b"x")
    assert os.listdir(tmp_path / "in") == []
    assert Path("/etc/passwd").exists()


def removed(folder: Path, name: bytes, *, steps: int = 500) -> int:
    """In how many calls."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        calls = 1
        while not discard(descriptor, name, steps=steps):
            calls += 1
            assert calls < 10_000
        return calls
    finally:
        os.close(descriptor)


def test_a_tree_made_to_be_hard_to_remove_goes_in_bounded_steps(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"precious")
    top = tmp_path / "in" / "tree"
    top.mkdir(parents=True)
    here = os.open(top, os.O_RDONLY)
    for number in range(1500):  # far deeper than any path can be
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        if number % 100 == 0:
            os.symlink(outside, "link", dir_fd=below)
            os.mkdir("shut", 0o000, dir_fd=below)
            os.link(outside / "precious", "same", dst_dir_fd=below)
        os.close(here)
        here = below
    os.close(here)
    for number in range(700):
        (top / f"file-{number}").touch()
    assert removed(tmp_path / "in", b"tree", steps=100) > 20
    assert os.listdir(tmp_path / "in") == []
    assert (outside / "precious").read_bytes() == b"precious"


def test_what_is_mounted_within_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "in" / "tree").mkdir(parents=True)
    with small_disk(tmp_path / "in" / "tree" / "mounted", kibibytes=64) as disk:
        (disk / "precious").write_bytes(b"precious")
        with pytest.raises(OSError, match="cross-device"):
            removed(tmp_path / "in", b"tree")
        assert (disk / "precious").exists()
    removed(tmp_path / "in", b"tree")


def test_what_is_gone_already_is_gone(tmp_path: Path) -> None:
    assert removed(tmp_path, b"nothing") == 1


class Aged:
    """A gateway's side that keeps evidence for a day, and a guard in a process of its own."""

    def __init__(self, top: Path) -> None:
        self.side = Side(top, aside_days=1)

    def lay(self, number: int, content: bytes = b"planted") -> Path:
        name = aside_name(number, moved=datetime.now(UTC) - 2 * DAY)
        path = self.side.aside / name.render(reported=True)
        path.write_bytes(content)
        return path

    def told(self) -> list[dict[str, Any]]:
        return [dict(leaf["facts"], file=leaf.get("file")) for leaf in self.side.entries("evidence.expired")]  # type: ignore[call-overload]


@pytest.fixture
def aged(tmp_path: Path) -> Iterator[Aged]:
    aged = Aged(tmp_path)
    yield aged
    aged.side.close()


def test_a_real_guard_lets_go_by_entries(aged: Aged) -> None:
    (aged.side.release / "young").write_bytes(b"just planted")
    for number in range(5):
        aged.lay(number, b"x" * number)
    tree = aged.side.aside / aside_name(9, moved=datetime.now(UTC) - 3 * DAY).render(reported=True)
    (tree / "deep" / "er").mkdir(parents=True)
    (tree / "deep" / "file").write_bytes(b"in a folder")
    (aged.side.aside / "notes by a person.txt").write_text("mine")
    guard = Guard(aged.side)
    try:
        assert aged.side.post.wait_until_alive(15)
        eventually(lambda: len(os.listdir(aged.side.aside)) == 2 and aged.side.entries("return.refused"))
    finally:
        guard.kill()
    told = {facts["report"]: facts for facts in aged.told()}
    assert sorted(told) == [f"{number:016x}" for number in (0, 1, 2, 3, 4, 9)]
    assert told[f"{3:016x}"]["file"] == {"bytes": 3, "sha256": sha256_of(b"xxx")}
    assert told[f"{3:016x}"]["name_sha256"] == name_digest(b"planted-3")
    assert told[f"{3:016x}"]["days"] == 1
    assert told[f"{9:016x}"]["kind"] == "folder"
    assert len(aged.told()) == 6
    left = sorted(path.name for path in aged.side.aside.iterdir())
    assert "notes by a person.txt" in left
    assert any(name.endswith(".done") for name in left)


def test_killed_between_entry_and_removal_it_is_removed_later_and_told_once(aged: Aged) -> None:
    path = aged.lay(1, b"evidence")
    dead = Report(  # what a guard had told, just before it was killed
        id=f"{1:016x}",
        what=What.EXPIRED,
        presence=presence_of(path),
    )
    assert aged.side.desk.record(dead) is Verdict.LET_GO
    assert path.exists()
    guard = Guard(aged.side)
    try:
        assert aged.side.post.wait_until_alive(15)
        eventually(lambda: not path.exists())
    finally:
        guard.kill()
    assert len(aged.told()) == 1


def presence_of(path: Path) -> Presence:
    name = parse_aside_name(path.name, reported=True)
    assert name is not None
    return Presence(
        name_sha256=name.name_sha256,
        kind=Kind.FILE,
        size=8,
        sha256=Sha256("11" * 32),
        seen_at=datetime.fromtimestamp(name.milliseconds / 1000, UTC),
    )


def test_while_the_entry_cannot_be_made_nothing_is_removed(aged: Aged, monkeypatch: pytest.MonkeyPatch) -> None:
    path = aged.lay(1)
    asked: list[Report] = []

    def full(_tx: object, report: Report) -> Verdict:
        asked.append(report)
        raise Unavailable("The disk is full.")

    guard = Guard(aged.side)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(aged.side.desk, "_expired", full)
            assert aged.side.post.wait_until_alive(15)
            eventually(lambda: len(asked) >= 2)
            assert path.exists()
        eventually(lambda: not path.exists())
    finally:
        guard.kill()
    assert len(aged.told()) == 1


@pytest.mark.slow
def test_killed_at_random_everything_goes_and_is_told_once(aged: Aged) -> None:
    for number in range(300):
        aged.lay(number, os.urandom(2000))
    guard = Guard(aged.side)
    try:
        for pause in (0.5, 0.8, 0.3, 1.0, 0.6):
            time.sleep(pause)
            guard.kill()
            guard = Guard(aged.side)
        eventually(lambda: os.listdir(aged.side.aside) == [], within=60)
    finally:
        guard.kill()
    assert sorted(facts["report"] for facts in aged.told()) == [f"{number:016x}" for number in range(300)]


def test_a_policy_that_keeps_for_ever_answers_no(tmp_path: Path) -> None:
    side = Side(tmp_path)
    try:
        name = aside_name(1, moved=datetime.now(UTC) - 9000 * DAY).render(reported=True)
        (side.aside / name).write_bytes(b"planted")
        report = Report(id=f"{1:016x}", what=What.EXPIRED, presence=presence_of(side.aside / name))
        assert side.desk.record(report) is Verdict.KNOWN
        guard = Guard(side)
        try:
            assert side.post.wait_until_alive(15)
            side.post.sweep(10)
            time.sleep(0.5)
        finally:
            guard.kill()
        assert os.listdir(side.aside) == [name]
        assert side.entries("evidence.expired") == []
    finally:
        side.close()
