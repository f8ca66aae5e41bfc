"""What is taken back from a release folder in OneDrive, and what is left to the return guard."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.graph.emulator.identities import person
from tests.release.onedrive_rig import DEVICE, PLACE, End, Shore
from tests.release.sink_contract import parcel_of
from tests.release.test_onedrive import TEMPORARY, Stopped, placed, row_of, sessions, stop
from transfer.errors import Unavailable
from transfer.graph.faults import Denied
from transfer.graph.writer import STEP
from transfer.model.names import safe_name
from transfer.release.parcel import is_temporary, temporary_name

NAME = safe_name("photo.jpg")
IN_WRITING = safe_name("part-0011223344556677.tmp")


def test_a_recall_says_whether_it_was_there(shore: Shore, end: End) -> None:
    end.sink.put(parcel_of(b"a photo"))
    assert end.recaller.recall(NAME) is True
    assert shore.everything() == {}
    assert placed(end) is None
    assert end.recaller.recall(NAME) is False


def test_what_the_device_removed_is_no_longer_there(shore: Shore, end: End) -> None:
    end.sink.put(parcel_of(b"a photo"))
    shore.drive.by(DEVICE).remove(shore.drive.item(f"{PLACE}/photo.jpg"))
    assert end.recaller.recall(NAME) is False
    assert placed(end) is None


def test_a_picture_that_the_service_looked_at_meanwhile_is_recalled_all_the_same(shore: Shore, end: End) -> None:
    end.sink.put(parcel_of(b"a photo"))
    shore.drive.touch(shore.drive.item(f"{PLACE}/photo.jpg"))
    assert end.recaller.recall(NAME) is True
    assert shore.everything() == {}


def test_an_etag_that_changes_between_the_look_and_the_removal_is_asked_for_again(
    shore: Shore, end: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    end.sink.put(parcel_of(b"a photo"))
    remove, touched = end.writer.remove, []

    def racing(item: str, **given: Any) -> bool:
        if len(touched) < 2:
            touched.append(shore.drive.touch(shore.drive.item(f"{PLACE}/photo.jpg")))
        return remove(item, **given)

    monkeypatch.setattr(end.writer, "remove", racing)
    assert end.recaller.recall(NAME) is True
    assert len(touched) == 2


def test_what_never_stands_still_is_put_off(shore: Shore, end: End, monkeypatch: pytest.MonkeyPatch) -> None:
    end.sink.put(parcel_of(b"a photo"))
    remove = end.writer.remove

    def racing(item: str, **given: Any) -> bool:
        shore.drive.touch(shore.drive.item(f"{PLACE}/photo.jpg"))
        return remove(item, **given)

    monkeypatch.setattr(end.writer, "remove", racing)
    with pytest.raises(Unavailable, match="changes faster"):
        end.recaller.recall(NAME)
    assert placed(end) is not None


@pytest.mark.parametrize("fault", ["cut_after", "cut_before", "broken"])
def test_a_removal_whose_answer_is_lost_counts_as_ours(shore: Shore, end: End, fault: str) -> None:
    end.sink.put(parcel_of(b"a photo"))
    shore.world.fault(fault, method="DELETE")
    assert end.recaller.recall(NAME) is True
    assert shore.everything() == {}


def test_a_crash_before_the_commit_was_written_down_is_recalled_by_its_name(
    shore: Shore, end: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(type(end.placements), "place", killed)
        with pytest.raises(Stopped):
            end.sink.put(parcel_of(b"a photo"))
    assert end.recaller.recall(NAME) is True
    assert shore.everything() == {}


def test_somebody_elses_file_of_that_name_is_the_guards_business(shore: Shore, end: End) -> None:
    shore.drive.by(DEVICE).put(f"{PLACE}/photo.jpg", b"theirs")
    assert end.recaller.recall(NAME) is False
    assert shore.everything() == {"photo.jpg": b"theirs"}


def test_what_was_moved_away_stays_where_it_was_moved(shore: Shore, end: End) -> None:
    end.sink.put(parcel_of(b"a photo"))
    hand = shore.drive.by(person("Guard"))
    hand.move(shore.drive.item(f"{PLACE}/photo.jpg"), hand.folder("TikTok/aside"))
    assert end.recaller.recall(NAME) is False
    assert shore.drive.names("TikTok/aside") == ["photo.jpg"]


def test_another_of_ours_that_was_given_this_name_stays(shore: Shore, end: End) -> None:
    end.sink.put(parcel_of(b"a photo", name="one.jpg", temporary="part-2.tmp"))
    shore.drive.by(DEVICE).rename(shore.drive.item(f"{PLACE}/one.jpg"), "photo.jpg")
    assert end.recaller.recall(NAME) is False
    assert shore.drive.names(PLACE) == ["photo.jpg"]
    assert end.recaller.recall(safe_name("one.jpg")) is True  # by its id, whatever it is called
    assert shore.everything() == {}


def test_a_temporary_name_is_an_upload_that_ends(shore: Shore, end: End, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_temporary(IN_WRITING)
    assert is_temporary(temporary_name(os.urandom(8)))
    assert not is_temporary(NAME)
    stop(end, os.urandom(3 * STEP), 2 * STEP)
    monkeypatch.setattr("transfer.release.onedrive_recall.is_temporary", lambda _name: True)
    assert sessions(shore) == 1
    assert end.recaller.recall(TEMPORARY) is True
    assert sessions(shore) == 0
    assert row_of(end) is None
    assert end.recaller.recall(TEMPORARY) is False


def test_an_unknown_temporary_costs_no_request(shore: Shore, end: End) -> None:
    shore.world.forget_requests()
    assert end.recaller.recall(IN_WRITING) is False
    assert shore.requests() == []


def test_a_missing_right_is_a_sentence(shore: Shore, end: End) -> None:
    end.sink.put(parcel_of(b"a photo"))
    shore.world.database.run("UPDATE rights SET role = 'read'")
    with pytest.raises(Denied, match="403"):
        end.recaller.recall(NAME)
    assert placed(end) is not None
