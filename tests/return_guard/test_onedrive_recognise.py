"""Ours or foreign in OneDrive: the judgement alone, on facts that differ from what was put there in one thing each."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.graph.records import Actor, Actors, DriveItem, ItemKind
from transfer.model.names import safe_name
from transfer.return_guard.onedrive_recognise import REWRITTEN_BY, Content, Hand, Ledger, Put, Standing, judge

APP, OTHER_APP = Actor(id="aaaa-APP", email=None), Actor(id="bbbb-app", email=None)
PERSON = Actor(id="cccc-person", email="pat@university.example")
HAND = Hand(application="AAAA-app")
FOLDER = "01FOLDER"
ONE = Content(size=1000, quickxor="O9tHLAghgSvYohKFyMMxnNCHaHg=")
TWO = Content(size=2000, quickxor="bnLBiLpVgnxVkXhNsIAPdHAPLFQ=")
PUT = Put(name=safe_name("photo.jpg"), contents=(ONE,), item="01ITEM", jpeg=True)
US = Actors(application=APP)
ITEM = DriveItem(
    id="01ITEM",
    name="photo.jpg",
    parent_id=FOLDER,
    drive_id="b!drive",
    kind=ItemKind.FILE,
    size=ONE.size,
    deleted=False,
    malware=False,
    pending=False,
    etag='"{1},1"',
    ctag=None,
    quickxor=ONE.quickxor,
    created_by=US,
    modified_by=US,
    created_at=None,
    modified_at=None,
)


def standing(item: DriveItem, put: Put = PUT, hand: Hand = HAND) -> Standing:
    return judge(item, ledger=Ledger([put]), folder=FOLDER, hand=hand)


def test_what_was_put_there_is_ours_whatever_the_case_of_the_id() -> None:
    assert standing(ITEM) is Standing.OURS


def test_before_the_item_is_known_the_rest_decides() -> None:
    assert standing(replace(ITEM, id="01ANOTHER"), replace(PUT, item=None)) is Standing.OURS


FOREIGN = {
    "another name": replace(ITEM, name="other.jpg"),
    "another spelling of the name": replace(ITEM, name="Photo.jpg"),
    "no name": replace(ITEM, name=None),
    "another item under our name": replace(ITEM, id="01ANOTHER"),
    "another folder": replace(ITEM, parent_id="01ELSEWHERE"),
    "deleted": replace(ITEM, deleted=True),
    "malware": replace(ITEM, malware=True),
    "made by nobody": replace(ITEM, created_by=Actors()),
    "made by another application": replace(ITEM, created_by=Actors(application=OTHER_APP)),
    "made by an application without an id": replace(ITEM, created_by=Actors(application=Actor(id=None, email=None))),
    "made by a person with our application": replace(ITEM, created_by=Actors(application=APP, user=PERSON)),
    "made by a person": replace(ITEM, created_by=Actors(user=PERSON)),
    "made by a device": replace(ITEM, created_by=Actors(application=APP, device=PERSON)),
    "made by a kind that is unknown": replace(ITEM, created_by=Actors(application=APP, others=("robot",))),
    "changed by a person, the same bytes": replace(ITEM, modified_by=Actors(application=APP, user=PERSON)),
    "changed by a person, nearly the same size": replace(
        ITEM, size=1012, quickxor=TWO.quickxor, modified_by=Actors(user=PERSON)
    ),
    "changed by a device": replace(ITEM, modified_by=Actors(device=PERSON)),
    "changed by an unknown kind": replace(ITEM, modified_by=Actors(others=("robot",))),
    "other bytes of that size": replace(ITEM, quickxor=TWO.quickxor),
    "other bytes of another size": replace(ITEM, size=5000, quickxor=TWO.quickxor),
    "a size too far off": replace(ITEM, size=ONE.size + REWRITTEN_BY + 1, quickxor=TWO.quickxor),
}


@pytest.mark.parametrize("item", FOREIGN.values(), ids=FOREIGN)
def test_whatever_differs_is_foreign(item: DriveItem) -> None:
    assert standing(item) is Standing.FOREIGN


@pytest.mark.parametrize("kind", [kind for kind in ItemKind if kind is not ItemKind.FILE])
def test_what_is_no_file_is_foreign(kind: ItemKind) -> None:
    assert standing(replace(ITEM, kind=kind)) is Standing.FOREIGN


@pytest.mark.parametrize(
    "item",
    [replace(ITEM, pending=True), replace(ITEM, size=None), replace(ITEM, quickxor=None)],
    ids=["pending", "no size", "no hash"],
)
def test_what_the_service_has_not_hashed_yet_is_unfinished_if_it_is_ours_by_its_maker(item: DriveItem) -> None:
    assert standing(item) is Standing.UNFINISHED
    assert standing(replace(item, created_by=Actors(user=PERSON))) is Standing.FOREIGN


@pytest.mark.parametrize("by", [US, Actors(), Actors(application=OTHER_APP)], ids=["us", "nobody", "the service"])
@pytest.mark.parametrize("size", [ONE.size + 12, ONE.size - 12])
def test_a_picture_that_the_service_has_rewritten_is_a_case_of_its_own(by: Actors, size: int) -> None:
    rewritten = replace(ITEM, size=size, quickxor=TWO.quickxor, modified_by=by)
    assert standing(rewritten) is Standing.REWRITTEN
    assert standing(rewritten, replace(PUT, jpeg=False)) is Standing.FOREIGN


def test_the_same_bytes_after_another_application_are_told_too() -> None:
    assert standing(replace(ITEM, modified_by=Actors(application=OTHER_APP))) is Standing.REWRITTEN
    assert standing(replace(ITEM, modified_by=Actors())) is Standing.OURS


def test_while_one_replaces_another_both_are_ours() -> None:
    both = replace(PUT, contents=(ONE, TWO))
    assert standing(ITEM, both) is Standing.OURS
    assert standing(replace(ITEM, size=TWO.size, quickxor=TWO.quickxor), both) is Standing.OURS
    assert standing(replace(ITEM, size=TWO.size), both) is Standing.FOREIGN


def test_in_a_trial_the_person_who_signed_in_is_us_and_nobody_else() -> None:
    trial = Hand(application="aaaa-app", person="CCCC-person")
    signed = Actors(application=APP, user=PERSON)
    assert standing(replace(ITEM, created_by=signed, modified_by=signed), hand=trial) is Standing.OURS
    unknown = Actors(application=APP, user=replace(PERSON, id=None))
    assert standing(replace(ITEM, created_by=unknown, modified_by=unknown), hand=trial) is Standing.FOREIGN


def test_what_is_absent_is_what_no_item_has_the_name_of() -> None:
    ledger = Ledger([PUT, replace(PUT, name=safe_name("second.mp4"))])
    assert ledger.absent([ITEM]) == (safe_name("second.mp4"),)
    assert ledger.absent([]) == (safe_name("photo.jpg"), safe_name("second.mp4"))


ACTORS = st.builds(
    Actors,
    user=st.sampled_from([None, PERSON]),
    application=st.sampled_from([None, APP, OTHER_APP]),
    device=st.sampled_from([None, PERSON]),
    others=st.sampled_from([(), ("robot",)]),
)


@given(
    created_by=ACTORS,
    modified_by=ACTORS,
    size=st.sampled_from([None, 0, ONE.size, ONE.size + 12, TWO.size]),
    quickxor=st.sampled_from([None, ONE.quickxor, TWO.quickxor]),
    kind=st.sampled_from(ItemKind),
    name=st.sampled_from([None, "photo.jpg", "other"]),
)
def test_nothing_that_a_person_or_a_device_touched_ever_passes(
    created_by: Actors,
    modified_by: Actors,
    size: int | None,
    quickxor: str | None,
    kind: ItemKind,
    name: str | None,
) -> None:
    item = replace(
        ITEM, created_by=created_by, modified_by=modified_by, size=size, quickxor=quickxor, kind=kind, name=name
    )
    said = standing(item)
    touched = [actors for actors in (created_by, modified_by) if actors.user or actors.device or actors.others]
    if touched or created_by.application != APP or kind is not ItemKind.FILE or name != "photo.jpg":
        assert said is Standing.FOREIGN
    if said is Standing.OURS:
        assert (size, quickxor) == (ONE.size, ONE.quickxor)
