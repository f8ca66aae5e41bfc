"""By what the guard of a folder in OneDrive is told to know our files, from the intention to the end."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.graph.emulator.quickxor import of_stream
from tests.release.onedrive_rig import DEVICE, PLACE, Shore
from tests.release.rig import DEVICE as IPAD
from tests.release.rig import SIGNER
from tests.release.test_onedrive_recheck import Line, Trusting
from tests.store.pieces import HAPPENED, digest, item_id
from transfer.errors import Tampered, Unavailable
from transfer.model.drive import DriveMark
from transfer.model.ends import Expectation
from transfer.model.names import SafeName
from transfer.model.states import CleanBlob
from transfer.release.dispatch import Dispatch
from transfer.release.onedrive_hash import quickxor_of_blob, quickxor_of_text
from transfer.release.parcel import MANIFEST_NAME
from transfer.release.renew import ManifestKeeper
from transfer.release.send import restore, send
from transfer.return_guard.messages import Expected, Stage
from transfer.return_guard.refuse import ReturnDesk
from transfer.store.manifests import Manifests, Reports
from transfer.store.release_marks import ReleaseMarks

MARKS = ReleaseMarks(quickxor=quickxor_of_text)


def quickxor(content: bytes) -> str:
    """By the emulator's own sums."""
    return of_stream(io.BytesIO(content))[0]


class Noting(Trusting):
    """A guard that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Expectation]] = []

    def expect(self, expectation: Expectation) -> None:
        self.told.append(("coming", expectation))

    def placed(self, expectation: Expectation) -> None:
        self.told.append(("placed", expectation))

    def is_present(self, name: SafeName) -> None:
        pytest.fail(f"{name} is asked for, and the sink itself knows")

    def marks(self) -> list[tuple[str, DriveMark | None]]:
        return [(stage, expectation.mark) for stage, expectation in self.told]


class Marked(Line):
    """The line's last stretch as the settings put it together, with a guard that notes."""

    def __init__(self, shore: Shore, top: Path) -> None:
        super().__init__(shore, top)
        self.plain = self.dispatch
        self.guard = Noting()
        self.hashed: list[CleanBlob] = []
        self.dispatch: Dispatch = replace(
            self.dispatch, lookout=self.guard, hashed=self._hashed, marks=MARKS, sink_knows=True
        )
        self.desk = ReturnDesk(
            database=self.side.database,
            recorder=self.side.log,
            releases=self.side.releases,
            manifests=Manifests(),
            reports=Reports(),
            manifest_name=MANIFEST_NAME,
            policy=digest(7),
            marks=MARKS,
        )
        self.keeper = ManifestKeeper(
            database=self.side.database,
            releases=self.side.releases,
            manifests=Manifests(),
            board=self.end.board,
            lookout=self.guard,
            signer=SIGNER,
            origin="gateway.example/demo",
            clock=self.clock,
            entropy=self.dispatch.entropy,
            marks=MARKS,
        )

    def _hashed(self, clean: CleanBlob) -> str:
        with self.side.database.write():  # a large file takes long: nobody may have to wait for it
            pass
        self.hashed.append(clean)
        return quickxor_of_blob(self.side.blobs, clean.sha256)

    def listed(self, name: str) -> list[Expected]:
        return [one for one in self.desk.listing() if one.name.text == name]


@pytest.fixture
def line(shore: Shore, tmp_path: Path) -> Iterator[Marked]:
    line = Marked(shore, tmp_path)
    yield line
    line.end.close()
    line.side.close()


def test_the_guard_is_told_the_hash_before_and_the_item_after(line: Marked) -> None:
    line.send(1, b"a photo")
    mark = DriveMark(quickxor=quickxor(b"a photo"), jpeg=True, item=None)
    assert line.guard.marks() == [("coming", mark), ("placed", replace(mark, item=line.item().id))]
    (expected,) = line.listed("photo-1.jpg")
    assert (expected.stage, expected.mark) == (Stage.PLACED, replace(mark, item=line.item().id))
    assert len(line.hashed) == 1


def test_a_release_that_is_taken_up_again_is_not_read_again_for_its_hash(line: Marked) -> None:
    approved = line.side.approved(1, b"a photo")
    line.shore.world.fault("status", path="createUploadSession", status=500, times=1000)
    with pytest.raises(Unavailable):
        send(approved, dispatch=line.dispatch, device=IPAD)
    line.shore.world.no_faults()
    send(approved, dispatch=line.dispatch, device=IPAD)
    assert len(line.hashed) == 1
    assert line.shore.everything() == {"photo-1.jpg": b"a photo"}


