"""What was released to OneDrive is looked at again: verified, rewritten by the service, or other bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.graph.emulator.identities import person
from tests.graph.emulator.items import Item
from tests.release.onedrive_rig import DEVICE, PLACE, WRITER_APP, End, Shifted, Shore
from tests.release.rig import DEVICE as IPAD
from tests.release.rig import Side, item_id
from tests.release.test_onedrive import Stopped, placed
from tests.store.pieces import HAPPENED
from transfer.errors import Unavailable
from transfer.graph.writer import CHUNK
from transfer.model.ends import Expectation
from transfer.model.identifiers import Sha256
from transfer.model.names import SafeName
from transfer.model.states import Approved, State
from transfer.release.dispatch import Dispatch
from transfer.release.onedrive_names import onedrive_name
from transfer.release.onedrive_recheck import Recheck
from transfer.release.send import restore, send
from transfer.release.withdraw import withdraw
from transfer.store.onedrive_placements import Echo
from transfer.store.releases import ReleaseState

MINUTE, HOUR = timedelta(minutes=1, seconds=1), timedelta(hours=1, seconds=1)


class Trusting:
    """A guard that lets everything stand and never saw anything."""

    def expect(self, expectation: Expectation) -> None: ...

    def forget(self, name: SafeName) -> None: ...

    def placed(self, expectation: Expectation) -> None: ...

    def is_present(self, name: SafeName) -> Sha256 | None:
        return None


class Line:
    """The line's last stretch, to OneDrive."""

    def __init__(self, shore: Shore, top: Path) -> None:
        self.shore, self.clock = shore, Shifted()
        self.side = Side(top)
        self.end = End(shore, top, database=self.side.database, clock=self.clock)
        self.dispatch: Dispatch = replace(
            self.side.dispatch,
            sink=self.end.sink,
            recaller=self.end.recaller,
            lookout=Trusting(),
            clock=self.clock,
        )

    def recheck(self, *, keep: bool = False) -> Recheck:
        return Recheck(
            writer=self.end.writer,
            application=str(WRITER_APP.id),
            dispatch=self.dispatch,
            placements=self.end.placements,
            keep_rewritten=keep,
        )

    def send(self, number: int, content: bytes, *, name: str | None = None) -> Approved:
        approved = self.side.approved(number, content, name=name)
        send(approved, dispatch=self.dispatch, device=IPAD)
        return approved

    def events(self, number: int) -> list[str]:
        names = ("release.verified", "release.rewritten", "release.mismatch", "file.released", "file.withdrawn")
        found = [entry for name in names for entry in self.side.entries(name) if entry["item"] == item_id(number)]
        return [str(entry["event"]) for entry in sorted(found, key=lambda entry: int(str(entry["i"])))]

    def echo(self, number: int) -> Echo | None:
        found = placed(self.end, f"photo-{number}.jpg")
        return None if found is None else found.echo

    def item(self, number: int = 1) -> Item:
        return self.shore.drive.item(f"{PLACE}/photo-{number}.jpg")


@pytest.fixture
def line(shore: Shore, tmp_path: Path) -> Iterator[Line]:
    line = Line(shore, tmp_path)
    yield line
    line.end.close()
    line.side.close()


def test_a_release_is_verified_at_once_and_looked_at_twice_by_its_facts_alone(line: Line) -> None:
    line.send(1, b"a photo")
    assert line.events(1) == ["release.verified", "file.released"]
    recheck = line.recheck()
    line.shore.world.forget_requests()
    recheck.round()
    assert line.shore.requests() == []
    for wait in (MINUTE, HOUR):
        line.clock.by += wait
        recheck.round()
        recheck.round()
    line.clock.by += timedelta(days=9)
    recheck.round()
    assert line.shore.requests() == ["GET graph"] * 2
    assert line.events(1) == ["release.verified", "file.released"]
    assert line.echo(1) is Echo.VERIFIED


