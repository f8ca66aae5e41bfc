"""What is held and another policy comes: it is looked at for what that one looks for before anybody can approve it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests import samples
from tests.sandbox.test_child_reading import slide
from tests.system.place import Place, running, wait_for
from tests.system.test_line import line as line  # noqa: PLC0414 - a fixture
from tests.system.test_line import spooled, state, story
from tests.system.test_scanner_watch import waits_for
from transfer.model.findings import Code
from transfer.model.identifiers import ItemId, Sha256
from transfer.model.states import Held, State
from transfer.pipeline import Line
from transfer.policy.rules import Policy
from transfer.sandbox.profiles import kernel_support
from transfer.store.queues import judged_otherwise
from transfer.wiring import build_pools


def with_marks(line: Line, *marks: str) -> Line:
    markings = replace(line.policy.markings, any_case=(*line.policy.markings.any_case, *marks))
    return under(line, replace(line.policy, markings=markings, sha256="1" * 64))


def under(line: Line, policy: Policy) -> Line:
    return replace(line, policy=policy)


def otherwise(place: Place, line: Line) -> list[ItemId]:
    with place.site.db.read() as tx:
        return judged_otherwise(tx, Sha256(line.policy.sha256), limit=9)


def unread(place: Place, item: ItemId) -> bool:
    with place.site.db.read() as tx:
        held = place.site.register.load(tx, item)
    assert isinstance(held, Held)
    return any(finding.code is Code.TEXT_UNREAD for finding in held.rebuilt.examined.findings)


def test_a_mark_that_is_new_in_the_policy_is_found_in_what_is_held(place: Place, line: Line) -> None:
    item = spooled(place, "caption.txt", b"Come to the walled garden party\n")
    assert line.carry(item) is State.HELD
    assert otherwise(place, line) == []
    stricter = with_marks(line, "walled garden")
    assert otherwise(place, stricter) == [item]
    assert stricter.carry(item) is State.REFUSED
    assert story(place, item)[-1] == "file.refused"
    assert otherwise(place, stricter) == []
    with place.site.db.read() as tx:
        row = place.site.register.row(tx, item)
    assert "walled garden" in row.reasons[0].message.lower()
    assert not [path for path in (place.workspace.state / "clean").rglob("*") if path.is_file()]


def test_what_is_still_in_order_waits_under_the_new_policy(place: Place, line: Line) -> None:
    item = spooled(place, "photo.jpg", samples.jpeg())
    line.carry(item)
    before = story(place, item)
    stricter = with_marks(line, "walled garden")
    assert stricter.carry(item) is State.HELD
    assert story(place, item) == [*before, "file.examined", "file.held"]
    assert otherwise(place, stricter) == []
    assert stricter.carry(item) is State.HELD  # and once is enough
    assert story(place, item) == [*before, "file.examined", "file.held"]


def test_a_picture_that_nobody_read_is_read_once_somebody_can(place: Place, line: Line) -> None:
    item = spooled(place, "photo.jpg", samples.jpeg())
    line.carry(item)
    assert waits_for(place, item) != "review"
    wanting = under(line, replace(line.policy, read_pictures=True, sha256="2" * 64))
    assert wanting.carry(item) is State.HELD
    assert (waits_for(place, item), unread(place, item)) == ("review", True)
    before = story(place, item)
    assert wanting.carry(item) is State.HELD  # it is tried again each time, and nothing new is nothing said
    assert (waits_for(place, item), story(place, item)) == ("review", before)


@pytest.mark.slow
@pytest.mark.skipif(not kernel_support().complete, reason="this kernel cannot confine children")
@pytest.mark.parametrize(("words", "becomes"), [("Open day", State.HELD), ("CONFIDENTIAL", State.REFUSED)])
def test_what_reads_them_is_installed_later(place: Place, line: Line, words: str, becomes: State) -> None:
    wanting = under(line, replace(line.policy, read_pictures=True))
    item = spooled(place, "slide.png", slide(words))
    wanting.carry(item)
    assert (waits_for(place, item), unread(place, item)) == ("review", True)
    media, residue = build_pools(place.site.settings, reading=True)
    with media, residue:
        assert replace(wanting, media=media, residue=residue).carry(item) is becomes
    assert state(place, item) is becomes
    if becomes is State.HELD:
        assert waits_for(place, item) != "review"
        assert not unread(place, item)


def test_an_approval_under_the_former_policy_lapses_and_what_it_was_for_is_judged_by_the_new_one(place: Place) -> None:
    """With real processes; nobody starts the gateway twice for it, and nobody drops anything again."""
    with running(place):
        place.drop("caption.txt", b"Come and see the library on Saturday.\n")
        place.drop("garden.txt", b"Come to the walled garden party on Saturday.\n")
        wait_for(lambda: place.counts() == {"held": 2}, 40, "both verdicts")
    good, marked = place.by_name("caption.txt").item, place.by_name("garden.txt").item
    assert place.approve_all() == 2
    assert place.counts() == {"approved": 2}
    policy = place.workspace.policy_file
    policy.write_text(policy.read_text() + '\n[markings]\nany_case = ["walled garden"]\n')
    place.close()
    with running(place):
        wait_for(lambda: story(place, good)[-3:] == ["file.held", "file.examined", "file.held"], 40, "another verdict")
        wait_for(lambda: state(place, marked) is State.REFUSED, 40, "the refusal of what is marked")
        lapsed = [entry["item"] for entry in place.entries("file.held") if entry["facts"].get("lapsed")]
        assert sorted(lapsed) == sorted([good, marked])
        assert (state(place, good), waits_for(place, good)) == (State.HELD, "approval")
        assert place.approve_all() == 1
        wait_for(lambda: state(place, good) is State.RELEASED, 40, "the release")
    assert story(place, marked).count("file.approved") == 1
    place.check_release()
    place.verify()
