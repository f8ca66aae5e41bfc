"""The door: whole files come in, anything odd is turned away with its digest, and nothing half-written is kept."""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.intake.source_contract import seen
from tests.intake.test_folder import FolderStage
from tests.store.disks import fill, small_disk
from transfer.errors import Refusal, Unavailable
from transfer.intake.admit import TurnedAway, admit
from transfer.intake.folder import FolderSource, FolderWatcher, Happening, Notice
from transfer.intake.settle import Settled, SettleRules, Settling
from transfer.model.ends import Origin
from transfer.model.findings import Code
from transfer.model.identifiers import NOBODY, ItemId, PersonId
from transfer.model.limits import MediaLimits
from transfer.model.states import Arrival, Kind, Spooled
from transfer.store.blobs import Blobs

LIMITS = MediaLimits(
    image_bytes=100_000,
    video_bytes=200_000_000,
    text_bytes=1000,
    pixels=1,
    total_pixels=1,
    side=1,
    frames=1,
    seconds=1,
    streams=1,
    characters=1,
)
SUFFIXES = frozenset({".jpg", ".mp4", ".txt"})
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class StandingClock:
    """Always the same instant."""

    def now(self) -> datetime:
        return NOW


class Door:
    """A staging folder, a spool, and the door between them."""

    def __init__(self, root: Path) -> None:
        (root / "staging").mkdir()
        (root / "state").mkdir()
        self.stage = FolderStage(root / "staging")
        self.state = root / "state"
        self.blobs = Blobs(self.state)
        self.blobs.prepare()

    def admit(
        self,
        arrival: Arrival,
        *,
        hash_limit: int = 1 << 20,
        reserve: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Spooled | TurnedAway | None:
        return admit(
            arrival,
            source=self.stage.source,
            blobs=self.blobs,
            limits=LIMITS,
            allowed_suffixes=SUFFIXES,
            item=ItemId("i-00000001"),
            clock=StandingClock(),
            hash_limit=hash_limit,
            reserve=reserve,
            progress=progress,
        )

    def drop(self, path: bytes, content: bytes) -> Arrival:
        self.stage.put(path, content)
        return seen(self.stage, path)

    def kept(self) -> list[str]:
        return sorted(path.name for path in self.state.rglob("*") if path.is_file())


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def codes(answer: Spooled | TurnedAway | None) -> list[Code]:
    assert isinstance(answer, TurnedAway)
    return [finding.code for finding in answer.findings]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_spooled_with_its_place_and_digest(door: Door) -> None:
    arrival = door.drop(b"open-day/post/photo.jpg", b"pixels")
    answer = door.admit(arrival)
    assert isinstance(answer, Spooled)
    assert (answer.raw.sha256, answer.raw.size) == (sha256(b"pixels"), 6)
    assert answer.arrived.arrival == arrival
    assert (answer.arrived.campaign, str(answer.arrived.post), str(answer.arrived.name)) == (
        "open-day",
        "post",
        "photo.jpg",
    )
    assert (answer.arrived.at, answer.arrived.findings) == (NOW, ())
    with door.blobs.open_raw(answer.raw.sha256) as stream:
        assert stream.read() == b"pixels"
    assert door.kept() == [answer.raw.sha256]
    assert door.stage.source.observe(arrival.path) == arrival, "the original stays"


def test_its_place_and_name_are_noted_and_refuse_nothing_here(door: Door) -> None:
    answer = door.admit(door.drop(b"\xe2\x80\xaex.jpg", b"pixels"))
    assert isinstance(answer, Spooled)
    assert [finding.code for finding in answer.arrived.findings] == [Code.OUTSIDE_CAMPAIGN, Code.NAME_CHANGED]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        (b"photo.exe", b"MZ", Code.NAME_NOT_ALLOWED),
        (b"photo", b"no ending", Code.NAME_NOT_ALLOWED),
        (b"photo.jpg.sh", b"#!", Code.NAME_NOT_ALLOWED),
        (b"photo.jpg", b"x" * 100_001, Code.TOO_LARGE),
        (b"caption.txt", b"x" * 1001, Code.TOO_LARGE),
        (b"empty.jpg", b"", Code.EMPTY),
    ],
)
def test_turned_away_with_its_digest_and_not_kept(door: Door, name: bytes, content: bytes, code: Code) -> None:
    arrival = door.drop(b"open-day/" + name, content)
    answer = door.admit(arrival)
    assert codes(answer) == [code]
    assert isinstance(answer, TurnedAway)
    assert (answer.sha256, answer.size) == (sha256(content), len(content))
    assert answer.arrived.findings == answer.findings
    assert door.kept() == []
    assert door.stage.source.observe(arrival.path) == arrival, "it stays where it is"