@pytest.mark.parametrize("size", [1, CHUNK, CHUNK + 1, 2 * CHUNK + 1])
def test_requests_for_one_release_and_its_two_later_looks_are_bounded(line: Line, size: int) -> None:
    line.shore.world.forget_requests()
    line.send(1, bytes(size))
    for wait in (MINUTE, HOUR):
        line.clock.by += wait
        line.recheck().round()
    chunks = -(-size // CHUNK)
    assert len(line.shore.requests()) == 4 + chunks, "as docs/onedrive.md says: five, and one for each further chunk"


def test_a_release_gets_a_name_that_the_service_takes(line: Line) -> None:
    dispatch = replace(line.dispatch, fitting=onedrive_name)
    for number, name in ((1, "100%25.jpg"), (2, "Desktop.ini"), (3, "100%25.JPG")):
        send(line.side.approved(number, b"%d" % number, name=name), dispatch=dispatch, device=IPAD)
    assert sorted(line.shore.drive.names(PLACE)) == ["100_25-2.JPG", "100_25.jpg", "Desktop.jpg"]


@pytest.mark.parametrize("wait", [MINUTE, HOUR])
@pytest.mark.parametrize("keep", [False, True])
def test_a_picture_that_the_library_rewrote_is_told_of_and_stays_only_if_it_may(
    line: Line, wait: timedelta, keep: bool
) -> None:
    line.send(1, b"\xff\xd8a photo")
    recheck = line.recheck(keep=keep)
    if wait is HOUR:
        line.clock.by += MINUTE
        recheck.round()
    line.shore.drive.rewrite_jpeg(line.item())
    line.clock.by += wait
    recheck.round()
    recheck.round()
    told = ["release.verified", "file.released", "release.rewritten"]
    if keep:
        assert line.events(1) == told
        assert line.echo(1) is Echo.SERVICE_MODIFIED
        assert line.shore.drive.names(PLACE) == ["photo-1.jpg"]
        assert line.side.state(item_id(1)) is State.RELEASED
    else:
        assert line.events(1) == [*told, "file.withdrawn"]
        assert line.shore.drive.names(PLACE) == []
        assert line.side.state(item_id(1)) is State.WITHDRAWN
    (entry,) = line.side.entries("release.rewritten")
    assert entry["facts"] == {"clauses": ["G6"], "reported": 9 + 12}


def test_what_is_gone_by_itself_before_it_is_taken_back_ends_once(line: Line) -> None:
    """Its row would be tried again in every round, for ever."""
    line.send(1, b"\xff\xd8a photo")
    line.shore.drive.rewrite_jpeg(line.item())
    line.clock.by += MINUTE
    line.recheck(keep=True).round()
    assert line.echo(1) is Echo.SERVICE_MODIFIED
    line.shore.drive.by(DEVICE).remove(line.item())
    with line.side.database.write() as tx:
        line.side.releases.removed(tx, item_id(1), HAPPENED)
    recheck = line.recheck()
    recheck.round()
    assert line.side.state(item_id(1)) is State.WITHDRAWN
    assert line.echo(1) is None
    recheck.round()
    assert line.events(1).count("file.withdrawn") == 1


def test_other_bytes_found_later_are_taken_back(line: Line) -> None:
    line.send(1, b"a photo")
    line.shore.drive.report(line.item(), size=70_000, quickxor="taAFAAAAAAAAAAAAAgAAAAAAAAA=")
    line.clock.by += MINUTE
    line.recheck(keep=True).round()
    assert line.events(1) == ["release.verified", "file.released", "release.mismatch", "file.withdrawn"]
    (entry,) = line.side.entries("file.withdrawn")
    assert entry["facts"] == {"echo": "mismatch", "still_there": True}
    assert "by" not in entry
    assert line.shore.everything() == {}
    assert line.side.row(item_id(1)).state is ReleaseState.WITHDRAWN  # type: ignore[union-attr]


def test_other_bytes_at_once_are_removed_at_once_and_never_count_as_released(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_ = line.end.writer.send

    def garbled(url: str, chunk: bytes, *, first: int, total: int) -> object:
        return send_(url, chunk[::-1], first=first, total=total)

    monkeypatch.setattr(line.end.writer, "send", garbled)
    approved = line.side.approved(1, b"a photo")
    with pytest.raises(Unavailable, match="other bytes than were sent"):
        send(approved, dispatch=line.dispatch, device=IPAD)
    assert line.shore.everything() == {}
    assert line.echo(1) is Echo.MISMATCH
    before = len(line.shore.world.asked())
    with pytest.raises(Unavailable, match="withdrawn"):
        send(approved, dispatch=line.dispatch, device=IPAD)
    assert len(line.shore.world.asked()) == before  # it is not sent again and again
    line.recheck().round()
    assert line.side.state(item_id(1)) is State.WITHDRAWN
    assert line.events(1) == ["release.mismatch", "file.withdrawn"]
    assert line.echo(1) is None


def test_what_the_service_does_not_say_yet_is_asked_again(line: Line) -> None:
    line.send(1, b"a photo")
    with line.side.database.write() as tx:
        found = placed(line.end, "photo-1.jpg")
        assert found is not None
        line.end.placements.place(tx, replace(found, echo=Echo.PENDING), None)
    line.shore.drive.report(line.item(), quickxor=None)
    recheck = line.recheck()
    for _ in range(3):
        line.clock.by += HOUR
        recheck.round()
        assert line.echo(1) is Echo.PENDING
    line.shore.drive.report(line.item(), quickxor=found.quickxor)
    line.clock.by += HOUR
    recheck.round()
    assert line.echo(1) is Echo.VERIFIED
    assert line.events(1)[-1] == "release.verified"


def test_what_is_worked_on_just_now_stays_what_it_was(line: Line) -> None:
    line.send(1, b"a photo")
    line.shore.drive.report(line.item(), quickxor=None)
    line.clock.by += MINUTE
    line.recheck().round()
    assert line.echo(1) is Echo.VERIFIED


@pytest.mark.parametrize("gone", ["removed", "moved"])
def test_what_is_gone_is_the_guards_news(line: Line, gone: str) -> None:
    line.send(1, b"a photo")
    hand = line.shore.drive.by(DEVICE)
    if gone == "removed":
        hand.remove(line.item())
    else:
        hand.move(line.item(), hand.folder("elsewhere"))
    line.clock.by += MINUTE
    line.recheck().round()
    assert line.events(1) == ["release.verified", "file.released"]


def test_a_file_that_was_just_made_and_is_not_known_yet_is_no_news(line: Line) -> None:
    line.send(1, b"a photo")
    line.shore.world.fault("not_found", method="GET", path="/items/")
    line.clock.by += MINUTE
    recheck = line.recheck()
    recheck.round()
    assert line.echo(1) is Echo.VERIFIED
    line.clock.by += HOUR
    recheck.round()
    assert line.events(1) == ["release.verified", "file.released"]


def test_a_release_whose_item_was_not_written_down_is_found_by_its_name(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash after the commit; the guard vouches for it, so it is not put again."""

    def killed(*_: object) -> None:
        raise Stopped

    approved = line.side.approved(1, b"a photo")
    with monkeypatch.context() as patched:
        patched.setattr(type(line.end.placements), "place", killed)
        with pytest.raises(Stopped):
            send(approved, dispatch=line.dispatch, device=IPAD)

    class Vouching(Trusting):
        def is_present(self, name: SafeName) -> Sha256 | None:
            return approved.held.rebuilt.clean.sha256

    send(approved, dispatch=replace(line.dispatch, lookout=Vouching()), device=IPAD)
    assert line.echo(1) is None
    recheck = line.recheck()
    recheck.round()
    assert line.echo(1) is Echo.VERIFIED
    assert line.events(1) == ["file.released", "release.verified"]
    assert withdraw(item_id(1), dispatch=line.dispatch) is True
    assert line.shore.everything() == {}


def test_somebody_elses_file_is_not_taken_for_a_release_that_was_not_written_down(line: Line) -> None:
    line.send(1, b"a photo")
    line.shore.drive.by(person("Sam")).remove(line.item())
    with line.side.database.write() as tx:
        found = placed(line.end, "photo-1.jpg")
        assert found is not None
        line.end.placements.removed(tx, found.name_sha256)
    line.shore.drive.by(person("Sam")).put(f"{PLACE}/photo-1.jpg", b"a photo")
    line.recheck().round()
    assert line.echo(1) is None


def test_an_unreachable_service_puts_it_off(line: Line) -> None:
    line.send(1, b"a photo")
    line.shore.world.fault("status", times=100, status=403)
    line.clock.by += MINUTE
    recheck = line.recheck()
    with pytest.raises(Unavailable):
        recheck.round()
    line.shore.world.no_faults()
    recheck.round()
    assert line.echo(1) is Echo.VERIFIED


def test_a_restored_release_is_looked_at_anew(line: Line) -> None:
    approved = line.send(1, b"a photo")
    hand = line.shore.drive.by(DEVICE)
    first = line.item()
    hand.move(first, hand.folder("aside"))
    with line.side.database.write() as tx:
        line.side.releases.altered(tx, item_id(1), HAPPENED)
    restore(approved, dispatch=line.dispatch)
    found = placed(line.end, "photo-1.jpg")
    assert found is not None
    assert found.drive_item != first.id
    assert line.shore.everything() == {"photo-1.jpg": b"a photo"}
