"""The manifest in a release folder in OneDrive: one item, old or new, never a mixture and never nothing."""

from __future__ import annotations

import os

import pytest

from tests.graph.emulator.identities import person
from tests.release.onedrive_rig import DEVICE, PLACE, End, Shore
from tests.release.sink_contract import parcel_of
from tests.release.test_onedrive import Stopped
from transfer.errors import Unavailable
from transfer.graph.faults import Changed, GraphFault
from transfer.graph.writer import CHUNK
from transfer.model.names import safe_name

NAME = safe_name("manifest.note")
TEMPORARY = safe_name("part-0011223344556677.tmp")


def post(end: End, content: bytes) -> None:
    end.board.post(NAME, TEMPORARY, content)


def test_the_board_replaces_the_content_of_its_one_item(shore: Shore, end: End) -> None:
    post(end, b"one")
    first = shore.drive.item(f"{PLACE}/manifest.note")
    post(end, b"two, longer")
    assert shore.everything() == {"manifest.note": b"two, longer"}
    assert shore.drive.item(f"{PLACE}/manifest.note").id == first.id


def test_a_version_takes_four_requests(shore: Shore, end: End) -> None:
    post(end, b"one")
    shore.world.forget_requests()
    post(end, b"two")
    assert shore.requests() == ["GET graph", "POST graph", "PUT content", "POST content"]
    post(end, b"two")  # published, and a crash before that was recorded
    assert shore.requests()[4:] == ["GET graph"]


def test_a_large_manifest_goes_in_chunks(shore: Shore, end: End) -> None:
    content = os.urandom(CHUNK + 1)
    post(end, content)
    post(end, content[::-1])
    assert shore.everything() == {"manifest.note": content[::-1]}


@pytest.mark.parametrize("fault", ["cut_after", "cut_before", "broken", "not_found", "session_lost", "garbage"])
@pytest.mark.parametrize("place", [("POST", "createUploadSession"), ("PUT", "/upload/"), ("POST", "/upload/")])
@pytest.mark.parametrize("number", [0, 1])
def test_whatever_answer_is_lost_the_next_attempt_ends_in_the_new_content(
    shore: Shore, end: End, fault: str, place: tuple[str, str], number: int
) -> None:
    for version in range(number):
        post(end, b"version %d" % version)
    shore.world.fault(fault, method=place[0], path=place[1])
    for _ in range(4):
        try:
            post(end, b"the new one")
        except Unavailable:
            assert set(shore.everything().values()) <= {b"version 0", b"the new one"}
            continue
        break
    assert shore.everything() == {"manifest.note": b"the new one"}


def test_a_crash_between_the_commit_and_its_row_does_no_harm(
    shore: Shore, end: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(type(end.placements), "place", killed)
        with pytest.raises(Stopped):
            post(end, b"one")
    post(end, b"two")
    assert shore.everything() == {"manifest.note": b"two"}


def test_what_the_device_removed_is_made_anew(shore: Shore, end: End) -> None:
    post(end, b"one")
    shore.drive.by(DEVICE).remove(shore.drive.item(f"{PLACE}/manifest.note"))
    post(end, b"two")
    assert shore.everything() == {"manifest.note": b"two"}


def test_what_somebody_altered_is_replaced(shore: Shore, end: End) -> None:
    post(end, b"one")
    shore.drive.by(person("Sam")).replace(shore.drive.item(f"{PLACE}/manifest.note"), b"another one")
    post(end, b"one")
    assert shore.everything() == {"manifest.note": b"one"}


def test_what_was_renamed_or_moved_is_not_written_to(shore: Shore, end: End) -> None:
    post(end, b"one")
    shore.drive.by(DEVICE).rename(shore.drive.item(f"{PLACE}/manifest.note"), "kept.note")
    post(end, b"two")
    assert shore.everything() == {"kept.note": b"one", "manifest.note": b"two"}


def test_somebody_elses_manifest_is_left_to_the_guard(shore: Shore, end: End) -> None:
    theirs = shore.drive.by(DEVICE).put(f"{PLACE}/manifest.note", b"theirs")
    with pytest.raises(Unavailable, match="did not put there"):
        post(end, b"ours")
    assert shore.everything() == {"manifest.note": b"theirs"}
    shore.drive.by(DEVICE).remove(theirs)
    post(end, b"ours")
    assert shore.everything() == {"manifest.note": b"ours"}


def test_a_change_between_the_look_and_the_upload_is_noticed(
    shore: Shore, end: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(end, b"one")
    begin = end.writer.begin_replacing

    def racing(item: str, size: int, *, etag: str | None) -> str:
        shore.drive.by(person("Sam")).replace(shore.drive.item(f"{PLACE}/manifest.note"), b"in between")
        return begin(item, size, etag=etag)

    with monkeypatch.context() as patched:
        patched.setattr(end.writer, "begin_replacing", racing)
        with pytest.raises(Changed):
            post(end, b"two")
    post(end, b"two")
    assert shore.everything() == {"manifest.note": b"two"}


def test_nothing_else_is_ever_replaced(shore: Shore, end: End) -> None:
    end.sink.put(parcel_of(b"a photo"))
    post(end, b"one")
    post(end, b"two")
    assert shore.everything() == {"photo.jpg": b"a photo", "manifest.note": b"two"}


def test_other_bytes_at_the_service_are_not_taken_for_published(
    shore: Shore, end: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = end.writer.send

    def garbled(url: str, chunk: bytes, *, first: int, total: int) -> object:
        return send(url, chunk[::-1], first=first, total=total)

    with monkeypatch.context() as patched:
        patched.setattr(end.writer, "send", garbled)
        with pytest.raises(Unavailable, match="other bytes"):
            post(end, b"one")
    post(end, b"one")
    assert shore.everything() == {"manifest.note": b"one"}


def test_an_unreachable_service_is_a_sentence(shore: Shore, end: End) -> None:
    shore.world.fault("status", times=100, status=403)
    with pytest.raises(GraphFault, match="403"):
        post(end, b"one")