def test_exactly_the_limit_is_not_too_large(door: Door) -> None:
    assert isinstance(door.admit(door.drop(b"open-day/photo.jpg", b"x" * 100_000)), Spooled)


def test_hashing_what_is_refused_is_bounded(door: Door) -> None:
    answer = door.admit(door.drop(b"open-day/photo.exe", b"x" * 5001), hash_limit=5000)
    assert isinstance(answer, TurnedAway)
    assert (answer.sha256, answer.size) == (None, 5001)


def test_hard_links_are_turned_away(door: Door) -> None:
    door.stage.put(b"open-day/photo.jpg", b"linked")
    os.link(door.stage.at(b"open-day/photo.jpg"), door.stage.at(b"elsewhere"))
    answer = door.admit(seen(door.stage, b"open-day/photo.jpg"))
    assert codes(answer) == [Code.HARD_LINK]
    assert isinstance(answer, TurnedAway)
    assert answer.sha256 == sha256(b"linked")


def test_sparse_bombs_are_turned_away(door: Door) -> None:
    os.makedirs(door.stage.at(b"open-day"))
    for name, size in ((b"small.mp4", 1 << 20), (b"bomb.mp4", 1 << 40)):
        with open(door.stage.at(b"open-day/" + name), "wb") as stream:
            stream.write(b"head")
            stream.truncate(size)
    answer = door.admit(seen(door.stage, b"open-day/small.mp4"))
    assert codes(answer) == [Code.SPARSE]
    assert isinstance(answer, TurnedAway)
    assert answer.sha256 == sha256(b"head" + b"\0" * ((1 << 20) - 4))
    begun = time.monotonic()
    answer = door.admit(seen(door.stage, b"open-day/bomb.mp4"))
    assert time.monotonic() - begun < 1
    assert codes(answer) == [Code.TOO_LARGE, Code.SPARSE]
    assert isinstance(answer, TurnedAway)
    assert answer.sha256 is None


def test_a_file_of_zeros_is_not_sparse(door: Door) -> None:
    assert isinstance(door.admit(door.drop(b"open-day/zeros.mp4", b"\0" * (1 << 20))), Spooled)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (Kind.SYMLINK, Code.SYMLINK),
        (Kind.FIFO, Code.NOT_A_FILE),
        (Kind.SOCKET, Code.NOT_A_FILE),
        (Kind.DEVICE, Code.NOT_A_FILE),
    ],
)
def test_what_is_no_file_is_turned_away_without_opening_it(door: Door, kind: Kind, code: Code) -> None:
    if not door.stage.plant(kind, b"open-day/photo.jpg"):
        pytest.skip(f"there can be no {kind} here")
    answer = door.admit(seen(door.stage, b"open-day/photo.jpg"))
    assert codes(answer) == [code]
    assert isinstance(answer, TurnedAway)
    assert answer.sha256 is None


def test_a_folder_nobody_may_enter_is_turned_away(door: Door) -> None:
    os.makedirs(door.stage.at(b"open-day/closed"))
    assert codes(door.admit(seen(door.stage, b"open-day/closed"))) == [Code.UNREADABLE]


def test_leftovers_never_come_in(door: Door) -> None:
    assert door.admit(door.drop(b"open-day/._photo.jpg", b"resource fork")) is None
    assert door.kept() == []


