"""The guard's client over the emulator: facts, permissions, groups, and deeds that name the version they mean."""

from __future__ import annotations

import pytest

from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator
from tests.graph.emulator.identities import application, group, person
from tests.graph.test_session_limits import walk
from transfer.graph.faults import Changed, Conflict, Denied, Gone, GraphFault, NotThere
from transfer.graph.feed import Resync
from transfer.graph.lister import Lister
from transfer.graph.records import ItemKind, Page
from transfer.graph.session import Session

SAM, PAT = person("Sam"), person("Pat")


@pytest.fixture
def folder(release: Drive) -> str:
    return release.by(SAM).folder("release").id


@pytest.fixture
def aside(release: Drive) -> str:
    return release.by(SAM).folder("aside").id


@pytest.fixture
def guard(lister: Session, release: Drive, folder: str) -> Lister:
    return Lister(lister, drive=release.id, folder=folder)


def page_of(answer: Page | Resync) -> Page:
    assert isinstance(answer, Page)
    return answer


def test_it_sees_what_is_there_and_what_changed_since(guard: Lister, release: Drive, folder: str) -> None:
    clip = release.by(SAM).put("release/clip.mp4", b"film")
    first = page_of(guard.changes(None))
    seen = {item.id: item for item in first.items}
    assert seen[clip.id].size == 4
    assert seen[clip.id].parent_id == folder
    assert seen[clip.id].kind is ItemKind.FILE
    later = release.by(SAM).put("release/later.mp4", b"more")
    assert {item.id for item in page_of(guard.changes(first.delta_link)).items} >= {later.id}


def test_a_link_that_is_too_old_means_listing_anew(guard: Lister, release: Drive, emulator: Emulator) -> None:
    item = release.by(SAM).put("release/clip.mp4", b"film")
    first = page_of(guard.changes(None))
    emulator.world.forget_deltas("resyncChangesUploadDifferences")
    anew = guard.changes(first.delta_link)
    assert isinstance(anew, Resync)
    assert item.id in {one.id for one in page_of(guard.changes(anew.link)).items}


def test_a_link_that_leads_elsewhere_is_not_followed(guard: Lister, lister: Session) -> None:
    before = lister.requests
    assert guard.changes("https://elsewhere.example/v1.0/drives/x/root/delta?token=y") == Resync(link=None)
    assert lister.requests == before


def test_a_first_listing_that_is_gone_at_once_is_a_fault(guard: Lister, emulator: Emulator) -> None:
    emulator.world.fault("status", path="/delta", status=410)
    with pytest.raises(Gone):
        guard.changes(None)


def test_all_permissions_are_told_however_many_pages_they_take(
    guard: Lister, release: Drive, emulator: Emulator, folder: str
) -> None:
    emulator.world.switch(list_page_size=2, permissions_visible="all")
    for number in range(5):
        release.permit(release.item("release"), person(f"Reader {number}"))
    found = guard.permissions(folder)
    assert len(found) == 5
    assert {permission.roles for permission in found} == {("read",)}


def test_members_are_those_of_inner_groups_too(guard: Lister, emulator: Emulator, lister: Session) -> None:
    emulator.world.sign_in("lister", application("lister"), directory=True)
    emulator.world.switch(list_page_size=1)
    outer, inner = group("Outer"), group("Inner")
    emulator.world.member(outer, inner, SAM)
    emulator.world.member(inner, PAT)
    members = guard.members(str(outer.id))
    assert {(one.kind, one.id) for one in members} >= {("user", SAM.id), ("user", PAT.id)}
    with pytest.raises(NotThere):
        guard.members(str(group("Nobody knows").id))


def test_groups_that_may_not_be_read_are_denied(guard: Lister, emulator: Emulator) -> None:
    emulator.world.member(group("Staff"), SAM)
    with pytest.raises(Denied):
        guard.members(str(group("Staff").id))


def test_a_list_without_end_is_given_up(guard: Lister, release: Drive, emulator: Emulator, folder: str) -> None:
    emulator.world.switch(list_page_size=1, permissions_visible="all")
    with emulator.world.together():
        for number in range(120):
            release.permit(release.item("release"), person(f"Reader {number}"))
    with pytest.raises(GraphFault, match="without end"):
        guard.permissions(folder)


def test_what_is_moved_keeps_its_id(guard: Lister, release: Drive, folder: str, aside: str) -> None:
    item = release.by(SAM).put("release/planted.exe", b"MZ")
    found = guard.item(item.id)
    assert found is not None
    assert guard.move(item.id, folder=aside, name="0-1.new", etag=str(found.etag))
    moved = guard.item(item.id)
    assert moved is not None
    assert (moved.name, moved.parent_id) == ("0-1.new", aside)
    assert release.names("release") == []


def test_another_version_is_neither_moved_nor_removed(guard: Lister, release: Drive, aside: str) -> None:
    item = release.by(SAM).put("release/clip.mp4", b"one")
    seen = guard.item(item.id)
    assert seen is not None
    release.by(SAM).replace(item, b"two")
    with pytest.raises(Changed):
        guard.move(item.id, folder=aside, name="taken", etag=str(seen.etag))
    with pytest.raises(Changed):
        guard.remove(item.id, etag=str(seen.etag))
    assert release.content("release/clip.mp4") == b"two"


def test_a_name_that_is_taken_aside_replaces_nothing(guard: Lister, release: Drive, aside: str) -> None:
    release.by(SAM).put("aside/evidence", b"before")
    item = release.by(SAM).put("release/clip.mp4", b"one")
    found = guard.item(item.id)
    assert found is not None
    with pytest.raises(Conflict):
        guard.move(item.id, folder=aside, name="evidence", etag=str(found.etag))
    assert release.content("aside/evidence") == b"before"


def test_what_is_gone_is_no_fault(guard: Lister, release: Drive, aside: str) -> None:
    item = release.by(SAM).put("release/clip.mp4", b"one")
    found = guard.item(item.id)
    assert found is not None
    assert guard.remove(item.id, etag=str(found.etag))
    assert guard.item(item.id) is None
    assert not guard.remove(item.id, etag=str(found.etag))
    assert not guard.move(item.id, folder=aside, name="taken", etag=str(found.etag))


def test_nothing_of_all_this_reads_a_byte(guard: Lister, release: Drive, emulator: Emulator, lister: Session) -> None:
    item = release.by(SAM).put("release/clip.mp4", b"film" * 1000)
    guard.changes(None)
    guard.item(item.id)
    guard.permissions(item.id)
    assert lister.downloaded == 0
    assert emulator.world.counted("content_bytes") + emulator.world.counted("content_requests") == 0


def test_nothing_that_it_is_made_of_leads_to_content(guard: Lister) -> None:
    words = ("download", "content", "thumbnail", "preview", "copy", "stream", "versions", "open", "readinto")
    reached = list(walk(guard))
    assert len(reached) > 50
    for path, thing in reached:
        last = path.rpartition(".")[2].lower()
        allowed = {"downloaded", "content"} if not callable(thing) else set()
        assert last in allowed or not any(word in last for word in words), path
