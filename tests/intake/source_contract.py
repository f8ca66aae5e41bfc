"""What any Source and Retirer must do, whatever stands behind them: inherit `SourceContract` and give it a `Stage`.

A stage is one staging folder with a hand that can do to it what staff do. Things that an implementation cannot have
(a drive in the cloud has no FIFO) it declines by returning False from `plant`.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Protocol

import pytest

from transfer.errors import Refusal, Unavailable
from transfer.model.ends import Retirer, Source
from transfer.model.states import Arrival, Kind

HOSTILE_NAMES = [
    b"plain.jpg",
    b"with space.jpg",
    b"-rf",
    b"..hidden",
    b"\xe2\x80\xaegpj.exe",
    b"caf\xc3\xa9.jpg",
    b"cafe\xcc\x81.jpg",
    b"x" * 255,
    b"new\nline.jpg",
    b"\xff\xfe not UTF-8.jpg",
]


class Stage(Protocol):
    """One staging folder and the hand of a member of staff."""

    source: Source
    retirer: Retirer
    removes_originals: bool  # False where the identity that reads has no right to

    def put(self, path: bytes, content: bytes) -> None:
        """A file of this content, made or replaced as by a save."""
        ...

    def remove(self, path: bytes) -> None:
        """Somebody removes it."""
        ...

    def names_it_can_have(self, names: list[bytes]) -> list[bytes]:
        """Those of these names that this kind of folder can hold."""
        ...

    def plant(self, kind: Kind, path: bytes) -> bool:
        """Something that is no file, if that can be."""
        ...


def seen(stage: Stage, path: bytes) -> Arrival:
    there = stage.source.observe(path)
    assert there is not None
    return there


class SourceContract:
    """The suite. Subclasses give a `stage` fixture."""

    def test_it_says_whose_it_is(self, stage: Stage) -> None:
        assert stage.source.id
        stage.put(b"open-day/photo.jpg", b"pixels")
        origin = stage.source.origin_of(seen(stage, b"open-day/photo.jpg"))
        assert origin.submitter.startswith("u_")
        assert (origin.findings, origin.readable) == ((), True)

    def test_an_empty_folder_has_no_sightings(self, stage: Stage) -> None:
        assert list(stage.source.sightings()) == []
        assert stage.source.observe(b"open-day/photo.jpg") is None

    def test_what_is_put_is_seen_and_read(self, stage: Stage) -> None:
        stage.put(b"open-day/photo.jpg", b"pixels")
        stage.put(b"open-day/post/clip.mp4", b"frames")
        found = {there.path: there for there in stage.source.sightings()}
        assert set(found) == {b"open-day/photo.jpg", b"open-day/post/clip.mp4"}
        for path, content in ((b"open-day/photo.jpg", b"pixels"), (b"open-day/post/clip.mp4", b"frames")):
            there = found[path]
            assert (there.kind, there.size, there.links) == (Kind.FILE, len(content), 1)
            assert there.source == stage.source.id
            assert seen(stage, path).identity == there.identity
            with stage.source.open(there) as stream:
                assert stream.read() == content
            assert seen(stage, path).identity == there.identity, "reading changes nothing"

    def test_hostile_names_are_seen_as_they_are(self, stage: Stage) -> None:
        names = stage.names_it_can_have(HOSTILE_NAMES)
        assert len(names) >= 4
        for name in names:
            stage.put(b"open-day/" + name, name)
        found = {there.path: there for there in stage.source.sightings()}
        assert set(found) == {b"open-day/" + name for name in names}
        for name in names:
            with stage.source.open(found[b"open-day/" + name]) as stream:
                assert stream.read() == name

    @pytest.mark.parametrize(
        "path", [b"", b"/", b"/etc/passwd", b"../x", b"open-day/../../x", b"open-day/./x", b"a\0b"]
    )
    def test_no_path_leads_out(self, stage: Stage, path: bytes) -> None:
        stage.put(b"open-day/x", b"x")
        assert stage.source.observe(path) is None
        elsewhere = replace(seen(stage, b"open-day/x"), path=path)
        with pytest.raises(Unavailable):
            stage.source.open(elsewhere)
        assert stage.retirer.retire(elsewhere) is False
        assert stage.source.observe(b"open-day/x") is not None

    def test_a_changed_file_is_another_arrival(self, stage: Stage) -> None:
        stage.put(b"open-day/x", b"one")
        before = seen(stage, b"open-day/x")
        stage.put(b"open-day/x", b"two")
        after = seen(stage, b"open-day/x")
        assert after.identity != before.identity
        with pytest.raises(Unavailable):
            stage.source.open(before)
        assert stage.retirer.retire(before) is False, "the new one was never taken up"
        with stage.source.open(after) as stream:
            assert stream.read() == b"two"

    def test_a_removed_file_is_gone(self, stage: Stage) -> None:
        stage.put(b"open-day/x", b"x")
        before = seen(stage, b"open-day/x")
        stage.remove(b"open-day/x")
        assert stage.source.observe(b"open-day/x") is None
        with pytest.raises(Unavailable):
            stage.source.open(before)
        assert stage.retirer.retire(before) is False

    def test_retiring_removes_this_one_only_and_once(self, stage: Stage) -> None:
        stage.put(b"open-day/x", b"x")
        stage.put(b"open-day/y", b"y")
        there = seen(stage, b"open-day/x")
        assert stage.retirer.retire(there) is stage.removes_originals
        assert stage.retirer.retire(there) is False
        left = {b"open-day/y"} if stage.removes_originals else {b"open-day/x", b"open-day/y"}
        assert {there.path for there in stage.source.sightings()} == left

    def test_another_source_s_arrival_is_not_retired(self, stage: Stage) -> None:
        stage.put(b"open-day/x", b"x")
        there = replace(seen(stage, b"open-day/x"), source="another")  # type: ignore[arg-type] # a wrong one
        assert stage.retirer.retire(there) is False
        assert stage.source.observe(b"open-day/x") is not None

    @pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in {Kind.FILE, Kind.FOLDER}])
    def test_what_is_no_file_is_told_of_and_never_opened(self, stage: Stage, kind: Kind) -> None:
        if not stage.plant(kind, b"open-day/thing.jpg"):
            return  # there can be no such thing here
        (there,) = stage.source.sightings()
        assert (there.path, there.kind) == (b"open-day/thing.jpg", kind)
        assert seen(stage, b"open-day/thing.jpg").kind is kind
        for claimed in (there, replace(there, kind=Kind.FILE)):  # also if somebody lied about its kind
            with pytest.raises((Unavailable, Refusal)):
                stage.source.open(claimed)
        assert stage.retirer.retire(there) is False

    def test_looking_while_others_write_never_fails(self, stage: Stage) -> None:
        stop = threading.Event()

        def churn() -> None:
            number = 0
            while not stop.is_set():
                stage.put(b"open-day/%d/x" % (number % 7), b"x" * number)
                stage.remove(b"open-day/%d/x" % (number % 7))
                number += 1

        hand = threading.Thread(target=churn)
        hand.start()
        try:
            for _ in range(100):
                for there in stage.source.sightings():
                    assert there.path.startswith(b"open-day/")
                    stage.source.observe(there.path)
        finally:
            stop.set()
            hand.join()

    def test_a_class_is_one_end_only(self, stage: Stage) -> None:
        for other in ("put", "recall", "retire"):
            assert not hasattr(stage.source, other)
        for other in ("put", "recall", "open", "sightings"):
            assert not hasattr(stage.retirer, other)