def test_one_that_changed_before_the_door_starts_over(door: Door) -> None:
    before = door.drop(b"open-day/photo.jpg", b"one")
    after = door.drop(b"open-day/photo.jpg", b"two")
    assert door.admit(before) is None
    door.stage.remove(b"open-day/photo.jpg")
    assert door.admit(after) is None
    assert door.kept() == []


def during_copy(door: Door, path: bytes, act: Callable[[], None]) -> Spooled | TurnedAway | None:
    """Admits a file of 64 MiB while `act` runs in another thread, somewhere in the middle of the copy."""
    arrival = door.drop(path, os.urandom(1 << 20) * 64)
    acted = threading.Event()
    copying = threading.Event()

    def hand() -> None:
        copying.wait(10)
        act()
        acted.set()

    thread = threading.Thread(target=hand)
    thread.start()

    def progress(size: int) -> None:
        if size >= 16 << 20:
            copying.set()
            acted.wait(10)

    try:
        return door.admit(arrival, progress=progress)
    finally:
        thread.join()


def test_replaced_by_a_rename_while_it_is_copied(door: Door) -> None:
    answer = during_copy(door, b"open-day/clip.mp4", lambda: door.stage.put(b"open-day/clip.mp4", b"another"))
    assert answer is None
    assert door.kept() == []
    again = door.admit(seen(door.stage, b"open-day/clip.mp4"))
    assert isinstance(again, Spooled)
    assert again.raw.sha256 == sha256(b"another")


def test_truncated_while_it_is_copied(door: Door) -> None:
    answer = during_copy(door, b"open-day/clip.mp4", lambda: os.truncate(door.stage.at(b"open-day/clip.mp4"), 1 << 20))
    assert answer is None
    assert door.kept() == []


def test_written_behind_our_back_where_we_have_read_already(door: Door) -> None:
    def overwrite() -> None:
        with open(door.stage.at(b"open-day/clip.mp4"), "r+b") as stream:
            stream.write(b"changed")

    assert during_copy(door, b"open-day/clip.mp4", overwrite) is None
    assert door.kept() == []


def test_removed_while_it_is_copied(door: Door) -> None:
    assert during_copy(door, b"open-day/clip.mp4", lambda: door.stage.remove(b"open-day/clip.mp4")) is None
    assert door.kept() == []


def take_up(door: Door, settling: Settling, notices: queue.Queue[Notice], *, seconds: float) -> list[Spooled]:
    """What the gateway does with one folder: listens, looks again when it is due, admits what has settled."""
    taken: list[Spooled] = []
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end and not taken:
        wake = min(settling.next_due() or end, end)
        with contextlib.suppress(queue.Empty):
            hear(settling, notices.get(timeout=max(0.001, wake - now)))
        now = time.monotonic()
        for path in settling.due(at=now):
            there = door.stage.source.observe(path)
            answer = settling.seen(there, at=now) if there else None
            if isinstance(answer, Settled):
                admitted = door.admit(answer.arrival)
                taken += [admitted] if isinstance(admitted, Spooled) else []
    return taken


def hear(settling: Settling, notice: Notice) -> None:
    match notice.happening:
        case Happening.CLOSED:
            settling.closed(notice.path, at=time.monotonic())
        case Happening.CHANGED:
            settling.changed(notice.path, at=time.monotonic())
        case Happening.MOVED:
            settling.moved(notice.path, notice.to, at=time.monotonic())
        case Happening.GONE:
            settling.gone(notice.path)


