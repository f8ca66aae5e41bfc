"""The notice board: one file an item, the newest state, and nothing but our own files ever touched."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store import pieces
from transfer.errors import Misuse, Unavailable
from transfer.model.names import safe_name
from transfer.store.database import Database
from transfer.store.noticeboard import HEADINGS, Noticeboard
from transfer.store.register import ItemRow, Register


@pytest.fixture(scope="module")
def row_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ItemRow]:
    db = Database.create(tmp_path_factory.mktemp("db") / "db")
    register = Register(pieces.CountingRecorder(), clock=pieces.SteppingClock())
    with db.write() as tx:
        for number in (1, 2, 3):
            register.enter(tx, pieces.spooled(number), pieces.HAPPENED)
        rows = {number: register.row(tx, pieces.item_id(number)) for number in (1, 2, 3)}
    db.close()

    def changed(number: int, name: str = "photo.jpg", **more: object) -> ItemRow:
        return replace(rows[number], name=safe_name(name), **more)  # type: ignore[arg-type] # fields of ItemRow

    return changed


def listing(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def test_a_notice_is_replaced_as_the_state_changes(tmp_path: Path, row_of: Callable[..., ItemRow]) -> None:
    board = Noticeboard(tmp_path)
    row = row_of(1)
    for heading in ("WORKING", "WAITING", "RELEASED", "WITHDRAWN"):
        board.post(row, f"It is {heading.lower()}.\nMore.", heading)
        assert listing(tmp_path) == [f"open-day/{heading} photo.jpg.txt"]
    text = (tmp_path / "open-day" / "WITHDRAWN photo.jpg.txt").read_text()
    assert text == f"It is withdrawn.\nMore.\n\nItem {row.item}\n"
    board.remove(row)
    assert listing(tmp_path) == []
    board.remove(row)


def test_posting_the_same_again_writes_nothing(tmp_path: Path, row_of: Callable[..., ItemRow]) -> None:
    board = Noticeboard(tmp_path)
    board.post(row_of(1), "text", "WAITING")
    before = (tmp_path / "open-day" / "WAITING photo.jpg.txt").stat()
    board.post(row_of(1), "text", "WAITING")
    assert (tmp_path / "open-day" / "WAITING photo.jpg.txt").stat().st_ino == before.st_ino
    board.post(row_of(1), "text and more", "WAITING")
    assert (tmp_path / "open-day" / "WAITING photo.jpg.txt").read_text().startswith("text and more")


def test_posts_and_files_outside_campaigns_have_their_places(tmp_path: Path, row_of: Callable[..., ItemRow]) -> None:
    board = Noticeboard(tmp_path)
    board.post(row_of(1, post=safe_name("a post")), "text", "WAITING")
    board.post(row_of(2, campaign=None), "text", "REFUSED")
    assert listing(tmp_path) == ["REFUSED photo.jpg.txt", "open-day/a post/WAITING photo.jpg.txt"]


def test_two_items_of_one_name_keep_their_own(tmp_path: Path, row_of: Callable[..., ItemRow]) -> None:
    board = Noticeboard(tmp_path)
    one, two = row_of(1), row_of(2)
    board.post(one, "first", "REFUSED")
    board.post(two, "second", "REFUSED")
    board.post(one, "first", "REFUSED")
    folder = tmp_path / "open-day"
    assert listing(folder) == [f"REFUSED photo.jpg ({two.item}).txt", "REFUSED photo.jpg.txt"]
    assert (folder / "REFUSED photo.jpg.txt").read_text().startswith("first")
    board.remove(one)
    assert listing(folder) == [f"REFUSED photo.jpg ({two.item}).txt"]
    board.post(two, "second", "WAITING")
    assert listing(folder) == ["WAITING photo.jpg.txt"]


def test_what_staff_put_there_stays(tmp_path: Path, row_of: Callable[..., ItemRow]) -> None:
    board = Noticeboard(tmp_path)
    row = row_of(1)
    folder = tmp_path / "open-day"
    folder.mkdir()
    (folder / "WAITING photo.jpg.txt").write_text("a note of my own")
    os.mkfifo(folder / "REFUSED photo.jpg.txt")
    (folder / "RELEASED photo.jpg.txt").symlink_to(tmp_path / "precious")
    (tmp_path / "precious").write_text(f"precious\nItem {row.item}\n")
    for heading in ("WAITING", "REFUSED", "RELEASED"):
        board.post(row, "ours", heading)
        assert (folder / f"{heading} photo.jpg ({row.item}).txt").read_text() == f"ours\n\nItem {row.item}\n"
    assert (folder / "WAITING photo.jpg.txt").read_text() == "a note of my own"
    assert (folder / "RELEASED photo.jpg.txt").is_symlink()
    assert (tmp_path / "precious").read_text().startswith("precious")


def test_a_link_in_place_of_a_folder_is_not_followed(tmp_path: Path, row_of: Callable[..., ItemRow]) -> None:
    (tmp_path / "board").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "board" / "open-day").symlink_to(tmp_path / "elsewhere")
    board = Noticeboard(tmp_path / "board")
    with pytest.raises(Unavailable):
        board.post(row_of(1), "text", "WAITING")
    (tmp_path / "elsewhere" / "WAITING photo.jpg.txt").write_text(f"text\n\nItem {row_of(1).item}\n")
    board.remove(row_of(1))  # no notice of ours can hang there
    assert listing(tmp_path / "elsewhere") == ["WAITING photo.jpg.txt"]


def test_a_crash_between_new_and_old_is_mended_by_the_next_post(
    tmp_path: Path, row_of: Callable[..., ItemRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Noticeboard(tmp_path)
    board.post(row_of(1), "text", "WORKING")

    class Killed(BaseException):
        pass

    def killed(*_arguments: object, **_more: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", killed)
        with pytest.raises(Killed):
            board.post(row_of(1), "text", "WAITING")
    board.post(row_of(1), "text", "WAITING")
    assert listing(tmp_path) == ["open-day/WAITING photo.jpg.txt"]


def test_refusals_of_the_board(tmp_path: Path, row_of: Callable[..., ItemRow]) -> None:
    with pytest.raises(Misuse):
        Noticeboard(tmp_path).post(row_of(1), "text", "../WAITING")
    with pytest.raises(Unavailable):
        Noticeboard(tmp_path / "none").post(row_of(1), "text", "WAITING")


@settings(max_examples=50)
@given(st.binary(max_size=300), st.text(max_size=200), st.sampled_from(HEADINGS))
def test_any_name_and_any_text(
    tmp_path_factory: pytest.TempPathFactory, row_of: Callable[..., ItemRow], name: bytes, text: str, heading: str
) -> None:
    root = tmp_path_factory.mktemp("board")
    board = Noticeboard(root)
    row = replace(row_of(1), name=safe_name(name))
    board.post(row, text, "WORKING")
    board.post(row, text, heading)
    assert len(listing(root)) == 1
    board.remove(row)
    assert listing(root) == []


def test_what_a_crash_left_half_written_goes_with_the_next_notice(
    tmp_path: Path, row_of: Callable[..., ItemRow]
) -> None:
    (tmp_path / "open-day").mkdir()
    (tmp_path / "open-day" / f".part-{row_of(1).item}").write_text("half a noti")
    Noticeboard(tmp_path).post(row_of(1), "It was released.", "RELEASED")
    assert listing(tmp_path) == ["open-day/RELEASED photo.jpg.txt"]


def test_many_notices_at_once_open_few_folders_and_make_each_durable_once(
    tmp_path: Path, row_of: Callable[..., ItemRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Noticeboard(tmp_path)
    before = set(os.listdir("/proc/self/fd"))
    most = 0
    with board.posting() as post:
        for number in range(200):
            post(row_of(1, post=safe_name(f"post-{number}")), "text", "WAITING", False)
            most = max(most, len(os.listdir("/proc/self/fd")))
    assert most < len(before) + 70
    assert len(listing(tmp_path)) == 200
    made_durable: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (made_durable.append(descriptor), fsync(descriptor)))
    with board.posting() as post:
        for number in (1, 2, 3):
            post(row_of(number, name=f"{number}.jpg"), "text", "WAITING", False)
    assert len(made_durable) == 3 + 1  # the texts, and once the names
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_failing_disk_leaves_no_folder_open(
    tmp_path: Path, row_of: Callable[..., ItemRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Noticeboard(tmp_path)
    for step in ("a", "b"):
        board.post(row_of(1, post=safe_name(step)), "text", "WAITING")
    before = set(os.listdir("/proc/self/fd"))

    def fail(_descriptor: int) -> None:
        raise OSError(5, "no")

    with pytest.raises(Unavailable), contextlib.ExitStack() as block:  # noqa: PT012 -- the end of the block raises
        post = block.enter_context(board.posting())
        for step in ("a", "b"):
            post(row_of(1, post=safe_name(step)), "text", "WAITING", False)
        monkeypatch.setattr(os, "fsync", fail)
    assert set(os.listdir("/proc/self/fd")) == before
