"""Who may reach the release folder, as the gateway takes it in: what is in the log, and when nothing may go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.release.rig import Side
from tests.store.pieces import digest
from transfer.errors import Unavailable
from transfer.return_guard.access import Access, AccessRule
from transfer.return_guard.breaches import Breach, Place
from transfer.return_guard.messages import Audited, Told

LINK = Told(breach=Breach.EDIT_LINK, place=Place.ITEM, permission=digest(3))
MORE = Told(breach=Breach.DEVICE_MORE, place=Place.FOLDER, permission=digest(4))


class Hours:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    side = Side(tmp_path)
    yield side
    side.close()


def access(side: Side, hours: Hours, *, stop: bool = True) -> Access:
    rule = AccessRule(stop=stop, max_age=100.0)
    return Access(database=side.database, recorder=side.log, policy=digest(7), rule=rule, monotonic=hours)


def refused(access: Access) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        access.require_enclosed()
    assert caught.value.clauses == ("G5",)
    return caught.value


def test_nothing_goes_before_the_first_verdict_and_after_the_last_one_is_old(side: Side) -> None:
    hours = Hours()
    made = access(side, hours)
    assert "Nobody could see" in refused(made).sentence
    made.take(Audited(age=40))
    made.require_enclosed()
    hours.now += 59
    made.require_enclosed()
    hours.now += 2
    assert "Nobody could see" in refused(made).sentence


def test_a_breach_stops_until_it_is_mended_and_each_change_is_one_entry(side: Side) -> None:
    hours = Hours()
    made = access(side, hours)
    made.take(Audited(age=0))
    made.take(Audited(age=0))
    made.take(Audited(age=0, breaches=(LINK, MORE), more=2))
    error = refused(made)
    assert "A link lets people change a file in the release folder." in error.sentence
    assert "There is more of the kind: 3." in error.sentence
    assert error.advice == "Remove the link."
    made.take(Audited(age=0, breaches=(MORE, LINK), more=2))  # in another order it is the same
    access(side, hours).take(Audited(age=0, breaches=(MORE, LINK), more=2))  # and after a restart
    made.take(Audited(age=0))
    made.require_enclosed()
    assert [len(side.entries(name)) for name in ("release.enclosed", "release.exposed")] == [2, 1]
    (entry,) = side.entries("release.exposed")
    assert entry["facts"] == {
        "clauses": ["G5"],
        "breaches": [
            {"breach": "device-more", "place": "folder", "permission": digest(4)},
            {"breach": "edit-link", "place": "item", "permission": digest(3)},
        ],
        "more": 2,
    }


def test_where_the_policy_does_not_stop_it_is_recorded_and_goes_on(side: Side) -> None:
    made = access(side, Hours(), stop=False)
    made.require_enclosed()
    made.take(Audited(age=0, breaches=(LINK,)))
    made.require_enclosed()
    assert len(side.entries("release.exposed")) == 1
