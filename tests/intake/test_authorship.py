"""Who wrote a file, by every set of identities that a service may tell: one member of staff, or nobody and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.graph.emulator.identities import person
from tests.intake.drive_place import ANN, IPAD, OTHER, SAM, STAFF, WHO
from transfer.graph.records import Actor, Actors, DriveItem, ItemKind, Version
from transfer.intake.authorship import Seen, origin_of
from transfer.model.findings import Code
from transfer.model.identifiers import NOBODY

ITEM = DriveItem(
    id="1", name="x.jpg", parent_id="2", drive_id="3", kind=ItemKind.FILE, size=1, deleted=False, malware=False,
    pending=False, etag=None, ctag=None, quickxor=None, created_by=Actors(), modified_by=Actors(), created_at=None,
    modified_at=None,
)  # fmt: skip
PEOPLE = [*(actor for who in (SAM, ANN, IPAD, person("Zoe")) for actor in (
    Actor(id=who.id, email=who.email), Actor(id=who.id, email=None), Actor(id=None, email=who.email),
    Actor(id=str(who.id).upper(), email=None), Actor(id="?", email=str(who.email).upper()),
)), Actor(id=None, email=None), Actor(id="", email=""), Actor(id=SAM.id, email=IPAD.email),
    Actor(id=SAM.id, email=ANN.email), Actor(id=SAM.id, email="sam_elsewhere.example#EXT#@university.example"),
]  # fmt: skip
one_of_them = st.none() | st.sampled_from(PEOPLE)
acting = st.builds(
    Actors,
    user=one_of_them,
    application=one_of_them,
    device=one_of_them,
    others=st.sampled_from([(), ("robot",), ("siteUser", "robot")]),
)


def is_device(actor: Actor | None) -> bool:
    return actor is not None and {str(actor.id).lower(), str(actor.email).lower()} & STAFF.device != set()


@given(made=acting, changed=acting, versions=st.lists(acting, max_size=12))
def test_only_who_wrote_all_of_it_by_an_id_and_without_the_device_hands_it_in(
    made: Actors, changed: Actors, versions: list[Actors]
) -> None:
    item = replace(ITEM, created_by=made, modified_by=changed)
    origin = origin_of(item, (Version(id=str(n), size=1, modified_by=who) for n, who in enumerate(versions)), STAFF)
    everyone = [made, changed, *versions]
    anybody = [actor for who in everyone for actor in (who.user, who.application, who.device)]
    if origin.submitter == NOBODY:
        assert 1 <= len(origin.findings) <= 8
        codes = {finding.code for finding in origin.findings}
        assert codes <= {Code.WRITTEN_BY_DEVICE, Code.WRITER_UNKNOWN, Code.WRITTEN_BY_SEVERAL}
        assert (Code.WRITTEN_BY_DEVICE in codes) == any(map(is_device, anybody))
        for finding in origin.findings:
            if "seen" in finding.detail:
                assert finding.detail["seen"] in {seen.value for seen in Seen}
        told = str([finding.detail for finding in origin.findings])
        for private in (SAM, ANN, IPAD):
            assert str(private.id) not in told
            assert str(private.email) not in told
        assert len(str(origin.private)) < 1100
    else:
        assert origin.findings == ()
        assert versions
        assert not any(map(is_device, anybody))
        names = {WHO: str(SAM.id).lower(), OTHER: str(ANN.email).lower()}
        for who in everyone:
            assert who.user is not None
            assert who.user.id
            assert names[origin.submitter] in {who.user.id.lower(), str(who.user.email).lower()}


@pytest.mark.parametrize(
    ("actors", "seen"),
    [
        (Actors(), Seen.NOBODY),
        (Actors(user=Actor(id=None, email=None)), Seen.NOBODY),
        (Actors(user=Actor(id=None, email=SAM.email)), Seen.NO_ID),
        (Actors(application=Actor(id="flow", email=None)), Seen.APPLICATION),
        (Actors(device=Actor(id="laptop", email=None)), Seen.OTHER),
        (Actors(others=("robot",)), Seen.OTHER),
        (Actors(user=Actor(id="9", email="gus_x.example#EXT#@university.example")), Seen.GUEST),
        (Actors(user=Actor(id=SAM.id, email="sam_x.example#ext#@university.example")), Seen.GUEST),
        (Actors(user=Actor(id=SAM.id, email=ANN.email)), Seen.STRANGER),
        (Actors(user=Actor(id=SAM.id, email=IPAD.email)), Seen.DEVICE),
        (Actors(user=Actor(id=SAM.id, email=SAM.email), device=Actor(id="7", email=IPAD.email)), Seen.DEVICE),
        (Actors(user=Actor(id=SAM.id, email=None), others=("robot",)), WHO),
        (Actors(user=Actor(id=str(SAM.id).upper(), email=None)), WHO),
        (Actors(user=Actor(id="9", email=str(ANN.email).upper())), OTHER),
    ],
)
def test_each_set_of_identities_is_somebody(actors: Actors, seen: object) -> None:
    assert STAFF.who(actors) == seen


def test_a_file_of_which_no_version_is_told_was_written_by_nobody() -> None:
    sam = Actors(user=Actor(id=SAM.id, email=SAM.email))
    origin = origin_of(replace(ITEM, created_by=sam, modified_by=sam), [], STAFF)
    assert (origin.submitter, [finding.code for finding in origin.findings]) == (NOBODY, [Code.WRITER_UNKNOWN])
    assert origin.findings[0].detail == {"seen": "nobody", "where": "a version of it"}
