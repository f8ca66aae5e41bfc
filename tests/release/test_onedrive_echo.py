"""What OneDrive says of the bytes it was sent, compared with what was sent: any answer has one of four meanings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.pieces import digest, item_id
from transfer.graph.records import Actor, Actors, DriveItem, ItemKind
from transfer.model.events import EventName
from transfer.model.media import Format
from transfer.release.onedrive_echo import Sent, echo_event, echo_of, is_ours
from transfer.store.onedrive_placements import Echo

OURS, OTHER = "aSgAAAAAAAAAAAAAAQAAAAAAAAA=", "taAFAAAAAAAAAAAAAgAAAAAAAAA="
APP = Actor(id="11111111-2222-3333-4444-555555555555", email=None)
SAM = Actor(id="99999999-2222-3333-4444-555555555555", email="sam@university.example")
SENT = Sent(sha256=digest(1), size=5000, quickxor=OURS, format=Format.JPEG)
ITEM = DriveItem(
    id="01X",
    name="photo.jpg",
    parent_id="01FOLDER",
    drive_id="b!1",
    kind=ItemKind.FILE,
    size=5000,
    deleted=False,
    malware=False,
    pending=False,
    etag='"1"',
    ctag='"1"',
    quickxor=OURS,
    created_by=Actors(application=APP),
    modified_by=Actors(application=APP),
    created_at=None,
    modified_at=None,
)


def test_the_same_size_and_hash_are_what_was_sent() -> None:
    assert echo_of(SENT, ITEM) is Echo.VERIFIED


@pytest.mark.parametrize("more", [11, 12, -8, 128])
def test_a_jpeg_of_about_the_same_size_was_rewritten_by_the_service(more: int) -> None:
    rewritten = replace(ITEM, size=5000 + more, quickxor=OTHER)
    assert echo_of(SENT, rewritten) is Echo.SERVICE_MODIFIED
    assert echo_of(SENT, replace(rewritten, quickxor=None)) is Echo.SERVICE_MODIFIED


@pytest.mark.parametrize(
    ("sent", "item"),
    [
        (SENT, replace(ITEM, quickxor=OTHER)),  # other bytes of the same length: no rewriting does that
        (SENT, replace(ITEM, size=5129, quickxor=OTHER)),
        (SENT, replace(ITEM, size=0, quickxor=None)),
        (replace(SENT, format=Format.MP4), replace(ITEM, size=5012, quickxor=OTHER)),
        (replace(SENT, format=None), replace(ITEM, size=5012, quickxor=OTHER)),
        (SENT, replace(ITEM, size=5012, quickxor=OTHER, modified_by=Actors(application=APP, user=SAM))),
    ],
)
def test_anything_else_is_not_what_was_sent(sent: Sent, item: DriveItem) -> None:
    assert echo_of(sent, item) is Echo.MISMATCH


def test_a_trial_in_a_persons_name_is_told_from_another_persons_change() -> None:
    made = Actors(application=APP, user=SAM)
    rewritten = replace(ITEM, size=5012, quickxor=OTHER, created_by=made, modified_by=made)
    assert echo_of(SENT, rewritten) is Echo.SERVICE_MODIFIED


@pytest.mark.parametrize(
    "item",
    [
        replace(ITEM, quickxor=None),
        replace(ITEM, size=None, quickxor=None),
        replace(ITEM, quickxor=OTHER, pending=True),
    ],
)
def test_what_is_not_known_yet_waits(item: DriveItem) -> None:
    assert echo_of(SENT, item) is Echo.PENDING


@given(
    size=st.none() | st.integers(0, 2**63 - 1),
    quickxor=st.sampled_from([None, OURS, OTHER]),
    pending=st.booleans(),
    kind=st.sampled_from([*Format, None]),
    editor=st.sampled_from([None, SAM]),
)
def test_only_the_same_size_and_hash_are_ever_verified(
    size: int | None, quickxor: str | None, pending: bool, kind: Format | None, editor: Actor | None
) -> None:
    item = replace(
        ITEM, size=size, quickxor=quickxor, pending=pending, modified_by=Actors(application=APP, user=editor)
    )
    echo = echo_of(replace(SENT, format=kind), item)
    assert (echo is Echo.VERIFIED) == (size == 5000 and quickxor == OURS)
    if echo is Echo.SERVICE_MODIFIED:
        assert kind is Format.JPEG
    event = echo_event(echo, item=item_id(1), sent=SENT, reported=size)
    assert (event is None) == (echo is Echo.PENDING)


def test_the_entries_say_what_was_sent_and_what_is_reported() -> None:
    for echo, name in (
        (Echo.VERIFIED, EventName.RELEASE_VERIFIED),
        (Echo.SERVICE_MODIFIED, EventName.RELEASE_REWRITTEN),
        (Echo.MISMATCH, EventName.RELEASE_MISMATCH),
    ):
        event = echo_event(echo, item=item_id(1), sent=SENT, reported=5012)
        assert event is not None
        assert (event.name, event.facts["reported"]) == (name, 5012)
        assert event.file is not None
        assert (event.file.sha256, event.file.size) == (SENT.sha256, 5000)
        assert ("clauses" in event.facts) == (echo is not Echo.VERIFIED)


@pytest.mark.parametrize(
    "item",
    [
        replace(ITEM, created_by=Actors(application=replace(APP, id="other"))),
        replace(ITEM, created_by=Actors(application=replace(APP, id=None))),
        replace(ITEM, created_by=Actors(user=SAM)),
        replace(ITEM, created_by=Actors()),
        replace(ITEM, kind=ItemKind.FOLDER),
        replace(ITEM, deleted=True),
        replace(ITEM, parent_id="01ELSEWHERE"),
        replace(ITEM, parent_id=None),
    ],
)
def test_ours_is_a_file_that_our_application_made_in_that_folder(item: DriveItem) -> None:
    application = str(APP.id)
    assert is_ours(ITEM, application=application.upper(), folder="01FOLDER")
    assert not is_ours(item, application=application, folder="01FOLDER")
