"""The approval is asked for once more in the very transaction that records the releasing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.release.rig import DEVICE, guarded, item_id
from transfer.errors import NotSo
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
