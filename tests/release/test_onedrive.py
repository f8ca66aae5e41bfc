"""The release folder in OneDrive: the sink's contract over an emulated drive, and what only a service can do."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.graph.emulator.identities import person
from tests.release.onedrive_rig import DEVICE, IMPATIENT, PLACE, TOKEN, End, Shore
from tests.release.rig import sha256_of
from tests.release.sink_contract import SinkContract, parcel_of, unsafe_parcel
from transfer.errors import Tampered, Unavailable
from transfer.graph.faults import Denied, GraphFault, NoRoom, NotThere
from transfer.graph.throttle import Manners
from transfer.graph.writer import CHUNK, STEP
from transfer.model.ends import Parcel, Sink
from transfer.model.names import safe_name
from transfer.release.parcel import name_digest
from transfer.store.onedrive_placements import Echo, PlacementRow
from transfer.store.onedrive_uploads import UploadRow

TEMPORARY = safe_name("part-1.tmp")


class TestOneDriveSink(SinkContract):
    takes_empty = False

    @pytest.fixture(autouse=True)
    def _service(self, shore: Shore) -> Iterator[None]:
        self.shore = shore
        self.ends: list[End] = []
        yield
        for end in self.ends:
            end.close()

    def sink(self, place: Path) -> Sink:
        end = End(self.shore, place)
        self.ends.append(end)
        return end.sink

    def everything(self, place: Path) -> dict[str, bytes]:
        return self.shore.everything()


class Stopped(BaseException):
    """The process ends here."""


class Stopping(io.BytesIO):
    """Content whose reader is stopped at a byte."""

    def __init__(self, content: bytes, at: int) -> None:
        super().__init__(content)
        self._at = at

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= self._at:
            raise Stopped
        return super().read(size)


class Doing(io.BytesIO):
    """Content at whose end something happens, once."""

    def __init__(self, content: bytes, deed: Callable[[], object]) -> None:
        super().__init__(content)
        self._deed: Callable[[], object] | None = deed

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        if not chunk and self._deed is not None:
            deed, self._deed = self._deed, None
            deed()
        return chunk


def stop(end: End, content: bytes, at: int) -> None:
    """A put of this content that ends after so many bytes, as by a kill."""
    with pytest.raises(Stopped):
        end.sink.put(unsafe_parcel(Stopping(content, at), sha256_of(content), len(content)))


def row_of(end: End) -> UploadRow | None:
    with end.database.read() as tx:
        return end.uploads.find(tx, TEMPORARY)


def placed(end: End, name: str = "photo.jpg") -> PlacementRow | None:
    with end.database.read() as tx:
        return end.placements.find(tx, name_digest(safe_name(name)))


def sessions(shore: Shore) -> int:
    """How many uploads are under way at the service."""
    found = shore.world.database.one("SELECT count(*) FROM sessions")
    return int(found[0]) if found else 0


def parts(shore: Shore) -> int:
    return len(shore.world.asked(method="PUT"))


@pytest.mark.parametrize(
    ("size", "chunk"), [(1, CHUNK), (STEP, STEP), (STEP + 1, STEP), (3_000_001, STEP), (40, CHUNK)]
)
def test_a_file_takes_two_requests_and_one_for_each_chunk(shore: Shore, tmp_path: Path, size: int, chunk: int) -> None:
    end = End(shore, tmp_path, chunk=chunk)
    content = os.urandom(size)
    shore.world.forget_requests()
    end.sink.put(parcel_of(content))
    chunks = math.ceil(size / chunk)
    assert shore.requests() == ["POST graph", *["PUT content"] * chunks, "POST content"]
    assert shore.everything() == {"photo.jpg": content}
    assert row_of(end) is None
    found = placed(end)
    assert found is not None
    assert (found.drive_item, found.echo) == (shore.drive.item(f"{PLACE}/photo.jpg").id, Echo.VERIFIED)
    assert sessions(shore) == 0
    end.close()


def test_what_was_done_before_a_crash_is_found_so_by_one_look(shore: Shore, end: End) -> None:
    """The release itself was not recorded: the same put comes again."""
    end.sink.put(parcel_of(b"a photo"))
    shore.world.forget_requests()
    assert end.sink.put(parcel_of(b"a photo")).sha256 == sha256_of(b"a photo")
    assert shore.requests() == ["GET graph"]
    shore.drive.report(shore.drive.item(f"{PLACE}/photo.jpg"), size=7 + 12)  # rewritten: the recheck decides about that
    assert end.sink.put(parcel_of(b"a photo")).size == 7
    shore.drive.by(DEVICE).replace(shore.drive.item(f"{PLACE}/photo.jpg"), b"altered")
    with pytest.raises(Unavailable, match="did not put there"):
        end.sink.put(parcel_of(b"a photo"))
    shore.drive.by(DEVICE).remove(shore.drive.item(f"{PLACE}/photo.jpg"))
    end.sink.put(parcel_of(b"a photo"))
    assert shore.everything() == {"photo.jpg": b"a photo"}


def test_what_was_put_is_ours_and_nothing_shows_before_the_commit(shore: Shore, end: End) -> None:
    seen = []
    end.sink.put(parcel_of(b"a photo", still_stands=lambda: seen.append(shore.everything())))
    assert seen == [{}]
    item = shore.drive.item(f"{PLACE}/photo.jpg")
    assert set(item.created_by) == {"application"}


@pytest.mark.parametrize("at", [STEP, 2 * STEP, 3 * STEP])
def test_a_crash_costs_no_more_than_the_chunk_on_its_way(shore: Shore, end: End, tmp_path: Path, at: int) -> None:
    content = os.urandom(4 * STEP + 17)
    stop(end, content, at)
    assert shore.everything() == {}
    before = parts(shore)
    again = End(shore, tmp_path, chunk=STEP)
    again.sink.put(parcel_of(content))
    assert before + parts(shore) - before == 5  # every chunk went once
    assert shore.everything() == {"photo.jpg": content}
    assert sessions(shore) == 0
    again.close()


def test_a_crash_in_the_middle_of_a_chunk_is_seen_by_what_the_service_has(shore: Shore, end: End) -> None:
    """The answer to a part was lost with the process: the row says it was going, the service that it came."""
    content = os.urandom(3 * STEP)
    stop(end, content, 2 * STEP)
    row = row_of(end)
    assert row is not None
    with end.database.write() as tx:
        end.uploads.advance(tx, TEMPORARY, sent=row.sent, sending=row.sending)
    assert row.sending.end == 2 * STEP
    before = parts(shore)
    end.sink.put(parcel_of(content))
    assert parts(shore) - before == 1
    assert shore.everything() == {"photo.jpg": content}


def test_bytes_that_went_before_a_crash_and_were_not_the_approved_start_over(shore: Shore, end: End) -> None:
    """The blob was damaged at first and was restored meanwhile: how much was sent is the same, what was sent is not."""
    content = os.urandom(3 * STEP)
    damaged = b"\x00" * STEP + content[STEP:]
    with pytest.raises(Stopped):
        end.sink.put(unsafe_parcel(Stopping(damaged, 2 * STEP), sha256_of(content), len(content)))
    before = parts(shore)
    end.sink.put(parcel_of(content))
    assert parts(shore) - before == 3
    assert shore.everything() == {"photo.jpg": content}
    assert sessions(shore) == 0


def test_another_size_of_chunks_than_before_the_crash_starts_over(shore: Shore, end: End, tmp_path: Path) -> None:
    content = os.urandom(5 * STEP)
    stop(end, content, 3 * STEP)
    again = End(shore, tmp_path, chunk=2 * STEP)
    again.sink.put(parcel_of(content))
    assert shore.everything() == {"photo.jpg": content}
    assert sessions(shore) == 0
    again.close()


def test_an_upload_that_expired_meanwhile_starts_over(shore: Shore, end: End) -> None:
    content = os.urandom(3 * STEP)
    stop(end, content, 2 * STEP)
    shore.world.later(3600)
    end.sink.put(parcel_of(content))
    assert shore.everything() == {"photo.jpg": content}
    assert len(shore.world.asked(method="POST", path="createUploadSession")) == 2


@pytest.mark.parametrize("ranges", ["open", "closed"])
@pytest.mark.parametrize("fault", ["cut_after", "cut_during", "cut_before", "broken", "busy", "timeout"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_part_whose_answer_is_lost_is_sent_once_more_or_known_to_have_come(
    shore: Shore, end: End, fault: str, after: int, ranges: str
) -> None:
    content = os.urandom(3 * STEP - 1)
    shore.world.switch(ranges=ranges, retry_after=0)
    rule = shore.world.fault(fault, method="PUT", path="/upload/", after=after)
    end.sink.put(parcel_of(content))
    assert shore.world.left(rule) == 0
    assert shore.everything() == {"photo.jpg": content}


def test_a_new_upload_that_is_not_known_everywhere_yet_is_waited_for(shore: Shore, tmp_path: Path) -> None:
    waits: list[float] = []
    end = End(shore, tmp_path, pause=waits.append)
    shore.world.fault("not_found", method="PUT", path="/upload/", times=2)
    end.sink.put(parcel_of(b"a photo"))
    assert waits == [0.5, 2.0]
    assert shore.everything() == {"photo.jpg": b"a photo"}
    assert len(shore.world.asked(method="POST", path="createUploadSession")) == 1
    end.close()


@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_upload_that_the_service_loses_starts_over(shore: Shore, end: End, after: int) -> None:
    content = os.urandom(3 * STEP)
    shore.world.fault("session_lost", method="PUT", path="/upload/", after=after)
    end.sink.put(parcel_of(content))
    assert shore.everything() == {"photo.jpg": content}
    assert sessions(shore) == 0


def test_an_upload_that_is_lost_again_and_again_is_put_off_with_a_sentence(shore: Shore, end: End) -> None:
    shore.world.fault("session_lost", method="PUT", path="/upload/", times=100)
    with pytest.raises(Unavailable, match=r"lost the upload of .* 3 times"):
        end.sink.put(parcel_of(b"a photo"))
    shore.world.no_faults()
    end.sink.put(parcel_of(b"a photo"))
    assert shore.everything() == {"photo.jpg": b"a photo"}


@pytest.mark.parametrize("fault", ["cut_after", "cut_before", "broken", "not_found"])
def test_a_commit_whose_answer_is_lost_took_effect_once(shore: Shore, end: End, fault: str) -> None:
    content = os.urandom(STEP + 1)
    shore.world.fault(fault, method="POST", path="/upload/")
    if fault == "not_found":  # it says that the upload is lost; the next put starts over
        with pytest.raises(NotThere):
            end.sink.put(parcel_of(content))
    end.sink.put(parcel_of(content))
    assert shore.everything() == {"photo.jpg": content}
    found = placed(end)
    assert found is not None
    assert found.echo is Echo.VERIFIED
    assert sessions(shore) == 0


def test_a_commit_that_stays_unanswered_is_recognised_by_the_next_put(shore: Shore, tmp_path: Path) -> None:
    end = End(shore, tmp_path, manners=Manners(patience=0.2, first_pause=0.01, longest_pause=0.02))
    shore.world.fault("cut_after", method="POST", path="/upload/")
    shore.world.fault("broken", after=2, times=1000)
    with pytest.raises(GraphFault):
        end.sink.put(parcel_of(b"a photo"))
    assert shore.everything() == {"photo.jpg": b"a photo"}
    row = row_of(end)
    assert row is not None
    assert row.committing
    shore.world.no_faults()
    before = parts(shore)
    assert end.sink.put(parcel_of(b"a photo")).sha256 == sha256_of(b"a photo")
    assert parts(shore) == before
    assert row_of(end) is None
    assert placed(end) is not None
    end.close()


@pytest.mark.parametrize("kind", ["documentLibrary", "business"])
def test_a_crash_between_the_commit_and_its_row_ends_in_one_file(
    shore: Shore, end: End, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def killed(*_: object) -> None:
        raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(type(end.placements), "place", killed)
        with pytest.raises(Stopped):
            end.sink.put(parcel_of(b"a photo"))
    assert shore.everything() == {"photo.jpg": b"a photo"}
    assert placed(end) is None
    end.sink.put(parcel_of(b"a photo"))
    assert shore.drive.names(PLACE) == ["photo.jpg"]
    assert placed(end) is not None


def test_a_crash_before_the_commit_commits_what_lies_there_without_sending_it_again(
    shore: Shore, end: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(3 * STEP)

    def killed() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        end.sink.put(parcel_of(content, still_stands=killed))
    before = parts(shore)
    asked: list[bool] = []
    end.sink.put(parcel_of(content, still_stands=lambda: asked.append(True)))
    assert parts(shore) == before == 3
    assert asked == [True]
    assert shore.everything() == {"photo.jpg": content}


@pytest.mark.parametrize("whose", ["device", "staff"])
@pytest.mark.parametrize("content", [b"theirs", b"a photo"])
def test_somebody_elses_file_of_that_name_is_neither_replaced_nor_taken_for_ours(
    shore: Shore, end: End, whose: str, content: bytes
) -> None:
    hand = shore.drive.by(DEVICE if whose == "device" else person("Sam"))
    theirs = hand.put(f"{PLACE}/photo.jpg", content)
    with pytest.raises(Unavailable, match="did not put there"):
        end.sink.put(parcel_of(b"a photo"))
    assert shore.everything() == {"photo.jpg": content}
    assert sessions(shore) == 0
    hand.remove(theirs)
    end.sink.put(parcel_of(b"a photo"))
    assert shore.everything() == {"photo.jpg": b"a photo"}


def test_a_file_that_somebody_puts_there_during_the_upload_stands_and_ours_waits(shore: Shore, end: End) -> None:
    planted: list[object] = []
    stream = Doing(b"a photo", lambda: planted.append(shore.drive.by(DEVICE).put(f"{PLACE}/photo.jpg", b"planted")))
    with pytest.raises(Unavailable, match="did not put there"):
        end.sink.put(unsafe_parcel(stream, sha256_of(b"a photo"), 7))
    assert planted
    assert shore.everything() == {"photo.jpg": b"planted"}
    assert sessions(shore) == 0


def test_a_file_of_ours_that_somebody_gave_another_name_is_not_taken_for_the_other(shore: Shore, end: End) -> None:
    end.sink.put(parcel_of(b"a photo", name="one.jpg", temporary="part-2.tmp"))
    shore.drive.by(person("Sam")).rename(shore.drive.item(f"{PLACE}/one.jpg"), "photo.jpg")
    with pytest.raises(Unavailable, match="did not put there"):
        end.sink.put(parcel_of(b"a photo"))


def test_a_full_drive_leaves_nothing_and_the_next_put_succeeds(shore: Shore, end: End) -> None:
    shore.world.database.run("UPDATE drives SET quota = 1000")
    content = os.urandom(2000)
    with pytest.raises(NoRoom, match="507"):
        end.sink.put(parcel_of(content))
    assert shore.everything() == {}
    shore.world.database.run("UPDATE drives SET quota = NULL")
    end.sink.put(parcel_of(content))
    assert shore.everything() == {"photo.jpg": content}


def test_a_drive_that_fills_up_during_the_upload_is_put_off(shore: Shore, end: End) -> None:
    content = os.urandom(2000)
    stream = Doing(content, lambda: shore.world.database.run("UPDATE drives SET quota = 1000"))
    with pytest.raises(NoRoom):
        end.sink.put(unsafe_parcel(stream, sha256_of(content), 2000))
    assert shore.everything() == {}
    shore.world.database.run("UPDATE drives SET quota = NULL")
    end.sink.put(parcel_of(content))
    assert shore.everything() == {"photo.jpg": content}


def test_a_missing_right_is_a_sentence(shore: Shore, end: End) -> None:
    shore.world.database.run("DELETE FROM rights")
    with pytest.raises(Denied, match="403") as raised:
        end.sink.put(parcel_of(b"a photo"))
    assert "doctor" in raised.value.advice


@pytest.mark.parametrize("at", [0, STEP, 3 * STEP - 1])
def test_one_altered_byte_is_never_committed_nor_its_chunk_sent_to_the_end(shore: Shore, end: End, at: int) -> None:
    content = bytearray(os.urandom(3 * STEP))
    sha256 = sha256_of(bytes(content))
    content[at] ^= 1
    with pytest.raises(Tampered):
        end.sink.put(unsafe_parcel(io.BytesIO(bytes(content)), sha256, len(content)))
    assert shore.everything() == {}
    assert sessions(shore) == 0
    assert row_of(end) is None
    assert parts(shore) == 2  # the last chunk, which would have completed it, was not sent


def test_a_service_that_does_not_wait_for_the_commit_is_not_used(shore: Shore, end: End) -> None:
    content = os.urandom(2 * STEP)
    stream = Doing(content, lambda: shore.world.database.run("UPDATE sessions SET deferred = 0"))

    def never() -> None:
        pytest.fail("asked when it was too late")

    with pytest.raises(Unavailable, match="before the approval was asked for"):
        end.sink.put(unsafe_parcel(stream, sha256_of(content), len(content), still_stands=never))
    assert shore.everything() == {}


def test_the_address_of_an_upload_is_written_nowhere_but_in_its_row(
    shore: Shore, end: End, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    content = os.urandom(3 * STEP)
    stop(end, content, 2 * STEP)
    row = row_of(end)
    assert row is not None
    assert row.url.startswith(shore.emulator.content_url)
    assert row.url not in repr(row)
    secret = row.url.rpartition("/")[2]
    shore.world.fault("status", path="/upload/", times=100, status=400)
    with pytest.raises(GraphFault) as raised:
        end.sink.put(parcel_of(content))
    assert secret not in f"{raised.value!s}{raised.value!r}"
    assert secret not in caplog.text
    shore.world.no_faults()
    end.sink.put(parcel_of(content))
    assert row_of(end) is None


def test_a_restart_with_another_approved_content_under_the_same_temporary_starts_over(shore: Shore, end: End) -> None:
    stop(end, os.urandom(3 * STEP), 2 * STEP)
    content = os.urandom(3 * STEP)
    end.sink.put(parcel_of(content))
    assert shore.everything() == {"photo.jpg": content}
    assert sessions(shore) == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_faults_at_random_each_file_is_there_once_and_whole(shore: Shore, tmp_path: Path, seed: int) -> None:
    shore.world.switch(retry_after=0)
    shore.world.random_faults(0.05, seed=seed)
    end = End(shore, tmp_path, chunk=STEP, manners=IMPATIENT)
    wanted = {f"photo-{n}.jpg": os.urandom(1 + n * STEP // 2) for n in range(12)}
    for number, (name, content) in enumerate(wanted.items()):
        parcel = lambda: parcel_of(content, name=name, temporary=f"part-{number}.tmp")  # noqa: B023, E731
        assert put_until_done(end.sink, parcel) <= 5
    shore.world.no_faults()
    assert shore.world.faults_met()
    assert shore.everything() == wanted
    assert sum(1 for name in wanted if placed(end, name)) == len(wanted)
    end.close()


def put_until_done(sink: Sink, parcel: Callable[[], Parcel]) -> int:
    """How many attempts it took."""
    for attempt in range(1, 20):
        try:
            sink.put(parcel())
        except Unavailable:
            continue
        return attempt
    pytest.fail("it was never done")


def test_the_token_that_writes_is_the_only_one_that_was_used(shore: Shore, end: End) -> None:
    end.sink.put(parcel_of(b"a photo"))
    assert {asked.token for asked in shore.world.asked() if asked.host == "graph"} == {TOKEN}
    assert not any(asked.authorization for asked in shore.world.asked() if asked.host == "content")
