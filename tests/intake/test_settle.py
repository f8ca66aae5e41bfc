"""When a file is taken: after its close and some quiet, or after standing still; never while it changes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from transfer.intake.settle import Settled, SettleRules, Settling, Wait
from transfer.model.identifiers import SourceId
from transfer.model.states import Arrival, Kind

RULES = SettleRules(still=2.0)
PATH = b"open-day/x.jpg"


def there(size: int = 10, mtime: int = 0, path: bytes = PATH, **more: int) -> Arrival:
    plain = Arrival(
        source=SourceId("sam"), path=path, kind=Kind.FILE, device=1, inode=1, size=size, mtime_ns=mtime, ctime_ns=mtime
    )
    return replace(plain, **more)  # type: ignore[arg-type] # integer fields of Arrival


def test_without_events_it_must_stand_still() -> None:
    settling = Settling(RULES)
    assert settling.seen(there(), at=100.0) == Wait(102.0)
    assert settling.seen(there(), at=101.9) == Wait(102.0)
    assert settling.due(at=101.9) == []
    assert settling.due(at=102.0) == [PATH]
    assert settling.seen(there(), at=102.0) == Settled(there())
    assert settling.next_due() is None


def test_every_change_starts_the_wait_again() -> None:
    settling = Settling(RULES)
    settling.seen(there(size=10), at=100.0)
    assert settling.seen(there(size=20, mtime=1), at=101.9) == Wait(103.9)
    assert settling.seen(there(size=20, mtime=2), at=103.8) == Wait(105.8), "also one of times alone"
    assert settling.seen(there(size=20, mtime=2, inode=9), at=105.0) == Wait(107.0), "and another file of that name"
    assert settling.seen(there(size=20, mtime=2, inode=9), at=107.0) == Settled(there(size=20, mtime=2, inode=9))


def test_a_close_and_some_quiet_are_enough() -> None:
    settling = Settling(RULES)
    settling.changed(PATH, at=100.0)
    settling.closed(PATH, at=100.1)
    assert settling.next_due() == 100.25
    assert settling.seen(there(), at=100.11) == Wait(100.25)
    assert settling.seen(there(), at=100.25) == Settled(there())


def test_a_close_that_is_heard_late_is_enough_by_itself() -> None:
    settling = Settling(RULES)
    settling.closed(PATH, at=100.0)
    assert settling.seen(there(), at=100.3) == Settled(there())


def test_writing_after_a_close_counts() -> None:
    settling = Settling(RULES)
    settling.closed(PATH, at=100.0)
    settling.changed(PATH, at=100.1)
    assert settling.seen(there(), at=100.2) == Wait(102.2)
    settling.closed(PATH, at=100.5)
    assert settling.seen(there(), at=100.6) == Wait(100.65)


def test_growth_that_no_event_told_of_voids_the_close() -> None:
    settling = Settling(RULES)
    settling.closed(PATH, at=100.0)
    settling.seen(there(size=10), at=100.05)
    assert settling.seen(there(size=11, mtime=1), at=100.2) == Wait(102.2)


def test_times_set_after_the_close_restart_the_quiet_only() -> None:
    settling = Settling(RULES)
    settling.closed(PATH, at=100.0)
    settling.seen(there(), at=100.05)
    assert settling.seen(there(mtime=5), at=100.1) == Wait(100.25)
    assert settling.seen(there(mtime=5), at=100.25) == Settled(there(mtime=5))


def test_a_download_renamed_when_it_is_done() -> None:
    settling = Settling(RULES)
    settling.closed(b"open-day/x.jpg.part", at=100.0)
    settling.moved(b"open-day/x.jpg.part", PATH, at=100.1)
    assert settling.seen(there(), at=100.1) == Wait(100.25)
    assert settling.seen(there(), at=100.25) == Settled(there())
    settling.moved(b"unheard-of", PATH, at=101.0)
    assert settling.next_due() == 101.0, "standing still counts from the first look, and that comes at once"
    assert settling.seen(there(), at=101.0) == Wait(103.0), "nobody saw that one closed"


def test_an_empty_placeholder_is_waited_for() -> None:
    settling = Settling(RULES)
    settling.closed(PATH, at=100.0)
    assert settling.seen(there(size=0), at=100.3) == Wait(700.3)
    assert settling.seen(there(size=0), at=400.0) == Wait(700.3)
    assert settling.seen(there(size=5, mtime=1), at=500.0) == Wait(502.0)
    empty = Settling(RULES)
    empty.seen(there(size=0), at=0.0)
    assert empty.seen(there(size=0), at=600.0) == Settled(there(size=0)), "somebody really dropped an empty file"
    link = replace(there(size=0), kind=Kind.SYMLINK)
    empty.seen(link, at=0.0)
    assert empty.seen(link, at=2.0) == Settled(link), "what is no file has no content to wait for"


def test_what_is_gone_is_forgotten() -> None:
    settling = Settling(RULES)
    settling.seen(there(), at=100.0)
    settling.gone(PATH)
    assert settling.seen(there(), at=102.0) == Wait(104.0)
    settling.closed(b"never/seen", at=100.0)
    settling.rescanned([PATH])
    assert settling.due(at=1000.0) == [PATH]
    settling.rescanned([])
    assert settling.next_due() is None


def test_due_paths_come_in_order() -> None:
    settling = Settling(RULES)
    settling.seen(there(path=b"b"), at=1.0)
    settling.seen(there(path=b"a"), at=2.0)
    settling.closed(b"c", at=2.0)
    assert settling.due(at=9.0) == [b"c", b"b", b"a"]


STEPS = st.lists(
    st.tuples(st.floats(0.001, 3.0), st.sampled_from(["write", "touch", "close", "look", "look", "look", "moved in"])),
    max_size=40,
)


@given(STEPS)
def test_it_is_never_taken_within_150_ms_of_a_write_nor_before_a_reason(steps: list[tuple[float, str]]) -> None:
    """A model of one file: whatever happens and whenever somebody looks, taking it is justified."""
    settling = Settling(RULES)
    now = 0.0
    last_write = 0.0
    last_close: float | None = None
    size = mtime = 1
    for wait, step in steps:
        now += wait
        match step:
            case "write":
                size, mtime, last_write, last_close = size + 1, mtime + 1, now, None
                settling.changed(PATH, at=now)
            case "touch":
                mtime += 1
            case "close":
                last_close = now
                settling.closed(PATH, at=now)
            case "moved in":
                settling.moved(b"elsewhere", PATH, at=now)
                last_write, last_close = now, None
            case _:
                answer = settling.seen(there(size=size, mtime=mtime), at=now)
                if isinstance(answer, Settled):
                    assert answer.arrival.size == size
                    assert now >= last_write + RULES.quiet or last_close is None
                    if last_close is not None:
                        assert now >= last_close + RULES.quiet or now >= last_write + RULES.still
                    else:
                        assert now >= last_write + RULES.still
                else:
                    assert answer.until > now
                    assert settling.next_due() == answer.until


@given(st.lists(st.floats(0.01, 1.9), min_size=1, max_size=30))
def test_a_writer_that_keeps_writing_is_never_interrupted(pauses: list[float]) -> None:
    settling = Settling(RULES)
    now = 0.0
    for size, pause in enumerate(pauses, start=1):
        assert isinstance(settling.seen(there(size=size, mtime=size), at=now), Wait)
        now += pause