def test_a_writer_that_keeps_writing_is_waited_for(door: Door) -> None:
    """It opens, appends, closes and pauses, as bad sync clients do; only the whole file is taken."""
    path = b"open-day/clip.mp4"
    os.makedirs(door.stage.at(b"open-day"))
    notices: queue.Queue[Notice] = queue.Queue()
    watcher = FolderWatcher(door.stage.root, tell=notices.put)
    watcher.start()
    parts = [os.urandom(50_000) for _ in range(20)]
    finished: list[float] = []

    def write() -> None:
        for part in parts:
            with open(door.stage.at(path), "ab") as stream:
                stream.write(part)
            time.sleep(0.05)
        finished.append(time.monotonic() - 0.05)

    hand = threading.Thread(target=write)
    hand.start()
    try:
        (taken,) = take_up(door, Settling(SettleRules(still=2.0)), notices, seconds=10)
        now = time.monotonic()
    finally:
        hand.join()
        watcher.stop()
    assert taken.raw.sha256 == sha256(b"".join(parts))
    assert now - finished[0] < 0.5, "and then at once"
    assert door.kept() == [taken.raw.sha256]


def test_a_slow_writer_that_nobody_tells_of_is_waited_for(door: Door) -> None:
    """No events at all, as on a network folder: it must stand still for the settle time."""
    path = b"open-day/clip.mp4"
    os.makedirs(door.stage.at(b"open-day"))
    settling = Settling(SettleRules(still=0.3))
    parts = [os.urandom(50_000) for _ in range(10)]

    def write() -> None:
        with open(door.stage.at(path), "wb", buffering=0) as stream:
            for part in parts:
                stream.write(part)
                time.sleep(0.1)

    hand = threading.Thread(target=write)
    hand.start()
    answer: Spooled | TurnedAway | None = None
    end = time.monotonic() + 10
    while answer is None and time.monotonic() < end:
        there = door.stage.source.observe(path)
        judged = settling.seen(there, at=time.monotonic()) if there else None
        answer = door.admit(judged.arrival) if isinstance(judged, Settled) else None
        time.sleep(0.02)
    hand.join()
    assert isinstance(answer, Spooled)
    assert answer.raw.sha256 == sha256(b"".join(parts))


def test_no_room_is_unavailable_before_the_disk_is_filled(door: Door, tmp_path: Path) -> None:
    arrival = door.drop(b"open-day/clip.mp4", b"x" * 400_000)
    with small_disk(tmp_path / "disk", kibibytes=1024) as disk:
        door.state, door.blobs = disk, Blobs(disk)
        door.blobs.prepare()
        with pytest.raises(Unavailable, match="no room"):
            door.admit(arrival, reserve=800_000)
        filler = fill(disk, leave=100_000)
        with pytest.raises(Unavailable):
            door.admit(arrival)
        filler.unlink()
        assert isinstance(door.admit(arrival), Spooled)


def test_a_staging_folder_that_is_gone_is_unavailable(door: Door, tmp_path: Path) -> None:
    arrival = door.drop(b"open-day/clip.mp4", b"x")
    (tmp_path / "staging").rename(tmp_path / "unmounted")
    with pytest.raises(Unavailable):
        door.admit(arrival)


class SilentSource(FolderSource):
    """A folder that refuses to say who handed a file in."""

    code: str = Code.MALWARE

    def origin_of(self, _arrival: Arrival) -> Origin:
        raise Refusal("Nobody may hand this in.", code=self.code, clauses=("G9",))


def test_what_a_source_refuses_to_tell_of_is_turned_away_as_nobody_s(door: Door, tmp_path: Path) -> None:
    arrival = door.drop(b"open-day/photo.jpg", b"pixels")
    source = SilentSource(source=arrival.source, submitter=PersonId("u_" + "0" * 32), root=tmp_path / "staging")
    door.stage.source = source
    answer = door.admit(arrival)
    assert isinstance(answer, TurnedAway)
    assert (codes(answer), answer.sha256, answer.size) == ([Code.MALWARE], None, 6)
    assert answer.arrived.submitter == NOBODY
    source.code = "something else"
    with pytest.raises(Refusal, match="Nobody may hand this in"):
        door.admit(arrival)
    door.drop(b"open-day/photo.jpg", b"other pixels")
    source.code = Code.MALWARE
    assert door.admit(arrival) is None, "it is another one by now"
    assert door.kept() == []
