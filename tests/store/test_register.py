"""The register: each step once, each question answered from an index, and nothing forgotten or told twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.store import pieces
from tests.store.pieces import HAPPENED, START, digest, item_id
from transfer.errors import NotSo, Tampered
from transfer.model.events import Event, EventName
from transfer.model.findings import Code, WaitingFor
from transfer.model.identifiers import CampaignId
from transfer.model.names import safe_name
from transfer.model.states import State
from transfer.store.database import Database
from transfer.store.register import Register


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = Database.create(tmp_path / "db")
    yield database
    database.close()


@pytest.fixture
def recorder() -> pieces.CountingRecorder:
    return pieces.CountingRecorder()


@pytest.fixture
def register(recorder: pieces.CountingRecorder) -> Register:
    return Register(recorder, clock=pieces.SteppingClock())


def bring_to_held(db: Database, register: Register, number: int, **more: object) -> None:
    raw = more.get("raw")
    with db.write() as tx:
        register.enter(tx, pieces.spooled(number, raw=raw), HAPPENED)  # type: ignore[arg-type] # a digest or None
        register.advance(tx, pieces.examined(number, raw=raw), HAPPENED, was=State.SPOOLED)  # type: ignore[arg-type]
        register.advance(tx, pieces.held(number, **more), HAPPENED, was=State.EXAMINED)  # type: ignore[arg-type]


def test_a_life_from_drop_to_withdrawal(db: Database, register: Register, recorder: pieces.CountingRecorder) -> None:
    with db.write() as tx:
        register.enter(tx, pieces.spooled(1), Event(name=EventName.FILE_SPOOLED))
    with db.write() as tx:
        register.advance(tx, pieces.examined(1), Event(name=EventName.FILE_EXAMINED), was=State.SPOOLED)
    with db.write() as tx:
        register.advance(tx, pieces.rebuilt(1), Event(name=EventName.FILE_REBUILT), was=State.EXAMINED)
        assert register.produced(tx, digest(1001)) is None, "not before it was held"
    with db.write() as tx:
        register.advance(tx, pieces.held(1), Event(name=EventName.FILE_HELD), was=State.REBUILT)
    with db.read() as tx:
        row = register.row(tx, item_id(1))
        assert (row.state, row.waiting_for, row.rebuilt_sha256) == (State.HELD, WaitingFor.APPROVAL, digest(1001))
        assert row.reasons == pieces.held(1).verdict.reasons
        assert row.arrival == pieces.arrival(1)
        assert register.load(tx, item_id(1)) == pieces.held(1)
    with db.write() as tx:
        register.mark(tx, item_id(1), State.APPROVED, HAPPENED, was=frozenset({State.HELD}))
    with db.write() as tx:
        register.mark(
            tx, item_id(1), State.RELEASED, HAPPENED, was=frozenset({State.APPROVED}), released_as="photo-1.jpg"
        )
    with db.read() as tx:
        row = register.row(tx, item_id(1))
        assert (row.state, row.waiting_for, row.released_as) == (State.RELEASED, None, "photo-1.jpg")
        assert register.load(tx, item_id(1)) == pieces.held(1), "its record stays"
    with db.write() as tx:
        register.set_retired(tx, item_id(1), Event(name=EventName.ORIGINAL_RETIRED))
        register.mark(tx, item_id(1), State.WITHDRAWN, HAPPENED, was=frozenset({State.RELEASED}))
    with db.read() as tx:
        row = register.row(tx, item_id(1))
        assert (row.state, row.retired, row.released_as) == (State.WITHDRAWN, True, "photo-1.jpg")
    assert [event.name for event in recorder.events[:4]] == [
        EventName.FILE_SPOOLED,
        EventName.FILE_EXAMINED,
        EventName.FILE_REBUILT,
        EventName.FILE_HELD,
    ]
    assert len(recorder.events) == 8


def test_an_arrival_is_entered_once(db: Database, register: Register, recorder: pieces.CountingRecorder) -> None:
    with db.write() as tx:
        register.enter(tx, pieces.spooled(1), HAPPENED)
    with pytest.raises(NotSo), db.write() as tx:
        register.enter(tx, pieces.spooled(1), HAPPENED)
    assert len(recorder.events) == 1, "what did not happen is not recorded"
    with db.read() as tx:
        assert register.known(tx, pieces.arrival(1))
        assert not register.known(tx, pieces.arrival(1, mtime_ns=5)), "a changed file is another arrival"
        assert register.known(tx, pieces.arrival(1, links=2, allocated=0)), "these are not its identity"


def test_a_step_is_taken_once(db: Database, register: Register, recorder: pieces.CountingRecorder) -> None:
    bring_to_held(db, register, 1)
    before = len(recorder.events)
    with pytest.raises(NotSo, match="is held, so it cannot become examined"), db.write() as tx:
        register.advance(tx, pieces.examined(1), HAPPENED, was=State.SPOOLED)
    was = frozenset({State.APPROVED, State.RELEASED})
    with pytest.raises(NotSo, match="must be approved or released"), db.write() as tx:
        register.mark(tx, item_id(1), State.WITHDRAWN, HAPPENED, was=was)
    with pytest.raises(NotSo, match="needs a record"), db.write() as tx:
        register.mark(tx, item_id(1), State.REFUSED, HAPPENED, was=frozenset({State.HELD}))
    for step in (
        lambda tx: register.load(tx, item_id(9)),
        lambda tx: register.row(tx, item_id(9)),
        lambda tx: register.advance(tx, pieces.held(9), HAPPENED, was=State.HELD),
        lambda tx: register.set_retired(tx, item_id(9), HAPPENED),
    ):
        with pytest.raises(NotSo), db.write() as tx:
            step(tx)
    assert len(recorder.events) == before


def test_of_two_threads_one_takes_the_step(db: Database, register: Register) -> None:
    bring_to_held(db, register, 1)
    outcomes: list[str] = []

    def approve() -> None:
        try:
            with db.write() as tx:
                register.mark(tx, item_id(1), State.APPROVED, HAPPENED, was=frozenset({State.HELD}))
            outcomes.append("done")
        except NotSo:
            outcomes.append("too late")

    threads = [threading.Thread(target=approve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "too late", "too late", "too late"]


def test_held_again_waits_again(db: Database, register: Register) -> None:
    bring_to_held(db, register, 1, waiting_for=WaitingFor.SCANNER)
    with db.write() as tx:
        register.advance(tx, pieces.held(1), HAPPENED, was=State.HELD)
        assert register.row(tx, item_id(1)).waiting_for is WaitingFor.APPROVAL
        register.mark(tx, item_id(1), State.APPROVED, HAPPENED, was=frozenset({State.HELD}))
        assert register.row(tx, item_id(1)).waiting_for is None
        register.mark(tx, item_id(1), State.HELD, HAPPENED, was=frozenset({State.APPROVED}))
        assert register.row(tx, item_id(1)).waiting_for is WaitingFor.APPROVAL


def test_decided_at_is_the_last_decision(db: Database, register: Register) -> None:
    with db.write() as tx:
        register.enter(tx, pieces.spooled(1), HAPPENED)
        assert register.row(tx, item_id(1)).decided_at is None
        register.advance(tx, pieces.held(1), HAPPENED, was=State.SPOOLED)
        decided = register.row(tx, item_id(1)).decided_at
        assert decided is not None
        register.mark(tx, item_id(1), State.APPROVED, HAPPENED, was=frozenset({State.HELD}))
        approved = register.row(tx, item_id(1)).decided_at
        assert approved is not None
        assert approved > decided
        register.mark(tx, item_id(1), State.RELEASED, HAPPENED, was=frozenset({State.APPROVED}))
        assert register.row(tx, item_id(1)).decided_at == approved, "a release carries out a decision"
        assert register.decided_before(tx, State.RELEASED, approved, limit=9) == []
        later = approved + timedelta(seconds=1)
        assert register.decided_before(tx, State.RELEASED, later, limit=9) == [item_id(1)]


def test_lists(db: Database, register: Register) -> None:
    for number in range(1, 6):
        with db.write() as tx:
            register.enter(tx, pieces.spooled(number, post="pair" if number < 3 else None), HAPPENED)
    with db.write() as tx:
        register.advance(tx, pieces.refused(3, reached=State.SPOOLED, sha256=digest(3)), HAPPENED, was=State.SPOOLED)
    with db.read() as tx:
        assert [row.item for row in register.rows(tx)] == [item_id(number) for number in (5, 4, 3, 2, 1)]
        assert [row.item for row in register.rows(tx, limit=2)] == [item_id(5), item_id(4)]
        assert [row.item for row in register.rows(tx, state=State.REFUSED)] == [item_id(3)]
        since = START + timedelta(minutes=4)
        assert [row.item for row in register.rows(tx, since=since)] == [item_id(5), item_id(4)]
        both = [State.REFUSED, State.SPOOLED]
        assert register.in_states(tx, both, limit=4) == [item_id(number) for number in (1, 2, 3, 4)]
        assert register.counts(tx) == {State.SPOOLED: 4, State.REFUSED: 1}
        together = register.same_post(tx, CampaignId("open-day"), safe_name("pair"))
        assert [row.item for row in together] == [item_id(1), item_id(2)]


def test_returning(db: Database, register: Register) -> None:
    bring_to_held(db, register, 1)
    clean = digest(1001)
    with db.write() as tx:
        assert register.produced(tx, clean) == item_id(1)
        assert register.produced(tx, clean, but=item_id(1)) is None
        assert not register.staged_before(tx, clean, than=None)
        register.enter(tx, pieces.spooled(2, raw=clean), HAPPENED)
        register.enter(tx, pieces.spooled(3, raw=clean), HAPPENED)
        for number in (2, 3):  # two copies at once do not vouch for each other, judged or not
            assert register.returning(tx, item_id(number))
            assert not register.staged_before(tx, clean, than=item_id(number))
        register.enter(tx, pieces.refused(4, sha256=clean), HAPPENED)
        assert register.returning(tx, item_id(4)), "also if it was turned away for another reason"
        back = pieces.refused(2, reached=State.SPOOLED, sha256=clean, code=Code.RETURNING)
        register.advance(tx, back, HAPPENED, was=State.SPOOLED)
        assert not register.staged_before(tx, clean, than=None), "what came back was not staged as an original"
        register.advance(tx, pieces.refused(1, reached=State.HELD, sha256=digest(1)), HAPPENED, was=State.HELD)
        assert register.produced(tx, clean) == item_id(1), "refused after it was held, it is still ours"
        assert not register.returning(tx, item_id(1))


def test_an_original_staged_before_we_made_the_same_is_no_return(db: Database, register: Register) -> None:
    with db.write() as tx:
        register.enter(tx, pieces.spooled(9, raw=digest(1001)), HAPPENED)
    bring_to_held(db, register, 1)
    with db.write() as tx:
        assert not register.returning(tx, item_id(9))
        register.enter(tx, pieces.spooled(10, raw=digest(1001)), HAPPENED)
        assert not register.returning(tx, item_id(10))


def test_a_file_that_rebuilds_to_itself_is_not_returning(db: Database, register: Register) -> None:
    same = digest(77)
    bring_to_held(db, register, 1, raw=same, clean=same)
    with db.write() as tx:
        register.enter(tx, pieces.spooled(2, raw=same), HAPPENED)
        assert register.produced(tx, same) == item_id(1)
        assert register.staged_before(tx, same, than=item_id(2))
        assert not register.returning(tx, item_id(2))


def test_needed_protects_shared_bytes(db: Database, register: Register) -> None:
    bring_to_held(db, register, 1)
    bring_to_held(db, register, 2, raw=digest(1))
    gone = frozenset({State.EXPIRED})
    with db.write() as tx:
        assert register.needed(tx, digest(1), but=item_id(1), gone=gone)
        register.mark(tx, item_id(2), State.EXPIRED, HAPPENED, was=frozenset({State.HELD}))
        assert not register.needed(tx, digest(1), but=item_id(1), gone=gone)


def test_feedback_is_due_until_it_is_done(db: Database, register: Register) -> None:
    bring_to_held(db, register, 1)
    bring_to_held(db, register, 2)
    with db.write() as tx:
        due = register.feedback_due(tx, 10)
        assert [row.item for row in due] == [item_id(1), item_id(2)]
        assert [row.item for row in register.feedback_due(tx, 1)] == [item_id(1)]
    with db.write() as tx:  # meanwhile the second one changes
        register.mark(tx, item_id(2), State.APPROVED, HAPPENED, was=frozenset({State.HELD}))
    with db.write() as tx:
        for row in due:
            register.feedback_done(tx, row.item, row.change)
        assert [row.item for row in register.feedback_due(tx, 10)] == [item_id(2)]
        register.feedback_again(tx)
        assert [row.item for row in register.feedback_due(tx, 10)] == [item_id(1), item_id(2)]


def test_changes_are_numbered_in_order(db: Database, register: Register) -> None:
    with db.read() as tx:
        assert register.last_change(tx) == 0
    bring_to_held(db, register, 1)
    bring_to_held(db, register, 2)
    with db.read() as tx:
        seen = register.last_change(tx)
        assert register.changed_since(tx, seen, 10) == []
    with db.write() as tx:
        register.mark(tx, item_id(1), State.APPROVED, HAPPENED, was=frozenset({State.HELD}))
        ((number, row),) = register.changed_since(tx, seen, 10)
        assert (number, row.item, row.state) == (seen + 1, item_id(1), State.APPROVED)
        assert [row.item for _, row in register.changed_since(tx, 0, 10)] == [item_id(2), item_id(1)]


def test_damaged_rows_are_tampering(db: Database, register: Register) -> None:
    bring_to_held(db, register, 1)
    bring_to_held(db, register, 2)
    with db.write() as tx:
        tx.connection.execute(text("UPDATE item SET name = '../up' WHERE item = :item"), {"item": item_id(1)})
        swap = "UPDATE item SET record = (SELECT record FROM item WHERE item = :one) WHERE item = :two"
        tx.connection.execute(text(swap), {"one": item_id(1), "two": item_id(2)})
    with db.read() as tx, pytest.raises(Tampered):
        register.row(tx, item_id(1))
    with db.read() as tx, pytest.raises(Tampered, match="another item's"):
        register.load(tx, item_id(2))


@pytest.mark.parametrize(
    "question",
    [
        "SELECT * FROM item WHERE item = 'x'",
        "SELECT * FROM item WHERE identity = x'00'",
        "SELECT item FROM item WHERE state = 'held' ORDER BY seq LIMIT 9",
        "SELECT item FROM item WHERE state = 'held' AND decided_at < 'x' ORDER BY decided_at LIMIT 9",
        "SELECT * FROM item WHERE told < changed ORDER BY changed LIMIT 9",
        "SELECT * FROM item WHERE changed > 9 ORDER BY changed LIMIT 9",
        "SELECT max(changed) FROM item",
        "SELECT item FROM item WHERE rebuilt_sha256 = 'x' AND produced = 1 ORDER BY seq LIMIT 1",
        "SELECT seq FROM item WHERE sha256 = 'x' AND came_back = 0",
        "SELECT seq FROM item WHERE (sha256 = 'x' OR rebuilt_sha256 = 'x') AND state NOT IN ('expired')",
        "SELECT * FROM item WHERE campaign = 'x' AND post = 'y' ORDER BY seq",
    ],
)
def test_no_question_reads_the_whole_table(db: Database, question: str) -> None:
    with db.read() as tx:
        plan = [row.detail for row in tx.connection.execute(text(f"EXPLAIN QUERY PLAN {question}"))]
    scans = [line for line in plan if line.startswith("SCAN") and "item_to_tell" not in line]
    assert scans == []
    assert not any("TEMP B-TREE FOR ORDER BY" in line for line in plan), plan
