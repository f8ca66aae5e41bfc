"""The approval is asked for in the very transaction that records the releasing, and again before the bytes show."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.release.rig import DEVICE, guarded, item_id
from tests.release.test_send import held_again
from transfer.errors import NotSo, TransferError, Unavailable
from transfer.model.identifiers import Sha256
from transfer.model.states import Approved, State
from transfer.release.send import send
from transfer.store.database import ReadTx


def test_an_approval_that_ended_since_it_was_confirmed_releases_nothing(tmp_path: Path) -> None:
    def withdrawn(_tx: ReadTx, _approved: Approved) -> None:
        raise NotSo("It was withdrawn a moment ago.")

    with guarded(tmp_path) as (side, _guard):
        approved = side.approved(1, b"a photo")
        with pytest.raises(NotSo, match="withdrawn"):
            send(approved, dispatch=replace(side.dispatch, stands=withdrawn), device=DEVICE)
        assert side.entries("file.releasing") == []
        assert list(side.release.iterdir()) == []
        with side.database.read() as tx:
            assert side.register.row(tx, item_id(1)).state is State.APPROVED
            assert side.releases.find(tx, item_id(1)) is None


@pytest.mark.parametrize("word", [NotSo("It was withdrawn."), Unavailable("Releasing is paused.")])
def test_an_approval_that_ends_while_it_is_written_releases_nothing(tmp_path: Path, word: TransferError) -> None:
    asked: list[int] = []

    def ending(_tx: ReadTx, _approved: Approved) -> None:
        asked.append(1)
        if len(asked) > 1:
            raise word

    with guarded(tmp_path) as (side, _guard):
        approved = side.approved(1, b"a photo")
        with pytest.raises(type(word), match=word.sentence):
            send(approved, dispatch=replace(side.dispatch, stands=ending), device=DEVICE)
        assert len(asked) == 2
        assert list(side.release.iterdir()) == []
        assert side.entries("file.released") == []
        send(approved, dispatch=side.dispatch, device=DEVICE)
        assert side.released() == {"photo-1.jpg": b"a photo"}


def test_a_decision_in_the_register_while_it_is_written_is_seen_before_the_bytes_show(tmp_path: Path) -> None:
    class Deciding(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            chunk = super().read(size)
            if not chunk:
                held_again(side, 1)
            return chunk

    with guarded(tmp_path) as (side, _guard):
        approved = side.approved(1, b"a photo")
        with pytest.raises(NotSo, match="only an approved one"):
            send(approved, dispatch=replace(side.dispatch, blobs=Opening(Deciding(b"a photo"))), device=DEVICE)
        assert list(side.release.iterdir()) == []


class Opening:
    def __init__(self, content: BinaryIO) -> None:
        self._content = content

    def open_clean(self, sha256: Sha256) -> BinaryIO:
        return self._content
