"""What is scanned again, and when: the watch and the line with real children, and scanners that say what is wanted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

import pytest

from tests import samples
from tests.system.place import Place
from tests.system.test_line import line as line  # noqa: PLC0414 - a fixture
from tests.system.test_line import spooled, state, story
from transfer.inspection.scan import Scanners, SelfTest
from transfer.model.findings import ScanAnswer, ScanResult
from transfer.model.identifiers import ItemId
from transfer.model.states import State
from transfer.pipeline import Line
from transfer.scanner_watch import ScannerWatch


@dataclass
class Scripted:
    """A scanner that answers as it is set, and counts."""

    name: str = "scripted"
    answer: ScanAnswer = ScanAnswer.CLEAN
    well: bool = True
    changed: bool = False
    old: bool = False
    asked: int = 0
    tested: int = 0

    def scan(self, content: BinaryIO, size: int) -> ScanResult:
        assert len(content.read(size + 1)) == size
        self.asked += 1
        return ScanResult(answer=self.answer, scanner=self.name)

    def self_test(self) -> SelfTest:
        self.tested += 1
        return SelfTest(passed=self.well, scanner=self.name, signatures="", sentence="It is as it is.")

    def tend(self) -> bool:
        was, self.changed = self.changed, False
        return was

    def outdated(self, earlier: ScanResult) -> bool:
        return self.old

    def close(self) -> None: ...


@dataclass
class Clocks:
    """Both clocks, moved together."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    def on(self, step: timedelta) -> None:
        self.at += step
        self.seconds += step.total_seconds()


@pytest.fixture
def scanner() -> Scripted:
    return Scripted()


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def scanned(place: Place, line: Line, scanner: Scripted) -> Line:
    """The line with the scripted scanner, under the policy that demands one."""
    strict = replace(line.policy, malware=replace(line.policy.malware, scan=type(line.policy.malware.scan)("required")))
    return replace(line, scanner=Scanners(scanner), policy=strict)


@pytest.fixture
def watch(place: Place, scanner: Scripted, clocks: Clocks) -> ScannerWatch:
    site = place.site
    return ScannerWatch(
        db=site.db,
        register=site.register,
        scanners=Scanners(scanner),
        monotonic=clocks.monotonic,
    )


@pytest.fixture
def picture(place: Place) -> ItemId:
    return spooled(place, "photo.jpg", samples.jpeg())


def waits_for(place: Place, item: ItemId) -> str:
    with place.site.db.read() as tx:
        return str(place.site.register.row(tx, item).waiting_for)


def last_scans(place: Place, item: ItemId) -> list[str]:
    held = [entry for entry in place.entries("file.held") if entry["item"] == item]
    return [scan["answer"] for scan in held[-1]["facts"].get("scans", ())]


def test_what_waits_for_the_scanner_goes_on_when_it_is_well(
    place: Place, scanned: Line, scanner: Scripted, watch: ScannerWatch, clocks: Clocks, picture: ItemId
) -> None:
    scanner.answer, scanner.well = ScanAnswer.UNAVAILABLE, False
    scanned.carry(picture)
    assert waits_for(place, picture) == "scanner"
    assert watch.round() == []
    scanner.answer, scanner.well = ScanAnswer.CLEAN, True
    assert watch.round() == []  # it was asked a moment ago
    clocks.on(timedelta(seconds=16))
    assert watch.round() == [picture]
    scanned.carry(picture)
    assert waits_for(place, picture) == "approval"
    assert last_scans(place, picture) == ["clean", "clean"]
    clocks.on(timedelta(seconds=16))
    assert watch.round() == []


def test_a_file_that_the_scanner_fails_on_is_shown_ever_less_often(
    place: Place, scanned: Line, scanner: Scripted, watch: ScannerWatch, clocks: Clocks, picture: ItemId
) -> None:
    scanner.answer = ScanAnswer.UNAVAILABLE
    scanned.carry(picture)
    shown = 0
    for _ in range(4 * 60):  # an hour
        clocks.on(timedelta(seconds=15))
        shown += len(watch.round())
    assert 6 <= shown <= 14
    scanner.well = False
    clocks.on(timedelta(seconds=15))
    watch.round()
    scanner.well = True  # it was away and is back: that may have been the reason
    clocks.on(timedelta(seconds=15))
    assert watch.round() == [picture]


def test_the_scanners_are_tested_at_once_and_hourly(scanner: Scripted, watch: ScannerWatch, clocks: Clocks) -> None:
    watch.round()
    assert scanner.tested == 1
    for _ in range(3600):
        clocks.on(timedelta(seconds=1))
        watch.round()
    assert scanner.tested == 2


def test_what_is_held_for_long_is_scanned_again(
    place: Place, scanned: Line, scanner: Scripted, watch: ScannerWatch, clocks: Clocks, picture: ItemId
) -> None:
    scanned.carry(picture)
    watch.round()
    clocks.on(timedelta(hours=1))
    assert watch.round() == []
    asked = scanner.asked
    assert scanned.carry(picture) is State.HELD  # its answers still count: nothing is done
    assert scanner.asked == asked
    scanner.old = True
    clocks.on(timedelta(hours=1))
    assert watch.round() == [picture]
    assert scanned.carry(picture) is State.HELD
    assert scanner.asked == asked + 2
    assert last_scans(place, picture) == ["clean", "clean"]
    scanner.answer = ScanAnswer.UNAVAILABLE
    assert scanned.carry(picture) is State.HELD
    assert waits_for(place, picture) == "scanner"  # an answer that is too old is none
    scanner.answer, scanner.old = ScanAnswer.INFECTED, False
    assert scanned.carry(picture) is State.REFUSED
    assert story(place, picture)[-1] == "file.refused"


def test_other_rules_look_at_everything_that_is_held(
    place: Place, scanned: Line, scanner: Scripted, watch: ScannerWatch, picture: ItemId
) -> None:
    scanned.carry(picture)
    watch.round()
    assert watch.round() == []
    scanner.changed = True
    assert watch.round() == [picture]
    assert watch.round() == []


def test_a_second_scanner_that_is_new_looks_at_what_is_held(place: Place, scanned: Line, picture: ItemId) -> None:
    scanned.carry(picture)
    both = replace(scanned, scanner=Scanners(Scripted(), Scripted(name="second")))
    assert both.carry(picture) is State.HELD
    assert last_scans(place, picture) == ["clean"] * 4
    finds = replace(scanned, scanner=Scanners(Scripted(), Scripted(name="third", answer=ScanAnswer.INFECTED)))
    assert finds.carry(picture) is State.REFUSED
    assert state(place, picture) is State.REFUSED


def test_both_have_to_say_clean(place: Place, scanned: Line, picture: ItemId) -> None:
    unsure = Scripted(name="second", answer=ScanAnswer.UNAVAILABLE)
    assert replace(scanned, scanner=Scanners(Scripted(), unsure)).carry(picture) is State.HELD
    assert waits_for(place, picture) == "scanner"
