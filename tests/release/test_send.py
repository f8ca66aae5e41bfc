"""One release from the intention to the guard's word, with a crash at every line, before and after it took effect."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from tests.release.rig import DEVICE, SIGNER, Guard, Side, eventually, guarded, item_id, sha256_of
from tests.store.pieces import HAPPENED
from transfer.errors import NotSo, Tampered, Unavailable
from transfer.model.states import State
from transfer.release.dispatch import Dispatch
from transfer.release.manifest import open_manifest
from transfer.release.send import restore, send
from transfer.release.withdraw import recall_lapsed, withdraw
from transfer.store.releases import ReleaseState
from transfer.store.schema import CONTROL


class Crash(BaseException):
    """The process ends here."""


class Fuse:
    """Blows at the n-th step, before it or after it took effect; the steps are named as they pass."""

    def __init__(self, at: int = -1, *, after: bool = False) -> None:
        self.at, self.after = at, after
        self.steps: list[str] = []

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.steps.append(name)
        blown = len(self.steps) - 1 == self.at
        if blown and not self.after:
            raise Crash(name)
        yield
        if blown:
            raise Crash(name)


class Wired:
    """Any part of the dispatch with a fuse before each call."""

    def __init__(self, part: Any, fuse: Fuse) -> None:
        self._part, self._fuse = part, fuse

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)
        if name == "write":
            return lambda: self._write(method)
        if name == "read":
            return method

        def call(*given: Any) -> Any:
            with self._fuse.step(name):
                return method(*given)

        return call

    @contextlib.contextmanager
    def _write(self, method: Any) -> Iterator[Any]:
        with self._fuse.step("commit"), method() as tx:
            yield tx


def wired(side: Side, fuse: Fuse) -> Dispatch:
    parts = side.dispatch
    return replace(
        parts,
        database=Wired(parts.database, fuse),
        sink=Wired(parts.sink, fuse),
        recaller=Wired(parts.recaller, fuse),
        lookout=Wired(parts.lookout, fuse),
    )


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    with guarded(tmp_path_factory.mktemp("stage")) as (side, _guard):
        yield side


COUNTER = iter(range(1, 10_000))
NOTHING_ELSE = ("return.refused", "release.altered", "release.removed")


def test_a_release_is_one_file_two_entries_and_a_line_in_the_manifest(stage: Side) -> None:
    number = next(COUNTER)
    fuse = Fuse()
    approved = stage.approved(number, b"a photo", name="Open Day.PNG")
    released = send(approved, dispatch=wired(stage, fuse), device=DEVICE)
    assert fuse.steps == ["commit", "expect", "put", "commit", "placed"]
    assert released.receipt.name.text == "Open Day.jpg"
    assert stage.released()["Open Day.jpg"] == b"a photo"
    for event in ("file.releasing", "file.released"):
        (entry,) = [e for e in stage.entries(event) if e["item"] == item_id(number)]
        assert entry["file"] == {"bytes": 7, "sha256": sha256_of(b"a photo")}
        assert "Open Day" not in str(entry)
    assert stage.keeper.renew() is not None
    assert stage.keeper.renew() is None
    manifest = open_manifest((stage.release / "manifest.note").read_bytes(), [SIGNER.verifier])
    assert (manifest.entries[-1].number, manifest.entries[-1].name.text) == (released.number, "Open Day.jpg")
    with pytest.raises(NotSo):
        send(approved, dispatch=stage.dispatch, device=DEVICE)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(5))
def test_a_crash_at_any_line_ends_in_exactly_one_release(stage: Side, at: int, after: bool) -> None:
    number = next(COUNTER)
    content = b"photo %d" % number
    approved = stage.approved(number, content)
    before = stage.released()
    with pytest.raises(Crash):
        send(approved, dispatch=wired(stage, Fuse(at, after=after)), device=DEVICE)
    if stage.state(item_id(number)) is State.APPROVED:  # as start-up finds it
        send(approved, dispatch=stage.dispatch, device=DEVICE)
    stage.post.sweep(10)
    gained = {name: found for name, found in stage.released().items() if name not in before}
    assert gained == {f"photo-{number}.jpg": content}
    assert stage.state(item_id(number)) is State.RELEASED
    for event in ("file.releasing", "file.released"):
        assert len([e for e in stage.entries(event) if e["item"] == item_id(number)]) == 1
    assert not any(stage.entries(event) for event in NOTHING_ELSE)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(6))
def test_a_crash_at_any_line_of_a_withdrawal_still_says_that_it_was_there(stage: Side, at: int, after: bool) -> None:
    number = next(COUNTER)
    send(stage.approved(number, b"photo %d" % number), dispatch=stage.dispatch, device=DEVICE)
    fuse = Fuse(at, after=after)
    with pytest.raises(Crash):
        withdraw(item_id(number), dispatch=wired(stage, fuse), facts={"statement": "s"})
    if stage.state(item_id(number)) is not State.WITHDRAWN:
        assert withdraw(item_id(number), dispatch=stage.dispatch, facts={"statement": "s"}) is True
    stage.post.sweep(10)
    (entry,) = [e for e in stage.entries("file.withdrawn") if e["item"] == item_id(number)]
    assert entry["facts"] == {"statement": "s", "still_there": True}
    assert f"photo-{number}.jpg" not in stage.released()
    assert not any(stage.entries(event) for event in NOTHING_ELSE)
    with pytest.raises(NotSo):
        withdraw(item_id(number), dispatch=stage.dispatch)


def test_those_were_all_the_lines_of_a_withdrawal(stage: Side) -> None:
    number = next(COUNTER)
    send(stage.approved(number, b"photo %d" % number), dispatch=stage.dispatch, device=DEVICE)
    fuse = Fuse()
    assert withdraw(item_id(number), dispatch=wired(stage, fuse), to=State.EXPIRED) is True
    assert fuse.steps == ["is_present", "commit", "forget", "recall", "recall", "commit"]
    assert stage.state(item_id(number)) is State.EXPIRED


def test_what_was_approved_and_not_yet_sent_is_withdrawn_too(stage: Side) -> None:
    number = next(COUNTER)
    approved = stage.approved(number, b"never sent")
    assert withdraw(item_id(number), dispatch=stage.dispatch) is False
    with pytest.raises(NotSo, match="withdrawn"):
        send(approved, dispatch=stage.dispatch, device=DEVICE)
    assert b"never sent" not in stage.released().values()


def test_a_decision_against_it_while_it_is_written_wins(stage: Side) -> None:
    number = next(COUNTER)
    approved = stage.approved(number, b"too late")
    put = stage.dispatch.sink.put

    class Deciding:
        def put(self, parcel: Any) -> Any:
            receipt = put(parcel)
            with stage.database.write() as tx:
                stage.register.mark(tx, item_id(number), State.WITHDRAWN, HAPPENED, was=frozenset({State.APPROVED}))
            return receipt

    with pytest.raises(NotSo):
        send(approved, dispatch=replace(stage.dispatch, sink=Deciding()), device=DEVICE)
    stage.post.sweep(10)
    assert b"too late" not in stage.released().values()
    assert not any(stage.entries(event) for event in NOTHING_ELSE)


def held_again(side: Side, number: int) -> None:
    with side.database.write() as tx:
        side.register.mark(tx, item_id(number), State.HELD, HAPPENED, was=frozenset({State.APPROVED}))


@pytest.mark.parametrize("at", [None, *range(6)])
@pytest.mark.parametrize("after", [False, True])
def test_what_was_put_and_lost_its_approval_before_it_counted_is_taken_back(
    stage: Side, at: int | None, after: bool
) -> None:
    number = next(COUNTER)
    approved = stage.approved(number, b"lapsing %d" % number)
    with pytest.raises(Crash):
        send(approved, dispatch=wired(stage, Fuse(2, after=True)), device=DEVICE)  # it is there, and not confirmed
    held_again(stage, number)
    if at is not None:
        with pytest.raises(Crash):
            recall_lapsed(dispatch=wired(stage, Fuse(at, after=after)))
    recall_lapsed(dispatch=stage.dispatch)
    assert recall_lapsed(dispatch=stage.dispatch) == 0
    stage.post.sweep(10)
    assert f"photo-{number}.jpg" not in stage.released()
    (entry,) = [e for e in stage.entries("release.recalled") if e["item"] == item_id(number)]
    assert entry["facts"] == {"number": stage.row(item_id(number)).number, "still_there": True}  # type: ignore[union-attr]
    with stage.database.write() as tx:
        stage.register.mark(tx, item_id(number), State.APPROVED, HAPPENED, was=frozenset({State.HELD}))
    send(approved, dispatch=stage.dispatch, device=DEVICE)
    assert stage.released()[f"photo-{number}.jpg"] == b"lapsing %d" % number
    assert len([e for e in stage.entries("file.releasing") if e["item"] == item_id(number)]) == 2
    assert not any(stage.entries(event) for event in NOTHING_ELSE)


def test_an_approval_is_checked_again_in_the_transaction_that_records_the_releasing(stage: Side) -> None:
    number = next(COUNTER)
    approved = stage.approved(number, b"rechecked")

    def lapsed(_tx: object, _approved: object) -> None:
        raise NotSo("The approval has lapsed.")

    with pytest.raises(NotSo, match="lapsed"):
        send(approved, dispatch=replace(stage.dispatch, stands=lapsed), device=DEVICE)
    assert stage.row(item_id(number)) is None
    assert b"rechecked" not in stage.released().values()


def test_while_paused_nothing_goes_out_and_what_was_begun_is_not_finished(stage: Side) -> None:
    begun, fresh = (stage.approved(next(COUNTER), b"paused %d" % n) for n in range(2))
    with pytest.raises(Crash):
        send(begun, dispatch=wired(stage, Fuse(1)), device=DEVICE)
    with stage.database.write() as tx:
        tx.connection.execute(update(CONTROL).values(paused_by="u_" + "0" * 32))
    try:
        for approved in (begun, fresh):
            with pytest.raises(Unavailable, match="paused"):
                send(approved, dispatch=stage.dispatch, device=DEVICE)
        assert not any(content.startswith(b"paused") for content in stage.released().values())
    finally:
        with stage.database.write() as tx:
            tx.connection.execute(update(CONTROL).values(paused_by=None))
    for approved in (begun, fresh):
        send(approved, dispatch=stage.dispatch, device=DEVICE)


def test_bytes_that_changed_in_the_spool_do_not_leave(stage: Side) -> None:
    number = next(COUNTER)
    approved = stage.approved(number, b"approved bytes")
    stage.blobs.content[sha256_of(b"approved bytes")] = b"Approved bytes"
    with pytest.raises(Tampered):
        send(approved, dispatch=stage.dispatch, device=DEVICE)
    assert f"photo-{number}.jpg" not in stage.released()
    assert stage.state(item_id(number)) is State.APPROVED


def test_a_squatter_on_the_name_is_moved_aside_and_the_release_goes_through(stage: Side) -> None:
    number = next(COUNTER)
    approved = stage.approved(number, b"genuine")
    with pytest.raises(Crash):
        send(approved, dispatch=wired(stage, Fuse(2)), device=DEVICE)  # expected, not yet put
    refused = len(stage.entries("return.refused"))
    (stage.release / f"photo-{number}.jpg").write_bytes(b"planted, and longer")

    def sent() -> bool:
        with contextlib.suppress(Unavailable):
            send(approved, dispatch=stage.dispatch, device=DEVICE)
        return stage.state(item_id(number)) is State.RELEASED

    eventually(sent)
    eventually(lambda: len(stage.entries("return.refused")) == refused + 1)
    assert stage.released()[f"photo-{number}.jpg"] == b"genuine"
    row = stage.row(item_id(number))
    assert row is not None
    assert row.state is ReleaseState.PRESENT


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_while_restoring_ends_in_the_genuine_file(stage: Side, at: int, after: bool) -> None:
    number = next(COUNTER)
    content = b"genuine %d" % number
    approved = stage.approved(number, content)
    send(approved, dispatch=stage.dispatch, device=DEVICE)
    path = stage.release / f"photo-{number}.jpg"
    path.write_bytes(b"altered!!!")
    eventually(lambda: stage.row(item_id(number)).state is ReleaseState.ALTERED)  # type: ignore[union-attr]
    fuse = Fuse(at + 1 if at else 0, after=after)  # expect, is_present, put, commit, placed: is_present has no effect
    with pytest.raises(Crash):
        restore(approved, dispatch=wired(stage, fuse))
    with contextlib.suppress(NotSo):
        restore(approved, dispatch=stage.dispatch)
    stage.post.sweep(10)
    assert path.read_bytes() == content
    for event in ("release.altered", "release.restored"):
        assert len([e for e in stage.entries(event) if e["item"] == item_id(number)]) == 1


def test_without_a_live_guard_nothing_is_released_and_afterwards_it_is(tmp_path: Path) -> None:
    with guarded(tmp_path) as (side, guard):
        approved = side.approved(1, b"a photo")
        guard.kill()
        eventually(lambda: not side.post.alive)
        with pytest.raises(Unavailable, match="guard"):
            send(approved, dispatch=side.dispatch, device=DEVICE)
        assert side.released() == {}
        with pytest.raises(Unavailable):
            side.keeper.renew()
        second = Guard(side)
        try:
            assert side.post.wait_until_alive(15)
            send(approved, dispatch=side.dispatch, device=DEVICE)
            assert side.keeper.renew() == 2  # the first, signed while the guard was gone, was published before it
            assert side.released() == {"photo-1.jpg": b"a photo"}
        finally:
            second.kill()


def test_a_release_can_be_taken_back_without_a_guard(tmp_path: Path) -> None:
    with guarded(tmp_path) as (side, guard):
        send(side.approved(1, b"a photo"), dispatch=side.dispatch, device=DEVICE)
        guard.kill()
        eventually(lambda: not side.post.alive)
        assert withdraw(item_id(1), dispatch=side.dispatch) is True
        second = Guard(side)
        try:
            assert side.post.wait_until_alive(15)
            side.post.sweep(10)
        finally:
            second.kill()
        assert side.entries("release.removed") == []
