"""The writer's verbs over the emulator: create-only, unseen before the commit, by id and version, never content."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.graph.emulator.emulator import Emulator
from tests.graph.emulator.identities import person
from tests.release.onedrive_rig import DEVICE, PLACE, End, Shore
from transfer.graph.faults import Changed, Conflict, Denied, GraphFault, NotThere, RangeWrong, Unreadable
from transfer.graph.records import DriveItem, UploadSession
from transfer.graph.session import DownloadingSession, Session
from transfer.graph.throttle import Manners
from transfer.graph.verbs import WRITER
from transfer.graph.writer import CHUNK, STEP, Writer, position_of
from transfer.model.names import safe_name

NAME = safe_name("photo.jpg")


@pytest.fixture
def shore(emulator: Emulator) -> Iterator[Shore]:
    shore = Shore(emulator)
    yield shore
    assert shore.downloads() == 0
    assert shore.world.counted("leaked_authorization") == 0


@pytest.fixture
def end(shore: Shore, tmp_path: Path) -> Iterator[End]:
    end = End(shore, tmp_path)
    yield end
    end.close()


@pytest.fixture
def writer(end: End) -> Writer:
    return end.writer


def put(writer: Writer, content: bytes) -> DriveItem:
    url = writer.begin(NAME, len(content))
    writer.send(url, content, first=0, total=len(content))
    return writer.commit(url)


def test_a_chunk_is_a_multiple_of_what_the_service_wants() -> None:
    assert CHUNK % STEP == 0
    assert CHUNK < 60 << 20


def test_nothing_shows_before_the_commit_and_the_item_after_it(shore: Shore, writer: Writer) -> None:
    content = os.urandom(STEP + 5)
    url = writer.begin(NAME, len(content))
    assert writer.position(url, total=len(content)) == 0
    answer = writer.send(url, content[:STEP], first=0, total=len(content))
    assert isinstance(answer, UploadSession)
    assert position_of(answer, total=len(content)) == STEP
    answer = writer.send(url, content[STEP:], first=STEP, total=len(content))
    assert isinstance(answer, UploadSession)
    assert position_of(answer, total=len(content)) == len(content) == writer.position(url, total=len(content))
    assert shore.everything() == {}
    item = writer.commit(url)
    assert (item.name, item.size, item.parent_id) == ("photo.jpg", len(content), shore.folder.id)
    assert shore.everything() == {"photo.jpg": content}
    with pytest.raises(NotThere):
        writer.position(url, total=len(content))


def test_a_part_out_of_turn_is_refused_with_its_own_error(writer: Writer) -> None:
    url = writer.begin(NAME, 3 * STEP)
    writer.send(url, b"x" * STEP, first=0, total=3 * STEP)
    for first in (0, 2 * STEP):
        with pytest.raises(RangeWrong):
            writer.send(url, b"x" * STEP, first=first, total=3 * STEP)


def test_a_taken_name_is_a_conflict_and_the_other_stands(shore: Shore, writer: Writer) -> None:
    url = writer.begin(NAME, 4)
    writer.send(url, b"ours", first=0, total=4)
    shore.drive.by(DEVICE).put(f"{PLACE}/Photo.JPG", b"theirs")  # names differ by no more than case
    with pytest.raises(Conflict):
        writer.commit(url)
    assert shore.everything() == {"Photo.JPG": b"theirs"}


def test_a_cancelled_upload_is_gone_and_cancelling_it_again_does_no_harm(writer: Writer) -> None:
    url = writer.begin(NAME, 4)
    writer.cancel(url)
    writer.cancel(url)
    with pytest.raises(NotThere):
        writer.send(url, b"ours", first=0, total=4)


def test_only_the_version_that_was_seen_is_replaced_or_removed(shore: Shore, writer: Writer) -> None:
    item = put(writer, b"one")
    shore.drive.touch(shore.drive.item(f"{PLACE}/photo.jpg"))
    with pytest.raises(Changed):
        writer.begin_replacing(item.id, 3, etag=item.etag)
    with pytest.raises(Changed):
        writer.remove(item.id, etag=item.etag)
    fresh = writer.item(item.id)
    assert fresh is not None
    url = writer.begin_replacing(item.id, 3, etag=fresh.etag)
    writer.send(url, b"two", first=0, total=3)
    replaced = writer.commit(url)
    assert (replaced.id, shore.everything()) == (item.id, {"photo.jpg": b"two"})
    assert writer.remove(item.id, etag=replaced.etag) is True
    assert writer.remove(item.id, etag=replaced.etag) is False
    assert writer.item(item.id) is None


def test_what_is_asked_of_an_item_are_facts_without_any_address(shore: Shore, writer: Writer) -> None:
    item = put(writer, b"one")
    assert writer.named(NAME) == writer.item(item.id)
    assert writer.named(safe_name("other.jpg")) is None
    assert shore.world.counted("download_urls") == 0


def test_an_answer_without_an_address_is_unreadable(shore: Shore, writer: Writer) -> None:
    shore.world.fault("garbage", method="POST", path="createUploadSession")
    with pytest.raises(Unreadable):
        writer.begin(NAME, 4)


def test_without_the_right_every_verb_says_so(shore: Shore, writer: Writer) -> None:
    item = put(writer, b"one")
    shore.world.database.run("DELETE FROM rights")
    for attempt in (
        lambda: writer.begin(safe_name("two.jpg"), 3),
        lambda: writer.begin_replacing(item.id, 3, etag=None),
        lambda: writer.item(item.id),
        lambda: writer.named(NAME),
        lambda: writer.remove(item.id, etag=None),
    ):
        with pytest.raises(Denied):
            attempt()
    assert shore.everything() == {"photo.jpg": b"one"}


def test_nothing_outside_the_release_folder_has_a_name_here(shore: Shore, writer: Writer) -> None:
    shore.drive.by(person("Sam")).put("TikTok/photo.jpg", b"elsewhere")
    assert writer.named(NAME) is None


def walk(start: object) -> Iterator[object]:
    """Everything that can be reached from an object by attributes, within the program."""
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or not type(one).__module__.startswith("transfer."):
            continue
        seen.add(id(one))
        yield one
        names = [*getattr(one, "__dict__", {}), *getattr(type(one), "__slots__", ())]
        waiting += [getattr(one, name) for name in names if hasattr(one, name)]


def test_the_release_end_reaches_no_session_that_could_read(end: End) -> None:
    for start in (end.sink, end.recaller, end.board):
        found = list(walk(start))
        assert any(isinstance(one, Writer) for one in found)
        sessions = [one for one in found if isinstance(one, Session)]
        assert sessions == [end.session]
        assert not isinstance(end.session, DownloadingSession)
        for one in (one for one in found if type(one).__module__.startswith("transfer.graph.")):
            public = {name for name in dir(type(one)) if not name.startswith("_")}
            assert not {name for name in public if "download" in name and name != "downloaded"}
            assert not public & {"content", "read", "open", "thumbnails", "preview", "versions", "copy", "delta"}
    assert not any(verb.content for verb in WRITER)


def test_no_fault_tells_the_address_of_an_upload(shore: Shore, tmp_path: Path) -> None:
    hasty = End(shore, tmp_path, manners=Manners(patience=0.1, first_pause=0.01, longest_pause=0.02))
    writer = hasty.writer
    url = writer.begin(NAME, 4)
    for kind in ("broken", "not_found", "garbage", "cut_before"):
        shore.world.fault(kind, path="/upload/", times=1000)
        with pytest.raises(GraphFault) as raised:
            writer.position(url, total=4)
        assert url.rpartition("/")[2] not in f"{raised.value} {raised.value!r} {raised.value.__dict__}"
        shore.world.no_faults()
    hasty.close()