def test_bytes_that_are_not_the_approved_ones_are_neither_hashed_nor_intended(line: Marked) -> None:
    approved = line.side.approved(1, b"a photo")
    line.side.blobs.content[approved.held.rebuilt.clean.sha256] = b"another"
    with pytest.raises(Tampered, match="is not the approved one any more"):
        send(approved, dispatch=line.dispatch, device=IPAD)
    assert line.side.row(item_id(1)) is None
    assert line.guard.told == []
    assert line.shore.everything() == {}


def test_what_is_put_again_becomes_another_item(line: Marked) -> None:
    approved = line.send(1, b"a photo")
    first = line.item().id
    line.shore.drive.by(DEVICE).move(line.item(), line.shore.drive.by(DEVICE).folder("Elsewhere"))
    with line.side.database.write() as tx:
        line.side.releases.altered(tx, item_id(1), HAPPENED)
    (expected,) = line.listed("photo-1.jpg")
    assert expected.mark == DriveMark(quickxor=quickxor(b"a photo"), jpeg=True, item=None), "whatever comes is new"
    line.guard.told.clear()
    restore(approved, dispatch=line.dispatch)
    items = [mark.item for _, mark in line.guard.marks() if mark is not None]
    assert items == [None, line.item().id]
    assert line.item().id != first


def test_a_release_that_was_begun_for_a_folder_on_a_disk_gets_its_hash_later(line: Marked) -> None:
    """Where the settings were changed between a crash and the next start: the genuine file must not be condemned."""
    approved = line.side.approved(1, b"a photo")
    line.shore.world.fault("status", path="createUploadSession", status=500, times=1000)
    with pytest.raises(Unavailable):
        send(approved, dispatch=line.plain, device=IPAD)
    assert line.listed("photo-1.jpg")[0].mark is None, "the guard lets nothing stand under it"
    line.shore.world.no_faults()
    send(approved, dispatch=line.dispatch, device=IPAD)
    assert [mark and mark.quickxor for _, mark in line.guard.marks()] == [quickxor(b"a photo")] * 2


def test_the_manifest_is_known_by_its_hash_and_item(line: Marked) -> None:
    line.send(1, b"a photo")
    line.guard.told.clear()
    line.keeper.renew()
    note = line.shore.drive.content(f"{PLACE}/manifest.note")
    there = line.shore.drive.item(f"{PLACE}/manifest.note").id
    mark = DriveMark(quickxor=quickxor(note), jpeg=False, item=None)
    assert line.guard.marks() == [("coming", mark), ("placed", replace(mark, item=there))]
    assert [(one.stage, one.mark) for one in line.listed("manifest.note")] == [
        (Stage.PLACED, replace(mark, item=there))
    ]


def test_a_folder_on_a_disk_needs_no_marks(line: Marked) -> None:
    line.guard.told.clear()
    send(line.side.approved(1, b"a photo"), dispatch=replace(line.plain, lookout=Watching()), device=IPAD)
    assert line.hashed == []
    row = line.side.row(item_id(1))
    assert row is not None
    assert row.quickxor is None


class Watching(Trusting):
    def expect(self, expectation: Expectation) -> None:
        assert expectation.mark is None


def test_nothing_goes_while_others_reach_the_folder_and_no_large_file_is_read_meanwhile(line: Marked) -> None:
    def exposed() -> None:
        raise Unavailable("Somebody else can change what lies in the release folder.", clauses=("G5",))

    put_back = line.send(2, b"two")
    with line.side.database.write() as tx:
        line.side.releases.altered(tx, item_id(2), HAPPENED)
    before, read = line.shore.everything(), len(line.hashed)
    stopped = replace(line.dispatch, enclosed=exposed)
    no_device = replace(line.dispatch, stands=lambda _tx, _approved: exposed())
    approved = line.side.approved(1, b"a photo")
    for deed in (
        lambda: send(approved, dispatch=stopped, device=IPAD),
        lambda: send(approved, dispatch=no_device, device=IPAD),
        lambda: restore(put_back, dispatch=stopped),
    ):
        with pytest.raises(Unavailable, match="Somebody else"):
            deed()
    assert line.shore.everything() == before
    assert len(line.hashed) == read
    assert line.side.row(item_id(1)) is None
    send(approved, dispatch=line.dispatch, device=IPAD)
    assert "photo-1.jpg" in line.shore.everything()


def test_what_is_exposed_while_it_is_uploaded_is_not_committed(line: Marked) -> None:
    asked: list[int] = []

    def exposed() -> None:
        asked.append(len(line.shore.world.asked(method="PUT")))
        if asked[-1]:
            raise Unavailable("Somebody else can change what lies in the release folder.", clauses=("G5",))

    with pytest.raises(Unavailable, match="Somebody else"):
        send(line.side.approved(1, b"a photo"), dispatch=replace(line.dispatch, enclosed=exposed), device=IPAD)
    assert asked[-1] == 1, "asked once more when all bytes were there"
    assert line.shore.everything() == {}
